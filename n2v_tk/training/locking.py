"""One training at a time in a folder."""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import platform
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import FolderInUseError, ModelFolderError

# temporary names of `replacing`, there and in n2v_tk.io
_HALF_WRITTEN = re.compile(r"\..+\.\d+\.tmp(\.npz)?")
# where the system knows no locks; a file in their place would outlive its process
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_HARD = {
    name: False for name in ("fallback_to_soft",) if name in signature(FileLock.__init__).parameters
}
LOCK, OWNER = ".training.lock", ".training.owner.json"


@contextmanager
def in_use(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other trainings out of a folder, which is made if it is not there.

    Files that trainings which were killed left half written are removed.

    The operating system holds the lock, and lets go of it when the process ends in whatever way,
    so that a lock never outlives its owner. Who that is, is told by a file beside it.

    Raises
    ------
    FolderInUseError
        If a training uses the folder.
    ModelFolderError
        If the folder cannot be written.

    Warns
    -----
    UserWarning
        If the file system knows no locks.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # two models of one process are two trainings as well
        lock = FileLock(folder / LOCK, timeout=0, is_singleton=False, thread_local=False, **_HARD)
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f"The folder is in use by another training. Received: {folder}, in use by "
            f"{_owner(folder)}. Wait for it, stop it, or choose another folder."
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError) or error.errno in _NO_LOCKS:
            warnings.warn(
                f"The file system knows no locks: nothing keeps a second training out of {folder}. "
                "See to it that there is none.",
                stacklevel=3,
            )
            yield
            return
        raise ModelFolderError(
            f"The model folder cannot be written. Received: {folder}: {error}. Choose another, "
            "or basedir=None to keep the model in memory."
        ) from error
    try:
        for left in folder.iterdir():
            if _HALF_WRITTEN.fullmatch(left.name):
                with contextlib.suppress(OSError):
                    left.unlink(missing_ok=True)
        # a message is all that would be missing
        with contextlib.suppress(OSError):
            (folder / OWNER).write_text(json.dumps(_ourselves()), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _ourselves():
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return {
        "process": os.getpid(),
        "computer": platform.node(),
        "user": user,
        "since": time.time(),
    }


def _owner(folder):
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        minutes = max(0.0, time.time() - float(owner["since"])) / 60
        return (
            f"process {owner['process']} of {owner['user']} on {owner['computer']} for "
            f"{minutes:.0f} minutes"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that did not say who it is"
