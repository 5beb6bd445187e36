"""Data sets of HDF5 files (h5py), read as they are needed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from ..lazy import LazyArray
from ..machine import amount, memory_available
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


def check_weight_file(path: Path, most: int) -> None:
    """Refuse a file of weights that reads other files, or is made to fill the memory.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that all arrays may have, unpacked.

    Raises
    ------
    ImageFileError, OSError
        The latter if the file is no HDF5.
    """
    import h5py

    seen, total, stored, texts = set(), 0, 0, 1
    with h5py.File(path, "r") as file:
        todo = [file["/"]]
        while todo:
            node = todo.pop()
            place = h5py.h5o.get_info(node.id).addr
            if place in seen:
                continue
            seen.add(place)
            texts = max(texts, _texts(node))
            if isinstance(node, h5py.Group):
                todo += _members(node, path)
            elif isinstance(node, h5py.Dataset) and node.shape is not None:
                total += _weights_in(node, path)
                stored += node.id.get_storage_size()
            if total > most:
                raise ImageFileError(
                    f"The file holds more weights than its network has. Received: {path}, of "
                    f"which {amount(most)} are enough."
                )
    # all texts of a list can be one, which is most of the file, and are read into as many
    names = texts * max(0, path.stat().st_size - stored)
    if names > max(2**28, memory_available() // 2):
        raise ImageFileError(
            f"The names in the file of weights may take {amount(names)}. Received: {path}."
        )


def _members(group, path):
    """What is in a group; weights are never behind links, which lead anywhere."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ImageFileError(
                f"Weights must be in the file itself. Received: a link {name!r} in {path}."
            )
    return [group[name] for name in group]


def _weights_in(data, path):
    """Bytes of an array of weights, unpacked."""
    if data.is_virtual or data.external:
        raise ImageFileError(
            f"Weights must be in the file itself. Received: {data.name!r} of {path}, which is in "
            "another one."
        )
    check_numbers(data.dtype, path)
    return math.prod(data.shape) * data.dtype.itemsize


def _texts(node):
    """Length of the longest list of texts of any length among the attributes."""
    about = [node.attrs.get_id(name) for name in node.attrs]
    return max((math.prod(a.shape or ()) for a in about if a.dtype.hasobject), default=0)


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
    # read by the library's own call, a damaged attribute ends the process
    labels = [_text(label) for label in np.ravel(data.attrs.get("DIMENSION_LABELS", ()))]
    if len(labels) == data.ndim and all(labels):
        return "".join(label[:1].upper() for label in labels)
    named = _text(data.attrs.get("axes", ""))
    if len(named) == data.ndim:
        return named.upper()
    return "YX" if data.ndim == 2 else ""


def _text(value):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
