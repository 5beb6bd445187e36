"""Reading from stores that keep pixels in chunks."""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from itertools import product

import numpy as np

from ..errors import ImageFileError, N2VTKError

# bytes of chunks that are kept
CACHE = 2**27


class CachedChunks:
    """A source of pixels (`n2v_tk.lazy.Source`) that keeps the chunks it used last.

    Patches are drawn at random from all of an image: chunks of an image that fits the cache are
    read once, and of larger ones memory stays bounded. Windows larger than a part of the cache
    are read at once and not kept.

    Parameters
    ----------
    shape, dtype, chunks
        As of `n2v_tk.lazy.Source`.
    read : callable
        Reads a window: one slice (start, stop) per axis.
    cache : int
        Bytes to keep.
    close : callable, optional
        Closes the file; called when nothing reads from it any more.
    """

    def __init__(
        self,
        shape,
        dtype,
        chunks,
        read: Callable,
        cache: int = CACHE,
        close: Callable[[], None] | None = None,
    ):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self.chunks = None if chunks is None else tuple(chunks)
        self._read = read
        self._cache = cache
        self._kept: OrderedDict[tuple[int, ...], np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        if close is not None:
            weakref.finalize(self, close)

    def read(self, window: tuple[slice, ...]) -> np.ndarray:
        """Pixels of a window."""
        lengths = [w.stop - w.start for w in window]
        large = 4 * math.prod(lengths) * self.dtype.itemsize > self._cache
        chunk_bytes = math.prod(self.chunks or ()) * self.dtype.itemsize
        if self.chunks is None or large or 2 * chunk_bytes > self._cache:
            return self._stored(window)
        grids = [
            range(w.start // c, (w.stop - 1) // c + 1)
            for w, c in zip(window, self.chunks, strict=True)
        ]
        result = np.empty(lengths, self.dtype)
        for place in product(*grids):
            starts = [i * c for i, c in zip(place, self.chunks, strict=True)]
            chunk = self._chunk(place, starts)
            inside, target = [], []
            for w, start, n in zip(window, starts, chunk.shape, strict=True):
                low, high = max(w.start, start), min(w.stop, start + n)
                inside.append(slice(low - start, high - start))
                target.append(slice(low - w.start, high - w.start))
            result[tuple(target)] = chunk[tuple(inside)]
        return result

    def _stored(self, window):
        try:
            return np.asarray(self._read(window))
        except N2VTKError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            place = ", ".join(f"{w.start}:{w.stop}" for w in window)
            raise ImageFileError(
                f"Pixels cannot be read; the file may be damaged. Received: [{place}] of "
                f"{self.shape}: {reason}"
            ) from error

    def _chunk(self, place, starts):
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
                return self._kept[place]
        window = tuple(
            slice(start, min(start + c, n))
            for start, c, n in zip(starts, self.chunks, self.shape, strict=True)
        )
        chunk = self._stored(window)
        with self._lock:
            if place not in self._kept:
                self._kept[place] = chunk
                self._bytes += chunk.nbytes
            while self._bytes > self._cache:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return chunk
