"""Arrays whose pixels are read when they are asked for, and going through arrays piece by piece."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np

from .errors import ImageFileError
from .machine import amount, memory_available

# pixels of a piece: some ten megabytes
PIECE = 2**22
# bytes of files that may stay in memory
LARGE = 2**26


class Source(Protocol):
    """Where a lazy array has its pixels from.

    `chunks` are the lengths of what is stored (and so read) together, or None where any window
    is read as fast as any other.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...] | None

    def read(self, window: tuple[slice, ...]) -> np.ndarray:
        """Pixels of a window, one slice (start, stop) per axis."""


class _Axis(NamedTuple):
    """One axis of a view: the source's axes that are merged in it, none for a new one."""

    sources: tuple[int, ...]
    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class LazyArray:
    """Pixels in a file, read when they are asked for.

    Slices (of step 1), `transpose` and `rearranged` give views and read nothing. ``numpy.asarray``
    and other functions of numpy read what a view shows.

    Parameters
    ----------
    source : Source

    Examples
    --------
    >>> class Zeros:
    ...     shape, dtype, chunks = (10, 512, 512), np.dtype("uint16"), None
    ...     def read(self, window):
    ...         return np.zeros([w.stop - w.start for w in window], self.dtype)
    >>> volume = LazyArray(Zeros())
    >>> volume[2:5, 7].shape, np.asarray(volume[2:5, 7]).shape
    ((3, 512), (3, 512))
    >>> volume.rearranged([(0,), (1,), (2,), ()]).shape
    (10, 512, 512, 1)
    """

    def __init__(self, source: Source):
        self._source = source
        self._axes = tuple(_Axis((i,), 0, n) for i, n in enumerate(source.shape))
        # axes that an integer took away: the merged axes of the source, and the place along them
        self._fixed: tuple[tuple[tuple[int, ...], int], ...] = ()

    def _view(self, axes, fixed=None):
        view = object.__new__(type(self))
        view._source = self._source
        view._axes = tuple(axes)
        view._fixed = self._fixed if fixed is None else tuple(fixed)
        return view

    @property
    def source(self) -> Source:
        """Where the pixels come from."""
        return self._source

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(axis.length for axis in self._axes)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._axes)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return np.dtype(self._source.dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        """Lengths that are read together, per axis."""
        stored = self._source.chunks or (1,) * len(self._source.shape)
        return tuple(stored[a.sources[0]] if len(a.sources) == 1 else 1 for a in self._axes)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[LazyArray]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"LazyArray(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key) -> LazyArray:
        axes, fixed = [], list(self._fixed)
        remaining = iter(self._axes)
        for part in self._full_key(key):
            if part is None:
                axes.append(_Axis((), 0, 1))
                continue
            axis = next(remaining)
            if isinstance(part, slice):
                start, stop, step = part.indices(axis.length)
                if step != 1:
                    raise IndexError(f"Lazy arrays have slices of step 1 only. Received: {part}.")
                axes.append(axis._replace(start=axis.start + start,
                                          stop=axis.start + max(start, stop)))  # fmt: skip
                continue
            index = int(part) + (axis.length if part < 0 else 0)
            if not 0 <= index < axis.length:
                raise IndexError(f"There is no index {part} along an axis of {axis.length}.")
            fixed.append((axis.sources, axis.start + index))
        return self._view(axes, fixed)

    def _full_key(self, key):
        """The key with a slice for every axis it leaves out."""
        key = list(key) if isinstance(key, tuple) else [key]
        for part in key:
            known = part is None or part is Ellipsis or isinstance(part, slice | int | np.integer)
            if not known or isinstance(part, bool):
                raise IndexError(
                    f"Lazy arrays take integers and slices. Received: {part!r}. Read the array "
                    "first, with numpy.asarray."
                )
        missing = self.ndim - sum(part is not None and part is not Ellipsis for part in key)
        if missing < 0:
            raise IndexError(f"Too many indices for {self.ndim} axes. Received: {tuple(key)}.")
        at = next((i for i, part in enumerate(key) if part is Ellipsis), None)
        if at is None:
            return [*key, *[slice(None)] * missing]
        return [*key[:at], *[slice(None)] * missing, *key[at + 1 :]]

    def transpose(self, *order) -> LazyArray:
        """The axes in another order, by default reversed."""
        order = order[0] if len(order) == 1 else order
        return self._view([self._axes[i] for i in (order or range(self.ndim)[::-1])])

    def rearranged(self, groups: Sequence[Sequence[int]]) -> LazyArray:
        """Axes merged, ordered and added.

        Parameters
        ----------
        groups : sequence of sequences of int
            For every axis of the result the axes that are merged in it, slowest first; none for
            a new axis of length 1.
        """
        axes = []
        for group in groups:
            merged = [self._axes[i] for i in group]
            if len(merged) == 1:
                axes.append(merged[0])
                continue
            lengths = [self._source.shape[s] for axis in merged for s in axis.sources]
            if any(a.length != math.prod(self._source.shape[s] for s in a.sources) for a in merged):
                # axes that were cut: of the view, they are whole
                return LazyArray(_View(self)).rearranged(groups)
            sources = tuple(s for axis in merged for s in axis.sources)
            axes.append(_Axis(sources, 0, math.prod(lengths)))
        return self._view(axes)

    def min(self, **kwargs):
        """Least element, found piece by piece."""
        return min(np.asarray(self[piece]).min() for piece in pieces(self))

    def max(self, **kwargs):
        """Greatest element, found piece by piece."""
        return max(np.asarray(self[piece]).max() for piece in pieces(self))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if self.nbytes > LARGE and self.nbytes > (there := memory_available()):
            raise ImageFileError(
                f"The image does not fit the memory. Received: {amount(self.nbytes)} to read at "
                f"once with {amount(there)} left. Cut it, or let the result be an OME-Zarr store "
                "(a name that ends in .zarr), which is written block by block."
            )
        merged = [axis for axis in self._axes if len(axis.sources) > 1]
        if not merged:
            data = self._read({})
        else:
            data = np.empty(self.shape, self.dtype)
            for places in product(*(range(axis.start, axis.stop) for axis in merged)):
                at = dict(zip(merged, places, strict=True))
                data[tuple(
                    slice(at[a] - a.start, at[a] - a.start + 1) if a in at else slice(None)
                    for a in self._axes
                )] = self._read(at)  # fmt: skip
        return data if dtype is None else data.astype(dtype, copy=False)

    def _read(self, at):
        """Pixels of the view at one place along each merged axis."""
        window: list = [None] * len(self._source.shape)
        for axis in self._axes:
            if len(axis.sources) == 1:
                window[axis.sources[0]] = slice(axis.start, axis.stop)
        for sources, place in [*((a.sources, p) for a, p in at.items()), *self._fixed]:
            lengths = [self._source.shape[s] for s in sources]
            for source, index in zip(sources, np.unravel_index(place, lengths), strict=True):
                window[source] = slice(int(index), int(index) + 1)
        kept = [axis.sources[0] for axis in self._axes if len(axis.sources) == 1]
        lengths = [1 if a in at or not a.sources else a.length for a in self._axes]
        if 0 in lengths:
            return np.empty(lengths, self.dtype)
        data = self._source.read(tuple(window))
        order = [*kept, *(i for i in range(data.ndim) if i not in kept)]
        return np.transpose(data, order).reshape(lengths)


class _View:
    """A view as the source of another array."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, array.chunks

    def read(self, window):
        return np.asarray(self._array[window])


def let_go(image: np.ndarray | LazyArray) -> None:
    """Take the pages of a memory-mapped file out of this process, which grows by them else.

    The system keeps them as long as it has room, so reading them again costs little.
    """
    mapped = getattr(image, "_mmap", None)
    if mapped is not None and image.mode == "r" and len(mapped) > LARGE:
        advice = getattr(mmap, "MADV_DONTNEED", None)  # Windows has none
        if advice is not None:
            mapped.madvise(advice)


def pieces(image: np.ndarray | LazyArray, size: int = PIECE) -> Iterator[tuple[slice, ...]]:
    """Slices that cover an array once, in pieces of about `size` elements.

    Pieces of lazy arrays consist of whole chunks, however large these are.

    Examples
    --------
    >>> [p[0] for p in pieces(np.zeros((3, 100, 100)), size=20_000)]
    [slice(0, 2, None), slice(2, 3, None)]
    """
    steps = list(getattr(image, "chunks", (1,) * image.ndim))
    for axis in reversed(range(image.ndim)):
        room = max(1, size // math.prod(steps))
        steps[axis] = min(steps[axis] * room, max(1, image.shape[axis]))
        if steps[axis] < image.shape[axis]:
            break
    axes = getattr(image, "_axes", None)
    offsets = (0,) * image.ndim if axes is None else [axis.start for axis in axes]
    return product(*map(_along, image.shape, steps, offsets))


def _along(length, step, offset):
    """Slices along one axis, that end where chunks of the source end, wherever a view begins."""
    if step >= length:
        return [slice(0, length)]
    ends = [*range(step - offset % step, length, step), length]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
