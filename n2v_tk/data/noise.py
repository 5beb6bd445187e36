"""Noise models: made noise for training pairs, demonstrations, tests and benchmarks.

Every model is a small frozen class; called with a batch of images (B, ..., C) and a generator it
gives the noisy batch in float32. A strength given as (low, high) is drawn anew for every image.
Nothing is clipped unless asked for, since clipping makes the mean of noise depend on the signal.
With strength 0 all are the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError

Strength = float | tuple[float, float]


@dataclass(frozen=True)
class Gaussian:
    """Normal noise, ``y = x + Normal(0, sigma)``.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation, in units of the image.

    Examples
    --------
    >>> noisy = Gaussian(5.0)(np.zeros((1, 100, 100, 1)), np.random.default_rng(0))
    >>> round(float(noisy.std()), 1)
    5.0
    """

    sigma: Strength

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sigma = draw_strength(self.sigma, images, rng, "sigma")
        return as_float(images + sigma * rng.standard_normal(images.shape))


@dataclass(frozen=True)
class Poisson:
    """Shot noise, ``y = Poisson(lam * x) / lam``: mean x, variance x / lam.

    Parameters
    ----------
    lam : float or (low, high)
        Photons per unit of the image. The gain of `Camera` is 1 / lam. Infinity is no noise.
    """

    lam: Strength

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        lam = draw_strength(self.lam, images, rng, "lam")
        if np.any(lam == 0):
            raise ConfigError(f"lam must be above 0. Received: {self.lam}.")
        _refuse_below(images, 0.0, "Shot noise needs images without negative values")
        if np.all(np.isinf(lam)):
            return as_float(images)
        return as_float(rng.poisson(images * lam) / lam)


@dataclass(frozen=True)
class Camera:
    """Shot and read noise: mean x, variance ``gain * (x - offset) + read_noise**2``.

    Parameters
    ----------
    gain : float or (low, high)
        Grey values per photo-electron. 0 leaves shot noise out.
    read_noise : float or (low, high)
        Standard deviation of the read noise, in grey values.
    offset : float
        Grey value of the dark camera.
    bits : int, optional
        Digitise: round, and clip to 0 and ``2**bits - 1``.
    """

    gain: Strength = 1.0
    read_noise: Strength = 0.0
    offset: float = 0.0
    bits: int | None = None

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        gain = draw_strength(self.gain, images, rng, "gain")
        read_noise = draw_strength(self.read_noise, images, rng, "read_noise")
        signal = np.asarray(images, np.float64) - self.offset
        if np.any(gain > 0):
            _refuse_below(
                images, self.offset, "Shot noise needs images nowhere darker than the offset"
            )
            some = np.where(gain > 0, gain, 1.0)
            signal = np.where(gain > 0, some * rng.poisson(np.maximum(signal, 0) / some), signal)
        noisy = signal + read_noise * rng.standard_normal(signal.shape) + self.offset
        if self.bits is not None:
            noisy = np.clip(np.rint(noisy), 0, 2**self.bits - 1)
        return as_float(noisy)


@dataclass(frozen=True)
class Bernoulli:
    """Missing pixels, which become 0 in all channels.

    Parameters
    ----------
    p : float or (low, high)
        Probability of a pixel to be missing.
    """

    p: Strength

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return as_float(images * ~_chosen(self.p, images, rng))

    def with_mask(
        self, images: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The noisy batch, and 1 where a pixel was kept (B, ..., 1)."""
        kept = ~_chosen(self.p, images, rng)
        return as_float(images * kept), as_float(kept)


@dataclass(frozen=True)
class Impulse:
    """Pixels replaced by any value, in all channels at once (random-valued impulse noise).

    Parameters
    ----------
    p : float or (low, high)
        Probability of a pixel to be replaced.
    low, high : float
        Range of the new values.
    """

    p: Strength
    low: float = 0.0
    high: float = 1.0

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = _chosen(self.p, images, rng)
        return as_float(np.where(chosen, rng.uniform(self.low, self.high, images.shape), images))


@dataclass(frozen=True)
class SaltAndPepper:
    """Pixels that become the lowest or the highest value, in all channels at once.

    Parameters
    ----------
    p : float or (low, high)
        Probability of either together.
    low, high : float
        The two values.
    """

    p: Strength
    low: float = 0.0
    high: float = 1.0

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = _chosen(self.p, images, rng)
        values = np.where(rng.random(chosen.shape) < 0.5, self.low, self.high)
        return as_float(np.where(chosen, values, images))


@dataclass(frozen=True)
class Speckle:
    """Multiplicative normal noise, ``y = x * (1 + Normal(0, sigma))``.

    Parameters
    ----------
    sigma : float or (low, high)
        Relative standard deviation.
    """

    sigma: Strength

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sigma = draw_strength(self.sigma, images, rng, "sigma")
        return as_float(images * (1 + sigma * rng.standard_normal(images.shape)))


def poisson_gaussian(
    image: np.ndarray,
    gain: float = 1.0,
    read_noise: float = 0.0,
    offset: float = 0.0,
    seed: int | None = 0,
) -> np.ndarray:
    """Shot and read noise of a camera on one image: `Camera` with a seed.

    Parameters
    ----------
    image : ndarray
        Clean image, in grey values.
    gain, read_noise, offset : float
        As in `Camera`.
    seed : int, optional
        Seed of the draw.

    Returns
    -------
    ndarray of float32, shape of `image`

    Raises
    ------
    ConfigError
        For a negative `gain` or `read_noise`, or an image below `offset` when `gain` is not 0.

    Examples
    --------
    >>> noisy = poisson_gaussian(np.full((100, 100), 50.0), gain=2.0, read_noise=5.0)
    >>> bool(abs(noisy.mean() - 50) < 1), bool(abs(noisy.var() - 125) < 8)
    (True, True)
    """
    camera = Camera(gain, read_noise, offset)
    return camera(np.asarray(image)[np.newaxis], np.random.default_rng(seed))[0]


def draw_strength(
    strength: Strength, images: np.ndarray, rng: np.random.Generator, name: str
) -> np.ndarray:
    """A strength for each image of a batch, that broadcasts to it; always one draw or none."""
    if isinstance(strength, Sequence):
        low, high = strength
        if not 0 <= low <= high:
            raise ConfigError(
                f"{name} must be (low, high) with 0 <= low <= high. Received: {strength}."
            )
        return rng.uniform(low, high, (len(images), *[1] * (images.ndim - 1)))
    if not strength >= 0:
        raise ConfigError(f"{name} must not be negative. Received: {strength}.")
    return np.full((len(images), *[1] * (images.ndim - 1)), float(strength))


def _chosen(p: Strength, images, rng):
    """Pixels drawn with probability p, alike in all channels (B, ..., 1)."""
    p_of = draw_strength(p, images, rng, "p")
    if np.any(p_of > 1):
        raise ConfigError(f"p must be a probability, 0 to 1. Received: {p}.")
    return rng.random((*images.shape[:-1], 1)) < p_of


def _refuse_below(images, bound, problem):
    if images.min() < bound:
        raise ConfigError(f"{problem} ({bound:g}). Received: a minimum of {images.min():g}.")


def as_float(values) -> np.ndarray:
    """float32."""
    return np.asarray(values, np.float32)
