"""A model on disk: a folder with config.json and weights, as csbdeep and n2v keep it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import keras

from ..config.base import DenoiserConfig
from ..errors import CompatibilityWarning, ModelFolderError
from ..training.checkpoints import load_weights, save_weights


class ModelFolder:
    """The folder of a model.

    Parameters
    ----------
    path : path
        Need not exist.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def claim(self, config: DenoiserConfig) -> None:
        """Make the folder and write the config, unless there is a trained model already."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        if not any(self.path.glob("*.h5")):
            self.write_config(config)
            return
        warnings.warn(
            f"There is a model in {self.path} already. It stays as it is until this one is "
            "trained, which overwrites it.",
            stacklevel=4,
        )

    def write_config(self, config: DenoiserConfig) -> None:
        """Write config.json."""
        try:
            config.save(self.path / "config.json")
        except OSError as error:
            raise self._not_writable(error) from error

    def begin(self, config: DenoiserConfig) -> None:
        """Write what belongs to trained weights, before the first of them are written."""
        reasons = config.strange_to_predecessor()
        if reasons:
            warnings.warn(
                f"Only n2v_tk opens the model in {self.path} rightly; {config.predecessor}, whose "
                f"layout it has, cannot predict with {'; '.join(reasons)}.",
                CompatibilityWarning,
                stacklevel=3,
            )
        self.write_config(config)

    def save(self, config: DenoiserConfig, network: keras.Model) -> None:
        """Write config and weights, making the folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        self.begin(config)
        for name in {config.train_checkpoint or "weights_best.h5", "weights_last.h5"}:
            save_weights(network, self.path / name)

    def load_weights(self, config: DenoiserConfig, network: keras.Model) -> None:
        """Load the weights that `config.train_keep` asks for, else what there is."""
        names = [config.train_checkpoint or "weights_last.h5", "weights_best.h5", "weights_last.h5"]
        if config.train_keep == "last":
            names.insert(0, "weights_last.h5")
        for name in names:
            if (self.path / name).is_file():
                load_weights(network, self.path / name)
                return
        raise ModelFolderError(
            f"The model folder holds no weights. Received: {self.path}. Training writes "
            "weights_best.h5 and weights_last.h5; was it stopped before its first epoch ended?"
        )

    def _not_writable(self, error):
        return ModelFolderError(
            f"The model folder cannot be written. Received: {self.path}: {error}. Choose another, "
            "or basedir=None to keep the model in memory."
        )
