"""Where patches are cut from images at random."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..lazy import let_go
from ..masking.structn2v import transform
from ..normalization import normalize

# of how many images, and of how much of each, a fingerprint is taken
_LOOKED_AT, _SIDE = 16, 32
# neither turned nor flipped
_AS_IT_IS = (0, False)


class Place(NamedTuple):
    """One patch: image, sample in it, a slice per spatial axis, and its turn and flip."""

    image: int
    sample: int
    window: tuple[slice, ...]
    symmetry: tuple[int, bool]


class PatchSampler:
    """Draws places of patches in images, every place a patch can be cut from alike.

    Parameters
    ----------
    images : list of ndarray (S, (Z,) Y, X, C)
        Sizes may differ.
    shape : tuple of int
        Patch, one side per spatial axis.
    symmetries : sequence of (quarter turns, flip)
        Turns and flips to draw from; none leaves patches as they are.
    """

    def __init__(
        self,
        images: list[np.ndarray],
        shape: Sequence[int],
        symmetries: Sequence[tuple[int, bool]] = (),
    ):
        self.shape = tuple(shape)
        self.symmetries = tuple(symmetries)
        self._starts = [
            (len(image), *(s - p + 1 for s, p in zip(image.shape[1:-1], self.shape, strict=True)))
            for image in images
        ]
        # places where a patch can start, summed up over all images
        self._upto = np.cumsum([np.prod(starts) for starts in self._starts], dtype=np.int64)

    def draw(self, n: int, rng: np.random.Generator) -> list[Place]:
        """Draw `n` places."""
        place = rng.integers(0, self._upto[-1], n)
        which = np.searchsorted(self._upto, place, "right")
        place -= np.concatenate(([0], self._upto))[which]
        symmetries = [_AS_IT_IS] * n
        if self.symmetries:
            choice = rng.integers(0, len(self.symmetries), n)
            symmetries = [self.symmetries[c] for c in choice]
        places = [None] * n
        for image in np.unique(which).tolist():
            (drawn,) = np.nonzero(which == image)
            indices = np.unravel_index(place[drawn], self._starts[image])
            indices = (index.tolist() for index in indices)
            for i, sample, *start in zip(drawn.tolist(), *indices, strict=True):
                window = tuple(slice(s, s + p) for s, p in zip(start, self.shape, strict=True))
                places[i] = Place(image, sample, window, symmetries[i])
        return places


class ScaledImages:
    """Images with what normalises each of their samples; patches are read as they are needed.

    Parameters
    ----------
    images : list of ndarray (S, (Z,) Y, X, C)
    offset, scale : ndarray (C,), or list of ndarray (S, C), one per image, optional
        ``(patch - offset) / scale`` normalises patches. By default images are taken as they are.
    """

    def __init__(self, images: list[np.ndarray], offset=None, scale=None):
        self.images = images
        self.offset = _per_sample(images, offset)
        self.scale = _per_sample(images, scale)

    def cut(self, places: Sequence[Place]) -> np.ndarray:
        """Patches from some places, float32 (N, (Z,) Y, X, C)."""
        shape = tuple(s.stop - s.start for s in places[0].window)
        batch = np.empty((len(places), *shape, self.images[0].shape[-1]), np.float32)
        for i, (image, sample, window, symmetry) in enumerate(places):
            patch = np.asarray(self.images[image][(sample, *window)])
            if self.offset is not None:
                offset, scale = self.offset[image][sample], self.scale[image][sample]
                patch = normalize(patch, offset, scale)
            if symmetry != _AS_IT_IS:
                patch = transform(patch, *symmetry, axes=(-3, -2))
            batch[i] = patch
        for image in {place.image for place in places}:
            let_go(self.images[image])
        return batch

    def fingerprint(self) -> str:
        """Tells these images from others: by their shapes and types, and the middles of some."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(repr((tuple(image.shape), str(image.dtype))).encode())
        samples = [(image, i) for image in self.images for i in range(len(image))]
        for image, i in samples[:: max(1, len(samples) // _LOOKED_AT)]:
            digest.update(middle(image[i], _SIDE).tobytes())
            let_go(image)
        return digest.hexdigest()


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """The middle of an image ((Z,) Y, X, C), no longer than `side` along any spatial axis."""
    starts = [max(0, (n - side) // 2) for n in image.shape[:-1]]
    # a copy: a view would keep all of the image in memory
    return np.array(image[tuple(slice(start, start + side) for start in starts)])


def _per_sample(images, values):
    """Values per channel for every sample of every image, as a list of (S, C)."""
    if values is None:
        return None
    if isinstance(values, list) and all(np.ndim(v) == 2 for v in values):
        return [np.asarray(v, np.float64) for v in values]
    values = np.asarray(values, np.float64)
    return [np.broadcast_to(values, (len(i), i.shape[-1])) for i in images]
