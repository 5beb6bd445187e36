"""Measures of quality: of a result against clean truth, and of detail in two noisy images.

Numbers of papers compare only where range, clipping and scaling are the same. The papers of
Noise2Void (Krull et al. 2019) and HQ-SSL (Laine et al. 2019) give `psnr` at range 255, the tables
of N2V2 (Höck et al. 2022) `affine_psnr` at range 255. On micrographs, whose units are arbitrary,
`scale_invariant_psnr` and `ssim` after CARE (Weigert et al. 2018) are usual, at the range of each
clean image.
"""

from __future__ import annotations

import math

import numpy as np

from .fourier import fourier_ring_correlation, frc_resolution
from .pairs import pair, range_of, refuse_constant
from .similarity import MS_SSIM_WEIGHTS, ms_ssim, ssim

__all__ = [
    "MS_SSIM_WEIGHTS",
    "affine_psnr",
    "fourier_ring_correlation",
    "frc_resolution",
    "ms_ssim",
    "psnr",
    "scale_invariant_psnr",
    "ssim",
]


def psnr(truth: np.ndarray, image: np.ndarray, data_range: float | None = None) -> float:
    """Peak signal to noise ratio, in decibel: 10 log10(range² / mean((truth - image)²)).

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Clean image, and the one to judge. Neither is scaled or clipped.
    data_range : float, optional
        Peak, in units of the images. Default: maximum minus minimum of `truth`. Papers on
        photographs use 255.

    Returns
    -------
    float
        Infinite for equal images.

    Raises
    ------
    ImageError
        For images of different shapes or with values that are not finite, and for a constant
        `truth` without `data_range`.
    ConfigError
        If `data_range` is not above 0.

    Examples
    --------
    >>> round(psnr(np.array([0.0, 1.0]), np.array([0.1, 1.1])), 6)
    20.0
    """
    truth, image = pair(truth, image)
    if np.array_equal(truth, image):
        return math.inf
    return _decibels(np.mean((truth - image) ** 2), range_of(truth, data_range))


def affine_psnr(truth: np.ndarray, image: np.ndarray, data_range: float | None = None) -> float:
    """PSNR of a·image + b, with the a and b that bring the image closest to the truth.

    The least squares solution: a = cov(image, truth) / var(image), b = mean(truth) - a mean(image);
    a constant image gives a = 0. The tables of N2V2 (Höck et al. 2022) have this, with range 255;
    the scaling before comparing is that of CARE (Weigert et al. 2018).

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Clean image, and the one to judge.
    data_range : float, optional
        Peak, in units of `truth`. Default: maximum minus minimum of `truth`.

    Returns
    -------
    float
        In decibel; never below `psnr` of the same range. Infinite where the scaled image equals
        the truth to the precision of float64.

    Raises
    ------
    ImageError
        For images of different shapes or with values that are not finite, and for a constant
        `truth`, which every image can be scaled to.
    ConfigError
        If `data_range` is not above 0.

    Examples
    --------
    >>> truth = np.array([0.0, 1.0, 2.0, 3.0])
    >>> affine_psnr(truth, 5 * truth - 3)
    inf
    """
    truth, image = pair(truth, image)
    refuse_constant(truth)
    data_range = range_of(truth, data_range)
    truth = truth - truth.mean()
    image = image - image.mean()
    power = np.mean(image**2)
    a = np.mean(truth * image) / power if power > 0 else 0.0
    error = np.mean((truth - a * image) ** 2)
    if error <= (4 * np.finfo(np.float64).eps) ** 2 * np.mean(truth**2):
        return math.inf
    return _decibels(error, data_range)


def scale_invariant_psnr(truth: np.ndarray, image: np.ndarray) -> float:
    """PSNR that does not depend on scale and offset of the image.

    With t = (truth - mean(truth)) / std(truth) and p = image - mean(image):
    10 log10(range(t)² / mean((t - a p)²)), where a = sum(t p) / sum(p²) and range(t) = (maximum -
    minimum of truth) / std(truth). This is `affine_psnr` with the range of the truth: standardising
    the truth scales range and error alike. The measure of CAREamics,
    after the scaling in Weigert et al. 2018.

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Clean image, and the one to judge.

    Returns
    -------
    float
        In decibel.

    Raises
    ------
    ImageError
        As `affine_psnr`.

    Examples
    --------
    >>> truth = np.array([0.0, 1.0, 2.0, 3.0])
    >>> image = truth + np.array([0.1, -0.1, -0.1, 0.1])
    >>> round(scale_invariant_psnr(truth, image), 4)
    29.577
    >>> round(scale_invariant_psnr(truth, 7 * image + 20), 4)
    29.577
    """
    return affine_psnr(truth, image)


def _decibels(error, data_range):
    return float(20 * math.log10(data_range) - 10 * math.log10(error))
