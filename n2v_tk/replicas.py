"""Means over the devices that share a batch, for losses that count."""

from __future__ import annotations

import keras


def mean_over_replicas(value):
    """The mean of a value over all devices that work on parts of one batch.

    Under TensorFlow's strategies each device sees its part only. Elsewhere a batch is one array,
    however it is spread, and the value is that of all.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    from .replicas_tf import mean_over_replicas_tf

    return mean_over_replicas_tf(value)
