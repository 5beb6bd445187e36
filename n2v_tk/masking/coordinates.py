"""Which pixels become blind spots."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError

BlindSpots = tuple[np.ndarray, ...]
"""Index arrays into a batch of shape (B, (Z,) Y, X, C), one per axis, as `numpy.nonzero` gives."""


def box_side(perc_pix: float, n_dim: int, legacy_density: bool = False) -> int:
    """Side of the boxes that hold at most one blind spot each, in pixels.

    Parameters
    ----------
    perc_pix : float
        Percentage of pixels to hide, in (0, 100].
    n_dim : int
        Number of spatial axes.
    legacy_density : bool
        n2v's boxes: ``round(sqrt(100 / perc_pix))``, also in 3D.

    Examples
    --------
    >>> box_side(1.5, 2), box_side(1.5, 3), box_side(1.5, 3, legacy_density=True)
    (8, 4, 8)
    """
    if not 0 < perc_pix <= 100:
        raise ConfigError(
            "The percentage of blind spots (n2v_perc_pix) must be above 0 and at most 100. "
            f"Received: {perc_pix}."
        )
    if legacy_density:
        return max(1, round(math.sqrt(100 / perc_pix)))
    # the epsilon keeps 100/8 ** (1/3) from falling below a whole number by rounding
    return max(1, math.floor((100 / perc_pix) ** (1 / n_dim) + 1e-9))


def stratified_coordinates(
    batch_shape: Sequence[int],
    perc_pix: float,
    rng: np.random.Generator,
    legacy_density: bool = False,
) -> BlindSpots:
    """Stratified random blind spots, drawn for every patch and every channel on its own.

    A patch is cut into boxes of side `box_side`, the last ones along an axis reaching past the
    edge. Each box draws one pixel uniformly; pixels past the edge are dropped (Krull et al.,
    section 4.1 and its supplement). Since a side is a whole number, boxes are a little smaller
    than asked for, and each is then used with the probability that makes every pixel a blind
    spot with probability ``perc_pix / 100`` exactly.

    Parameters
    ----------
    batch_shape : (B, (Z,) Y, X, C)
        Shape of the batch.
    perc_pix : float
        Percentage of pixels to hide.
    rng : numpy.random.Generator
        Source of randomness.
    legacy_density : bool
        n2v's boxes, all of them used: the share then differs from `perc_pix`, above all in 3D.

    Returns
    -------
    tuple of ndarray of int, one per axis of the batch

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> b, y, x, c = stratified_coordinates((2, 64, 64, 1), 1.5, rng)
    >>> b.shape == y.shape == x.shape == c.shape
    True
    """
    n_patches, *sides, n_channels = batch_shape
    n_dim = len(sides)
    side = box_side(perc_pix, n_dim, legacy_density)
    boxes = [-(-s // side) for s in sides]
    n_boxes = n_patches * n_channels * math.prod(boxes)

    box = np.arange(n_boxes)
    if not legacy_density:
        used = perc_pix / 100 * side**n_dim
        box = box[rng.random(n_boxes, dtype=np.float32) < used]
    within = rng.integers(0, side**n_dim, size=box.size, dtype=np.int32)

    patch, channel, *origin = np.unravel_index(box, (n_patches, n_channels, *boxes))
    inside = np.ones(box.size, bool)
    position = []
    for axis in reversed(range(n_dim)):
        within, offset = np.divmod(within, side)
        coordinate = origin[axis] * side + offset
        inside &= coordinate < sides[axis]
        position.insert(0, coordinate)
    return tuple(index[inside] for index in (patch, *position, channel))
