"""Images in and out of files of any kind that is known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..axes import StackLayout, normalize_axes
from ..errors import AxesError, ImageFileError, N2VTKError
from ..lazy import LazyArray
from .files import SOURCE_SUFFIXES, SUFFIXES, TIFF_SUFFIXES, check_format, check_output, replacing
from .hdf5 import HDF5_SUFFIXES, read_hdf5
from .image import Image
from .limits import check_numbers, check_regular
from .microscope import MICROSCOPE_SUFFIXES, read_microscope
from .ome_zarr import is_in_store, is_store, read_zarr
from .png import read_jpeg, read_png, write_png
from .tiff import read_tiff, write_tiff

_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp")
_TIFF_KINDS = ("imagej", "tiff", "npy", "png")
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


def read_image(path: str | os.PathLike, axes: str | None = None, lossy: bool = False) -> Image:
    """Read an image and its axes.

    Axes come from OME, ImageJ or tifffile's own metadata; a plain picture of two dimensions is
    'YX', of RGB samples 'YXC'.

    Parameters
    ----------
    path : path
        A .tif, .tiff, .png or .npy file, an OME-Zarr store or a group or array in one, an HDF5
        file (``FILE.h5::NAME`` where it holds several data sets), or a CZI, ND2 or LIF file
        (``FILE.lif::SCENE`` for another scene than the first; extra ``n2v_tk[bio]``). What lies in
        chunks or planes is read as it is needed (`n2v_tk.lazy.LazyArray`).
    axes : str, optional
        Axes in place of those of the file.
    lossy : bool
        Read JPEG too, for methods that do not rest on noise that is independent from pixel to
        pixel.

    Raises
    ------
    ImageFileError
        If the file is missing, damaged, empty, or of another kind, if it has pixels in files of
        other folders, or claims more than it holds or than fit the memory. JPEG is refused unless
        `lossy`: its blocks make the noise of neighbouring pixels depend on each other.
    AxesError
        If the file does not say what its axes are and `axes` is not given.
    """
    path, inner = split_inner(path)
    suffix = path.suffix.lower()
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise ImageFileError(f"The file cannot be reached. Received: {path}: {error}.") from error
    if is_store(path) or (not there and is_in_store(path)):
        return _with_axes(_zarr_image(path, axes), axes, path)
    if not there:
        raise ImageFileError(f"There is no such file. Received: {path}.")
    if folder:
        raise ImageFileError(f"An image file is needed, not a folder. Received: {path}.")
    readable = (*SUFFIXES, *SOURCE_SUFFIXES, *(JPEG_SUFFIXES if lossy else ()))
    if suffix in _LOSSY and suffix not in readable:
        raise ImageFileError(
            f"{suffix[1:].upper()} files cannot be used. Received: {path}. Their compression makes "
            "the noise of neighbouring pixels depend on each other, and denoising without clean "
            "images rests on noise that does not. Use the original, e.g. TIFF or PNG."
        )
    if suffix not in readable:
        raise ImageFileError(
            f"Images must be {', '.join((*SUFFIXES, '.zarr', *SOURCE_SUFFIXES))}. Received: "
            f"{path}. Convert the file first, e.g. with Fiji or Bio-Formats, to OME-TIFF."
        )
    try:
        check_regular(path)
        if suffix in TIFF_SUFFIXES:
            image = read_tiff(path)
        elif suffix in JPEG_SUFFIXES:
            image = read_jpeg(path)
        elif suffix == ".png":
            image = read_png(path)
        elif suffix in HDF5_SUFFIXES:
            image = read_hdf5(path, inner)
        elif suffix in MICROSCOPE_SUFFIXES:
            image = read_microscope(path, inner)
        else:
            data = np.load(path, mmap_mode="r", allow_pickle=False)
            image = Image(data, "YX" if data.ndim == 2 else "", kind="npy")
    except N2VTKError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageFileError(
            f"The file cannot be read; it may be damaged or not what its name says. "
            f"Received: {path}: {reason}"
        ) from error
    return _with_axes(image, axes, path)


def read_stacks(
    paths: str | os.PathLike | Sequence[str | os.PathLike], n_dim: int = 2, axes: str | None = None
) -> list[np.ndarray | LazyArray]:
    """Images as the stacks that models are trained on, read as they are needed.

    Memory does not grow with the images where they are uncompressed TIFF, OME-Zarr, HDF5 or
    files of microscopes.

    Parameters
    ----------
    paths : path or sequence of path
        As for `read_image`; a folder stands for the images in it, in order of their names.
    n_dim : {2, 3}
        Train on planes or on volumes: whether Z is one of the spatial axes.
    axes : str, optional
        Axes in place of those of the files.

    Returns
    -------
    list of array (S, (Z,) Y, X, C)

    Raises
    ------
    ImageFileError, AxesError
        As `read_image`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.zeros((64, 96), "uint8"))
    ...     [stack.shape for stack in read_stacks(folder)]
    [(1, 64, 96, 1)]
    """
    single = isinstance(paths, str | os.PathLike)
    stacks = []
    for path in [paths] if single else list(paths):
        for file in images_in(Path(path)) if Path(path).is_dir() else [path]:
            image = read_image(file, axes)
            layout = StackLayout.of(image.data, image.axes, n_dim)
            stacks.append(layout.to_stack(image.data))
    return stacks


def images_in(folder: Path, suffixes: Sequence[str] = (*SUFFIXES, *SOURCE_SUFFIXES)) -> list[Path]:
    """Images in a folder, in order of their names; the folder itself if it is a Zarr store.

    Raises
    ------
    ImageFileError
        If there are none.
    """
    if is_store(folder):
        return [folder]
    inside = sorted(p for p in folder.iterdir() if p.name[0] != "." and p.suffix != ".partial")
    images = [p for p in inside if (p.suffix.lower() in suffixes and p.is_file()) or is_store(p)]
    if not images:
        others = sorted({p.suffix or p.name for p in inside if p.is_file()})
        holds = f"It holds {', '.join(others[:6])} only." if others else "It is empty."
        raise ImageFileError(
            f"The folder holds no images of type {', '.join(suffixes)}. Received: {folder}. {holds}"
        )
    return images


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
                kind = image.kind if image.kind in _TIFF_KINDS else "ome"
                write_tiff(temporary, image, "ome" if ome else kind)
    except N2VTKError:
        raise
    except Exception as error:
        raise ImageFileError(
            f"The image cannot be written in this format. Received: {path} for "
            f"{image.data.dtype} with axes {image.axes!r}: {error}. Write .npy or another dtype."
        ) from error


def split_inner(path: str | os.PathLike) -> tuple[Path, str | None]:
    """File, and what is named in it, of ``FILE::NAME``."""
    text = os.fspath(path)
    file, mark, inner = text.rpartition("::")
    if mark and not os.path.exists(text):
        return Path(file), inner
    return Path(text), None


def _zarr_image(path, axes):
    try:
        return read_zarr(path, axes)
    except N2VTKError:
        raise
    except Exception as error:
        raise ImageFileError(f"The Zarr store cannot be read. Received: {path}: {error}") from error


def _with_axes(image, axes, path):
    check_numbers(image.data.dtype, path)
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
