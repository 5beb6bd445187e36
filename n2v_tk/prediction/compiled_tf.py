"""A network as one function of TensorFlow (TensorFlow backend only)."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def compiled(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function of batches, traced once for all shapes (what `predict` of Keras makes is not)."""
    shape = (*(None for _ in network.input_shape[:-1]), network.input_shape[-1])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    def run(batch):
        return tf.cast(network(batch, training=False), tf.float32)

    # traced now: several threads may be the first to predict
    traced = run.get_concrete_function()
    return lambda batch: traced(tf.constant(batch, tf.float32)).numpy()


def pooled_bytes() -> int:
    """Bytes that TensorFlow keeps of what it once needed, free for what comes next."""
    try:
        info = tf.config.experimental.get_memory_info("CPU:0")
    except ValueError:  # not every build counts
        return 0
    return max(0, info["peak"] - info["current"])
