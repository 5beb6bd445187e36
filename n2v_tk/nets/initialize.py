"""Initial weights from one seed, the same on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import initializers

from ..errors import NetworkError


def initialize(network: keras.Model, seed: int) -> None:
    """Draw the kernels of a network anew from numpy's generator, as their initializers say.

    Keras draws them from global state and differently on every backend. Known are Glorot-uniform
    (the default of layers), normal distributions scaled by the fan-in (`VarianceScaling`,
    `HeNormal`; not truncated), truncated normal ones of a fixed width, and zeros. Biases, batch
    normalisation and frozen kernels are left as they are.

    Parameters
    ----------
    network : keras.Model
    seed : int
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed])))
    for variable, initializer in _drawn(network):
        *window, n_in, n_out = variable.shape
        fan_in = np.prod(window) * n_in
        if isinstance(initializer, initializers.Zeros):
            values = np.zeros(variable.shape)
        elif isinstance(initializer, initializers.GlorotUniform):
            limit = np.sqrt(6 / (np.prod(window) * (n_in + n_out)))
            values = rng.uniform(-limit, limit, variable.shape)
        elif isinstance(initializer, initializers.TruncatedNormal):
            values = rng.normal(0, 1, variable.shape)
            while (far := np.abs(values) > 2).any():
                values[far] = rng.normal(0, 1, far.sum())
            values = initializer.mean + initializer.stddev * values
        elif isinstance(initializer, initializers.VarianceScaling):
            values = rng.normal(0, np.sqrt(initializer.scale / fan_in), variable.shape)
        else:
            raise NetworkError(
                "There is no seeded way to draw initial weights. Received: the initializer "
                f"{type(initializer).__name__}. Take one that keras calls by name, e.g. "
                "'glorot_uniform'."
            )
        variable.assign(values.astype(np.float32))


def _drawn(network) -> Iterator[tuple]:
    """Trainable variables that are drawn, in order, each with its initializer."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _drawn(layer)
        elif layer.trainable:
            for name in ("kernel", "relative_bias"):
                if getattr(layer, name, None) is not None:
                    yield getattr(layer, name), getattr(layer, f"{name}_initializer")
