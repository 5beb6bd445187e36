"""Pairs made of single noisy images: noise is added to one part and taken from the other."""

from __future__ import annotations

import numpy as np

from ..normalization import normalize
from .noise_moments import NoiseMoments
from .pairs import PairDataWrapper
from .patches import as_image_list

# deviation of the number of photons of a target below which they are drawn one by one: with the
# usual alpha, of pixels of some thirty
FEW = 1.6
_TINY = np.finfo(np.float32).tiny


def recorrupt(
    noisy: np.ndarray,
    noise: NoiseMoments,
    alpha: float,
    rng: np.random.Generator,
    opposed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Two images of one, whose noise is independent of each other.

    ``y + alpha * z`` and ``y - z / alpha``, z noise of the variance that y has itself (Pang et al.,
    CVPR 2021): their noise has the covariance ``variance - variance = 0``, and being normal it is
    independent.

    Noise of photons has a third moment t too. Given y, z then has the variance
    ``variance + t / variance * (y - signal)`` and ``(alpha - 1 / alpha) * t / variance`` times that
    for its third moment, with which both cumulants of third order of the pair are 0. Where there
    are few photons, a share ``p = alpha**2 / (1 + alpha**2)`` of them, drawn one by one, becomes
    the target and the others the input, each scaled to the image: noise of Poisson's is
    independent then (Monroy, Bacca, Tachella. Generalized Recorrupted-to-Recorrupted, CVPR 2025).
    Elsewhere z is ``a * g - b * (g**2 - 1)`` of normal g. For the signal stands the mean of the
    nearest pixels, the pixel itself left out; where there is read noise too, its own noise changes
    the variance of z by a few hundredths at single photons.

    Parameters
    ----------
    noisy : ndarray (N, (Z,) Y, X, C)
        In the units of `noise`.
    noise : NoiseMoments
    alpha : float
    rng : numpy.random.Generator
    opposed : bool
        Give every image twice, also with ``-g`` for g. Of the loss of both, what z has in common
        with the prediction by chance cancels, which is most of what makes steps differ for a small
        `alpha` (antithetic variates). Few photons are drawn twice, independently.

    Returns
    -------
    more, less : ndarray of float32, shape of `noisy`, or twice as many
        With ``1 + alpha**2`` and ``1 + 1 / alpha**2`` times the variance of its noise.

    Examples
    --------
    >>> from n2v_tk.data.noise_moments import noise_moments
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.normal(0, 10, (1, 256, 256, 1))
    >>> more, less = recorrupt(noisy, noise_moments(noisy, 10.0), 0.5, rng)
    >>> round(float(np.corrcoef(more.ravel(), less.ravel())[0, 1]), 2)
    0.0
    """
    noisy, alpha = np.asarray(noisy, np.float32), np.float32(alpha)
    signal = _around(noisy)
    variance, photon = noise.variance(signal), noise.photon(signal)
    # that of z
    deviation = np.sqrt(np.maximum(variance + photon * (noisy - signal), 0))
    added = _lopsided(deviation, (1 / alpha - alpha) * photon, rng)
    if not opposed:
        added = added[:1]
    few = deviation * alpha / (1 + alpha**2) < FEW * photon
    for one in added:
        one[few] = _thinned((deviation[few] / photon[few]) ** 2, alpha, rng) * photon[few]
    added = np.concatenate(added)
    noisy = np.concatenate([noisy, noisy]) if opposed else noisy
    return noisy + alpha * added, noisy - added / alpha


def _lopsided(deviation, tail, rng):
    """Draws ``d * (a * g - b * (g**2 - 1))`` for g and for -g: third moment ``-tail * d**2``."""
    # 6 b - 4 b**3 is the skewness, at most the root of 8; and a**2 + 2 b**2 = 1
    part = tail / np.sqrt(np.float32(8))
    part = part / np.maximum(deviation, np.maximum(np.abs(part), _TINY))
    b = np.sqrt(np.float32(2)) * np.sin(np.arcsin(part) / 3)
    g = rng.standard_normal(deviation.shape, np.float32)
    odd = deviation * np.sqrt(np.maximum(1 - 2 * b * b, 0)) * g
    even = deviation * b * (1 - g * g)
    return [even + odd, even - odd]


def _thinned(photons, alpha, rng):
    """What is added, in photons, so that a share of them becomes the target."""
    p = alpha**2 / (1 + alpha**2)
    whole = np.floor(photons)
    part = photons - whole
    # of a part of a photon, mean and variance: more of it than there is, less often
    size = 1 - p + p * part
    taken = rng.binomial(whole.astype(np.int64), p)
    taken = taken + size * (rng.random(photons.shape, np.float32) < p * part / size)
    return alpha * (photons - taken / p).astype(np.float32)


class RecorruptedDataWrapper(PairDataWrapper):
    """Random patches of noisy images, recorrupted anew for every batch.

    A batch holds each patch twice, as `recorrupt` gives it `opposed`; one of an odd size the last
    once.

    Parameters
    ----------
    images : ndarray (S, (Z,) Y, X, C) or sequence of such
        Noisy images.
    noise, alpha
        As in `recorrupt`, in units of the images.
    batch_size, length, shape, augment, augmenter, seed, scaling, **kwargs
        As in `PairDataWrapper`.
    """

    def __init__(
        self,
        images,
        noise: NoiseMoments,
        alpha: float,
        *args,
        scaling=(None, None),
        **kwargs,
    ):
        images = as_image_list(images)
        super().__init__(images, images, *args, **kwargs)
        self._noise, self._alpha, self._scaling = noise, alpha, scaling

    def _pair(self, rng):
        noisy = self._inputs.cut(self._sampler.draw(-(-self.batch_size // 2), rng))
        pair = recorrupt(noisy, self._noise, self._alpha, rng, opposed=True)
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
