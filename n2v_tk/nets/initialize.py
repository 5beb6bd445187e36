"""Initial weights from one seed, the same on every backend."""

from __future__ import annotations

import keras
import numpy as np


def initialize(network: keras.Model, seed: int) -> None:
    """Draw the kernels of a network anew, Glorot-uniform, from numpy's generator.

    Keras draws them from global state and differently on every backend. Biases, batch
    normalisation and frozen kernels are left as they are.

    Parameters
    ----------
    network : keras.Model
    seed : int
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed])))
    for variable in network.trainable_variables:
        if variable.name != "kernel":
            continue
        *window, n_in, n_out = variable.shape
        limit = np.sqrt(6 / (np.prod(window) * (n_in + n_out)))
        variable.assign(rng.uniform(-limit, limit, variable.shape).astype(np.float32))
