"""Layers of the hourglass networks of Deep Image Prior."""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="n2v_tk")
class ReflectionPadding(layers.Layer):
    """Continues an image or volume over its edges like a mirror, the edge itself not repeated.

    Parameters
    ----------
    width : int
        Pixels on every side.
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, width: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def call(self, inputs):
        spatial = len(inputs.shape) - 2
        if spatial == 2:
            pads = [(0, 0), *[(self.width, self.width)] * spatial, (0, 0)]
            return ops.pad(inputs, pads, mode="reflect")
        # Keras cannot do this for volumes on torch
        x, width = inputs, self.width
        for axis in range(1, spatial + 1):
            at = (slice(None),) * axis
            before = ops.flip(x[(*at, slice(1, width + 1))], axis=axis)
            behind = ops.flip(x[(*at, slice(-width - 1, -1))], axis=axis)
            x = ops.concatenate([before, x, behind], axis=axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(None if s is None else s + 2 * self.width for s in sides), channels)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="n2v_tk")
class PictureNormalization(layers.BatchNormalization):
    """Batch normalisation by the statistics of the batch, in inference as in training.

    The one picture that is fitted is the batch, so what the stock layer remembers of earlier
    batches never counts; its variables are kept.

    Parameters
    ----------
    **kwargs
        Those of `keras.layers.BatchNormalization`.
    """

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=True, mask=mask)


@keras.saving.register_keras_serializable(package="n2v_tk")
class LinearUpSampling(layers.Layer):
    """Doubles the sides of an image or volume by linear interpolation between pixel centres."""

    def call(self, inputs):
        shape = ops.shape(inputs)
        batch, *sides, channels = shape
        if len(sides) == 2:
            return self._double_planes(inputs, sides)
        planes = ops.reshape(inputs, (-1, sides[1], sides[2], channels))
        planes = self._double_planes(planes, sides[1:])
        flat = ops.reshape(planes, (batch, sides[0], 2 * sides[1] * 2 * sides[2], channels))
        first, last = flat[:, :1], flat[:, -1:]
        before = ops.concatenate([first, flat[:, :-1]], axis=1)
        behind = ops.concatenate([flat[:, 1:], last], axis=1)
        both = ops.stack([0.75 * flat + 0.25 * before, 0.75 * flat + 0.25 * behind], axis=2)
        return ops.reshape(both, (batch, *(2 * side for side in sides), channels))

    def _double_planes(self, planes, sides):
        size = (2 * sides[0], 2 * sides[1])
        if isinstance(sides[0], int) and isinstance(sides[1], int):
            doubled = ops.image.resize(planes, size, "bilinear", data_format="channels_last")
        else:
            doubled = layers.UpSampling2D(2, "channels_last", "bilinear")(planes)
        return ops.cast(doubled, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(None if s is None else 2 * s for s in sides), channels)


@keras.saving.register_keras_serializable(package="n2v_tk")
class ConcatenateMiddles(layers.Layer):
    """Joins the channels of images of slightly different size: what is in the middle of all."""

    def call(self, inputs):
        return ops.concatenate(crop_to_smallest(inputs), axis=-1)

    def compute_output_shape(self, input_shape):
        batch, *sides, _ = zip(*input_shape, strict=True)
        sides = [None if None in side else min(side) for side in sides]
        return (batch[0], *sides, sum(shape[-1] for shape in input_shape))


def crop_to_smallest(tensors):
    """The middles of images (B, (Z,) Y, X, C), as large as the smallest along each axis."""
    shapes = [ops.shape(tensor) for tensor in tensors]
    smallest = []
    for axis in range(1, len(shapes[0]) - 1):
        lengths = [shape[axis] for shape in shapes]
        if all(isinstance(length, int) for length in lengths):
            smallest.append(min(lengths))
        else:
            smallest.append(ops.min(ops.stack(lengths)))
    return [_middle(tensor, shape, smallest) for tensor, shape in zip(tensors, shapes, strict=True)]


def _middle(tensor, shape, sides):
    index = [slice(None)]
    for length, side in zip(shape[1:-1], sides, strict=True):
        start = (length - side) // 2
        index.append(slice(start, start + side))
    return tensor[tuple(index)]
