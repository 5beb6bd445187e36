"""Measures of quality (scikit-image)."""

from __future__ import annotations

import numpy as np


def psnr(truth: np.ndarray, image: np.ndarray, data_range: float | None = None) -> float:
    """Peak signal to noise ratio, in decibel.

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Clean image, and the one to judge. Neither is scaled or clipped.
    data_range : float, optional
        Peak. Default: maximum minus minimum of `truth`.

    Returns
    -------
    float
        Infinite for equal images.

    Examples
    --------
    >>> round(psnr(np.array([0.0, 1.0]), np.array([0.1, 1.1])), 6)
    20.0
    """
    from skimage.metrics import peak_signal_noise_ratio

    truth = np.asarray(truth, np.float64)
    if np.array_equal(truth, image):
        return float("inf")
    if data_range is None:
        data_range = float(truth.max() - truth.min())
    return float(
        peak_signal_noise_ratio(truth, np.asarray(image, np.float64), data_range=data_range)
    )
