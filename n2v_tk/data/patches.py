"""Cutting images into patches, and keeping some of them back for validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ImageError
from ..lazy import let_go
from ..masking.structn2v import symmetries, transform

Images = np.ndarray | Sequence[np.ndarray]


def as_image_list(images: Images, n_dim: int | None = None) -> list[np.ndarray]:
    """Images as a list of arrays 'S(Z)YXC', checked to agree in rank and channels.

    Parameters
    ----------
    images : ndarray (S, (Z,) Y, X, C) or sequence of such
        Sizes may differ within a sequence.
    n_dim : {2, 3}, optional
        Number of spatial axes to insist on.
    """
    images = [images] if hasattr(images, "ndim") else list(images)
    if not images:
        raise ImageError("There are no images. Received: an empty sequence.")
    first = images[0]
    wanted = first.ndim if n_dim is None else n_dim + 2
    for image in images:
        if image.ndim != wanted or wanted not in (4, 5) or image.shape[-1] != first.shape[-1]:
            raise ImageError(
                f"Images must all be {'S, Z, Y, X, C' if wanted == 5 else 'S, Y, X, C'} with the "
                f"same number of channels. Received: shapes {[tuple(i.shape) for i in images][:8]}."
            )
    return images


def check_patch_fits(
    images: Sequence[np.ndarray],
    shape: Sequence[int],
    divisor: int = 1,
    setting: str = "n2v_patch_shape",
) -> None:
    """Refuse images smaller than a patch, naming a patch that fits.

    Parameters
    ----------
    images : sequence of ndarray (S, (Z,) Y, X, C)
    shape : tuple of int
        Patch, one side per spatial axis.
    divisor : int
        What patch sides must be divisible by.
    setting : str
        That has the patch.
    """
    smallest = [min(i.shape[axis + 1] for i in images) for axis in range(len(shape))]
    if any(p > s for p, s in zip(shape, smallest, strict=True)):
        fitting = tuple(
            min(p, s // divisor * divisor) for p, s in zip(shape, smallest, strict=True)
        )
        remedy = (
            f"Use {setting}={fitting}."
            if all(fitting)
            else f"Images need at least {divisor} pixels along every axis for this network; use a "
            "smaller unet_n_depth or larger images."
        )
        raise ImageError(
            f"Images must be at least as large as a patch. Received: images of {tuple(smallest)} "
            f"and {setting}={tuple(shape)}. {remedy}"
        )


def allowed_symmetries(shape: Sequence[int], mask=None) -> tuple[tuple[int, bool], ...]:
    """Turns and flips that keep a patch's shape and a structN2V mask."""
    square = shape[-1] == shape[-2]
    return tuple(s for s in symmetries(mask) if square or s[0] % 2 == 0)


def generate_patches(
    images: Images,
    shape: Sequence[int],
    n_patches: int | None = None,
    augment: bool = True,
    shuffle: bool = True,
    seed: int | None = 0,
    structN2Vmask=None,
) -> np.ndarray:
    """Cut patches from images.

    Parameters
    ----------
    images : ndarray (S, (Z,) Y, X, C) or sequence of such
    shape : tuple of int
        Patch, one side per spatial axis.
    n_patches : int, optional
        Random patches per sample. By default all patches of a grid without overlap; what the
        last patch of a row leaves over is dropped.
    augment : bool
        Add the turns and flips of every patch in the XY plane: eightfold for square patches,
        fourfold else. With a structN2V mask only those that leave the mask as it is.
    shuffle : bool
        Shuffle the patches.
    seed : int, optional
        Seed of every draw.
    structN2Vmask : array_like, optional
        Mask that limits `augment`.

    Returns
    -------
    ndarray (N, (Z,) Y, X, C), dtype of the images

    Examples
    --------
    >>> generate_patches(np.zeros((1, 128, 128, 1)), (64, 64)).shape
    (32, 64, 64, 1)
    """
    images = as_image_list(images, len(shape))
    check_patch_fits(images, shape)
    rng = np.random.default_rng(seed)
    patches = []
    for image in images:
        sides = image.shape[1:-1]
        for sample in image:
            if n_patches is None:
                starts = _grid(sides, shape)
            else:
                starts = np.stack(
                    [
                        rng.integers(0, s - p + 1, n_patches)
                        for s, p in zip(sides, shape, strict=True)
                    ],
                    axis=1,
                )
            patches.extend(np.asarray(sample[_window(start, shape)]) for start in starts)
    patches = np.stack(patches)
    if augment:
        turned = [
            transform(patches, *s, axes=(-3, -2)) for s in allowed_symmetries(shape, structN2Vmask)
        ]
        patches = np.concatenate(turned)
    if shuffle:
        rng.shuffle(patches)
    return patches


def grid_patches(
    images: Images, shape: Sequence[int], limit: int
) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Patches of a grid without overlap, at most `limit`, evenly spread over all images.

    Returns
    -------
    patches : list of ndarray ((Z,) Y, X, C)
    sources : list of (image, sample)
        Where each patch comes from.
    """
    images = as_image_list(images, len(shape))
    places = [
        (i, sample, start)
        for i, image in enumerate(images)
        for sample in range(len(image))
        for start in _grid(image.shape[1:-1], shape)
    ]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(limit, len(places))).astype(int))
    places = [places[i] for i in chosen]
    patches = [np.array(images[i][(sample, *_window(start, shape))]) for i, sample, start in places]
    for image in images:
        let_go(image)
    return patches, [(i, sample) for i, sample, _ in places]


def training_and_validation_patches(
    images: Images,
    shape: Sequence[int],
    validation_fraction: float = 0.1,
    n_patches: int | None = None,
    augment: bool = True,
    seed: int | None = 0,
    structN2Vmask=None,
) -> tuple[np.ndarray, np.ndarray]:
    """Patches for training and for validation that share no pixel.

    The images are split first (`hold_out`), then cut and augmented, so no turned copy of a
    validation patch is trained on. Parameters as in `generate_patches`; `n_patches` is per
    sample, or per part of one where a region was held out.

    Returns
    -------
    training, validation : ndarray (N, (Z,) Y, X, C)
    """
    training, validation = hold_out(images, shape, validation_fraction, seed)
    if not validation:
        raise ImageError(
            "The images are too small to keep validation patches apart. Received: sides "
            f"{[tuple(i.shape[1:-1]) for i in training][:8]} for patches of {tuple(shape)}. Use "
            "smaller patches or more images."
        )
    options = {"augment": augment, "seed": seed, "structN2Vmask": structN2Vmask}
    return (
        generate_patches(training, shape, n_patches, **options),
        generate_patches(validation, shape, n_patches, **options),
    )


def hold_out(
    images: Images, shape: Sequence[int], fraction: float = 0.1, seed: int | None = 0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Split images into views for training and for validation that share no pixel.

    With ten samples or more, whole samples are held out, evenly spread. Else one block of the XY
    plane is held out of every image (all its samples, all Z), and what surrounds the block is
    returned as up to four rectangles.

    Parameters
    ----------
    images : ndarray (S, (Z,) Y, X, C) or sequence of such
    shape : tuple of int
        Patch, one side per spatial axis: no part is smaller.
    fraction : float
        Share of the pixels to hold out, about.
    seed : int, optional
        Seed for the place of the blocks.

    Returns
    -------
    training, validation : list of ndarray (S, (Z,) Y, X, C)
        Views. Validation is empty where the images are too small to be split. What normalises
        images one by one takes each view for an image of its own.
    """
    images = as_image_list(images, len(shape))
    if sum(len(i) for i in images) >= 10:
        return _hold_out_samples(images, fraction)
    rng = np.random.default_rng(seed)
    training, validation = [], []
    for image in images:
        rest, block = _hold_out_block(image, shape[-2:], fraction, rng)
        training += rest
        validation += block
    return training, validation


def _hold_out_samples(images, fraction):
    every = max(2, round(1 / fraction))
    training, validation, first = [], [], 0
    for image in images:
        held = (np.arange(first, first + len(image)) % every) == every // 2
        first += len(image)
        if len(image) == 1:
            (validation if held[0] else training).append(image)
        else:
            # runs of neighbouring samples stay views
            for run in np.split(np.arange(len(image)), np.flatnonzero(np.diff(held)) + 1):
                part = image[run[0] : run[-1] + 1]
                (validation if held[run[0]] else training).append(part)
    return training, validation


def _hold_out_block(image, patch, fraction, rng):
    sides = image.shape[-3:-1]
    block, starts = [], []
    for side, p in zip(sides, patch, strict=True):
        length = max(1, round(math.sqrt(fraction) * side / p)) * p
        room = side - length
        # what is left over on either side is nothing, or as wide as a patch
        choices = [s for s in range(room + 1) if s in (0, room) or p <= s <= room - p]
        block.append(length)
        starts.append(int(rng.choice(choices)) if room >= 0 else 0)
    (y, x), (height, width) = starts, block
    if any(b > s for b, s in zip(block, sides, strict=True)):
        return [image], []
    rectangles = [
        (slice(0, y), slice(None)),
        (slice(y + height, None), slice(None)),
        (slice(y, y + height), slice(0, x)),
        (slice(y, y + height), slice(x + width, None)),
    ]
    rest = [image[..., rows, columns, :] for rows, columns in rectangles]
    rest = [r for r in rest if r.shape[-3] >= patch[0] and r.shape[-2] >= patch[1]]
    if not rest:
        return [image], []
    return rest, [image[..., y : y + height, x : x + width, :]]


def _grid(sides, shape):
    counts = [s // p for s, p in zip(sides, shape, strict=True)]
    return np.indices(counts).reshape(len(shape), -1).T * np.array(shape)


def _window(start, shape):
    return tuple(slice(s, s + p) for s, p in zip(start, shape, strict=True))
