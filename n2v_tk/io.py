"""Images in and out of files: TIFF, OME-TIFF, ImageJ TIFF, PNG and NPY."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .axes import normalize_axes
from .errors import AxesError, ImageFileError, OutputExistsError

TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = (*TIFF_SUFFIXES, ".png", ".npy")
_LOSSY_TIFF = (6, 7, 33003, 33005, 34712)  # JPEG and JPEG 2000
_IMAGEJ_LIMIT = 4 * 2**30 - 2**20
_OME_UNITS = {"micron": "µm", "microns": "µm", "um": "µm", "inch": "in"}
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp")


@dataclass
class Image:
    """An image from a file.

    Parameters
    ----------
    data : ndarray
        Pixels; memory-mapped where the file allows.
    axes : str
        Letters of 'STCZYX', one per dimension of `data`.
    pixel_sizes : dict of str to float
        Size of a pixel along axes of 'ZYX', and seconds between time points for 'T', where known.
    unit : str
        Unit of length, e.g. 'micron' or 'µm'.
    kind : {'ome', 'imagej', 'tiff', 'png', 'npy'}
        What the file was, and what a result is written as.
    """

    data: np.ndarray
    axes: str
    pixel_sizes: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    kind: str = "tiff"

    def like(self, data: np.ndarray) -> Image:
        """The same image with other pixels."""
        return Image(data, self.axes, self.pixel_sizes, self.unit, self.kind)


def read_image(path: str | os.PathLike, axes: str | None = None) -> Image:
    """Read an image and its axes.

    Axes come from OME, ImageJ or tifffile's own metadata; a plain picture of two dimensions is
    'YX', of RGB samples 'YXC'.

    Parameters
    ----------
    path : path
        A .tif, .tiff, .png or .npy file.
    axes : str, optional
        Axes in place of those of the file.

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, empty, or of another kind. JPEG is refused: its blocks
        make the noise of neighbouring pixels depend on each other.
    AxesError
        If the file does not say what its axes are and `axes` is not given.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise ImageFileError(f"There is no such file. Received: {path}.")
    if path.is_dir():
        raise ImageFileError(f"An image file is needed, not a folder. Received: {path}.")
    if suffix in _LOSSY:
        raise ImageFileError(
            f"{suffix[1:].upper()} files cannot be used. Received: {path}. Their compression makes "
            "the noise of neighbouring pixels depend on each other, and denoising without clean "
            "images rests on noise that does not. Use the original, e.g. TIFF or PNG."
        )
    if suffix not in SUFFIXES:
        raise ImageFileError(
            f"Images must be {', '.join(SUFFIXES)}. Received: {path}. Convert the file first, "
            "e.g. with Fiji or Bio-Formats, to OME-TIFF."
        )
    try:
        if suffix in TIFF_SUFFIXES:
            image = _read_tiff(path)
        elif suffix == ".png":
            image = _read_png(path)
        else:
            data = np.load(path, mmap_mode="r", allow_pickle=False)
            image = Image(data, "YX" if data.ndim == 2 else "", kind="npy")
    except (AxesError, ImageFileError):
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageFileError(
            f"The file cannot be read; it may be damaged or not what its name says. "
            f"Received: {path}: {reason}"
        ) from error
    return _with_axes(image, axes, path)


def write_image(path: str | os.PathLike, image: Image, overwrite: bool = False) -> None:
    """Write an image, under a temporary name first.

    OME-TIFF for names that end in .ome.tif and for images that were, ImageJ TIFF for images that
    were and whose dtype ImageJ knows, else TIFF with axes in tifffile's metadata. PNG holds 8 or
    16 bit unsigned integers.

    Parameters
    ----------
    path : path
    image : Image
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    OutputExistsError
        If the file is there and `overwrite` is False.
    ImageFileError
        If the folder cannot be written or the format cannot hold the image.
    """
    path = Path(path)
    check_output(path, overwrite)
    suffix = path.suffix.lower()
    image = image.like(np.ascontiguousarray(image.data))
    with replacing(path) as temporary:
        if suffix == ".npy":
            np.save(temporary, image.data, allow_pickle=False)
        elif suffix == ".png":
            _write_png(temporary, image, path)
        else:
            ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
            _write_tiff(temporary, image, "ome" if ome else image.kind)


def check_output(path: str | os.PathLike, overwrite: bool = False) -> None:
    """Refuse an output that is there, has no usable format, or lies where none can be written."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ImageFileError(
            f"Results are written as {', '.join(SUFFIXES)}. Received: {path}. Give the output such "
            "a suffix."
        )
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"The output is there already. Received: {path}. Choose another name, or overwrite it "
            "with overwrite=True (--overwrite)."
        )
    check_writable(path.parent)


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written (the nearest one that exists counts)."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise ImageFileError(
            f"The output folder cannot be made, since a file has its name. Received: {existing}."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ImageFileError(
            f"The folder cannot be written. Received: {existing}: {error.strerror}. Choose another "
            "one for the output."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if isinstance(error, ImageFileError):
            raise
        raise ImageFileError(
            f"The file could not be written. Received: {path}: {error}. Nothing that was there "
            "has changed."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _with_axes(image, axes, path):
    if axes is not None:
        return Image(
            image.data,
            normalize_axes(axes, image.data.ndim),
            image.pixel_sizes,
            image.unit,
            image.kind,
        )
    if set(image.axes) <= set("STCZYX") and len(image.axes) == image.data.ndim and image.axes:
        normalize_axes(image.axes, image.data.ndim)
        return image
    raise AxesError(
        f"The file does not say what its axes are. Received: {path} with shape "
        f"{tuple(image.data.shape)}. Name them with axes= (--axes), e.g. "
        f"{' or '.join(_suggestions(image.data.ndim))}."
    )


def _suggestions(ndim):
    return {1: ("an image with Y and X",), 2: ("YX",), 3: ("ZYX", "TYX", "CYX", "YXC")}.get(
        ndim, ("TZYX", "ZCYX", "TZCYX")[max(0, ndim - 4) :]
    )


def _read_tiff(path):
    import tifffile

    with tifffile.TiffFile(path) as file:
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
        # tifffile's S at the end is the samples of RGB, elsewhere (in our own files) our samples
        axes = series.axes[:-1] + "C" if series.axes.endswith("S") else series.axes
        if series.dataoffset is not None and series.size:
            data = tifffile.memmap(path, series=0, mode="r")
            if data.shape == series.shape:
                return Image(data, axes, sizes, unit, kind)
        return Image(series.asarray(), axes, sizes, unit, kind)


def _ome_sizes(file):
    import tifffile

    image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    sizes = {a: float(s) for a in "XYZ" if (s := pixels.get(f"PhysicalSize{a}"))}
    if pixels.get("TimeIncrement"):
        sizes["T"] = float(pixels["TimeIncrement"])
    return sizes, pixels.get("PhysicalSizeXUnit", "µm")


def _imagej_sizes(file):
    metadata = file.imagej_metadata or {}
    sizes = _resolution(file.pages[0])
    if metadata.get("spacing"):
        sizes["Z"] = float(metadata["spacing"])
    if metadata.get("finterval"):
        sizes["T"] = float(metadata["finterval"])
    return sizes, str(metadata.get("unit", ""))


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


def _read_png(path):
    import imagecodecs

    data = imagecodecs.png_decode(path.read_bytes())
    if data.ndim == 3 and data.shape[-1] in (2, 4):
        if data[..., -1].min() < np.iinfo(data.dtype).max:
            warnings.warn(f"The transparency of {path.name} is left out.", stacklevel=4)
        data = data[..., :-1]
        data = data[..., 0] if data.shape[-1] == 1 else data
    return Image(data, "YX" if data.ndim == 2 else "YXC", kind="png")


def _write_png(temporary, image, path):
    import imagecodecs

    if image.data.dtype not in (np.uint8, np.uint16) or image.axes not in ("YX", "YXC"):
        raise ImageFileError(
            f"PNG holds 8 or 16 bit unsigned integers, 'YX' or 'YXC'. Received: {path} for "
            f"{image.data.dtype} with axes {image.axes!r}. Ask for dtype='same' (--dtype same) or "
            "write TIFF."
        )
    temporary.write_bytes(imagecodecs.png_encode(image.data))


def _write_tiff(temporary, image, kind):
    import tifffile

    data, axes = image.data, image.axes
    # OME and ImageJ know no samples; as time points they open everywhere
    plain_axes = axes.replace("S", "T") if "T" not in axes else axes
    if kind == "imagej" and (
        data.dtype not in (np.uint8, np.uint16, np.float32) or data.nbytes > _IMAGEJ_LIMIT
    ):
        kind = "tiff"
    if kind in ("ome", "imagej") and "S" not in plain_axes:
        order = [a for a in "TZCYX" if a in plain_axes]
        data = np.transpose(data, [plain_axes.index(a) for a in order])
        axes = "".join(order)
        write = _write_ome if kind == "ome" else _write_imagej
        write(temporary, data, axes, image)
        return
    resolution = {}
    if image.unit in ("inch", "cm") and {"X", "Y"} <= set(image.pixel_sizes):
        resolution = {
            "resolution": tuple(1 / image.pixel_sizes[a] for a in "XY"),
            "resolutionunit": {"inch": 2, "cm": 3}[image.unit],
        }
    if axes.endswith("YXC") and data.shape[-1] in (3, 4):
        metadata = {"axes": f"{axes[:-1]}S"}
        tifffile.imwrite(temporary, data, photometric="rgb", metadata=metadata, **resolution)
        return
    order = [a for a in "STZCYX" if a in axes]
    data = np.transpose(data, [axes.index(a) for a in order])
    metadata = {"axes": "".join(order)}
    tifffile.imwrite(temporary, data, photometric="minisblack", metadata=metadata, **resolution)


def _write_ome(temporary, data, axes, image):
    import tifffile

    metadata = {"axes": axes}
    for axis, size in image.pixel_sizes.items():
        if axis == "T":
            metadata["TimeIncrement"] = size
        else:
            metadata[f"PhysicalSize{axis}"] = size
            metadata[f"PhysicalSize{axis}Unit"] = _OME_UNITS.get(image.unit, image.unit) or "pixel"
    tifffile.imwrite(temporary, data, ome=True, photometric="minisblack", metadata=metadata)


def _write_imagej(temporary, data, axes, image):
    import tifffile

    sizes = image.pixel_sizes
    metadata = {"axes": axes, "unit": image.unit}
    metadata |= {key: sizes[a] for a, key in (("Z", "spacing"), ("T", "finterval")) if a in sizes}
    resolution = tuple(1 / sizes[a] for a in "XY") if {"X", "Y"} <= set(sizes) else None
    tifffile.imwrite(temporary, data, imagej=True, resolution=resolution, metadata=metadata)
