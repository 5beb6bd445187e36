"""Writing files so that nothing already there is lost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..config.files import replace
from ..errors import ImageFileError, OutputExistsError
from .hdf5 import HDF5_SUFFIXES
from .microscope import MICROSCOPE_SUFFIXES

TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = (*TIFF_SUFFIXES, ".png", ".npy")
# what can only be read; stores of Zarr are folders
SOURCE_SUFFIXES = (*HDF5_SUFFIXES, *MICROSCOPE_SUFFIXES)


def check_output(
    path: str | os.PathLike, overwrite: bool = False, suffixes: Sequence[str] = SUFFIXES
) -> None:
    """Refuse an output that is there, has no usable format, or lies where none can be written."""
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise ImageFileError(
            f"Results are written as {', '.join(suffixes)}. Received: {path}. Give the output such "
            "a suffix."
        )
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"The output is there already. Received: {path}. Choose another name, or overwrite it "
            "with overwrite=True (--overwrite)."
        )
    check_writable(path.parent)


def check_format(path: str | os.PathLike, dtype, axes: str, shape: tuple[int, ...]) -> None:
    """Refuse a file format that cannot hold an image."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        return
    picture = axes == "YX" or (axes == "YXC" and shape[-1] == 3)
    if np.dtype(dtype).newbyteorder("=") not in (np.uint8, np.uint16) or not picture:
        raise ImageFileError(
            "PNG holds grey or RGB pictures ('YX' or 'YXC') of 8 or 16 bit unsigned integers. "
            f"Received: {path} for {np.dtype(dtype)} with axes {axes!r} and shape {tuple(shape)}. "
            "Write TIFF."
        )


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
        # a link of this name, in a folder from elsewhere, would be followed
        temporary.unlink(missing_ok=True)
        yield temporary
        replace(temporary, path)
    except OSError as error:
        if isinstance(error, ImageFileError):
            raise
        raise ImageFileError(
            f"The file could not be written. Received: {path}: {error}. Nothing that was there "
            "has changed."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
