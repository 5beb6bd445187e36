"""The state of a Deep Image Prior on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..archives import read_arrays
from ..config.dip import DIPConfig
from ..config.files import method_of, read_config, weight_files
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
    fingerprint : str
        Of the picture and its mask.
    """

    def __init__(self, path: Path, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint
        self._state = path / "state.npz"

    def read(self, config: DIPConfig, resume: bool) -> dict | None:
        """The state in the folder, if `resume`; refuse a folder that holds anything else.

        Returns
        -------
        dict of str to ndarray, or None
            The state, if there is one.

        Raises
        ------
        OutputExistsError
            If there is a state and `resume` is False.
        ModelFolderError
            If the state is damaged, or of another picture or other settings, or if the folder
            holds a model.
        """
        if not self._state.exists():
            self._refuse_model()
            check_writable(self.path)
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
        if str(state["fingerprint"]) != self.fingerprint:
            changed.insert(0, "the picture or its mask")
        if changed:
            raise ModelFolderError(
                "A fit goes on with the same picture and settings only. Received: other "
                f"{', '.join(changed)} than in {self.path}. Choose another folder."
            )
        return state

    def claim(self, config: DIPConfig) -> None:
        """Make the folder and write config.json."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            config.save(self.path / "config.json")
        except OSError as error:
            raise ModelFolderError(
                f"The folder of the state cannot be written. Received: {self.path}: {error}. "
                "Choose another."
            ) from error

    def _refuse_model(self):
        config = self.path / "config.json"
        weights = weight_files(self.path)
        if weights or (config.exists() and method_of(read_config(config)) != DIPConfig.method):
            raise ModelFolderError(
                f"The folder holds a model. Received: {self.path}. Choose another for the state."
            )

    def _read(self):
        try:
            state = read_arrays(self._state, "state of a fit")
            if "fingerprint" not in state:
                raise ModelFolderError(f"It lacks its fingerprint. Received: {self._state}.")
        except ModelFolderError as error:
            raise ModelFolderError(
                f"The state cannot be read; it may be damaged. {error} Delete it to start anew."
            ) from error
        return state

    def save(self, state: dict) -> None:
        """Write the state, under a temporary name first."""
        with replacing(self._state) as temporary, open(temporary, "wb") as file:
            np.savez(file, fingerprint=np.array(self.fingerprint), **state)
