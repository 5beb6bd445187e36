"""structN2V: hide the neighbours that share the blind spot's noise.

Broaddus, Krull, Weigert, Schmidt, Myers. Removing structured noise with self-supervised
blind-spot networks. ISBI 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from .coordinates import BlindSpots


def line_mask(axis: str, length: int, n_dim: int = 2) -> np.ndarray:
    """Mask of a line along one axis.

    Parameters
    ----------
    axis : {'X', 'Y', 'Z'}
        Axis along which the noise is correlated. 'X' is for horizontal lines.
    length : odd int
        Length of the line in pixels, the blind spot in its middle included.
    n_dim : {2, 3}
        Number of spatial axes.

    Examples
    --------
    >>> line_mask("X", 5)
    array([[1, 1, 0, 1, 1]], dtype=uint8)
    """
    axes = "ZYX"[-n_dim:]
    if str(axis).upper() not in tuple(axes):
        raise ConfigError(f"axis must be one of {', '.join(axes)}. Received: {axis!r}.")
    if not isinstance(length, int | np.integer) or not 3 <= length < 1000 or length % 2 == 0:
        raise ConfigError(
            "length must be odd, at least 3 and below 1000, so that the blind spot lies in the "
            f"middle of a line within the patch. Received: {length!r}."
        )
    shape = [1] * n_dim
    shape[axes.index(axis.upper())] = length
    mask = np.ones(shape, np.uint8)
    mask[tuple(s // 2 for s in shape)] = 0
    return mask


def mask_offsets(mask, n_dim: int) -> np.ndarray:
    """Offsets that a mask hides around its middle, (N, n_dim), the middle itself left out.

    Parameters
    ----------
    mask : array_like of 0 and 1, with `n_dim` axes of odd length
        1 is hidden.
    n_dim : int
        Number of spatial axes.

    Raises
    ------
    ConfigError
        For another number of axes, even sides, and values other than 0 and 1.
    """
    mask = np.asarray(mask)
    if mask.ndim != n_dim:
        raise ConfigError(
            f"structN2Vmask must have {n_dim} axes for {n_dim}D data. "
            f"Received: shape {mask.shape}. A horizontal line of 5 in 2D is [[1, 1, 0, 1, 1]]."
        )
    if any(side % 2 == 0 for side in mask.shape):
        raise ConfigError(
            "structN2Vmask must have odd sides, so that the blind spot lies in its middle. "
            f"Received: shape {mask.shape}. Pad it with zeros to odd sides."
        )
    if not np.isin(mask, (0, 1)).all():
        raise ConfigError(
            "structN2Vmask must hold 1 (hidden) and 0 (visible) only. "
            f"Received: values {np.unique(mask).tolist()[:8]}."
        )
    offsets = np.argwhere(mask == 1) - np.array(mask.shape) // 2
    return offsets[np.any(offsets != 0, axis=1)]


def hidden_pixels(batch_shape: Sequence[int], spots: BlindSpots, offsets: np.ndarray) -> BlindSpots:
    """Where the masks around blind spots lie. What falls outside its patch is dropped.

    Parameters
    ----------
    batch_shape : (B, (Z,) Y, X, C)
    spots : tuple of ndarray
        Blind spots.
    offsets : ndarray of int (N, n_dim)
        From `mask_offsets`.

    Returns
    -------
    tuple of ndarray of int, one per axis of the batch
        Pixels under several masks are there several times.
    """
    inside = np.ones((spots[0].size, len(offsets)), bool)
    positions = []
    for axis, side in enumerate(batch_shape[1:-1]):
        moved = spots[axis + 1][:, None] + offsets[:, axis]
        # below 0 becomes a very large unsigned number
        inside &= moved.view(np.uint64) < side
        positions.append(moved.ravel())
    (inside,) = np.nonzero(inside.ravel())
    which = inside // max(1, len(offsets))
    return (spots[0][which], *(p[inside] for p in positions), spots[-1][which])


def symmetries(mask=None) -> tuple[tuple[int, bool], ...]:
    """Turns and flips of the XY plane that leave a mask as it is.

    Noise that runs along X runs along Y after a quarter turn, where the mask no longer hides it.
    So augmentation and test-time augmentation may only use what leaves the mask unchanged.

    Parameters
    ----------
    mask : array_like with axes ((Z,) Y, X), optional
        None allows all eight.

    Returns
    -------
    tuple of (quarter turns, flip along X first)

    Examples
    --------
    >>> len(symmetries()), symmetries([[1, 1, 0, 1, 1]])
    (8, ((0, False), (0, True), (2, False), (2, True)))
    """
    every = tuple((turns, flip) for turns in range(4) for flip in (False, True))
    if mask is None:
        return every
    mask = np.asarray(mask)
    return tuple(s for s in every if np.array_equal(transform(mask, *s), mask))


def transform(plane: np.ndarray, turns: int, flip: bool, axes=(-2, -1)) -> np.ndarray:
    """View of an array flipped along the second of two axes and turned from first to second."""
    if flip:
        plane = np.flip(plane, axes[1])
    return np.rot90(plane, turns, axes)


def transform_back(plane: np.ndarray, turns: int, flip: bool, axes=(-2, -1)) -> np.ndarray:
    """Inverse of `transform`."""
    plane = np.rot90(plane, -turns, axes)
    return np.flip(plane, axes[1]) if flip else plane
