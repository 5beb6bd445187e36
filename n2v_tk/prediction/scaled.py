"""From images in their own units to results in the same units."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from ..normalization import denormalize, normalize
from .predictor import Predictor

Scaling = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class ScaleByStatistics:
    """Normalises with an offset and a scale per channel, in the manner of csbdeep's normalizers.

    Parameters
    ----------
    scaling : callable
        Gives offset and scale, (C,) each, for one image ((Z,) Y, X, C).
    scaling_back : callable, optional
        The same for the way back, where that differs.
    """

    do_after = True

    def __init__(self, scaling: Scaling, scaling_back: Scaling | None = None):
        self.scaling, self.scaling_back = scaling, scaling_back

    def before(self, x: np.ndarray, axes: str) -> np.ndarray:
        """The normalised image."""
        offset, scale = self.scaling(x)
        back = self.scaling_back
        self._offset, self._scale = (offset, scale) if back is None else back(x)
        return normalize(x, offset, scale)

    def after(self, mean: np.ndarray, scale: np.ndarray | None, axes: str):
        """Mean, and scale of a distribution if there is one, in units of the image."""
        if scale is not None:
            scale = denormalize(scale, 0.0, self._scale)
        return denormalize(mean, self._offset, self._scale), scale


def predict_scaled(
    predictor: Predictor, stack: np.ndarray, normalizer, n_channels: int, **options
) -> np.ndarray:
    """Normalise, predict and de-normalise a stack.

    Parameters
    ----------
    predictor : Predictor
    stack : ndarray or LazyArray (S, (Z,) Y, X, C)
        In its own units, of any real dtype; read as it is needed.
    normalizer : ScaleByStatistics, csbdeep.data.Normalizer or None
        Applied to every image of the stack on its own. What it is scaled back with is left out
        if its `do_after` is False, or if the numbers of channels differ.
    n_channels : int
        Channels of the result that are images. Further ones are scales of distributions.
    **options
        Passed to the predictor.

    Returns
    -------
    ndarray of float32 (S, (Z,) Y, X, C_out)
    """
    output = None
    axes = "ZYXC"[-stack.ndim + 1 :]
    # small images go through the network together
    together = max(1, predictor.budget // int(np.prod(stack.shape[1:-1])))
    for first in range(0, len(stack), together):
        chunk = stack[first : first + together]
        # a normalizer remembers the image it was used for
        normalizers = [copy.copy(normalizer) for _ in chunk]
        images = [_before(n, i, axes) for n, i in zip(normalizers, chunk, strict=True)]
        normalized = np.stack(images) if len(images) > 1 else images[0][np.newaxis]
        del images
        result = predictor(normalized, **options)
        del normalized
        if output is None:
            # where one pass makes all, it is scaled back in place
            whole = len(result) == len(stack) and result.flags.writeable
            output = result if whole else np.empty((len(stack), *result.shape[1:]), np.float32)
            output = output.astype(np.float32, copy=False)
        for i, own in enumerate(normalizers):
            if own is None or not own.do_after or n_channels != stack.shape[-1]:
                output[first + i] = result[i]
                continue
            mean, scale = np.split(result[i], [n_channels], axis=-1)
            mean, scale = own.after(mean, scale if scale.shape[-1] else None, axes)
            output[first + i, ..., :n_channels] = mean
            if scale is not None:
                output[first + i, ..., n_channels:] = scale
    return output


def _before(normalizer, image, axes):
    image = np.asarray(image)
    normalized = image if normalizer is None else normalizer.before(image, axes)
    return np.asarray(normalized, np.float32)
