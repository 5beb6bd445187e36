"""What the denoising of a large image is planned with."""

from __future__ import annotations

import hashlib
import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..axes import normalize_axes
from ..errors import AxesError, ConfigError
from ..io import Image, read_image, split_inner
from ..io.ome_zarr import is_in_store, is_store, open_ome_zarr
from ..prediction.memory import free_within
from .predicting import as_image

CHUNKS = {"T": 1, "C": 1, "Z": 32, "Y": 256, "X": 256}
CHUNKS_OF_PLANES = {"T": 1, "C": 1, "Z": 1, "Y": 1024, "X": 1024}
# bytes per pixel and channel of a block: as it is read, as it is worked with, and results that
# are written while the next ones are read
_BLOCK_BYTES = 28
# pictures of the whole are made until they are this small
_SMALLEST = 256
# places of a source that are looked at
_LOOKS = 9


def fit(predictor, most, channels):
    """Pixels of a tile and of a block with which the process takes no more than `most` bytes."""
    free, taken = free_within(most)
    per_pixel = predictor.bytes_per_pixel()
    tile = min(predictor.budget, int(free / 2 / per_pixel))
    least = math.prod(halo.smallest_tile for halo in predictor.halos)
    if tile < least:
        needed = most - free + 2 * least * per_pixel
        raise ConfigError(
            f"The memory target is too small for the network. Received: {most / 1e6:.0f} MB, of "
            f"which the process takes {taken / 1e6:.0f} MB already. Give at least "
            f"{needed / 1e6 + 1:.0f} MB."
        )
    return tile, int((free - tile * per_pixel) / (_BLOCK_BYTES * channels))


def open_source(source, axes):
    """The image, and the metadata of its store if it is OME-Zarr."""
    if isinstance(source, str | os.PathLike):
        image, store = read_image(source, axes), None
        if is_in_store(Path(source)) or is_store(Path(source)):
            try:
                store = open_ome_zarr(source, axes)
            except (OSError, AxesError):
                store = None  # a plain array
    elif isinstance(source, Image):
        image, store = source, None
    else:
        data = as_image(source)
        image, store = Image(data, normalize_axes(axes, data.ndim)), None
    if "S" in image.axes:
        if "T" in image.axes:
            raise AxesError(
                "OME-Zarr has no axis for samples beside that for time. Received: axes "
                f"{image.axes!r}. Denoise the samples one by one."
            )
        image = Image(
            image.data, image.axes.replace("S", "T"), image.pixel_sizes, image.unit, image.kind
        )
    return image, store


def state_of(source, data):
    """What tells a source from one that is put in its place between two runs, as far as a look at
    some of its pixels does."""
    digest = hashlib.sha256()
    if isinstance(source, str | os.PathLike):
        path = split_inner(source)[0]
        names = ("zarr.json", ".zarray", ".zattrs", "0/zarr.json", "0/.zarray")
        for mark in [path / name for name in names] if path.is_dir() else [path]:
            if mark.exists():
                digest.update(repr(mark.stat().st_mtime_ns).encode())
    lengths = [min(n, 64) for n in data.shape]
    for i in range(_LOOKS):
        # along the diagonal, corners included
        starts = [(n - m) * i // (_LOOKS - 1) for n, m in zip(data.shape, lengths, strict=True)]
        window = tuple(
            slice(start, start + (m if axis >= len(lengths) - 2 else 1))
            for axis, (start, m) in enumerate(zip(starts, lengths, strict=True))
        )
        digest.update(np.ascontiguousarray(data[window]).tobytes())
    return digest.hexdigest()[:16]


def chunks_for(chunks, axes, shape, store, image, n_dim):
    """Chunks of the result: those asked for, of the source, or usual ones."""
    if chunks is not None:
        if len(chunks) != len(axes) or min(chunks) < 1:
            raise ConfigError(
                f"chunks must be one number above 0 for each axis of the result ({axes}). "
                f"Received: {tuple(chunks)}."
            )
        found = list(chunks)
    elif store is not None and store.letters == axes:
        found = list(store.levels[0].array.chunks)
    else:
        usual = CHUNKS_OF_PLANES if n_dim == 2 else CHUNKS
        found = [usual[a] for a in axes]
    return [int(min(c, n)) for c, n in zip(found, shape, strict=True)]


def level_shapes(axes, shape, store):
    """Shapes of all levels, and whether they are the source's.

    Those of the source where each pixel is made of whole pixels of the level before, else halves
    along Y and X.
    """
    shapes = [[int(n) for n in shape]]
    if store is not None and store.letters == axes:
        channel = axes.find("C")
        for level in store.levels[1:]:
            smaller = [int(n) for n in level.array.shape]
            if channel >= 0:
                smaller[channel] = shapes[0][channel]
            shapes.append(smaller)
        pairs = [pair for a, b in pairwise(shapes) for pair in zip(a, b, strict=True)]
        if all(_whole_factor(before, after) for before, after in pairs):
            return shapes, True
        shapes = shapes[:1]
    while max(shapes[-1][-2:]) > _SMALLEST * 2 and len(shapes) < 10:
        shapes.append([*shapes[-1][:-2], *(max(1, n // 2) for n in shapes[-1][-2:])])
    return shapes, False


def _whole_factor(before, after):
    factor = max(1, round(before / after))
    return after in (before // factor, -(-before // factor))
