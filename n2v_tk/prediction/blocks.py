"""Cutting a large image into blocks that are denoised one by one and written where they belong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .tiling import Halo


@dataclass(frozen=True)
class Block:
    """One block: what of the result it gives, what is read for it, and what is cut off again.

    One entry per axis. `pad` are pixels beyond the edges of the image, before and after.
    """

    write: tuple[slice, ...]
    read: tuple[slice, ...]
    pad: tuple[tuple[int, int], ...]
    keep: tuple[slice, ...]


class BlockPlan:
    """Blocks of an image that consist of whole chunks of the result.

    A pixel of a block sees what it would see in the whole image: blocks are read with what the
    network sees around them, start where the network is invariant to shifts, and are padded at
    the edges of the image as the whole image would be.

    Parameters
    ----------
    axes : str
        Of the image, letters of 'TCZYX'.
    shape : tuple of int
    chunks : tuple of int
        Of the result, one per axis (that of C does not matter: blocks have all channels).
    halos : dict of str to Halo
        Of each axis along which the network works.
    most : int
        Pixels that a block may have with its halo, channels not counted.
    at_least_a_chunk : bool
        Take blocks of one chunk where that has more.

    Raises
    ------
    ConfigError
        If a chunk with its halo has more, unless `at_least_a_chunk`.
    """

    def __init__(
        self,
        axes: str,
        shape: Sequence[int],
        chunks: Sequence[int],
        halos: dict[str, Halo],
        most: int,
        at_least_a_chunk: bool = False,
    ):
        self.axes, self.shape, self.halos = axes, tuple(shape), halos
        chunks = [n if a == "C" else min(c, n) for a, c, n in zip(axes, chunks, shape, strict=True)]
        self.sides = list(chunks)
        if self._pixels(self.sides) > most and not at_least_a_chunk:
            raise ConfigError(
                "Chunks do not fit the memory target. Received: chunks of "
                f"{' x '.join(map(str, chunks))} ({axes}), which make {self._pixels(chunks)} "
                f"pixels with what the network sees around them; {most} fit. Give a larger "
                "max_memory (--max-memory) or smaller chunks (--chunks)."
            )
        self._grow(chunks, most)
        self.counts = [-(-n // side) for n, side in zip(self.shape, self.sides, strict=True)]

    def _pixels(self, sides):
        """Pixels of a block with its halo."""
        total = 1
        for axis, side, n in zip(self.axes, sides, self.shape, strict=True):
            if axis == "C":
                continue
            halo = self.halos.get(axis)
            around = 0 if halo is None or side >= n else halo.left + halo.right + halo.divisor
            total *= side + around
        return total

    def _grow(self, chunks, most):
        """More chunks along the shortest of the network's axes, as long as they fit."""
        inside = [i for i, a in enumerate(self.axes) if a in self.halos]
        while True:
            room = [i for i in inside if self.sides[i] < self.shape[i]]
            for i in sorted(room, key=lambda i: self.sides[i]):
                larger = list(self.sides)
                larger[i] = min(larger[i] + chunks[i], self.shape[i])
                if self._pixels(larger) <= most:
                    self.sides = larger
                    break
            else:
                return

    def __len__(self) -> int:
        return math.prod(self.counts)

    def __iter__(self) -> Iterator[Block]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Block:
        if not 0 <= index < len(self):
            raise IndexError(f"There is no block {index}; there are {len(self)}.")
        place = np.unravel_index(index, self.counts)
        parts = [
            self._along(axis, int(i) * side, min(n, (int(i) + 1) * side), n)
            for axis, i, side, n in zip(self.axes, place, self.sides, self.shape, strict=True)
        ]
        return Block(*(tuple(part) for part in zip(*parts, strict=True)))

    def _along(self, axis, start, stop, n):
        halo = self.halos.get(axis)
        if halo is None:
            return slice(start, stop), slice(start, stop), (0, 0), slice(0, stop - start)
        d = max(1, halo.divisor)
        # the whole image is padded on both sides to a multiple of the divisor
        before = (-n % d) // 2
        padded = n + (-n % d)
        first = max(0, start + before - halo.left) // d * d
        last = min(padded, -(-(stop + before + halo.right) // d) * d)
        low, high = max(0, first - before), min(n, last - before)
        pad = (low - (first - before), (last - before) - high)
        kept = start - (first - before)
        return slice(start, stop), slice(low, high), pad, slice(kept, kept + stop - start)
