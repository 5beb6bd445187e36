"""What files from strangers may ask for: memory within reason, no files but neighbours."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from ..machine import amount, memory_available

# smaller images are not asked how well they were compressed
_SMALL = 2**28
# noise does not compress: more than so many times is a claim that no pixels stand behind
_RATIO = 200


def check_regular(path: Path) -> None:
    """Refuse what is no file: a pipe would be waited for, a device would never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ImageFileError(f"An image must be a regular file. Received: {path}.")


def check_decoded(n_bytes: int, path: Path, stored: int | None = None) -> None:
    """Refuse pixels that have to be unpacked at once and cannot be, before memory is taken.

    Parameters
    ----------
    n_bytes : int
        Of the pixels, unpacked.
    path : Path
    stored : int, optional
        Bytes of the pixels in the file. Default: of the whole file.
    """
    stored = path.stat().st_size if stored is None else stored
    if n_bytes > max(_SMALL, _RATIO * stored):
        raise ImageFileError(
            f"The file claims more pixels than it can hold. Received: {amount(n_bytes)} of "
            f"pixels from {amount(stored)} in {path}. It may be damaged, or made to fill "
            "the memory. If it is real, convert it to uncompressed TIFF, which is read in place."
        )
    if n_bytes > _SMALL and n_bytes > (there := memory_available()):
        raise ImageFileError(
            f"The image has to be unpacked at once and does not fit the memory. Received: "
            f"{amount(n_bytes)} in {path} with {amount(there)} left. Convert it to OME-Zarr or "
            "uncompressed TIFF, which are read as they are needed."
        )


def check_sparse(n_bytes: int, stored: int, path: Path) -> None:
    """Refuse an image nearly all of which was never written; it may be larger than memory."""
    if n_bytes > max(2**30, 10 * _RATIO * stored):
        raise ImageFileError(
            f"The file claims more pixels than it can hold. Received: {amount(n_bytes)} of "
            f"pixels from {amount(stored)} in {path}. It may be damaged, or the recording broke "
            "off; cut it to what was written."
        )


def check_numbers(dtype, path: Path) -> None:
    """Refuse pixels that are no numbers: text, objects, records."""
    if np.dtype(dtype).kind not in "biufc":
        raise ImageFileError(
            f"The pixels of an image must be numbers. Received: {dtype} in {path}. Name another "
            "array, or convert the file."
        )


def neighbour(path: Path, name: str | bytes, needed: bool = True) -> Path | None:
    """A file that another one names, if it lies in the same folder; None if it may be missing.

    Raises
    ------
    ImageFileError
        If it is named by a path, is a link to another folder, or is not there. A file from a
        stranger could show any file of this computer else.
    """
    name = os.fsdecode(name)
    plain = name not in ("", ".", "..") and not set(name) & set("/\\:\0")
    if plain:
        found = path.parent / name
        if not needed and not os.path.lexists(found):
            return None
        inside = found.resolve().parent in (path.parent.resolve(), path.resolve().parent)
        if found.is_file() and inside:
            return found
    raise ImageFileError(
        f"The file has pixels in another one, which must lie beside it. Received: {name!r} named "
        f"by {path}. Copy both into one folder, or convert the file to one that holds its pixels."
    )
