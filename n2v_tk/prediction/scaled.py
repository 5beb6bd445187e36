"""From images in their own units to results in the same units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..normalization import denormalize, normalize
from .predictor import Predictor

Scaling = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def predict_scaled(
    predictor: Predictor, stack: np.ndarray, scaling: Scaling, n_channels: int, **options
) -> np.ndarray:
    """Normalise, predict and de-normalise a stack.

    Parameters
    ----------
    predictor : Predictor
    stack : ndarray (S, (Z,) Y, X, C)
        In its own units, of any real dtype; read as it is needed.
    scaling : callable
        Gives offset and scale, (C,) each, for one image ((Z,) Y, X, C).
    n_channels : int
        Channels of the result that are images. Further ones are scales of distributions, which
        are scaled but not shifted.
    **options
        Passed to the predictor.

    Returns
    -------
    ndarray of float32 (S, (Z,) Y, X, C_out)
    """
    output = np.empty((*stack.shape[:-1], predictor.n_channels_out), np.float32)
    # small images go through the network together
    together = max(1, predictor.budget // int(np.prod(stack.shape[1:-1])))
    for first in range(0, len(stack), together):
        chunk = stack[first : first + together]
        scalings = [scaling(image) for image in chunk]
        normalized = np.stack([normalize(i, *s) for i, s in zip(chunk, scalings, strict=True)])
        result = predictor(normalized, **options)
        for i, (offset, scale) in enumerate(scalings):
            mean, spread = np.split(result[i], [n_channels], axis=-1)
            output[first + i, ..., :n_channels] = denormalize(mean, offset, scale)
            if spread.shape[-1]:
                output[first + i, ..., n_channels:] = denormalize(spread, 0.0, scale)
    return output
