"""OME-Zarr images (versions 0.4 and 0.5) and plain Zarr arrays, read chunk by chunk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AxesError, ExtraMissingError, ImageFileError, N2VTKError
from ..lazy import LazyArray
from .chunks import CachedChunks
from .image import Image
from .zarr_store import check_array, open_store

VERSIONS = ("0.4", "0.5")
# files that make a folder a store, or a group or array in one
_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {
    "µm": "micrometer", "um": "micrometer", "micron": "micrometer", "microns": "micrometer",
    "nm": "nanometer", "mm": "millimeter", "cm": "centimeter", "m": "meter", "pm": "picometer",
    "Å": "angstrom", "in": "inch", "inch": "inch",
}  # fmt: skip
_SHORT = {long: short for short, long in reversed(_UNITS.items())}
_SECONDS = {
    "second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "nanosecond": 1e-9, "minute": 60.0,
    "hour": 3600.0, "day": 86400.0,
}  # fmt: skip


@dataclass
class Level:
    """One resolution of an image."""

    path: str
    array: Any
    # size of a pixel and place of the first one along each axis
    scale: list[float]
    translation: list[float]


@dataclass
class OMEZarr:
    """An image in an OME-Zarr store.

    Parameters
    ----------
    path : Path
    version : {'0.4', '0.5'}
    axes : list of dict
        As the metadata have them: 'name', and 'type' and 'unit' where they are given.
    levels : list of Level
        The full resolution first.
    name : str
    omero : dict
        How to show it (channels, colours), as it was found.
    """

    path: Path
    version: str
    axes: list[dict[str, str]]
    levels: list[Level]
    name: str = ""
    omero: dict[str, Any] = field(default_factory=dict)

    @property
    def letters(self) -> str:
        """Axes as letters of 'TCZYX'."""
        return "".join(axis["name"].upper() for axis in self.axes)

    def image(self) -> Image:
        """The full resolution, read as it is needed."""
        level = self.levels[0]
        sizes, unit = {}, ""
        for letter, axis, scale in zip(self.letters, self.axes, level.scale, strict=True):
            long = axis.get("unit", "")
            if letter == "T" and long in _SECONDS:
                sizes["T"] = scale * _SECONDS[long]
            elif letter in "ZYX" and long:
                sizes[letter], unit = scale, _SHORT.get(long, long)
        return Image(_lazy(level.array), self.letters, sizes, unit, "zarr")


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store, or a group or array in one."""
    return path.is_dir() and any((path / mark).exists() for mark in _MARKS)


def is_in_store(path: Path) -> bool:
    """Whether a path, there or not, is or lies in a Zarr store."""
    return any(p.suffix == ".zarr" and is_store(p) for p in (path, *path.parents))


def read_zarr(path: Path, axes: str | None = None) -> Image:
    """An OME-Zarr image, or a plain array whose axes are its dimension names or `axes`."""
    zarr = need_zarr()
    node = _open(zarr, path)
    if isinstance(node, zarr.Array):
        names = getattr(node.metadata, "dimension_names", None) or ()
        letters = "".join(str(name).upper()[:1] if name else "?" for name in names)
        return Image(_lazy(node), letters, kind="zarr")
    return open_ome_zarr(path, axes).image()


def open_ome_zarr(path: str | os.PathLike, axes: str | None = None) -> OMEZarr:
    """Open an image of an OME-Zarr store.

    Parameters
    ----------
    path : path
        The store, or a group in it with an image of its own, e.g. ``plate.zarr/A/1/0``.
    axes : str, optional
        In place of the axes in the metadata.

    Raises
    ------
    ImageFileError
        If there is no image there, or the metadata are damaged.
    AxesError
        If the metadata lack axes, or have others than t, c, z, y and x.
    """
    path = Path(path)
    zarr = need_zarr()
    group = _open(zarr, path)
    if isinstance(group, zarr.Array):
        raise ImageFileError(f"An OME-Zarr image is a group, not an array. Received: {path}.")
    ome = dict(group.attrs)
    ome = ome.get("ome", ome)
    if "multiscales" not in ome:
        if "0" in group and "multiscales" in dict(group["0"].attrs).get("ome", group["0"].attrs):
            if "1" in group:
                warnings.warn(
                    f"{path.name} holds several images; the first is used. Others are named by "
                    f"{path.name}/1, ...",
                    stacklevel=4,
                )
            return open_ome_zarr(path / "0", axes)  # the layout of bioformats2raw
        raise ImageFileError(_no_image(group, ome, path))
    try:
        multiscale = ome["multiscales"][0]
        found = _axes_of(multiscale, axes, path)
        levels = _levels_of(multiscale, group, len(found), path)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        if isinstance(error, N2VTKError):
            raise
        raise ImageFileError(
            f"The metadata of the OME-Zarr image are damaged. Received: {path}: {error!r}."
        ) from error
    version = str(ome.get("version") or multiscale.get("version") or "0.4")
    version = version if version in VERSIONS else "0.4"
    return OMEZarr(
        path, version, found, levels, multiscale.get("name", ""), dict(ome.get("omero") or {})
    )


def _axes_of(multiscale, asked, path):
    """Axes as metadata have them, with the letters asked for in place of those there."""
    stored = multiscale.get("axes")
    if not (asked or stored):
        raise AxesError(
            f"The metadata of the store do not name the axes. Received: {path}. Name them with "
            "axes= (--axes), e.g. TCZYX."
        )
    # before version 0.4 axes were bare letters
    stored = [{"name": a} if isinstance(a, str) else dict(a) for a in stored or ()]
    if asked is None:
        found = stored
    else:
        known = {axis["name"].lower(): axis for axis in stored}
        found = [known.get(a, {"name": a, "type": _KINDS.get(a.upper())}) for a in asked.lower()]
    unknown = [axis["name"] for axis in found if axis["name"].upper() not in _KINDS]
    if unknown:
        raise AxesError(
            f"Axes of OME-Zarr images must be t, c, z, y and x. Received: {', '.join(unknown)} in "
            f"{path}. Name them with axes= (--axes)."
        )
    return found


def _levels_of(multiscale, group, ndim, path):
    common = _transforms(multiscale, ndim)
    levels = []
    for dataset in multiscale["datasets"]:
        name = dataset["path"]
        if name not in group:
            raise ImageFileError(
                f"The store lacks an array that its metadata name. Received: {name!r} in {path}, "
                f"which holds {', '.join(sorted(group)) or 'nothing'}."
            )
        array = group[name]
        if array.ndim != ndim:
            raise AxesError(
                "The axes of the store are not those of its array. Received: "
                f"{ndim} axes for shape {array.shape} in {path}. Name them with axes= (--axes)."
            )
        scale, translation = _transforms(dataset, ndim)
        scale = [s * c for s, c in zip(scale, common[0], strict=True)]
        translation = [t * c + d for t, c, d in zip(translation, *common, strict=True)]
        levels.append(Level(name, array, scale, translation))
    return levels


def create_ome_zarr(
    path: Path,
    version: str,
    axes: Sequence[dict[str, str]],
    shapes: Sequence[Sequence[int]],
    chunks: Sequence[int],
    dtype,
    fill_value=0,
) -> list:
    """A store with empty arrays '0', '1', ..., not yet an image: `finish_ome_zarr` makes it one.

    Parameters
    ----------
    path : Path
    version : {'0.4', '0.5'}
        0.4 is written as Zarr 2, 0.5 as Zarr 3.
    axes : sequence of dict
    shapes : sequence of tuple of int
        Of the levels.
    chunks : tuple of int
        Of all levels.
    dtype : dtype

    Returns
    -------
    list of zarr.Array
    """
    zarr = need_zarr()
    number = 2 if version == "0.4" else 3
    group = zarr.open_group(path, mode="a", zarr_format=number)
    options: dict[str, Any] = {}
    if number == 2:
        options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    else:
        options["dimension_names"] = [axis["name"] for axis in axes]
    return [
        group.create_array(
            str(level),
            shape=tuple(shape),
            chunks=tuple(min(c, s) for c, s in zip(chunks, shape, strict=True)),
            dtype=np.dtype(dtype).newbyteorder("="),
            fill_value=fill_value,
            overwrite=True,
            **options,
        )
        for level, shape in enumerate(shapes)
    ]


def finish_ome_zarr(path: Path, image: OMEZarr) -> None:
    """Write the metadata that make the arrays of a store an image; `path` of levels count."""
    zarr = need_zarr()
    group = zarr.open_group(path, mode="r+")
    datasets = [
        {
            "path": level.path,
            "coordinateTransformations": [
                {"type": "scale", "scale": list(map(float, level.scale))},
                {"type": "translation", "translation": list(map(float, level.translation))},
            ],
        }
        for level in image.levels
    ]
    multiscale = {
        "name": image.name,
        "axes": image.axes,
        "datasets": datasets,
        "type": "local mean",
    }
    if image.version == "0.4":
        group.attrs["multiscales"] = [{"version": "0.4", **multiscale}]
        if image.omero:
            group.attrs["omero"] = image.omero
    else:
        ome: dict[str, Any] = {"version": "0.5", "multiscales": [multiscale]}
        if image.omero:
            ome["omero"] = image.omero
        group.attrs["ome"] = ome


def axes_metadata(image: Image) -> tuple[list[dict[str, str]], list[float]]:
    """Axes in the order that OME-Zarr asks for, as its metadata have them, and pixel sizes."""
    axes, scales = [], []
    for letter in "TCZYX":
        if letter not in image.axes:
            continue
        axis = {"name": letter.lower(), "type": _KINDS[letter]}
        size = image.pixel_sizes.get(letter)
        if letter == "T" and size:
            axis["unit"] = "second"
        elif letter in "ZYX" and size and image.unit:
            axis["unit"] = _UNITS.get(image.unit, image.unit)
        axes.append(axis)
        scales.append(float(size) if size and letter != "C" else 1.0)
    return axes, scales


def need_zarr():
    """The package zarr, or an error that says how to get it."""
    try:
        import zarr
    except ImportError as error:
        raise ExtraMissingError(
            "Zarr stores need the package zarr. Received: no such package. Install it with "
            "pip install 'n2v_tk[zarr]'."
        ) from error
    return zarr


def _open(zarr, path):
    inside = next((p for p in (path, *path.parents) if is_store(p)), None)
    try:
        stores = [p for p in (path, *path.parents) if p.suffix == ".zarr" and is_store(p)]
        return open_store(zarr, path, stores[-1] if stores else path)
    except (FileNotFoundError, KeyError, zarr.errors.BaseZarrError) as error:
        held = ""
        if inside is not None and inside != path:
            names = sorted(p.name for p in inside.iterdir() if is_store(p))
            held = f" {inside} holds {', '.join(names) or 'nothing'}."
        raise ImageFileError(
            f"There is no Zarr array or group of this name. Received: {path}.{held}"
        ) from error


def _no_image(group, ome, path):
    if "plate" in ome or "well" in ome:
        return (
            f"The store is a plate with many images. Received: {path}. Name one field, e.g. "
            f"{path}/A/1/0."
        )
    arrays = sorted(name for name, _ in group.arrays())
    return (
        f"The Zarr group holds no OME-Zarr image. Received: {path}, with arrays: "
        f"{', '.join(arrays) or 'none'}. Name an array in it, e.g. {path}/{(arrays or ['0'])[0]}, "
        "with its axes (--axes)."
    )


def _transforms(metadata, ndim):
    scale, translation = [1.0] * ndim, [0.0] * ndim
    for transform in metadata.get("coordinateTransformations") or ():
        if transform["type"] == "scale":
            scale = [float(v) for v in transform["scale"]]
        elif transform["type"] == "translation":
            translation = [float(v) for v in transform["translation"]]
    if len(scale) != ndim or len(translation) != ndim:
        raise ValueError(f"transformations of {len(scale)} axes for {ndim}")
    return scale, translation


def _lazy(array):
    check_array(array, Path(str(array.store_path)))
    return LazyArray(CachedChunks(array.shape, array.dtype, array.chunks, lambda w: array[w]))
