"""What only TensorFlow can tell or do (TensorFlow backend only)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf


def gpu_compute_capability() -> tuple[int, int] | None:
    """Compute capability of the first visible GPU, None without one."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    details = tf.config.experimental.get_device_details(gpus[0])
    return details.get("compute_capability", (0, 0))


def as_tf_dataset(data: keras.utils.PyDataset) -> tf.data.Dataset:
    """The batches of a data set, prepared on a thread of their own.

    What `keras.Model.fit` makes of a data set (and of arrays) shares TensorFlow's thread pool with
    the training step. On two cores every other epoch then takes twice the time; with a private
    thread every epoch is fast.
    """
    n_batches = len(data)

    def batches():
        for index in range(n_batches):
            yield data[index]

    signature = tuple(tf.TensorSpec(array.shape, array.dtype) for array in data[0])
    return (
        tf.data.Dataset.from_generator(batches, output_signature=signature)
        .apply(tf.data.experimental.assert_cardinality(n_batches))
        .prefetch(4)
        .with_options(_on_its_own_thread())
    )


def empty_batches(count: int) -> tf.data.Dataset:
    """So many batches that only count steps, on a thread of their own as well."""
    batches = tf.data.Dataset.from_tensor_slices(tf.zeros((count, 1, 1)))
    return batches.with_options(_on_its_own_thread())


def _on_its_own_thread():
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return options


@contextmanager
def deterministic_ops() -> Iterator[None]:
    """Let TensorFlow choose only among ways of computing that repeat exactly."""
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    config.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            # the rest of the program is not ours to slow down
            config.disable_op_determinism()
