"""Batch normalisation through TensorFlow's fused kernel (TensorFlow backend only)."""

from __future__ import annotations

import keras
import tensorflow as tf

from ..errors import NetworkError


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` computed by TensorFlow's fused kernel.

    Same variables in the same order and the same arithmetic as the stock layer, which makes
    separate passes over memory for moments, casts and scaling. It only ever lives in the
    training form of a network (`n2v_tk.nets.forms`), never in a saved one.

    Parameters and statistics are float32; the activations keep the dtype in which they come.

    Parameters
    ----------
    **kwargs
        Those of `keras.layers.BatchNormalization`, except `dtype`. The normalised axis must be
        the last.
    """

    def __init__(self, **kwargs):
        kwargs.pop("dtype", None)
        # float32 variables that are not cast to bfloat16, inputs that are not cast to float32
        super().__init__(dtype="float32", autocast=False, **kwargs)
        if self.axis != -1:
            raise NetworkError(
                f"FusedBatchNormalization normalises the last axis. Received: axis={self.axis}"
            )

    def call(self, inputs, training=None, mask=None):
        channels = self.gamma.shape[0]
        spatial = tf.shape(inputs)
        # the kernel is made for 4 dimensions; a volume is a picture of Z*Y rows to it
        x = (
            inputs
            if inputs.shape.rank == 4
            else tf.reshape(inputs, (spatial[0], -1, spatial[-2], channels))
        )
        batch_statistics = bool(training) and self.trainable
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            mean=None if batch_statistics else tf.convert_to_tensor(self.moving_mean),
            variance=None if batch_statistics else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=batch_statistics,
        )
        if batch_statistics:
            # the kernel returns the unbiased variance; Keras keeps the biased one
            n = tf.cast(tf.size(x) // channels, "float32")
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * (n - 1.0) / n)
        return y if inputs.shape.rank == 4 else tf.reshape(y, spatial)

    def _move(self, moving, value):
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
