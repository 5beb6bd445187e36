"""How fine the detail is that two noisy images of one scene share."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ConfigError, ImageError
from .pairs import pair, refuse_constant


def fourier_ring_correlation(
    a: np.ndarray, b: np.ndarray, pixel_size: float = 1.0, window: str | None = "tukey"
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of two images of one scene, ring by ring of spatial frequency.

    FRC(q) = Re sum(A B*) / sqrt(sum(|A|²) sum(|B|²)) over the Fourier coefficients A, B in the ring
    of frequency q (Nieuwenhuizen et al. 2013): 1 where both show the same, 0 where they show
    independent noise.

    The noise of the two must be independent: two frames, or what one model makes of each of two
    frames (then what the model invents is in both, and correlates). One image does not do, nor an
    image and its denoised form, which share their noise.

    Parameters
    ----------
    a, b : ndarray (Y, X)
        Images of the same shape; their means are taken off.
    pixel_size : float
        Side of a pixel in the unit of the result.
    window : {'tukey', 'hann', None}
        What brings the edges to 0, since opposite edges that differ look like detail in both
        images: Tukey's with an eighth of the side at each end, Hann's, or none.

    Returns
    -------
    frequencies : ndarray (R,)
        Of the rings, in cycles per unit, from 1 / (shorter side) to the Nyquist frequency
        1 / (2 pixel_size). Rings are 1 / (shorter side) wide.
    correlations : ndarray (R,)
        From -1 to 1; 0 in rings where an image has nothing. Independent noise gives values of
        standard deviation 1 / sqrt(coefficients in the ring), about 2 pi r in ring r, and more with
        a window.

    Raises
    ------
    ImageError
        For images of different shapes, that are not planes, are constant, smaller than 4 pixels,
        or hold values that are not finite.
    ConfigError
        For a pixel size that is not above 0, or an unknown window.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> frequencies, correlations = fourier_ring_correlation(image, image, pixel_size=0.1)
    >>> float(frequencies[-1]), bool(np.allclose(correlations, 1))
    (5.0, True)
    """
    a, b = pair(a, b)
    if a.ndim != 2 or min(a.shape) < 4:
        raise ImageError(
            "Fourier rings are of planes (Y, X) of at least 4 pixels. Received: shape "
            f"{a.shape}. Take planes one by one."
        )
    for image in (a, b):
        refuse_constant(image, "An image")
    if not (pixel_size > 0 and math.isfinite(pixel_size)):
        raise ConfigError(f"pixel_size must be a number above 0. Received: {pixel_size}.")
    spectra = [np.fft.fft2(_windowed(image - image.mean(), window)) for image in (a, b)]
    n = min(a.shape)
    radius = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, a.shape), indexing="ij", sparse=True))
    rings = np.rint(radius * n).astype(int).ravel()

    def total(values):
        return np.bincount(rings, values.ravel())[1 : n // 2 + 1]

    shared = total((spectra[0] * spectra[1].conj()).real)
    power = np.sqrt(total(np.abs(spectra[0]) ** 2) * total(np.abs(spectra[1]) ** 2))
    correlations = np.divide(shared, power, out=np.zeros_like(shared), where=power > 0)
    return np.arange(1, n // 2 + 1) / (n * pixel_size), correlations


def frc_resolution(
    a: np.ndarray,
    b: np.ndarray,
    pixel_size: float = 1.0,
    threshold: float = 1 / 7,
    window: str | None = "tukey",
) -> float:
    """Finest detail that two images of one scene share.

    1 / (the frequency where their Fourier ring correlation first falls below the threshold), after
    a moving median over a twentieth of the rings, linear between rings.

    Parameters
    ----------
    a, b, pixel_size, window
        As for `fourier_ring_correlation`.
    threshold : float
        Default: 1/7, of Nieuwenhuizen et al. 2013.

    Returns
    -------
    float
        In units of `pixel_size`. NaN if the correlation never crosses the threshold: it stays above
        up to the Nyquist frequency (resolution of 2 pixels or finer), or begins below it (the
        images share nothing).

    Raises
    ------
    ImageError, ConfigError
        As `fourier_ring_correlation`, and for a threshold outside of 0 to 1.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> frc_resolution(image, image)
    nan
    """
    from scipy.ndimage import median_filter

    if not 0 < threshold < 1:
        raise ConfigError(f"threshold must be between 0 and 1. Received: {threshold}.")
    frequencies, correlations = fourier_ring_correlation(a, b, pixel_size, window)
    smooth = median_filter(correlations, len(correlations) // 20 | 1, mode="nearest")
    below = np.flatnonzero(smooth < threshold)
    if not len(below) or below[0] == 0:
        return math.nan
    after = below[0]
    before = after - 1
    step = (smooth[before] - threshold) / (smooth[before] - smooth[after])
    crossing = frequencies[before] + step * (frequencies[after] - frequencies[before])
    return float(1 / crossing)


def _windowed(image, window):
    from scipy.signal import windows

    makers = {"tukey": lambda n: windows.tukey(n, 0.25), "hann": windows.hann}
    if window is None:
        return image
    if window not in makers:
        raise ConfigError(f"window must be 'tukey', 'hann' or None. Received: {window!r}.")
    return image * np.multiply.outer(*(makers[window](n) for n in image.shape))
