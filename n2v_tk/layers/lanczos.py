"""Anti-aliased downsampling with Lanczos' kernel."""

from __future__ import annotations

import numpy as np
from keras import ops

from ..errors import ImageError

_LOBES = 2


def lanczos_matrix(n_low: int, factor: int) -> np.ndarray:
    """What each of `n_low` coarse pixels takes of `n_low * factor` fine ones.

    Lanczos' kernel with two lobes, stretched by `factor` and centred on the coarse pixel, sampled
    half a pixel from its centre; over the edge the image goes on as its edge pixel (the
    downsampler of Deep Image Prior with its phase of 0.5).

    Parameters
    ----------
    n_low, factor : int

    Returns
    -------
    ndarray of float32 (n_low, n_low * factor)
        Rows sum to 1.

    Examples
    --------
    >>> matrix = lanczos_matrix(4, 2)
    >>> matrix.shape, bool(np.allclose(matrix.sum(1), 1))
    ((4, 8), True)
    """
    half = _LOBES * factor
    offsets = np.arange(-half, half) + 0.5
    kernel = np.sinc(offsets / factor) * np.sinc(offsets / factor / _LOBES)
    kernel /= kernel.sum()
    centres = factor * np.arange(n_low)[:, np.newaxis] + (factor - 1) / 2
    sources = np.clip(np.rint(centres + offsets).astype(int), 0, n_low * factor - 1)
    matrix = np.zeros((n_low, n_low * factor))
    np.add.at(matrix, (np.arange(n_low)[:, np.newaxis], sources), kernel)
    return matrix.astype(np.float32)


def downsample(images, factor: int):
    """Images (B, Y, X, C) made smaller by a whole factor without aliasing.

    Parameters
    ----------
    images : tensor or ndarray (B, Y, X, C)
        Sides known and divisible by `factor`.
    factor : int

    Returns
    -------
    tensor (B, Y / factor, X / factor, C)

    Raises
    ------
    ImageError
        If a side is not divisible.
    """
    height, width = images.shape[1:3]
    if height % factor or width % factor:
        raise ImageError(
            f"Sides must be divisible by the factor. Received: a picture of {height} x {width} "
            f"pixels, factor {factor}. Crop it to {height // factor * factor} x "
            f"{width // factor * factor}."
        )
    rows = lanczos_matrix(height // factor, factor)
    columns = lanczos_matrix(width // factor, factor)
    # one matrix product along each axis, channels and the other axis beside it
    images = ops.einsum("ih,bhwc->biwc", rows, images)
    return ops.einsum("jw,biwc->bijc", columns, images)
