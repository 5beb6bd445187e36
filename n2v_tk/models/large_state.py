"""How far the denoising of a large image got, on disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ImageFileError

_NAME = "n2v_tk_progress.jsonl"


class UnwrittenError(OSError):
    """A block that could not be written; its arguments are those of the `OSError` behind it."""


class Progress:
    """A file in the unfinished store: what was asked for, and each block that was written.

    One process at a time may hold it.

    Parameters
    ----------
    folder : Path
        The unfinished store.
    request : dict
        What is asked for. A store that was begun for something else is refused.
    plan : dict
        Kept for runs that go on.
    overwrite : bool
        Remove a store that was begun for something else.

    Attributes
    ----------
    resumed : bool
        Whether there was a store to go on with.
    plan : dict
        That of the run that began.
    run : str
        What tells this result from others that had its place.

    Raises
    ------
    ConfigError
        If the store was begun for something else.
    ImageFileError
        If the folder is not ours, or another process works on it.
    """

    def __init__(
        self, folder: Path, request: dict[str, Any], plan: dict[str, Any], overwrite: bool = False
    ):
        self.folder, self.path = folder, folder / _NAME
        self._done: set[tuple[int, int]] = set()
        self.plan, self.run = plan, uuid.uuid4().hex
        if folder.exists() and any(folder.iterdir()) and not self.path.exists():
            raise ImageFileError(
                "The folder for the unfinished result is taken by something else. Received: "
                f"{folder}. Move it away."
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._synced = time.monotonic()
        try:
            self._lock()
            self.resumed = self._read(request, overwrite)
            if not self.resumed:
                self._empty_folder()
                self._file.truncate(0)
                header = {"request": request, "plan": plan, "run": self.run}
                self._file.write(json.dumps(header) + "\n")
                self._file.flush()
        except BaseException:
            self._file.close()
            raise

    def _lock(self):
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            # given back by the system when the process ends, however it ends
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return  # a file system without locks
            raise ImageFileError(
                f"Another process works on this result. Received: {self.folder}. Wait for it, or "
                "stop it."
            ) from error

    def _empty_folder(self):
        for path in self.folder.iterdir():
            if path != self.path:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _read(self, request, overwrite):
        """Whether there is a run to go on with."""
        self._file.seek(0)
        lines = self._file.read().split("\n")
        try:
            header = json.loads(lines[0])
            begun, plan, run = header["request"], header["plan"], header["run"]
        except (ValueError, KeyError):
            return False  # it died before the first line was whole
        changed = [name for name in request if begun.get(name) != request[name]]
        if changed and overwrite:
            return False
        if changed:
            raise ConfigError(
                f"An unfinished result of another request is there. Received: {self.folder}, with "
                f"another {', '.join(changed)} (there: {begun.get(changed[0])}, now: "
                f"{request[changed[0]]}). Repeat that request, or begin anew with overwrite=True "
                "(--overwrite)."
            )
        self.plan, self.run = plan, run
        # the last line has no end if the run died while it was written
        for line in lines[1:-1]:
            level, index = line.split()
            self._done.add((int(level), int(index)))
        if lines[-1]:
            self._file.truncate(sum(len(line) + 1 for line in lines[:-1]))
        return True

    def __contains__(self, job: tuple[int, int]) -> bool:
        return job in self._done

    @property
    def n_done(self) -> int:
        """Blocks that are written."""
        return len(self._done)

    def add(self, job: tuple[int, int]) -> None:
        """Note that a block is written."""
        try:
            self._file.write(f"{job[0]} {job[1]}\n")
            self._file.flush()
            if time.monotonic() - self._synced > 5:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise UnwrittenError(*error.args) from error
        self._done.add(job)

    def close(self) -> None:
        """Let others work on the result."""
        self._file.close()

    def move_to(self, target: Path) -> None:
        """Give the finished store its name, in place of what has it; without the notes."""
        old = target.with_name(f"{target.name}.old")
        if target.exists():
            os.replace(target, old)
        os.replace(self.folder, target)
        self.close()
        for name in (_NAME, "model.keras"):
            (target / name).unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)

    def explain(self, error: UnwrittenError) -> ImageFileError:
        """An error that tells how to go on, from one of writing."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return ImageFileError(
            f"{'The disk is full' if full else 'The result could not be written'}. Received: "
            f"{self.folder}: {error}. {self.n_done} blocks are done and kept; "
            f"{'free some space and ' if full else ''}repeat the command to go on from there."
        )
