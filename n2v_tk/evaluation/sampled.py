"""Planes of an image of any size to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ImageError

# planes that are looked at, channels of each, and pixels along a side
_PLANES, _CHANNELS, _SIDE = 8, 4, 1024


@dataclass(frozen=True)
class Sampled:
    """Some planes of an image.

    Parameters
    ----------
    planes : ndarray (N, Y, X) of float64
        The middle of each.
    along : str or None
        Axis along which planes follow each other: the first of T, Z and C that has any length.
    following : list of (int, int)
        Planes that follow each other along it, all other indices equal.
    """

    planes: np.ndarray
    along: str | None
    following: list[tuple[int, int]]


def sample_planes(image: np.ndarray, axes: str) -> Sampled:
    """Read some planes of an image, and no more of it than these.

    Raises
    ------
    ImageError
        If they hold values that are not finite, or nothing but one value.
    """
    lengths = dict(zip(axes, image.shape, strict=True))
    along = next((a for a in "TZC" if lengths.get(a, 1) > 1), None)
    channels = range(min(lengths.get("C", 1), _CHANNELS))
    starts = _starts(lengths, along, len(channels))
    planes, index = [], {}
    for at in starts:
        for c in [None] if along == "C" else channels:
            place = dict(at) if c is None else {**at, "C": c}
            key = tuple(sorted(place.items()))
            if key not in index:
                index[key] = len(planes)
                planes.append(_plane(image, axes, place))
    following = []
    for key, i in index.items():
        place = dict(key)
        if along is not None:
            place[along] += 1
            j = index.get(tuple(sorted(place.items())))
            following += [] if j is None else [(i, j)]
    planes = np.stack(planes)
    _check(planes)
    return Sampled(planes, along, following)


def _starts(lengths, along, n_channels):
    """Indices along S, T and Z (and C, if planes follow each other along it)."""
    middle = {a: lengths[a] // 2 for a in "STZ" if a in lengths}
    if along == "C":
        return [{**middle, "C": c} for c in range(min(lengths["C"], _CHANNELS))]
    if along is None:
        count = min(lengths.get("S", 1), max(1, _PLANES // n_channels))
        spread = np.unique(np.linspace(0, lengths.get("S", 1) - 1, count).astype(int))
        return [{**middle, "S": int(s)} if "S" in lengths else middle for s in spread]
    pairs = max(1, _PLANES // (2 * n_channels))
    spread = np.unique(np.linspace(0, lengths[along] - 2, pairs).astype(int))
    return [{**middle, along: int(s) + step} for s in spread for step in (0, 1)]


def _plane(image, axes, place):
    key = []
    for axis, length in zip(axes, image.shape, strict=True):
        if axis in "YX":
            corner = max(0, (length - _SIDE) // 2)
            key.append(slice(corner, corner + _SIDE))
        else:
            key.append(min(place.get(axis, 0), length - 1))
    found = np.asarray(image[tuple(key)], np.float64)
    return found if axes.index("Y") < axes.index("X") else found.T


def _check(planes):
    wrong = int(np.sum(~np.isfinite(planes)))
    if wrong:
        raise ImageError(
            f"The image has NaN or infinite values. Received: {wrong} in {planes.size} pixels that "
            "were looked at. Replace them, e.g. with numpy.nan_to_num."
        )
    if np.ptp(planes) == 0:
        raise ImageError(
            f"The image is constant: there is no noise and nothing else. Received: {planes.flat[0]}"
            " everywhere."
        )
