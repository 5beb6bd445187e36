"""Data sets of HDF5 files (h5py), read as they are needed."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageFileError
from ..lazy import LazyArray
from .chunks import CachedChunks
from .image import Image

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")


def read_hdf5(path: Path, name: str | None = None) -> Image:
    """One data set of a file.

    Parameters
    ----------
    path : Path
    name : str, optional
        Of the data set. Not needed if the file holds one with two or more dimensions.
    """
    import h5py

    file = h5py.File(path, "r")
    found: dict[str, h5py.Dataset] = {}

    def collect(key, item):
        if isinstance(item, h5py.Dataset) and item.ndim >= 2:
            found[key] = item

    file.visititems(collect)
    if name is None and len(found) == 1:
        name = next(iter(found))
    # by its name also what is linked, which a walk through the file leaves out
    data = file.get(name) if name else None
    if not isinstance(data, h5py.Dataset):
        file.close()
        asked = "no name" if name is None else f"the name {name!r}"
        raise ImageFileError(
            f"The data set in the HDF5 file must be named. Received: {asked} for {path}, which "
            f"holds {', '.join(found) or 'no images'}. Write FILE::NAME, e.g. "
            f"{path.name}::{next(iter(found), 'data')}."
        )
    source = CachedChunks(
        data.shape, data.dtype, data.chunks, lambda window: data[window], close=file.close
    )
    return Image(LazyArray(source), _axes(data), kind="hdf5")


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
