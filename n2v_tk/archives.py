"""Zip files from strangers: .keras files, packages, .npz, read member by member within limits."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from .errors import ModelFolderError
from .machine import amount, memory_available

# the list of members that an archive may have: some thousands
_LARGEST_LIST = 2**20
# members that grow more than this are made to fill the memory or the disk, small ones aside
_RATIO, _SMALL = 100, 2**24
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# what zipfile raises for files that are damaged, encrypted or of a kind it does not know
_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, KeyError,
    IndexError, NotImplementedError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip


class Archive:
    """A zip file whose members are asked for by name: no path in it is ever followed.

    Parameters
    ----------
    path : path
    what : str
        What it should be, for messages, e.g. '.keras file'.

    Raises
    ------
    ModelFolderError
        Here and in every method: if the file is damaged, no zip, encrypted, or made so that
        unpacking fills the memory or the disk.
    """

    def __init__(self, path: str | os.PathLike, what: str = "package"):
        self.path, self.what = Path(path), what
        try:
            if not stat.S_ISREG(os.stat(self.path).st_mode):
                raise self._damaged("not a regular file")
            self._check_list()
            self._zip = zipfile.ZipFile(self.path)
        except ModelFolderError:
            raise
        except _FAULTS as error:
            raise self._damaged(error) from None
        self.names = frozenset(self._zip.namelist())

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_) -> None:
        self._zip.close()

    def read(self, name: str, most: int) -> bytes:
        """A member of at most so many bytes."""
        info = self._checked(name, most)
        try:
            return self._zip.read(info)
        except _FAULTS as error:
            raise self._damaged(error) from None

    def unpack(self, name: str, folder: str | os.PathLike, most: int) -> Path:
        """A member of at most so many bytes, as a file of its last name in `folder`."""
        info = self._checked(name, most)
        target = Path(folder, name.rpartition("/")[2])
        try:
            with self._zip.open(info) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
        except _FAULTS as error:
            raise self._damaged(error) from None
        return target

    def size_of(self, name: str) -> int:
        """Bytes of a member, unpacked."""
        return self._checked(name, 2**63).file_size

    def size(self) -> int:
        """Bytes of all members, unpacked."""
        return sum(self._zip.getinfo(name).file_size for name in self.names)

    def _checked(self, name, most):
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise ModelFolderError(
                f"The {self.what} is damaged: it lacks {name}. Received: {self.path}."
            ) from None
        if info.compress_type not in _METHODS or info.flag_bits & 1:
            raise ModelFolderError(
                f"The {self.what} is encrypted or compressed in an unusual way. Received: {name} "
                f"in {self.path}. Pack it again as a common zip."
            )
        grows = info.file_size > max(_SMALL, _RATIO * info.compress_size)
        if info.file_size > most or grows:
            limit = f"at most {amount(most)} are taken"
            if grows:
                limit = f"it holds {amount(info.compress_size)} of it"
            raise ModelFolderError(
                f"A part of the {self.what} is too large. Received: {name} of "
                f"{amount(info.file_size)} in {self.path}; {limit}. Files like this are made "
                "to fill the memory or the disk; ask whom you have it from."
            )
        return info

    def _check_list(self):
        """Refuse a list of members that takes much memory: zipfile reads all of it at once."""
        with open(self.path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            start = file.seek(max(0, end - 2**16 - 22))
            tail = file.read()
            at = tail.rfind(b"PK\5\6")
            size = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
            locator = tail[max(0, at - 20) : max(0, at)]
            if locator[:4] == b"PK\6\7":
                # of large archives: the record is where the locator says, or just before it
                for place in (int.from_bytes(locator[8:16], "little"), start + at - 76):
                    if 0 <= place < end:
                        file.seek(place)
                        record = file.read(56)
                        if record[:4] == b"PK\6\6":
                            size = max(size, int.from_bytes(record[40:48], "little"))
        if size > _LARGEST_LIST and size != 2**32 - 1:
            raise self._damaged(f"it lists its members in {amount(size)}")

    def _damaged(self, error):
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return ModelFolderError(
            f"The file is not a {self.what}, or damaged. Received: {self.path}: {reason}"
        )


def read_arrays(
    path: str | os.PathLike, what: str = "file of arrays", most: int | None = None
) -> dict[str, np.ndarray]:
    """The arrays in an .npz file, of at most so many bytes, read without pickle.

    Raises
    ------
    ModelFolderError
        If the file is damaged, holds objects, or takes more memory than there is or than `most`.
    """
    with Archive(path, what) as archive:
        size, there = archive.size(), memory_available()
        if most is not None and size > most:
            raise ModelFolderError(
                f"The {what} is more than the model can have. Received: {amount(size)} in {path} "
                f"for at most {amount(most)}."
            )
        for name in archive.names:
            archive.size_of(name)
        if size > there:
            raise ModelFolderError(
                f"The {what} takes more memory than there is. Received: {amount(size)} in {path} "
                f"with {amount(there)} left."
            )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except _FAULTS as error:
        raise archive._damaged(error) from None
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise archive._damaged("a member is no array")
    return arrays
