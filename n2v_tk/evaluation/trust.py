"""Numbers that tell how far a denoised image can be trusted, most of them without ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..data.correlation import autocorrelation, mean_by_brightness
from ..data.noise_estimation import NoiseEstimate
from ..masking.masker import BlindSpotMasker

# passes in which pixels are held out, and the share of the pixels in each, in percent
_PASSES, _HELD_OUT = 4, 1.5


@dataclass(frozen=True)
class Residual:
    """What was taken away.

    Parameters
    ----------
    std : float
        Its standard deviation, in grey values.
    correlation : float
        The largest correlation of neighbours along X or Y, one or two pixels apart.
    chance : float
        What three standard errors of it are in pure noise.
    bias : float
        Largest mean residual among groups of equal brightness, in standard deviations of the
        residual.
    """

    std: float
    correlation: float
    chance: float
    bias: float


def residual_of(noisy: np.ndarray, denoised: np.ndarray) -> Residual:
    """Look at noisy minus denoised, planes (Y, X) or (N, Y, X)."""
    taken = np.asarray(noisy, np.float64) - denoised
    found = autocorrelation(taken, 2)
    middle = len(found) // 2
    neighbours = np.concatenate([found[middle, middle + 1 :], found[middle + 1 :, middle]])
    largest = neighbours[np.argmax(np.abs(neighbours))]
    _, mean, _ = mean_by_brightness(denoised, taken)
    std = float(taken.std())
    bias = float(np.abs(mean).max() / max(std, 1e-12))
    return Residual(std, float(largest), float(3 / np.sqrt(taken.size)), bias)


def linearity(noisy: np.ndarray, denoised: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the line through mean noisy over denoised grey values.

    1 and 0 for a denoiser that keeps brightness: pixels denoised to a value have it on average.
    """
    brightness, mean, _ = mean_by_brightness(denoised, noisy, 32)
    if np.ptp(brightness) == 0:
        return 1.0, 0.0
    slope, offset = np.polyfit(brightness, mean, 1)
    return float(slope), float(offset)


@dataclass(frozen=True)
class HeldOut:
    """Error on pixels that the model did not see.

    Parameters
    ----------
    mse : float
        Mean squared difference to the noisy pixels, squared grey values.
    noise : float
        Variance of the noise of these pixels, as estimated: no denoiser gets below.
    pixels : int
        Number of pixels.
    """

    mse: float
    noise: float
    pixels: int

    @property
    def error(self) -> float:
        """Root mean squared error to the clean pixels, as far as noise is independent and its
        variance is known: of a prediction that had to do without the pixel itself."""
        return float(np.sqrt(max(0.0, self.mse - self.noise)))


def held_out_error(model, image: np.ndarray, noise: NoiseEstimate, seed: int = 0) -> HeldOut:
    """Hide some pixels of an image, denoise it, and compare with what was hidden.

    Parameters
    ----------
    model : Denoiser
    image : ndarray ((Z,) Y, X, C)
        Noisy, of the axes of the model's config.
    noise : NoiseEstimate
        Of the image.
    seed : int
        Of the pixels.

    Returns
    -------
    HeldOut
        For noise that is independent from pixel to pixel the hidden pixels are a second look
        (Batson and Royer, Noise2Self, ICML 2019).
    """
    image = np.asarray(image, np.float32)
    manipulator = getattr(model.config, "n2v_manipulator", None)
    replaced = ("median", 2)
    if manipulator in ("mean", "median"):
        # what the network knows; others may leave the pixel itself in its place
        replaced = (manipulator, model.config.n2v_neighborhood_radius)
    masker = BlindSpotMasker(image.ndim - 1, _HELD_OUT, *replaced)
    rng = np.random.default_rng(seed)
    errors, seen = [], []
    for _ in range(_PASSES):
        batch = np.ascontiguousarray(image[np.newaxis])
        spots = masker(batch := batch.copy(), rng)
        found = np.asarray(model.predict(batch[0], model.config.axes))
        pixels = tuple(spots[1:])
        errors.append((found[pixels] - image[pixels]).astype(np.float64) ** 2)
        seen.append(found[pixels])
    signal = np.concatenate(seen)
    at_zero = noise.variance_at_zero if noise.gain > 0 else noise.sigma**2
    variance = np.maximum(noise.gain * signal + at_zero, 0).mean()
    errors = np.concatenate(errors)
    return HeldOut(float(errors.mean()), float(variance), len(errors))


def unsupervised_mse(denoised: np.ndarray, looks: list[np.ndarray]) -> float:
    """Mean squared error of a denoised image, told from other noisy looks at the same scene.

    Parameters
    ----------
    denoised : ndarray
        Made from another look, or from the first of `looks` if there are but two.
    looks : list of ndarray, two or more
        Noisy images with independent noise.

    Returns
    -------
    float
        ``mean((a - denoised)**2) - mean((b - c)**2) / 2`` with looks a, b and c, averaged over
        the choices (Marcos Morales et al., Evaluating unsupervised denoising requires
        unsupervised metrics, ICML 2023, equation 4). With two looks b is the one that was
        denoised and c is a.
    """
    looks = [np.asarray(look, np.float64) for look in looks]
    distance = np.mean([np.mean((a - denoised) ** 2) for a in looks[1:]])
    pairs = list(pairwise(looks))
    if len(looks) > 3:
        pairs = pairs[1:]
    variance = np.mean([np.mean((b - c) ** 2) for b, c in pairs]) / 2
    return float(distance - variance)
