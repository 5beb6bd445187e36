"""Structural similarity, at one scale and at several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError, ImageError
from .pairs import pair, range_of

# Wang, Simoncelli, Bovik 2003, found with observers
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Wang, Bovik, Sheikh, Simoncelli 2004: window of 11 pixels, and the constants
SIGMA, K1, K2, WINDOW = 1.5, 0.01, 0.03, 11


def ssim(
    truth: np.ndarray,
    image: np.ndarray,
    data_range: float | None = None,
    channel_axis: int | None = None,
) -> float:
    """Mean structural similarity, as Wang, Bovik, Sheikh, Simoncelli 2004 compute it.

    scikit-image's `structural_similarity` with the paper's settings, which are not its defaults:
    Gaussian windows of sigma 1.5 pixels cut to 11, population covariance, K1 = 0.01, K2 = 0.03.
    The border that windows reach beyond is left out of the mean.

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Clean image, and the one to judge; planes 'YX' or volumes 'ZYX', whose windows have three
        axes, with channels where `channel_axis` says. Sides are 11 pixels at least.
    data_range : float, optional
        Default: maximum minus minimum of `truth`. Papers on photographs use 255.
    channel_axis : int, optional
        Axis of channels, which are compared one by one; the result is their mean.

    Returns
    -------
    float
        At most 1, for equal images.

    Raises
    ------
    ImageError
        As `psnr`, and for images smaller than the window.
    ConfigError
        If `data_range` is not above 0 or `channel_axis` is not an axis.

    Examples
    --------
    >>> truth = np.tile(np.arange(32.0), (32, 1))
    >>> ssim(truth, truth), ssim(truth, truth.T) < 0.5
    (1.0, True)
    """
    truth, image = pair(truth, image)
    data_range = range_of(truth, data_range)
    _check_sides(truth.shape, channel_axis, 1)
    return _ssim(truth, image, data_range, channel_axis)


def ms_ssim(
    truth: np.ndarray,
    image: np.ndarray,
    data_range: float | None = None,
    channel_axis: int | None = None,
    weights: Sequence[float] = MS_SSIM_WEIGHTS,
) -> float:
    """Structural similarity over several scales (Wang, Simoncelli, Bovik 2003).

    Contrast and structure are compared at every scale, luminance at the coarsest only:
    ssim_M ** w_M · product over j < M of cs_j ** w_j, each a mean over its image (the paper's
    equation 7, with the means that its authors' code takes). From scale to scale images are halved
    by means of 2 pixels along each axis; a last odd row is left out. A scale whose cs is negative
    counts as 0.

    Parameters
    ----------
    truth, image, data_range, channel_axis
        As for `ssim`. Sides are 11 · 2^(scales - 1) pixels at least, 176 for five.
    weights : sequence of float
        One per scale, from fine to coarse. Default: the paper's five. ``(1.0,)`` is `ssim`
        where that is not negative.

    Returns
    -------
    float
        From 0 to 1, for equal images.

    Raises
    ------
    ImageError
        As `ssim`; for small images the message says the least size.
    ConfigError
        As `ssim`, and for weights that are not positive.

    Examples
    --------
    >>> truth = np.tile(np.arange(176.0), (176, 1))
    >>> ms_ssim(truth, truth)
    1.0
    """
    if not len(weights) or not all(w > 0 for w in weights):
        raise ConfigError(f"weights must be numbers above 0. Received: {tuple(weights)}.")
    truth, image = pair(truth, image)
    data_range = range_of(truth, data_range)
    _check_sides(truth.shape, channel_axis, len(weights))
    if channel_axis is None:
        channels = [(truth, image)]
    else:
        split = (np.moveaxis(array, channel_axis, 0) for array in (truth, image))
        channels = zip(*split, strict=True)
    return float(np.mean([_ms_ssim(t, i, data_range, weights) for t, i in channels]))


def _check_sides(shape, channel_axis, scales):
    if channel_axis is not None and not -len(shape) <= channel_axis < len(shape):
        raise ConfigError(
            f"channel_axis must be an axis of the image. Received: {channel_axis} for shape "
            f"{shape}."
        )
    sides = [n for i, n in enumerate(shape) if channel_axis not in (i, i - len(shape))]
    least = WINDOW * 2 ** (scales - 1)
    if len(sides) < 2 or min(sides) < least:
        raise ImageError(
            f"Structural similarity over {scales} scale(s) needs images of two axes or more, of at "
            f"least {least} pixels each. Received: shape {shape} with channel_axis={channel_axis}. "
            "Name the channel axis, compare planes one by one, or take fewer scales."
        )


def _ssim(truth, image, data_range, channel_axis=None):
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            truth, image, data_range=data_range, channel_axis=channel_axis, gaussian_weights=True,
            sigma=SIGMA, use_sample_covariance=False, K1=K1, K2=K2,
        )
    )  # fmt: skip


def _ms_ssim(truth, image, data_range, weights):
    result = 1.0
    for weight in weights[:-1]:
        result *= max(_contrast_structure(truth, image, data_range), 0.0) ** weight
        truth, image = _halved(truth), _halved(image)
    return result * max(_ssim(truth, image, data_range), 0.0) ** weights[-1]


def _contrast_structure(truth, image, data_range):
    """(2 cov + C2) / (var + var + C2), the mean where whole windows fit."""
    from scipy.ndimage import gaussian_filter

    def blurred(array):
        return gaussian_filter(array, SIGMA, radius=WINDOW // 2)

    mean_t, mean_i = blurred(truth), blurred(image)
    variances = blurred(truth**2) - mean_t**2 + blurred(image**2) - mean_i**2
    covariance = blurred(truth * image) - mean_t * mean_i
    c2 = (K2 * data_range) ** 2
    inner = (slice(WINDOW // 2, -(WINDOW // 2)),) * truth.ndim
    return float(np.mean(((2 * covariance + c2) / (variances + c2))[inner]))


def _halved(image):
    from skimage.measure import block_reduce

    even = image[tuple(slice(n // 2 * 2) for n in image.shape)]
    return block_reduce(even, (2,) * image.ndim, np.mean)
