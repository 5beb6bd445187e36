"""How far the denoising of a large image got, on disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ImageFileError, N2VTKError

_NAME = "n2v_tk_progress.jsonl"


class Progress:
    """A file in the unfinished store: what was asked for, and each block that was written.

    Parameters
    ----------
    folder : Path
        The unfinished store.
    request : dict
        What is asked for. A store that was begun for something else is refused.
    plan : dict
        Kept for runs that go on.
    begin_anew : bool
        Remove what is there.

    Attributes
    ----------
    resumed : bool
        Whether there was a store to go on with.
    plan : dict
        That of the run that began.
    """

    def __init__(
        self, folder: Path, request: dict[str, Any], plan: dict[str, Any], begin_anew: bool = False
    ):
        self.folder, self.path = folder, folder / _NAME
        if begin_anew and folder.exists():
            shutil.rmtree(folder)
        self._done: set[tuple[int, int]] = set()
        self.plan = plan
        self.resumed = self.path.exists() and self._read(request)
        if not self.resumed:
            self._check_folder()
            folder.mkdir(parents=True, exist_ok=True)
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(json.dumps({"request": request, "plan": plan}) + "\n")
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._synced = time.monotonic()

    def _check_folder(self):
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ImageFileError(
                f"The folder for the unfinished result is taken. Received: {self.folder}. Remove "
                "it, or begin anew with overwrite=True (--overwrite)."
            )

    def _read(self, request):
        """Whether there is a run to go on with."""
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        try:
            header = json.loads(lines[0])
            begun, self.plan = header["request"], header["plan"]
        except (ValueError, KeyError):
            os.remove(self.path)  # it died before the first line was whole
            return False
        changed = [name for name in request if begun.get(name) != request[name]]
        if changed:
            raise ConfigError(
                f"An unfinished result of another request is there. Received: {self.folder}, with "
                f"another {', '.join(changed)} (there: {begun.get(changed[0])}, now: "
                f"{request[changed[0]]}). Repeat that request, or begin anew with overwrite=True "
                "(--overwrite)."
            )
        # the last line has no end if the run died while it was written
        for line in lines[1:-1]:
            level, index = line.split()
            self._done.add((int(level), int(index)))
        if lines[-1]:
            with open(self.path, "r+", encoding="utf-8") as file:
                file.truncate(sum(len(line) + 1 for line in lines[:-1]))
        return True

    def __contains__(self, job: tuple[int, int]) -> bool:
        return job in self._done

    @property
    def n_done(self) -> int:
        """Blocks that are written."""
        return len(self._done)

    def add(self, job: tuple[int, int]) -> None:
        """Note that a block is written."""
        self._done.add(job)
        self._file.write(f"{job[0]} {job[1]}\n")
        self._file.flush()
        if time.monotonic() - self._synced > 5:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self, keep: bool = False) -> None:
        """Close the file, and remove it unless the run is to go on another time."""
        self._file.close()
        if not keep:
            self.path.unlink()
            (self.folder / "model.keras").unlink(missing_ok=True)


def full_disk(error: OSError, folder: Path, state: Progress) -> OSError:
    """An error that tells how to go on, from one of writing."""
    if isinstance(error, N2VTKError):
        return error
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return ImageFileError(
        f"{'The disk is full' if full else 'The result could not be written'}. Received: {folder}: "
        f"{error}. {state.n_done} blocks are done and kept; "
        f"{'free some space and ' if full else ''}repeat the command to go on from there."
    )
