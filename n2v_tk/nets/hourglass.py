"""Hourglass networks of Deep Image Prior."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import initializers, layers

from ..layers.hourglass import (
    ConcatenateMiddles,
    LinearUpSampling,
    PictureNormalization,
    ReflectionPadding,
)

_CONVOLUTION = {2: layers.Conv2D, 3: layers.Conv3D}
_NEAREST = {2: layers.UpSampling2D, 3: layers.UpSampling3D}
_AVERAGE = {2: layers.AveragePooling2D, 3: layers.AveragePooling3D}


def build_hourglass(
    input_channels: int = 32,
    output_channels: int = 3,
    down_channels: Sequence[int] = (128,) * 5,
    up_channels: Sequence[int] | None = None,
    skip_channels: Sequence[int] = (4,) * 5,
    kernel_down: int = 3,
    kernel_up: int = 3,
    one_by_one: bool = True,
    upsampling: str | Sequence[str] = "linear",
    pooling: str = "stride",
    n_dim: int = 2,
    sides: Sequence[int | None] | None = None,
) -> keras.Model:
    """Hourglass with skip connections, whose structure alone prefers natural images.

    Ulyanov, Vedaldi, Lempitsky. Deep Image Prior. CVPR 2018, supplement, figure 21. Convolutions
    pad by reflection; batch normalisation uses the statistics of the batch always.

    Parameters
    ----------
    input_channels, output_channels : int
    down_channels, up_channels, skip_channels : sequence of int
        Filters at each scale, the finest first; `up_channels` are as `down_channels` by default;
        0 skip channels are no skip connection.
    kernel_down, kernel_up : int
        Sides of the convolutions on the way down and up, odd.
    one_by_one : bool
        A convolution of side 1 after each one on the way up.
    upsampling : {'linear', 'nearest'} or sequence of such
        Also for each scale, the finest first.
    pooling : {'stride', 'average'}
        How sides are halved.
    n_dim : {2, 3}
        Number of spatial axes.
    sides : sequence of int or None, optional
        Sides of the input. Sides that are not divisible by ``2**scales`` are cropped in the
        middle where scales meet.

    Returns
    -------
    keras.Model
        From (B, (Z,) Y, X, input_channels) to (B, (Z,) Y, X, output_channels) in (0, 1).

    Examples
    --------
    >>> network = build_hourglass(input_channels=32, output_channels=3)
    >>> sum(int(keras.ops.size(v)) for v in network.trainable_variables)
    2217831
    """
    n_scales = len(down_channels)
    up_channels = down_channels if up_channels is None else up_channels
    if isinstance(upsampling, str):
        upsampling = (upsampling,) * n_scales
    block = _Blocks(n_dim)

    def scale(x, i):
        skip = None
        if skip_channels[i]:
            skip = block.convolve(x, skip_channels[i], 1, f"skip_{i}")
        stride = 2 if pooling == "stride" else 1
        deep = block.convolve(x, down_channels[i], kernel_down, f"down_{i}_a", stride, pooling)
        deep = block.convolve(deep, down_channels[i], kernel_down, f"down_{i}_b")
        if i + 1 < n_scales:
            deep = scale(deep, i + 1)
        if upsampling[i] == "linear":
            deep = LinearUpSampling(name=f"up_{i}")(deep)
        else:
            deep = _NEAREST[n_dim](2, name=f"up_{i}")(deep)
        if skip is not None:
            deep = ConcatenateMiddles(name=f"join_{i}")([skip, deep])
        x = block.normalize(deep, f"join_{i}")
        x = block.convolve(x, up_channels[i], kernel_up, f"merge_{i}")
        return block.convolve(x, up_channels[i], 1, f"merge_{i}_1x1") if one_by_one else x

    inputs = keras.Input((*(sides or (None,) * n_dim), input_channels), name="input")
    x = scale(inputs, 0)
    outputs = _CONVOLUTION[n_dim](
        output_channels, 1, activation="sigmoid", kernel_initializer=_start(), name="head"
    )(x)
    return keras.Model(inputs, outputs, name="hourglass")


class _Blocks:
    """Convolution, normalisation and activation in 2D or 3D."""

    def __init__(self, n_dim):
        self.n_dim = n_dim

    def convolve(self, x, filters, kernel, name, stride=1, pooling="stride"):
        if kernel > 1:
            x = ReflectionPadding(kernel // 2, name=f"{name}_pad")(x)
        x = _CONVOLUTION[self.n_dim](
            filters, kernel, strides=stride, kernel_initializer=_start(), name=name
        )(x)
        if pooling == "average":
            x = _AVERAGE[self.n_dim](2, name=f"{name}_pool")(x)
        x = self.normalize(x, name)
        return layers.LeakyReLU(0.2, name=f"{name}_leaky")(x)

    def normalize(self, x, name):
        return PictureNormalization(epsilon=1e-5, name=f"{name}_norm")(x)


def _start():
    return initializers.VarianceScaling(1 / 3, "fan_in", "untruncated_normal")
