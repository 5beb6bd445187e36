"""Attention within windows of an image, and the masks of masked training."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="n2v_tk")
class WindowAttention(layers.Layer):
    """Every pixel looks at the pixels of its window (Liu et al. Swin Transformer. ICCV 2021).

    ``softmax(q k^T / sqrt(d) + b) v`` for each head, where b is learned for every distance of two
    pixels. With a shift the windows lie across those of the layer before; the image is rolled, and
    pixels that only rolling made neighbours do not see each other.

    Parameters
    ----------
    heads : int
    window : int
        Side of a window; those of the image must be divisible by it.
    shift : int
        Pixels by which windows are moved.
    **kwargs
        Those of `keras.layers.Layer`.

    Takes queries, keys and values (B, Y, X, 3 * C), gives (B, Y, X, C).
    """

    def __init__(self, heads: int, window: int = 8, shift: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.window, self.shift = heads, window, shift
        self.relative_bias_initializer = keras.initializers.TruncatedNormal(stddev=0.02)

    def build(self, input_shape):
        self.relative_bias = self.add_weight(
            name="relative_bias",
            shape=((2 * self.window - 1) ** 2, self.heads),
            initializer=self.relative_bias_initializer,
        )
        self.built = True

    def call(self, inputs):
        batch, height, width = ops.shape(inputs)[:3]
        channels = inputs.shape[-1] // 3
        pixels = self.window**2
        x = inputs
        if self.shift:
            x = ops.roll(x, (-self.shift, -self.shift), axis=(1, 2))
        x = partition(x, self.window)
        x = ops.reshape(x, (-1, pixels, 3, self.heads, channels // self.heads))
        # (3, windows, heads, pixels, d)
        q, k, v = ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), 3, axis=0)
        scale = (channels // self.heads) ** -0.5
        bias = self._bias()
        if self.shift:
            bias = self._without_strangers(bias, batch, height, width)
        scores = ops.matmul(q * scale, ops.swapaxes(k, -1, -2)) + bias
        seen = ops.matmul(ops.softmax(scores, axis=-1), v)
        x = ops.reshape(ops.transpose(seen, (0, 2, 1, 3)), (-1, pixels, channels))
        x = join(x, self.window, height, width)
        if self.shift:
            x = ops.roll(x, (self.shift, self.shift), axis=(1, 2))
        return x

    def _bias(self):
        """(heads, pixels, pixels)"""
        index = relative_positions(self.window)
        bias = ops.take(self.relative_bias, index.reshape(-1), axis=0)
        bias = ops.reshape(bias, (*index.shape, self.heads))
        return ops.transpose(ops.cast(bias, self.compute_dtype), (2, 0, 1))

    def _without_strangers(self, bias, batch, height, width):
        """The bias of every window, very negative where two pixels were not neighbours.

        Only windows of the last row and column hold such pixels, so there are four kinds. (windows,
        heads, pixels, pixels), since adding what broadcasts over heads takes three times as long.
        """
        rows = ops.arange(height // self.window) == height // self.window - 1
        columns = ops.arange(width // self.window) == width // self.window - 1
        kinds = 2 * ops.cast(rows, "int32")[:, None] + ops.cast(columns, "int32")[None, :]
        kinds = ops.tile(ops.reshape(kinds, (-1,)), (batch,))
        apart = ops.cast(strangers(self.window, self.shift), self.compute_dtype)
        return ops.take(bias + apart[:, None], kinds, axis=0)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        own = {"heads": self.heads, "window": self.window, "shift": self.shift}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="n2v_tk")
class AddConstant(layers.Layer):
    """Adds a number to every channel (`keras.layers.Rescaling` needs TensorFlow on any backend).

    Parameters
    ----------
    values : sequence of float
        One for each channel.
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, values, **kwargs):
        super().__init__(**kwargs)
        self.values = [float(value) for value in values]

    def call(self, inputs):
        return inputs + ops.cast(np.array(self.values, np.float32), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "values": self.values}


@keras.saving.register_keras_serializable(package="n2v_tk")
class PixelMask(layers.Layer):
    """Drops pixels, all channels of them, while training (Chen et al. CVPR 2023, section 3.2).

    Parameters
    ----------
    low, high : float
        For each image the share of pixels to drop is drawn from this range, in whole percent.
    value : float
        What dropped pixels become.
    seed : int, optional
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, low: float, high: float, value: float = -0.1, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high, self.value, self.seed = low, high, value, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        batch, height, width = ops.shape(inputs)[:3]
        low, high = round(100 * self.low), round(100 * self.high)
        percent = keras.random.uniform((batch, 1, 1, 1), seed=self.generator)
        share = (low + ops.floor(percent * (high - low + 1))) / 100
        drawn = keras.random.uniform((batch, height, width, 1), seed=self.generator)
        return ops.where(drawn < share, ops.cast(self.value, inputs.dtype), inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"low": self.low, "high": self.high, "value": self.value, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="n2v_tk")
class TokenMask(layers.Layer):
    """Sets a share of the pixels of every window to zero while training (section 3.2).

    Parameters
    ----------
    share : float
        Of the pixels of a window, the same number in each.
    window : int
        Side of a window.
    at_test : bool
        Also when not training, as the published code does.
    seed : int, optional
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, share: float, window: int = 8, at_test: bool = False, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.share, self.window, self.at_test, self.seed = share, window, at_test, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not (training or self.at_test):
            return inputs
        _, height, width = ops.shape(inputs)[:3]
        windows = partition(inputs, self.window)
        n_kept = round(self.window**2 * (1 - self.share))
        if n_kept == 0:
            return ops.zeros_like(inputs)
        drawn = keras.random.uniform(ops.shape(windows)[:2], seed=self.generator)
        lowest_kept = ops.top_k(drawn, n_kept)[0][:, -1:]
        kept = ops.cast(drawn >= lowest_kept, windows.dtype)
        return join(windows * kept[..., None], self.window, height, width)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {
            "share": self.share, "window": self.window, "at_test": self.at_test, "seed": self.seed,
        }  # fmt: skip
        return {**super().get_config(), **own}


def partition(images, window: int):
    """Windows (n, window * window, C) of images (B, Y, X, C), row by row."""
    _, height, width, channels = ops.shape(images)
    x = ops.reshape(images, (-1, height // window, window, width // window, window, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, window * window, channels))


def join(windows, window: int, height, width):
    """Images (B, height, width, C) of their windows, the inverse of `partition`."""
    channels = windows.shape[-1]
    x = ops.reshape(windows, (-1, height // window, width // window, window, window, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


def relative_positions(window: int):
    """Number of the distance from each pixel of a window to each other, 0 to (2 w - 1)**2 - 1.

    Returns
    -------
    ndarray of int (window**2, window**2)
    """
    at = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij"), axis=-1)
    at = at.reshape(-1, 2)
    apart = at[:, None] - at[None, :] + window - 1
    return apart[..., 0] * (2 * window - 1) + apart[..., 1]


def strangers(window: int, shift: int) -> np.ndarray:
    """-100 where two pixels of a shifted window come from different sides of the image, else 0.

    Returns
    -------
    ndarray of float32 (4, window**2, window**2)
        For windows within, at the right edge, at the lower edge, and in the corner.
    """
    wrapped = np.arange(window) >= window - shift
    within = np.zeros(window, bool)
    kinds = []
    for rows in (within, wrapped):
        for columns in (within, wrapped):
            part = (2 * rows[:, None] + columns[None, :]).ravel()
            kinds.append(np.where(part[:, None] != part[None, :], -100.0, 0.0))
    return np.array(kinds, np.float32)
