"""Small functions of n2v."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from ..evaluation.metrics import psnr
from ..layers.max_blur_pool import MaxBlurPool
from ..losses import masked_mae, masked_mse


def loss_mse():
    """Mean squared error over blind spots; targets hold values, then the mask."""
    return masked_mse


def loss_mae():
    """Mean absolute error over blind spots; targets hold values, then the mask."""
    return masked_mae


def MaxBlurPool2D(pool=(2, 2), **kwargs) -> MaxBlurPool:
    """Anti-aliased max-pooling by 2 (`n2v_tk.layers.MaxBlurPool`)."""
    if pool not in (2, (2, 2), [2, 2]):
        raise ConfigError(f"MaxBlurPool2D pools by 2 along both axes. Received: pool={pool}.")
    return MaxBlurPool(**kwargs)


def PSNR(gt: np.ndarray, img: np.ndarray, range: float) -> float:
    """Peak signal-to-noise ratio in dB (`n2v_tk.psnr`)."""
    return psnr(gt, img, range)


def best_PSNR(gt: np.ndarray, img: np.ndarray, range: float) -> float:
    """`PSNR` of the image after the scaling and shift that bring it nearest to `gt`."""
    from csbdeep.utils import normalize_minmse

    return psnr(gt, normalize_minmse(img, gt), range)


def get_subpatch(
    patch: np.ndarray, coord: Sequence[int], local_sub_patch_radius: int, crop_patch: bool = True
):
    """The window around a pixel.

    Parameters
    ----------
    patch : ndarray
    coord : sequence of int, one per axis
    local_sub_patch_radius : int
        The window has side ``2 * radius + 1``.
    crop_patch : bool
        At the edge cut the window (True) or move it inwards (False).

    Returns
    -------
    window : ndarray
        A view.
    cut_before, cut_behind : ndarray of int, one per axis, or 0
        What was cut off, as a number below or equal 0 and above or equal 0.
    """
    sides = np.array(patch.shape)
    start = np.asarray(coord) - local_sub_patch_radius
    before = behind = 0
    if not crop_patch:
        start = np.maximum(start, 0)
    stop = start + 2 * local_sub_patch_radius + 1
    if crop_patch:
        before, behind = np.minimum(start, 0), np.maximum(stop - sides, 0)
        start, stop = start - before, stop - behind
    else:
        inwards = np.minimum(sides - stop, 0)
        start, stop = start + inwards, stop + inwards
    window = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return patch[window], before, behind


def tta_forward(x: np.ndarray) -> list[np.ndarray]:
    """The four quarter turns of an image (Y, X, ...), then each of them flipped along X."""
    turned = [np.rot90(x, turns) for turns in range(4)]
    return turned + [np.fliplr(t) for t in turned]


def tta_backward(x_aug: Sequence[np.ndarray]) -> np.ndarray:
    """Undo `tta_forward` and average."""
    unflipped = [*x_aug[:4], *(np.fliplr(x) for x in x_aug[4:])]
    return np.mean([np.rot90(x, -(i % 4)) for i, x in enumerate(unflipped)], axis=0)


def autocorrelation(x: np.ndarray) -> np.ndarray:
    """Autocorrelation of an array with zero shift in the middle, where it is 1.

    By the Wiener-Khinchin theorem, the inverse Fourier transform of the power spectrum; shifts
    wrap around the edges.
    """
    power = np.abs(np.fft.fftn(x - np.mean(x))) ** 2
    correlation = np.fft.ifftn(power).real
    return np.fft.fftshift(correlation / correlation.flat[0])
