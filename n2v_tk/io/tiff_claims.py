"""What the metadata of a TIFF claim, looked at before lists are made and files opened of it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ImageFileError
from ..machine import amount, memory_available
from .limits import neighbour

# planes that any file may claim, since the rest of a recording may be lost
_PLANES = 10**6
# bytes of a file that a plane takes at least, and of memory that tifffile keeps of one
_PLANE_ON_DISK, _PLANE_IN_MEMORY = 64, 4096


def check_claims(file, path: Path) -> None:
    """Refuse files that name others outside their folder, or more planes than can be.

    Parameters
    ----------
    file : tifffile.TiffFile
        Whose series were not looked at yet.
    path : Path
    """
    # this follows the chain of pages to its end; before, one that bites its tail has none
    pages, there = len(file.pages), memory_available()
    if pages * _PLANE_IN_MEMORY > there:
        raise ImageFileError(
            f"The TIFF has more pages than can be looked at. Received: {pages} in {path} with "
            f"{amount(there)} of memory left. Split the file, or convert it to OME-Zarr."
        )
    if file.is_mmstack:
        _check_micromanager(file, path)
    if file.is_ome:
        _check_ome(file, path)
    if file.is_ndtiff:
        _check_ndtiff(path)


def _check_ome(file, path):
    try:
        root = ElementTree.fromstring(file.ome_metadata or "")
    except ElementTree.ParseError:
        return  # without it the TIFF is a plain one
    own, stored = root.get("UUID"), path.stat().st_size
    elements = [(element.tag.rpartition("}")[2], element) for element in root.iter()]
    others = {
        element.get("FileName", "")
        for tag, element in elements
        if tag == "UUID" and element.text != own
    }
    for name in others - {""}:
        if name.lower() != path.name.lower():
            found = neighbour(path, name, needed=False)
            stored += found.stat().st_size if found else 0
    for tag, element in elements:
        if tag == "Pixels":
            sizes = [element.get(f"Size{axis}", "1") for axis in "ZCT"]
            _check_planes(math.prod(map(_whole, sizes)), stored, path)
        elif tag == "TiffData":
            first = [_whole(element.get(f"First{axis}", "0")) for axis in "ZCT"]
            count = max(_whole(element.get(name, "0")) for name in ("NumPlanes", "PlaneCount"))
            _check_planes(max(count, *first), stored, path)
        elif tag.startswith("ModuloAlong") and element.get("Start"):
            start, end, step = (
                float(element.get(k, d)) for k, d in (("Start", 0), ("End", 0), ("Step", 1))
            )
            steps = abs(end - start) / abs(step) if step else math.inf
            # also where it is no number
            _check_planes(steps if steps < math.inf else 2**63, stored, path)


def _check_micromanager(file, path):
    metadata = file.micromanager_metadata or {}
    index = metadata.get("IndexMap")
    if index is None or not len(index):
        return
    summary = metadata.get("Summary") or {}
    largest = (index[:, :4].max(axis=0).astype(object) + 1).tolist()
    spans = largest + (-index[:, :4].min(axis=0).astype(object)).tolist()
    claimed = [_whole(summary.get(k, 1)) for k in ("Channels", "Slices", "Frames", "Positions")]
    planes = math.prod(max(*pair, 1) for pair in zip(largest, claimed, strict=True))
    below = math.prod(max(1, a + b) for a, b in zip(spans[:4], spans[4:], strict=True))
    _check_planes(max(planes, below), path.stat().st_size, path)


def _check_ndtiff(path):
    """Recordings of Micro-Manager 2 name their files in one index beside them."""
    import tifffile

    index = path.parent / "NDTiff.index"
    if not index.is_file():
        return
    places, names = [], set()
    for axes, name, *_ in tifffile.tifffile.read_ndtiff_index(os.fspath(index)):
        names.add(name)
        places.append([v for v in axes.values() if isinstance(v, int)])
    for name in names - {path.name}:
        neighbour(index, name)
    spans = [max(column) - min(column) + 1 for column in zip(*places, strict=False)]
    stored = sum((path.parent / name).stat().st_size for name in names | {path.name})
    _check_planes(math.prod(spans), stored, path)


def _check_planes(planes, stored, path):
    if planes > max(_PLANES, stored // _PLANE_ON_DISK):
        raise ImageFileError(
            f"The metadata of the TIFF claim more planes than it can hold. Received: "
            f"{planes:.3g} in {amount(stored)}: {path}. The file is damaged, or made to fill the "
            "memory."
        )


def _whole(text):
    """A whole number, 0 where there is none."""
    try:
        return int(text)
    except (TypeError, ValueError, OverflowError):
        return 0
