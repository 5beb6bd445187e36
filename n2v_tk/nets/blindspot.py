"""The networks of Noise2Noise and of HQ-SSL: one encoder and decoder, seeing or half blind."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import initializers, layers

from ..layers.rotations import (
    JoinRotations,
    RotateToBatch,
    ShiftDown,
    ShiftedConv2D,
    ShiftedMaxPool2D,
)

# poolings, so sides must be divisible by 32
DEPTH = 5


def build_blindspot(input_shape: Sequence[int | None], n_out: int, width: int = 48) -> keras.Model:
    """Network whose output at a pixel depends on every pixel around it and never on that pixel.

    One branch, which sees upwards only, is applied to the image in four rotations (Laine et al.,
    NeurIPS 2019, section 2 and supplement).

    Parameters
    ----------
    input_shape : tuple (Y, X, C)
        Sides may be None; they must be divisible by 32 at run time. Pad with zeros: copies of
        pixels, as by reflection, would let a pixel see itself.
    n_out : int
        Channels of the output.
    width : int
        Filters of the encoder; 48 is the published network.

    Returns
    -------
    keras.Model

    Examples
    --------
    >>> build_blindspot((None, None, 1), 2).count_params()
    1265858
    >>> build_blindspot((None, None, 3), 9).count_params()
    1269129
    """
    inputs = keras.Input(tuple(input_shape), name="input")
    branch = _branch(input_shape[-1], width)
    halves = [
        branch(RotateToBatch(turns, name=f"turns_{turns[0]}_{turns[1]}")(inputs))
        for turns in ((0, 2), (1, 3))
    ]
    x = JoinRotations(name="join")(halves)
    outputs = _point_head(x, (8 * width, 2 * width), n_out, "")
    return keras.Model(inputs, outputs, name="blindspot")


def build_twin(
    input_shape: Sequence[int | None],
    n_out: int,
    width: int = 48,
    zero: bool = False,
) -> keras.Model:
    """The network of HQ-SSL without blindness: it sees everything.

    Parameters
    ----------
    input_shape, n_out, width
        As in `build_blindspot`.
    zero : bool
        Begin with an output of zeros.

    Examples
    --------
    >>> build_twin((None, None, 3), 3).count_params(), build_twin((None, None, 1), 1).count_params()
    (1102371, 1099585)
    """
    inputs = keras.Input(tuple(input_shape), name="input")
    prefix = "level_" if zero else ""
    x = _encode_decode(inputs, width, prefix=prefix)
    outputs = _point_head(x, (2 * width, 2 * width), n_out, prefix, zero)
    return keras.Model(inputs, outputs, name="twin")


def build_n2n(input_shape: Sequence[int | None], n_out: int, width: int = 48) -> keras.Model:
    """The network of Noise2Noise (Lehtinen et al., ICML 2018, table 2).

    Parameters as in `build_blindspot`.

    Examples
    --------
    >>> build_n2n((None, None, 3), 3).count_params(), build_n2n((None, None, 1), 1).count_params()
    (991203, 988609)
    """
    inputs = keras.Input(tuple(input_shape), name="input")
    x = _encode_decode(inputs, width, last=(4 * width // 3, 2 * width // 3))
    linear = initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    outputs = layers.Conv2D(n_out, 3, padding="same", kernel_initializer=linear, name="head")(x)
    return keras.Model(inputs, outputs, name="noise2noise")


def _branch(n_channels, width):
    inputs = keras.Input((None, None, n_channels), name="branch_input")
    x = _encode_decode(inputs, width, blind=True)
    # so that a row sees rows above itself and not itself
    return keras.Model(inputs, ShiftDown(name="blind")(x), name="branch")


def _encode_decode(inputs, width, last=None, blind=False, prefix=""):
    def convolve(x, filters, name):
        kwargs = {"kernel_initializer": _he(), "name": f"{prefix}{name}"}
        if blind:
            x = ShiftedConv2D(filters, 3, **kwargs)(x)
        else:
            x = layers.Conv2D(filters, 3, padding="same", **kwargs)(x)
        return _leaky(x, f"{prefix}{name}")

    def pool(x, name):
        if blind:
            return ShiftedMaxPool2D(name=f"{prefix}{name}")(x)
        return layers.MaxPooling2D(2, name=f"{prefix}{name}")(x)

    skips = [inputs]
    x = convolve(inputs, width, "enc0")
    for level in range(1, DEPTH + 1):
        x = convolve(x, width, f"enc{level}")
        x = pool(x, f"pool{level}")
        skips.append(x)
    # the smallest level has no skip connection
    skips.pop()
    x = convolve(x, width, f"enc{DEPTH + 1}")
    for level in reversed(range(DEPTH)):
        x = layers.UpSampling2D(2, name=f"{prefix}up{level + 1}")(x)
        x = layers.Concatenate(name=f"{prefix}skip{level + 1}")([x, skips.pop()])
        filters = (2 * width, 2 * width)
        if level == 0 and last is not None:
            filters = last
        for part, count in zip("ab", filters, strict=True):
            x = convolve(x, count, f"dec{level + 1}{part}")
    return x


def _point_head(x, hidden, n_out, prefix, zero=False):
    """1 x 1 convolutions. In float32: their results decide about variances."""
    for i, filters in enumerate(hidden):
        name = f"{prefix}head_{i}"
        x = layers.Conv2D(filters, 1, kernel_initializer=_he(), name=name)(x)
        x = _leaky(x, name)
    linear = initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    return layers.Conv2D(
        n_out, 1, kernel_initializer="zeros" if zero else linear, name=f"{prefix}head"
    )(x)


def _he():
    return initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def _leaky(x, name):
    return layers.LeakyReLU(0.1, name=f"{name}_leaky")(x)
