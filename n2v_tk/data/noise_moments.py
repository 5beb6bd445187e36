"""Variance and third moment of the noise over the signal, from what is known of it."""

from __future__ import annotations

import numpy as np

from ..config.checks import noise_numbers
from ..errors import ConfigError, ImageError
from .noise_estimation import NoiseEstimate, estimate_noise

# least variance of a camera without read noise, in photons
_LEAST_VARIANCE = 0.01
_TINY = np.finfo(np.float32).tiny


class NoiseMoments:
    """Variance and third moment of noise that is independent from pixel to pixel.

    Parameters
    ----------
    lines : sequence of (gain, variance at 0, least variance, normal variance)
        One for all channels, or one for each. Variance is ``gain * signal + variance at 0`` or the
        least one, the third moment ``gain * (variance - normal variance)`` or 0.
    """

    def __init__(self, lines):
        lines = np.array(lines, np.float32).T
        self._gain, self._at_zero, self._least, self._normal = lines

    def variance(self, signal: np.ndarray) -> np.ndarray:
        """Of the noise of clean images (S, (Z,) Y, X, C), in squared units."""
        return np.maximum(self._gain * signal + self._at_zero, self._least)

    def photon(self, signal: np.ndarray) -> np.ndarray:
        """Third moment over variance: grey values of a photon, 0 of normal noise.

        That of a camera is its gain, less where read noise is part of the variance.
        """
        return self._gain * np.maximum(1 - self._normal / self.variance(signal), 0)


def noise_moments(
    noisy: np.ndarray,
    noise: float | tuple[float, float, float] | NoiseEstimate | list[NoiseEstimate] | None = None,
) -> NoiseMoments:
    """Moments of the noise of an image.

    Parameters
    ----------
    noisy : ndarray (S, (Z,) Y, X, C)
    noise : float, (gain, offset, read noise), NoiseEstimate, or a list of one per channel, optional
        Standard deviation of normal noise; a camera; or what was estimated. None estimates it from
        `noisy`, channel by channel and over all samples.

    Raises
    ------
    ConfigError
        If a number is not finite, or not above 0 (read noise: below 0), or there are estimates of
        another number of channels.
    ImageError
        If there are too few pixels to tell the noise from.
    """
    if noise is None:
        try:
            noise = [estimate_noise(noisy[..., c]) for c in range(noisy.shape[-1])]
        except ImageError as error:
            raise ImageError(
                f"{error} Give the noise, or take the prediction without the pixel itself "
                "(output='prior')."
            ) from None
    if isinstance(noise, NoiseEstimate):
        noise = [noise]
    if isinstance(noise, list) and noise and all(isinstance(one, NoiseEstimate) for one in noise):
        if len(noise) not in (1, noisy.shape[-1]):
            raise ConfigError(
                "noise must be one estimate, or one for each channel of the image. Received: "
                f"{len(noise)} for {noisy.shape[-1]} channels."
            )
        return NoiseMoments([_line_of(one) for one in noise])
    numbers = noise_numbers(noise)
    if numbers is None:
        raise ConfigError(
            "noise must be a standard deviation above 0, or (gain, offset, read noise) with "
            f"gain above 0 and read noise not below. Received: {noise!r}."
        )
    gain, offset, read = numbers if numbers.size == 3 else (0.0, 0.0, numbers[0])
    least = max(read**2, _LEAST_VARIANCE * gain**2, _TINY)
    return NoiseMoments([(gain, read**2 - gain * offset, least, read**2)])


def _line_of(estimate):
    least = 0.1 * estimate.sigma**2
    if estimate.gain > 0:
        least = max(least, min(estimate.variance_in_the_dark, estimate.sigma**2))
    return estimate.gain, estimate.variance_at_zero, max(least, _TINY), estimate.normal_variance
