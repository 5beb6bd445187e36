"""TIFF, OME-TIFF and ImageJ TIFF files (tifffile), with axes and pixel sizes."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from ..lazy import LazyArray
from .chunks import CachedChunks
from .image import Image
from .limits import check_decoded
from .tiff_claims import check_claims

_LOSSY_TIFF = (6, 7, 33003, 33005, 34712)  # JPEG and JPEG 2000
# compressed images up to so many bytes are read at once
EAGER = 2**28
_IMAGEJ_LIMIT = 4 * 2**30 - 2**20
_OME_UNITS = {"micron": "µm", "microns": "µm", "um": "µm", "inch": "in", "": "pixel"}
_OME_TYPES = ["int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"]
# micrometres, and seconds
_LENGTHS = {"pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "µm": 1, "mm": 1e3, "cm": 1e4, "m": 1e6, "in": 25400}
_TIMES = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def read_tiff(path: Path) -> Image:
    """First image of a file, memory-mapped where it is not compressed."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        check_claims(file, path)
        if not file.series:
            raise ImageFileError(f"The TIFF holds no image. Received: {path}.")
        if file.pages[0].compression in _LOSSY_TIFF:
            raise ImageFileError(
                f"The TIFF is compressed with JPEG or JPEG 2000. Received: {path}. Lossy "
                "compression makes the noise of neighbouring pixels depend on each other. Use the "
                "original file."
            )
        if len(file.series) > 1:
            warnings.warn(
                f"{path.name} holds {len(file.series)} images; the first is used.", stacklevel=4
            )
        series = file.series[0]
        kind = "ome" if file.is_ome else "imagej" if file.is_imagej else "tiff"
        read_sizes = {"ome": _ome_sizes, "imagej": _imagej_sizes, "tiff": _tiff_sizes}[kind]
        sizes, unit = read_sizes(file)
        sizes = {axis: size for axis, size in sizes.items() if 0 < size < math.inf}
        # tifffile's S at the end is the samples of RGB, elsewhere (in our own files) our samples
        axes = series.axes[:-1] + "C" if series.axes.endswith("S") else series.axes
        if series.dataoffset is not None and series.size:
            dtype = series.dtype.newbyteorder(file.byteorder)
            data = np.memmap(path, dtype, "r", series.dataoffset, series.shape)
            return Image(data, axes, sizes, unit, kind)
        if series.nbytes > EAGER and (pages := _plane_by_plane(path, series)) is not None:
            return Image(pages, axes, sizes, unit, kind)
        check_decoded(series.nbytes, path, _stored(path, series))
        _check_parts(series.keyframe, path)
        return Image(series.asarray(), axes, sizes, unit, kind)


def _plane_by_plane(path, series):
    """A compressed series read as it is needed, or None where its pages are no planes of it."""
    import tifffile

    page = series.keyframe.shape
    stacked = series.shape[: series.ndim - len(page)]
    if series.shape[len(stacked) :] != page or len(series.pages) != math.prod(stacked):
        return None
    # a plane is unpacked at once
    check_decoded(series.keyframe.nbytes, path)
    _check_parts(series.keyframe, path)
    file = tifffile.TiffFile(path)
    len(file.pages)  # else a chain of pages that bites its tail is followed without end
    pages = file.series[0].pages
    # one handle, one place in the file
    file.filehandle.set_lock(True)

    def read(window):
        planes, inside = window[: len(stacked)], window[len(stacked) :]
        result = np.empty([w.stop - w.start for w in window], series.dtype)
        for place in np.ndindex(*result.shape[: len(stacked)]):
            at = [w.start + i for w, i in zip(planes, place, strict=True)]
            number = int(np.ravel_multi_index(at, stacked)) if stacked else 0
            plane = pages[number]
            # a page that OME-XML names and no file holds
            result[place] = 0 if plane is None else plane.asarray()[inside]
        return result

    chunks = (1,) * len(stacked) + tuple(page)
    return LazyArray(CachedChunks(series.shape, series.dtype, chunks, read, close=file.close))


def _check_parts(page, path):
    """Refuse pages that lack nearly all of their strips or tiles, which are looked for one by one.

    A few that are missing, as where a recording broke off, are read as zeros.
    """
    parts = math.prod(page.chunked)
    if parts > 1000 + 10 * len(page.dataoffsets):
        raise ImageFileError(
            f"The TIFF lacks most of its pixels. Received: {len(page.dataoffsets)} of {parts} "
            f"strips or tiles in {path}. The file is damaged."
        )


def _stored(path, series):
    """Bytes of the files that hold a series."""
    files = {page.parent.filehandle.path for page in series.pages if page is not None}
    return sum(Path(file).stat().st_size for file in files | {str(path.resolve())})


def _ome_sizes(file):
    import tifffile

    image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    unit = pixels.get("PhysicalSizeXUnit", "µm")
    sizes = {}
    for axis in "XYZ":
        if size := pixels.get(f"PhysicalSize{axis}"):
            own = pixels.get(f"PhysicalSize{axis}Unit", "µm")
            factor = 1.0 if own == unit else _LENGTHS.get(own, 1) / _LENGTHS.get(unit, 1)
            sizes[axis] = float(size) * factor
    if increment := pixels.get("TimeIncrement"):
        sizes["T"] = float(increment) * _TIMES.get(pixels.get("TimeIncrementUnit", "s"), 1)
    return sizes, unit


def _imagej_sizes(file):
    metadata = file.imagej_metadata or {}
    sizes = _resolution(file.pages[0])
    if metadata.get("spacing"):
        sizes["Z"] = float(metadata["spacing"])
    if metadata.get("finterval"):
        sizes["T"] = float(metadata["finterval"])
    # ImageJ writes µ as an escape
    return sizes, str(metadata.get("unit", "")).replace("\\u00B5", "µ").replace("\\u00b5", "µ")


def _tiff_sizes(file):
    unit = file.pages[0].tags.valueof("ResolutionUnit", default=1)
    return (_resolution(file.pages[0]), {2: "inch", 3: "cm"}[unit]) if unit in (2, 3) else ({}, "")


def _resolution(page):
    """Pixel sizes from the resolution tags, which count pixels per unit."""
    sizes = {}
    for axis in "XY":
        numerator, denominator = page.tags.valueof(f"{axis}Resolution", default=(0, 1))
        if numerator and denominator:
            sizes[axis] = denominator / numerator
    return sizes


def write_tiff(path: Path, image: Image, kind: str) -> None:
    """Write as 'ome', 'imagej' or plain 'tiff' with axes in tifffile's metadata."""
    import tifffile

    data, axes = image.data, image.axes
    # OME and ImageJ know no samples; as time points they open everywhere
    plain_axes = axes.replace("S", "T") if "T" not in axes else axes
    if kind == "imagej" and (
        data.dtype not in (np.uint8, np.uint16, np.float32) or data.nbytes > _IMAGEJ_LIMIT
    ):
        kind = "tiff"
    if kind == "ome" and str(data.dtype) not in _OME_TYPES:
        kind = "tiff"
    if kind in ("ome", "imagej") and "S" not in plain_axes:
        order = [a for a in "TZCYX" if a in plain_axes]
        data = np.transpose(data, [plain_axes.index(a) for a in order])
        axes = "".join(order)
        write = _write_ome if kind == "ome" else _write_imagej
        write(path, data, axes, image)
        return
    resolution = {}
    if image.unit in ("inch", "cm") and {"X", "Y"} <= set(image.pixel_sizes):
        resolution = {
            "resolution": tuple(1 / image.pixel_sizes[a] for a in "XY"),
            "resolutionunit": {"inch": 2, "cm": 3}[image.unit],
        }
    if axes.endswith("YXC") and data.shape[-1] in (3, 4):
        metadata = {"axes": f"{axes[:-1]}S"}
        tifffile.imwrite(path, data, photometric="rgb", metadata=metadata, **resolution)
        return
    order = [a for a in "STZCYX" if a in axes]
    data = np.transpose(data, [axes.index(a) for a in order])
    metadata = {"axes": "".join(order)}
    tifffile.imwrite(path, data, photometric="minisblack", metadata=metadata, **resolution)


def _write_ome(path, data, axes, image):
    import tifffile

    metadata = {"axes": axes}
    unit = _OME_UNITS.get(image.unit, image.unit)
    for axis, size in image.pixel_sizes.items():
        if axis == "T":
            metadata |= {"TimeIncrement": size, "TimeIncrementUnit": "s"}
        elif unit in _LENGTHS or unit == "pixel":
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    tifffile.imwrite(path, data, ome=True, photometric="minisblack", metadata=metadata)


def _write_imagej(path, data, axes, image):
    import tifffile

    sizes = image.pixel_sizes
    metadata = {"axes": axes, "unit": image.unit.replace("µm", "micron")}
    metadata |= {key: sizes[a] for a, key in (("Z", "spacing"), ("T", "finterval")) if a in sizes}
    resolution = tuple(1 / sizes[a] for a in "XY") if {"X", "Y"} <= set(sizes) else None
    tifffile.imwrite(path, data, imagej=True, resolution=resolution, metadata=metadata)
