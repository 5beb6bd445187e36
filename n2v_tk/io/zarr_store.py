"""Opening Zarr stores from strangers: no file outside the store, nothing but numbers."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path

from ..errors import ImageFileError
from .limits import check_decoded, check_numbers

# what packs objects; one of them is pickle, which runs what is in the file
_OBJECTS = {"pickle", "json2", "msgpack2", "categorize", "vlen-utf8", "vlen-bytes", "vlen-array"}


def open_store(zarr, path: Path, top: Path):
    """A group or array, whose files are read only where they are in the store.

    Parameters
    ----------
    zarr : module
    path : Path
        Of the group or array.
    top : Path
        The outermost folder that counts as the store; links may lead to any place in it.
    """
    return zarr.open(store=_store_class()(path, os.path.realpath(top)), mode="r")


def check_array(array, path: Path) -> None:
    """Refuse an array of objects, or whose chunks cannot be unpacked."""
    metadata = array.metadata
    packed = [getattr(metadata, "compressor", None), *(getattr(metadata, "filters", None) or ())]
    names = {getattr(codec, "codec_id", None) for codec in packed}
    if names & _OBJECTS:
        raise ImageFileError(
            "The Zarr array is packed as objects, not as numbers. Received: "
            f"{', '.join(sorted(names & _OBJECTS))} in {path}. Write it anew with a codec such as "
            "zstd or blosc."
        )
    check_numbers(array.dtype, path)
    # one is unpacked at once; how small it may be in the file, nobody says
    n_bytes = math.prod(map(min, array.chunks, array.shape)) * array.dtype.itemsize
    check_decoded(n_bytes, path, stored=n_bytes)


@functools.cache
def _store_class():
    from zarr.storage import LocalStore

    class OwnFiles(LocalStore):
        """The files of a folder, and none that links lead to outside of it."""

        def __init__(self, root, top=None, *, read_only=True):
            super().__init__(root, read_only=True)
            self.top = os.path.realpath(root) if top is None else top

        def with_read_only(self, read_only=True):
            return type(self)(self.root, self.top)

        async def get(self, key, *args, **kwargs):
            self._check(key)
            return await super().get(key, *args, **kwargs)

        def get_sync(self, key, *args, **kwargs):
            self._check(key)
            return super().get_sync(key, *args, **kwargs)

        async def get_partial_values(self, prototype, key_ranges):
            key_ranges = list(key_ranges)
            for key, _ in key_ranges:
                self._check(key)
            return await super().get_partial_values(prototype, key_ranges)

        def _check(self, key):
            found = os.path.realpath(os.path.join(self.root, key))
            if os.path.commonpath([found, self.top]) != self.top:
                raise ImageFileError(
                    f"A file of the Zarr store is a link out of it. Received: {key} in "
                    f"{self.root}, which is {found}. Copy the file into the store."
                )
            if os.path.exists(found) and not (os.path.isfile(found) or os.path.isdir(found)):
                raise ImageFileError(
                    f"A Zarr store consists of regular files. Received: {key} in {self.root}."
                )

    return OwnFiles
