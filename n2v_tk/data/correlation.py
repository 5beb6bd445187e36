"""How pixels hang together: autocorrelation and spectra of noise and of what is left of it."""

from __future__ import annotations

import numpy as np


def autocorrelation(image: np.ndarray, reach: int = 10) -> np.ndarray:
    """Correlation of an image with itself moved by some pixels, without wrapping around.

    Parameters
    ----------
    image : ndarray (Y, X) or (N, Y, X)
        One plane, or several whose products are averaged. The mean over all is taken off.
    reach : int
        Farthest shift, in pixels; at most a third of a side is looked at.

    Returns
    -------
    ndarray (2 * reach + 1, 2 * reach + 1)
        1 in the middle, where the shift is zero. For white noise the other values have a standard
        deviation of 1 over the root of the number of pixels.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((200, 200))
    >>> found = autocorrelation(noise, 2)
    >>> float(found[2, 2]), bool(abs(found[2, 3]) < 0.02)
    (1.0, True)
    """
    planes = np.asarray(image, np.float64)
    planes = planes if planes.ndim == 3 else planes[np.newaxis]
    planes = planes - planes.mean()
    reach = min(reach, *(side // 3 for side in planes.shape[1:]))
    shape = [side + reach for side in planes.shape[1:]]
    power = sum(np.abs(np.fft.rfft2(p, shape)) ** 2 for p in planes)
    products = np.fft.irfft2(power, shape)
    shifts = np.arange(-reach, reach + 1)
    products = products[np.ix_(shifts, shifts)]
    # as many pairs of pixels as there are at each shift
    rows, columns = (side - np.abs(shifts) for side in planes.shape[1:])
    mean = products / (len(planes) * np.outer(rows, columns))
    variance = mean[reach, reach]
    return mean / variance if variance > 0 else np.zeros_like(mean)


def radial_spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Power over spatial frequency, averaged over all directions.

    Parameters
    ----------
    image : ndarray (Y, X)

    Returns
    -------
    frequency : ndarray
        In cycles per pixel, up to 0.5.
    power : ndarray
        Mean squared amplitude, scaled so that white noise has its variance at every frequency.
    """
    image = np.asarray(image, np.float64)
    window = np.outer(*(np.hanning(side) for side in image.shape))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / np.sum(window**2)
    y, x = (np.fft.fftfreq(side) for side in image.shape)
    radius = np.hypot(y[:, None], x[None, :])
    n_rings = max(4, min(image.shape) // 2)
    ring = np.minimum((radius * 2 * n_rings).astype(int), n_rings)
    counts = np.bincount(ring.ravel(), minlength=n_rings + 1)[:n_rings]
    sums = np.bincount(ring.ravel(), power.ravel(), minlength=n_rings + 1)[:n_rings]
    kept = counts > 0
    return ((np.arange(n_rings) + 0.5) / (2 * n_rings))[kept], sums[kept] / counts[kept]


def mean_by_brightness(
    image: np.ndarray, values: np.ndarray, bins: int = 16
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of values where an image is as dark or as bright, over groups of equal size.

    Parameters
    ----------
    image, values : ndarray of one shape
    bins : int
        Groups.

    Returns
    -------
    brightness, mean, error : ndarray
        Mean of `image` and of `values` in each group, and the standard error of the latter.
    """
    image, values = np.ravel(image), np.ravel(values)
    groups = np.array_split(np.argsort(image, kind="stable"), min(bins, image.size))
    brightness = np.array([image[g].mean() for g in groups])
    mean = np.array([values[g].mean() for g in groups])
    error = np.array([values[g].std() / np.sqrt(g.size) for g in groups])
    return brightness, mean, error
