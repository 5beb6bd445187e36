"""A model on disk: a folder with config.json and weights, as csbdeep and n2v keep it."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import keras

from ..config.base import DenoiserConfig
from ..config.files import STATE_FILE, holds_model, read_config, weight_files
from ..errors import CompatibilityWarning, ModelFolderError
from ..training.checkpoints import load_weights, save_weights
from ..training.record import FILE as RECORD_FILE
from ..training.state import TrainingState, assign_all


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
        if not self.holds_model():
            self.write_config(config)
            return
        warnings.warn(
            f"There is a model in {self.path} already. It stays as it is until this one is "
            "trained, which overwrites it, or goes on with it (resume=True).",
            stacklevel=4,
        )

    def holds_model(self) -> bool:
        """Whether there are weights, in files of their own or in the state of a training."""
        return holds_model(self.path)

    def write_config(self, config: DenoiserConfig) -> None:
        """Write config.json."""
        try:
            config.save(self.path / "config.json")
        except OSError as error:
            raise self._not_writable(error) from error

    def begin(self, config: DenoiserConfig) -> None:
        """Make room for trained weights, and write what belongs to them."""
        reasons = config.strange_to_predecessor()
        if reasons:
            warnings.warn(
                f"Only n2v_tk opens the model in {self.path} rightly; {config.predecessor}, whose "
                f"layout it has, cannot predict with {'; '.join(reasons)}.",
                CompatibilityWarning,
                stacklevel=3,
            )
        if not self._has_settings(config):
            # weights of another model under the settings of this one would pass for it
            for old in (config.train_checkpoint, "weights_best.h5", "weights_last.h5", RECORD_FILE):
                if old is not None:
                    self._remove(old)
            self.write_config(config)

    def _remove(self, name):
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error

    def _has_settings(self, config):
        try:
            return read_config(self.path / "config.json") == json.loads(
                json.dumps(config.to_json())
            )
        except ModelFolderError:
            return False

    def save(self, config: DenoiserConfig, network: keras.Model) -> None:
        """Write config and weights, making the folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        self._remove(STATE_FILE)
        self.begin(config)
        for name in {config.train_checkpoint or "weights_best.h5", "weights_last.h5"}:
            save_weights(network, self.path / name)

    def load_weights(self, config: DenoiserConfig, network: keras.Model) -> None:
        """Load the weights that `config.train_keep` asks for, else what there is.

        Raises
        ------
        ModelFolderError
            If there are none, or several of other names, or they do not fit.

        Warns
        -----
        UserWarning
            If the only weights have another name.
        """
        names = [config.train_checkpoint or "weights_last.h5", "weights_best.h5", "weights_last.h5"]
        if config.train_keep == "last":
            names.insert(0, "weights_last.h5")
        for name in names:
            if (self.path / name).is_file():
                load_weights(network, self.path / name)
                return
        state = TrainingState.load(self.path, 4 * network.count_params())
        if state is not None:
            changed = state.changed(config.to_json())
            if changed:
                raise ModelFolderError(
                    "A training of another model had just begun here when it was stopped. "
                    f"Received: {self.path}, with other {', '.join(changed)} in {STATE_FILE} than "
                    "in config.json. Go on with it (n2v-tk train IN... --resume)."
                )
            # a training that was killed before it wrote them, or files that were removed
            best = state.best or state.last
            best = state.last if config.train_keep == "last" else best
            assign_all(network.weights, best, "network")
            return
        load_weights(network, self._only_weights(names[0]))

    def _only_weights(self, wanted):
        """The one file of weights there is, of another name than `wanted`."""
        found = weight_files(self.path)
        if not found:
            raise ModelFolderError(
                f"The model folder holds no weights. Received: {self.path}. Training writes "
                "weights_best.h5 and weights_last.h5; was it stopped before its first epoch ended?"
            )
        if len(found) > 1:
            raise ModelFolderError(
                f"The model folder has no {wanted}, and several other files of weights. Received: "
                f"{', '.join(path.name for path in found)} in {self.path}. Name the one to take: "
                'load_model(folder, weights="NAME.h5") or n2v-tk predict --weights NAME.h5; or '
                "rename it."
            )
        warnings.warn(
            f"The model folder has no {wanted}, so its only file of weights is taken. Received: "
            f"{found[0].name} in {self.path}.",
            stacklevel=5,
        )
        return found[0]

    def _not_writable(self, error):
        return ModelFolderError(
            f"The model folder cannot be written. Received: {self.path}: {error}. Choose another, "
            "or basedir=None to keep the model in memory."
        )
