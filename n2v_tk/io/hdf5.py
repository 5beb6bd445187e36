"""Data sets of HDF5 files (h5py), read as they are needed."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import ImageFileError
from ..lazy import LazyArray
from .chunks import CachedChunks
from .image import Image
from .limits import check_decoded, check_numbers, check_sparse, neighbour

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
# links from link to link
_DEEPEST = 8


def read_hdf5(path: Path, name: str | None = None) -> Image:
    """One data set of a file.

    Links to and virtual data sets of files in the same folder are followed, and of no others.

    Parameters
    ----------
    path : Path
    name : str, optional
        Of the data set. Not needed if the file holds one with two or more dimensions.
    """
    import h5py

    file = h5py.File(path, "r")
    try:
        found: list[str] = []

        def collect(key, item):
            if isinstance(item, h5py.Dataset) and item.ndim >= 2:
                found.append(key)

        file.visititems(collect)
        if name is None and len(found) == 1:
            name = found[0]
        # by its name also what is linked, which a walk through the file leaves out
        data = _find(file, name, path) if name else None
        if not isinstance(data, h5py.Dataset) or data.shape is None:
            asked = "no name" if name is None else f"the name {name!r}"
            raise ImageFileError(
                f"The data set in the HDF5 file must be named. Received: {asked} for {path}, which "
                f"holds {', '.join(found) or 'no images'}. Write FILE::NAME, e.g. "
                f"{path.name}::{next(iter(found), 'data')}."
            )
        _check(data, path)
        axes = _axes(data)
    except BaseException:
        file.close()
        raise
    home = data.file
    source = CachedChunks(
        data.shape, data.dtype, data.chunks, lambda window: data[window], close=home.close
    )
    if home != file:
        file.close()
    return Image(LazyArray(source), axes, kind="hdf5")


def _find(file, name, path, depth=0):
    """What a name leads to, None where there is nothing; links are followed one by one.

    The HDF5 library follows links to any file, so none is left to it.
    """
    import h5py

    if depth > _DEEPEST:
        raise ImageFileError(f"Links in the HDF5 file lead nowhere. Received: {name!r} in {path}.")
    node = file
    parts = [part for part in name.split("/") if part not in ("", ".")]
    for i, part in enumerate(parts):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            return None
        rest = "/".join(parts[i + 1 :])
        if isinstance(link, h5py.SoftLink):
            start = "" if link.path.startswith("/") else node.name
            return _find(file, f"{start}/{link.path}/{rest}", path, depth + 1)
        if isinstance(link, h5py.ExternalLink):
            other = neighbour(path, link.filename)
            return _find(h5py.File(other, "r"), f"{link.path}/{rest}", other, depth + 1)
        node = node[part]
    return node


def _check(data, path, depth=0):
    """Refuse a data set that reads other files than neighbours, or claims more than it holds."""
    import h5py

    check_numbers(data.dtype, path)
    if data.external:
        raise ImageFileError(
            "The HDF5 data set keeps its pixels in another file, outside HDF5. Received: "
            f"{data.external[0][0]!r} named by {path}. Copy the data set, e.g. with h5repack."
        )
    n_bytes = math.prod(data.shape) * data.dtype.itemsize
    if data.is_virtual:
        for source in data.virtual_sources():
            own = source.file_name == "."
            other = path if own else neighbour(path, source.file_name)
            with h5py.File(other, "r") as file:
                part = _find(file, source.dset_name, other, depth + 1)
                if isinstance(part, h5py.Dataset):
                    _check(part, other, depth + 1)
        return
    check_sparse(n_bytes, data.id.get_storage_size(), path)
    if data.chunks:
        # a chunk is unpacked at once
        check_decoded(math.prod(data.chunks) * data.dtype.itemsize, path)


def _axes(data):
    """Axes from the labels of the dimensions (HDF5 dimension scales), or an attribute 'axes'."""
    labels = [dimension.label for dimension in data.dims]
    if all(labels):
        return "".join(label[:1].upper() for label in labels)
    named = data.attrs.get("axes", "")
    if isinstance(named, bytes):
        named = named.decode()
    if isinstance(named, str) and len(named) == data.ndim:
        return named.upper()
    return "YX" if data.ndim == 2 else ""
