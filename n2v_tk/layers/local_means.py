"""Local means of one image given to another."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

# in standard deviations of the window
_REACH = 3


@keras.saving.register_keras_serializable(package="n2v_tk")
class LocalMeans(keras.layers.Layer):
    """Gives results the local means of the images they were made of: ``x + g * (y - x)``.

    g is a Gaussian window; over the edge there is nothing, and weights sum to 1 all the same. Noise
    without a mean of its own hardly gets through: normal noise is divided by ``2 sqrt(pi)`` times
    the window's standard deviation.

    Parameters
    ----------
    window : float
        Standard deviation in pixels.
    **kwargs
        Those of `keras.layers.Layer`.

    Takes images y and results x, (B, Y, X, C) both; gives x while training.

    Examples
    --------
    >>> grey, dark = keras.ops.ones((1, 8, 8, 1)), keras.ops.zeros((1, 8, 8, 1))
    >>> float(LocalMeans(2.0)([grey, dark])[0, 0, 0, 0])
    1.0
    """

    def __init__(self, window: float, **kwargs):
        # in bfloat16 means of grey values would have three digits
        super().__init__(**{"dtype": "float32", **kwargs})
        self.window = window

    def call(self, inputs, training=False):
        images, results = inputs
        if training:
            return results
        missing = images - results
        there = ops.ones_like(missing[:1, :, :, :1])
        return results + self._blurred(missing) / self._blurred(there)

    def _blurred(self, images):
        reach = int(np.ceil(_REACH * self.window))
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.window) ** 2)
        weights = (weights / weights.sum()).astype(np.float32)
        channels = images.shape[-1]
        for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
            kernel = np.repeat(weights.reshape(shape), channels, axis=2)
            images = ops.depthwise_conv(images, kernel, padding="same")
        return images

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):
        return {**super().get_config(), "window": self.window}
