"""Sharing batches between devices (TensorFlow backend only)."""

from __future__ import annotations

import tensorflow as tf


def mirrored(kind: str, count: int) -> tf.distribute.MirroredStrategy:
    """A strategy for the first devices of a kind."""
    devices = [f"{kind.upper()}:{i}" for i in range(count)]
    if kind == "gpu":
        return tf.distribute.MirroredStrategy(devices)
    # NCCL, the usual way, is for GPUs
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
