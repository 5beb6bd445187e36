"""Means over the replicas of a distribution strategy (TensorFlow backend only)."""

from __future__ import annotations

import tensorflow as tf


def mean_over_replicas_tf(value):
    """As `n2v_tk.replicas.mean_over_replicas`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
