"""The part of an image that a report looks at; nothing else of it is read."""

from __future__ import annotations

import numpy as np

from ..axes import StackLayout, normalize_axes
from ..data.sampling import middle
from ..errors import ImageError

# pixels along a side, and planes of a volume
_SIDE, _DEPTH = 768, 16
# what measures of structure need
LEAST_SIDE = 16


def part_of(image, axes: str, n_dim: int) -> np.ndarray:
    """The middle of the first sample ((Z,) Y, X, C) in float32.

    For a network of planes that is the middle plane of a volume.
    """
    axes = normalize_axes(axes, image.ndim)
    places = {"S": 0, "T": 0}
    if n_dim == 2 and "Z" in axes:
        places["Z"] = image.shape[axes.index("Z")] // 2
    # before anything is read
    key = tuple(
        slice(places[a], places[a] + 1) if a in places else _around_middle(n, a)
        for a, n in zip(axes, image.shape, strict=True)
    )
    chosen = np.asarray(image[key])
    return cut(StackLayout.of(chosen, axes, n_dim).to_stack(chosen)[0])


def _around_middle(length, axis):
    if axis == "C":
        return slice(None)
    most = _DEPTH if axis == "Z" else _SIDE
    start = max(0, (length - most) // 2)
    return slice(start, start + most)


def cut(image: np.ndarray) -> np.ndarray:
    """The middle of ((Z,) Y, X, C) in float32."""
    image = middle(image, _SIDE)
    if image.ndim == 4 and len(image) > _DEPTH:
        start = (len(image) - _DEPTH) // 2
        image = image[start : start + _DEPTH]
    return np.asarray(image, np.float32)


def parts_of_repeats(repeats, config) -> list[np.ndarray]:
    """The same part of each of several looks at a scene, which lie along the first axis.

    Raises
    ------
    ImageError
        If there is but one.
    """
    repeats = repeats if hasattr(repeats, "ndim") else np.asarray(repeats)
    axes = "ZYX"[4 - repeats.ndim :] if repeats.ndim < 5 else "ZYXC"
    if repeats.ndim == 4 and config.n_channel_in > 1 and repeats.shape[-1] == config.n_channel_in:
        axes = "YXC"
    if repeats.ndim not in (3, 4, 5) or len(repeats) < 2:
        raise ImageError(
            "Repeats are two or more noisy images of one scene, along the first axis. Received: "
            f"shape {tuple(repeats.shape)}."
        )
    return [part_of(repeats[i], axes, config.n_dim) for i in range(len(repeats))]
