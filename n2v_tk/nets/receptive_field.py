"""How far a network sees."""

from __future__ import annotations

import keras
from keras import layers

from ..errors import NetworkError
from ..layers.rotations import ShiftDown, ShiftedConv2D, ShiftedMaxPool2D

_POOLINGS = (
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
)
_CONVOLUTIONS = (layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D)
_UPSAMPLINGS = (layers.UpSampling2D, layers.UpSampling3D)
_PADDINGS = (layers.ZeroPadding2D, layers.ZeroPadding3D)
_POINTWISE = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Dropout,
    layers.LeakyReLU,
    layers.ReLU,
)


def receptive_field(network: keras.Model) -> tuple[tuple[int, int], ...]:
    """How far an output pixel sees to the left and to the right along each spatial axis.

    Parameters
    ----------
    network : keras.Model
        A functional network of stock layers, with all sides of the input even wherever it pools
        by 2 with padding 'same' (the worst phase is taken: U-Nets see less from some pixels).

    Returns
    -------
    tuple of (left, right), in pixels, one per spatial axis

    Raises
    ------
    ValueError
        For a layer whose reach is not known.

    Examples
    --------
    >>> from n2v_tk.nets.unet import build_unet
    >>> receptive_field(build_unet((None, None, 1), "linear", kernel_size=(3, 3)))
    ((23, 23), (23, 23))
    """
    n_dim = len(network.input_shape) - 2
    # per tensor and axis: reach to the left, to the right, and distance of neighbouring pixels
    reach = {}
    for operation in network.operations:
        if isinstance(operation, layers.InputLayer):
            for tensor in keras.tree.flatten(operation.output):
                reach[id(tensor)] = [(0, 0, 1)] * n_dim
            continue
        sources = [reach[id(t)] for t in keras.tree.flatten(operation.input)]
        merged = [
            (max(a[0] for a in axis), max(a[1] for a in axis), axis[0][2])
            for axis in zip(*sources, strict=True)
        ]
        reach[id(operation.output)] = [
            _through(operation, axis, *merged[axis]) for axis in range(n_dim)
        ]
    return tuple((left, right) for left, right, _ in reach[id(network.output)])


def _through(operation, axis, left, right, distance):
    if isinstance(operation, _CONVOLUTIONS):
        dilation = operation.dilation_rate
        dilation = dilation[axis] if isinstance(dilation, tuple) else dilation
        window = (operation.kernel_size[axis] - 1) * dilation + 1
        if isinstance(operation, ShiftedConv2D):
            before = window - 1 if axis == 0 else window // 2
            return left + before * distance, right + (window - 1 - before) * distance, distance
        return _windowed(operation, axis, window, left, right, distance)
    if isinstance(operation, _POOLINGS):
        return _windowed(operation, axis, operation.pool_size[axis], left, right, distance)
    if isinstance(operation, _UPSAMPLINGS):
        factor = operation.size[axis]
        if getattr(operation, "interpolation", "nearest") != "nearest" or distance % factor:
            raise NetworkError(
                "The receptive field cannot be found. Received: upsampling layer "
                f"{operation.name}, whose reach is not known. Take interpolation='nearest' and a "
                "factor that earlier poolings have."
            )
        distance //= factor
        # the last of `factor` copies stands that far to the right of its source
        return left + (factor - 1) * distance, right, distance
    if isinstance(operation, _PADDINGS):
        before = operation.padding[axis][0] * distance
        return left + before, right - before, distance
    if isinstance(operation, ShiftDown):
        moved = distance if axis == 0 else 0
        return left + moved, right - moved, distance
    if isinstance(operation, ShiftedMaxPool2D):
        moved = distance if axis == 0 else 0
        return left + moved, right + distance - moved, 2 * distance
    if isinstance(operation, layers.Layer) and not isinstance(operation, _POINTWISE):
        raise NetworkError(
            f"The receptive field cannot be found. Received: layer {operation.name} of type "
            f"{type(operation).__name__}, whose reach is not known. Predict without tiles, with "
            "keras_model.predict."
        )
    return left, right, distance


def _windowed(operation, axis, window, left, right, distance):
    stride = operation.strides[axis]
    before = (window - stride) // 2 if operation.padding == "same" and window > stride else 0
    return (
        left + before * distance,
        right + (window - 1 - before) * distance,
        distance * stride,
    )
