"""One seed, one result."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import keras


def repeatable(seed: int | None) -> AbstractContextManager[None]:
    """Where a seed is given, compute in ways that repeat to the bit, as far as there is a choice.

    TensorFlow has one, and is told. What runs on JAX and torch repeats on processors; on GPUs it
    is for the user to say (XLA_FLAGS=--xla_gpu_deterministic_ops=true,
    torch.use_deterministic_algorithms).
    """
    if seed is None or keras.backend.backend() != "tensorflow":
        return nullcontext()
    from .backend_tf import deterministic_ops

    return deterministic_ops()
