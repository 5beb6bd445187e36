"""The whole state of a training on disk, to go on from as if it had never stopped."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from ..archives import Archive, read_arrays
from ..config.base import DenoiserConfig
from ..config.files import STATE_FILE
from ..errors import ModelFolderError
from .checkpoints import replacing

# how long or fast to go on, and what has no part in the result
MAY_DIFFER = {
    "train_epochs", "train_learning_rate", "train_early_stop", "train_keep", "train_workers",
    "train_precision", "train_tensorboard", "train_state_minutes",
}  # fmt: skip
# what Keras' callbacks know from epoch to epoch
_REMEMBERED = {
    "ReduceLROnPlateau": ("best", "wait", "cooldown_counter"),
    "EarlyStopping": ("best", "wait", "best_epoch", "stopped_epoch"),
    "ModelCheckpoint": ("best",),
    "SwapEMAWeights": ("_ema_weights_in_model",),
}
_ARRAYS = ("last", "best", "optimizer", "drawing")
# bytes of a state, beside those of its arrays
_ROOM = 2**24


@dataclass
class TrainingState:
    """What a training is made of after some epochs.

    Attributes
    ----------
    epochs : int
        Made by this training.
    target : int
        To be made, as asked for.
    steps : int
        Per epoch.
    validated : bool
        Whether there were validation images.
    before : int
        Epochs of trainings before this one, which count in what is drawn.
    finished : bool
        Stopped early, and not by a fault.
    seed : int
        That everything is drawn from.
    images : str
        Fingerprint of the training images.
    settings : dict
        Of the config.
    run : dict
        Record of the training so far, as in training.json.
    callbacks : list of dict
        What Keras' callbacks remember, with their class.
    best_loss : float
    last : list of ndarray
        Weights.
    best : list of ndarray or None
        Best weights; None where they are the last.
    optimizer, drawing : list of ndarray
        Variables of the optimiser, and the random states of layers.
    """

    epochs: int
    target: int
    steps: int
    validated: bool
    before: int
    finished: bool
    seed: int
    images: str
    settings: dict[str, Any]
    run: dict[str, Any]
    callbacks: list[dict[str, Any]]
    best_loss: float
    last: list[np.ndarray]
    best: list[np.ndarray] | None
    optimizer: list[np.ndarray]
    drawing: list[np.ndarray]

    def save(self, folder: str | os.PathLike) -> None:
        """Write it into a model folder, under a temporary name first.

        Raises
        ------
        ModelFolderError
            If it cannot be written; what was there is as it was.
        """
        facts = {k: v for k, v in vars(self).items() if k not in _ARRAYS}
        arrays = {"facts": np.array(json.dumps(facts))}
        for name in _ARRAYS:
            for i, values in enumerate(getattr(self, name) or ()):
                arrays[f"{name}_{i}"] = values
        with replacing(Path(folder) / STATE_FILE) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike, largest: int) -> TrainingState | None:
        """Read it from a model folder; None where there is none.

        Parameters
        ----------
        folder : path
        largest : int
            Bytes that the weights of the model have; files with far more are refused.

        Raises
        ------
        ModelFolderError
            If it is damaged.
        """
        path = Path(folder) / STATE_FILE
        if not path.exists():
            return None
        try:
            # weights, two moments and an average of the optimiser, best weights
            found = read_arrays(path, "state of a training", 8 * largest + _ROOM)
            facts = json.loads(str(found["facts"]))
            arrays = {name: _in_order(found, name) for name in _ARRAYS}
            arrays["best"] = arrays["best"] or None
            state = cls(**facts, **arrays)
            state._check()
            return state
        except Exception as error:
            raise _damaged(path, error) from error

    def _check(self):
        counts = (self.epochs, self.target, self.steps, self.before, self.seed)
        if not all(isinstance(n, int) and n >= 0 for n in counts) or not self.last:
            raise ValueError("numbers of epochs and steps are missing")
        if not isinstance(self.settings, dict) or not isinstance(self.run["history"], dict):
            raise ValueError("settings or losses are missing")
        if not all(isinstance(facts, dict) for facts in self.callbacks):
            raise ValueError("callbacks are missing")
        self.best_loss = float(self.best_loss)

    def changed(self, settings: dict[str, Any]) -> list[str]:
        """Names of settings that are not what they were, of those that must be."""
        return _changed(self.settings, settings)


def _changed(had, wanted):
    # statistics are taken from the images when training starts
    unknown = {name for name in ("means", "stds") if wanted.get(name) is None}
    names = (had.keys() | wanted.keys()) - MAY_DIFFER - unknown
    # a file of another version of n2v_tk says so, and is no other setting
    names = {n for n in names if not n.startswith("n2v_tk_")}
    return sorted(n for n in names if had.get(n) != wanted.get(n))


def refuse_other_settings(
    config: DenoiserConfig, settings: dict[str, Any], folder: str | os.PathLike
) -> None:
    """Refuse to go on, as `config` says, with a training of other settings.

    Parameters
    ----------
    config : DenoiserConfig
    settings : dict
        Of the training, as in its state.
    folder : path
        Where it is.

    Raises
    ------
    ModelFolderError
        If more differs than what has no part in the result, epochs and learning rate.
    """
    # what an older version did not know is as it is by default
    known = type(config).from_json(settings, folder).to_json()
    changed = _changed(known, config.to_json())
    if config.train_precision not in ("auto", settings.get("train_precision")):
        changed.append("train_precision")
    if changed:
        raise ModelFolderError(
            "A training goes on with the same images and settings only. Received: other "
            f"{', '.join(changed)} than in {folder}. Take the settings of the folder, or choose "
            "another folder."
        )


def stamp(folder: str | os.PathLike) -> int:
    """When the state in a folder was written, in nanoseconds; 0 where there is none."""
    try:
        return (Path(folder) / STATE_FILE).stat().st_mtime_ns
    except OSError:
        return 0


def settings_in(folder: str | os.PathLike) -> dict[str, Any] | None:
    """Settings of the training whose state is in a model folder; None where there is none.

    Raises
    ------
    ModelFolderError
        If the state is damaged.
    """
    path = Path(folder) / STATE_FILE
    if not path.exists():
        return None
    try:
        with Archive(path, "state of a training") as archive:
            facts = np.load(io.BytesIO(archive.read("facts.npy", _ROOM)), allow_pickle=False)
        settings = json.loads(str(facts))["settings"]
        if not isinstance(settings, dict):
            raise ValueError("the settings are no object")
        return settings
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path, error):
    text = (str(error) or type(error).__name__).splitlines()[0]
    return ModelFolderError(
        f"The state of the training is damaged. Received: {path}: {text}. Remove the file to train "
        "from the start; weights beside it are of use still (--from, or load the model and train "
        "it)."
    )


def _in_order(file, name):
    found = []
    while f"{name}_{len(found)}" in file:
        found.append(file[f"{name}_{len(found)}"])
    return found


def values_of(variables) -> list[np.ndarray]:
    """Copies of the values of Keras variables."""
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def assign_all(variables, values: list[np.ndarray], what: str) -> None:
    """Give variables the values of a state.

    Raises
    ------
    ModelFolderError
        If they are of another network or optimiser.
    """
    shapes = [tuple(v.shape) for v in variables]
    if shapes != [tuple(v.shape) for v in values]:
        raise ModelFolderError(
            f"The state of the training is of another {what}. Received: {len(values)} arrays for "
            f"{len(shapes)}. Go on with the settings it was begun with."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def remembered(callbacks) -> list[dict[str, Any]]:
    """What callbacks know from epoch to epoch, of those whose class is known."""
    found = []
    for callback in callbacks:
        name = type(callback).__name__
        if name in _REMEMBERED:
            values = {a: getattr(callback, a, None) for a in _REMEMBERED[name]}
            values = {a: v.item() if hasattr(v, "item") else v for a, v in values.items()}
            found.append({"class": name, **values})
    return found


def remind(callbacks, facts: list[dict[str, Any]]) -> None:
    """Give callbacks back what `remembered` found."""
    left = list(facts)
    for callback in callbacks:
        name = type(callback).__name__
        known = next((f for f in left if f.get("class") == name), None)
        if known is not None:
            left.remove(known)
            for attribute in _REMEMBERED.get(name, ()):
                if attribute in known:
                    setattr(callback, attribute, known[attribute])
