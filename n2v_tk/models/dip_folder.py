"""The state of a Deep Image Prior on disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..config.dip import DIPConfig
from ..config.files import read_config
from ..errors import ModelFolderError, OutputExistsError
from ..io.files import check_writable, replacing

# a longer or more watchful fit of the same kind
_MAY_DIFFER = {"iterations", "patience", "seed", "backtrack"}


class DIPFolder:
    """A folder with config.json and state.npz.

    Parameters
    ----------
    path : Path
        Need not exist.
    """

    def __init__(self, path: Path):
        self.path = path
        self._state = path / "state.npz"
        self._fingerprint = ""

    def open(self, config: DIPConfig, fingerprint: str, resume: bool) -> dict | None:
        """Claim the folder, or read the state in it if `resume`.

        Returns
        -------
        dict of str to ndarray, or None
            The state, if there is one.

        Raises
        ------
        OutputExistsError
            If there is a state and `resume` is False.
        ModelFolderError
            If the state is damaged, or of another picture or other settings.
        """
        self._fingerprint = fingerprint
        if not self._state.exists():
            check_writable(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            config.save(self.path / "config.json")
            return None
        if not resume:
            raise OutputExistsError(
                f"The folder holds the state of a fit. Received: {self.path}. Go on with "
                "resume=True (--resume), or choose another folder."
            )
        there = DIPConfig.from_json(read_config(self.path / "config.json"), self.path)
        changed = sorted(
            name
            for name, value in there
            if name not in _MAY_DIFFER and value != getattr(config, name)
        )
        state = self._read()
        if str(state["fingerprint"]) != fingerprint:
            changed.insert(0, "the picture or its mask")
        if changed:
            raise ModelFolderError(
                "A fit goes on with the same picture and settings only. Received: other "
                f"{', '.join(changed)} than in {self.path}. Choose another folder."
            )
        config.save(self.path / "config.json")
        return state

    def _read(self):
        try:
            with np.load(self._state, allow_pickle=False) as file:
                return dict(file)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFolderError(
                f"The state cannot be read; it may be damaged. Received: {self._state}: {error}. "
                "Delete it to start anew."
            ) from error

    def save(self, state: dict) -> None:
        """Write the state, under a temporary name first."""
        with replacing(self._state) as temporary, open(temporary, "wb") as file:
            np.savez(file, fingerprint=np.array(self._fingerprint), **state)
