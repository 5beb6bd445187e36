"""A number that is learned beside a network."""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="n2v_tk")
class TrainedLevel(layers.Layer):
    """Gives trained numbers for every pixel of its input, the same everywhere, zero at first.

    Parameters
    ----------
    count : int
        Numbers, which become channels.
    speed : float
        What the trained values are multiplied with. An optimiser that moves every weight by
        about the learning rate moves the numbers so much faster.
    **kwargs
        Those of `keras.layers.Layer`.
    """

    def __init__(self, count: int, speed: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.count, self.speed = count, speed

    def build(self, input_shape):
        self.level = self.add_weight(name="level", shape=(self.count,), initializer="zeros")
        self.built = True

    def call(self, inputs):
        shape = (*ops.shape(inputs)[:-1], self.count)
        return ops.broadcast_to(self.level * self.speed, shape)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "speed": self.speed}


@keras.saving.register_keras_serializable(package="n2v_tk")
class MeanEverywhere(layers.Layer):
    """The mean of each image and channel, for every pixel."""

    def call(self, inputs):
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return ops.broadcast_to(mean, ops.shape(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape
