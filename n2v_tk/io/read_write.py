"""Images in and out of files of any kind that is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..axes import normalize_axes
from ..errors import AxesError, ImageFileError, N2VTKError
from .files import SUFFIXES, TIFF_SUFFIXES, check_format, check_output, replacing
from .image import Image
from .png import read_jpeg, read_png, write_png
from .tiff import read_tiff, write_tiff

_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp")
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


def read_image(path: str | os.PathLike, axes: str | None = None, lossy: bool = False) -> Image:
    """Read an image and its axes.

    Axes come from OME, ImageJ or tifffile's own metadata; a plain picture of two dimensions is
    'YX', of RGB samples 'YXC'.

    Parameters
    ----------
    path : path
        A .tif, .tiff, .png or .npy file.
    axes : str, optional
        Axes in place of those of the file.
    lossy : bool
        Read JPEG too, for methods that do not rest on noise that is independent from pixel to
        pixel.

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, empty, or of another kind. JPEG is refused unless
        `lossy`: its blocks make the noise of neighbouring pixels depend on each other.
    AxesError
        If the file does not say what its axes are and `axes` is not given.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise ImageFileError(f"The file cannot be reached. Received: {path}: {error}.") from error
    if not there:
        raise ImageFileError(f"There is no such file. Received: {path}.")
    if folder:
        raise ImageFileError(f"An image file is needed, not a folder. Received: {path}.")
    readable = (*SUFFIXES, *JPEG_SUFFIXES) if lossy else SUFFIXES
    if suffix in _LOSSY and suffix not in readable:
        raise ImageFileError(
            f"{suffix[1:].upper()} files cannot be used. Received: {path}. Their compression makes "
            "the noise of neighbouring pixels depend on each other, and denoising without clean "
            "images rests on noise that does not. Use the original, e.g. TIFF or PNG."
        )
    if suffix not in readable:
        raise ImageFileError(
            f"Images must be {', '.join(SUFFIXES)}. Received: {path}. Convert the file first, "
            "e.g. with Fiji or Bio-Formats, to OME-TIFF."
        )
    try:
        if suffix in TIFF_SUFFIXES:
            image = read_tiff(path)
        elif suffix in JPEG_SUFFIXES:
            image = read_jpeg(path)
        elif suffix == ".png":
            image = read_png(path)
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
    check_format(path, image.data.dtype, image.axes, image.data.shape)
    native = image.data.dtype.newbyteorder("=")
    image = image.like(np.ascontiguousarray(image.data, native))
    try:
        with replacing(path) as temporary:
            if suffix == ".npy":
                with open(temporary, "wb") as file:
                    np.save(file, image.data, allow_pickle=False)
            elif suffix == ".png":
                write_png(temporary, image)
            else:
                ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
                write_tiff(temporary, image, "ome" if ome else image.kind)
    except N2VTKError:
        raise
    except Exception as error:
        raise ImageFileError(
            f"The image cannot be written in this format. Received: {path} for "
            f"{image.data.dtype} with axes {image.axes!r}: {error}. Write .npy or another dtype."
        ) from error


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
