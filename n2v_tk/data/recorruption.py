"""Pairs made of single noisy images: noise is added to one part and taken from the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..normalization import normalize
from .pairs import PairDataWrapper
from .patches import as_image_list


def recorrupt(
    noisy: np.ndarray,
    variance_of: Callable[[np.ndarray], np.ndarray],
    alpha: float,
    rng: np.random.Generator,
    opposed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Two images of one, whose noise is independent of each other.

    ``y + alpha * z`` and ``y - z / alpha``, z normal noise of the variance that y has itself (Pang
    et al., CVPR 2021): their noise has the covariance ``variance - variance = 0``, and being
    normal it is independent. Where the variance
    depends on the signal, the mean of the nearest pixels stands for that, the pixel itself left
    out, whose noise would get into the variance.

    Parameters
    ----------
    noisy : ndarray (N, (Z,) Y, X, C)
        In units in which `variance_of` holds.
    variance_of : callable
        From the signal to the variance of its noise, as `n2v_tk.prediction.posterior` makes it.
    alpha : float
    rng : numpy.random.Generator
    opposed : bool
        Give every image twice, also with ``-z`` for z. Of the loss of both, what z has in common
        with the prediction by chance cancels, which is most of what makes steps differ for a small
        `alpha` (antithetic variates).

    Returns
    -------
    more, less : ndarray of float32, shape of `noisy`, or twice as many
        With ``1 + alpha**2`` and ``1 + 1 / alpha**2`` times the variance of its noise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.normal(0, 10, (1, 256, 256, 1))
    >>> more, less = recorrupt(noisy, lambda signal: np.float32(100), 0.5, rng)
    >>> round(float(np.corrcoef(more.ravel(), less.ravel())[0, 1]), 2)
    0.0
    """
    noisy = np.asarray(noisy, np.float32)
    deviation = np.sqrt(np.asarray(variance_of(_around(noisy)), np.float32))
    added = deviation * rng.standard_normal(noisy.shape, np.float32)
    if opposed:
        noisy, added = np.concatenate([noisy, noisy]), np.concatenate([added, -added])
    return noisy + np.float32(alpha) * added, noisy - added / np.float32(alpha)


class RecorruptedDataWrapper(PairDataWrapper):
    """Random patches of noisy images, recorrupted anew for every batch.

    A batch holds each patch twice, with noise of either sign; one of an odd size the last once.

    Parameters
    ----------
    images : ndarray (S, (Z,) Y, X, C) or sequence of such
        Noisy images.
    variance_of, alpha
        As in `recorrupt`, in units of the images.
    batch_size, length, shape, augment, augmenter, seed, scaling, **kwargs
        As in `PairDataWrapper`.
    """

    def __init__(
        self,
        images,
        variance_of: Callable[[np.ndarray], np.ndarray],
        alpha: float,
        *args,
        scaling=(None, None),
        **kwargs,
    ):
        images = as_image_list(images)
        super().__init__(images, images, *args, **kwargs)
        self._variance_of, self._alpha, self._scaling = variance_of, alpha, scaling

    def _pair(self, rng):
        noisy = self._inputs.cut(self._sampler.draw(-(-self.batch_size // 2), rng))
        pair = recorrupt(noisy, self._variance_of, self._alpha, rng, opposed=True)
        pair = tuple(part[: self.batch_size] for part in pair)
        offset, scale = self._scaling
        return pair if offset is None else tuple(normalize(part, offset, scale) for part in pair)


def _around(noisy):
    """Mean of the nearest pixels along the spatial axes, without the pixel itself."""
    from scipy.ndimage import uniform_filter

    sides = (1, *[3] * (noisy.ndim - 2), 1)
    count = 3 ** (noisy.ndim - 2)
    # mirrored beyond the edge, where the pixel at the edge is not met again
    return (count * uniform_filter(noisy, sides, mode="mirror") - noisy) / (count - 1)
