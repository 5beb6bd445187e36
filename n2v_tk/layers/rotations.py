"""Layers that look one way only, and the rotations that turn them to all sides.

A network of `ShiftedConv2D` and `ShiftedMaxPool2D` computes every row from that row and rows above
it. Four such networks with shared weights, each on a rotated image, see everything around a pixel
but not the pixel itself, once each result is moved by one row (Laine, Karras, Lehtinen, Aila.
High-quality self-supervised deep image denoising. NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from ..errors import NetworkError

_ROW_ABOVE = [(0, 0), (1, 0), (0, 0), (0, 0)]


@keras.saving.register_keras_serializable(package="n2v_tk")
class ShiftedConv2D(layers.Conv2D):
    """Convolution whose output row sees its own row of the input and rows above it.

    Zeros stand above and at both sides of the image; the output has its size.

    Parameters
    ----------
    filters, kernel_size, **kwargs
        Those of `keras.layers.Conv2D`, without strides, dilation and padding.

    Examples
    --------
    >>> ShiftedConv2D(8, 3)(keras.ops.ones((1, 6, 7, 2))).shape
    TensorShape([1, 6, 7, 8])
    """

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs["padding"] = "valid"
        super().__init__(filters, kernel_size, **kwargs)

    def call(self, inputs):
        rows, columns = self.kernel_size
        side = columns // 2
        padded = ops.pad(inputs, [(0, 0), (rows - 1, 0), (side, columns - 1 - side), (0, 0)])
        return super().call(padded)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)


@keras.saving.register_keras_serializable(package="n2v_tk")
class ShiftDown(layers.Layer):
    """Moves an image down by one row: zeros come in above, the last row falls out."""

    def call(self, inputs):
        images, rows, columns, channels = ops.shape(inputs)
        # the gradient of inputs[:, :-1] takes TensorFlow a seventh of a training step in bfloat16
        kept = ops.slice(inputs, (0, 0, 0, 0), (images, rows - 1, columns, channels))
        return ops.pad(kept, _ROW_ABOVE)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="n2v_tk")
class ShiftedMaxPool2D(layers.Layer):
    """2 x 2 max-pooling after a move down by one row.

    Without the move a pooled row would hold the row below that at which it begins. Takes images
    with even numbers of rows.
    """

    def call(self, inputs):
        # the last row finds no partner and is left out; strides said too, since without them
        # Keras 3.15 pools wrongly on JAX
        return ops.max_pool(ops.pad(inputs, _ROW_ABOVE), 2, strides=2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        halves = (None if side is None else side // 2 for side in (height, width))
        return (batch, *halves, channels)


@keras.saving.register_keras_serializable(package="n2v_tk")
class RotateToBatch(layers.Layer):
    """Copies of images, turned by quarter turns, one after the other along the batch.

    Parameters
    ----------
    turns : sequence of int
        Quarter turns, either all even or all odd, since all copies must have one shape.
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, turns: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        if len({turn % 2 for turn in turns}) != 1:
            raise NetworkError(f"turns must be all even or all odd. Received: {tuple(turns)}.")
        self.turns = tuple(turns)

    def call(self, inputs):
        return ops.concatenate([rot90(inputs, turn) for turn in self.turns], axis=0)

    def compute_output_shape(self, input_shape):
        _, height, width, channels = input_shape
        if self.turns[0] % 2:
            height, width = width, height
        return (None, height, width, channels)

    def get_config(self):
        return {**super().get_config(), "turns": self.turns}


@keras.saving.register_keras_serializable(package="n2v_tk")
class JoinRotations(layers.Layer):
    """Turns the results of two `RotateToBatch` back and joins them along the channels.

    Takes the results for turns (0, 2) and (1, 3); the channels stand in the order of turns 0, 1,
    2, 3.
    """

    def call(self, inputs):
        even, odd = inputs
        parts = {}
        for stack, turns in ((even, (0, 2)), (odd, (1, 3))):
            for turn, part in zip(turns, ops.split(stack, 2, axis=0), strict=True):
                parts[turn] = rot90(part, -turn)
        return ops.concatenate([parts[turn] for turn in range(4)], axis=-1)

    def compute_output_shape(self, input_shape):
        _, height, width, channels = input_shape[0]
        return (None, height, width, 4 * channels)


def rot90(images, turns: int):
    """Images (B, Y, X, C) turned by quarter turns from Y to X, as `numpy.rot90` in the plane."""
    turns %= 4
    if turns == 2:
        return ops.flip(images, (1, 2))
    if turns == 0:
        return images
    turned = ops.transpose(images, (0, 2, 1, 3))
    return ops.flip(turned, 1 if turns == 1 else 2)
