"""What is known of how a model was trained: training.json in its folder."""

from __future__ import annotations

import copy
import os
import platform
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..config.files import read_config, write_config
from ..errors import ModelFolderError

FILE = "training.json"
_PACKAGES = ("n2v_tk", "keras", "tensorflow", "jax", "torch", "numpy")


class TrainingRecord:
    """Losses, seed, time and versions of the trainings of a model, one after the other.

    Parameters
    ----------
    runs : list of dict, optional
        One per call of `train`, with keys 'history' (values per epoch by name), 'seed',
        'precision', 'seconds', 'started', 'versions', 'machine' and 'backend'; 'interruptions'
        after which it went on.
    """

    def __init__(self, runs: list[dict[str, Any]] | None = None):
        self.runs = list(runs or [])

    @classmethod
    def load(cls, folder: str | os.PathLike) -> TrainingRecord:
        """Read it from a model folder; empty where there is none (models of n2v).

        Raises
        ------
        ModelFolderError
            If the file cannot be read.
        """
        path = Path(folder) / FILE
        return cls.of(read_config(path), path) if path.exists() else cls()

    @classmethod
    def of(cls, data: dict[str, Any], source: str | os.PathLike) -> TrainingRecord:
        """From what a training.json holds; `source` names it in messages."""
        runs = data.get("runs") if isinstance(data, dict) else None
        if not isinstance(runs, list) or not all(_is_run(run) for run in runs):
            raise ModelFolderError(
                f"The record of the training is damaged. Received: {source}. The model works "
                "without it; remove the file."
            )
        return cls(runs)

    def save(self, folder: str | os.PathLike) -> None:
        """Write it into a model folder, under a temporary name first; an empty one as no file."""
        if self.runs:
            write_config(Path(folder) / FILE, {"runs": self.runs})
        else:
            (Path(folder) / FILE).unlink(missing_ok=True)

    @classmethod
    def find(cls, folder: str | os.PathLike) -> TrainingRecord:
        """As `load`; a damaged one is left out, with a warning."""
        try:
            return cls.load(folder)
        except ModelFolderError as error:
            warnings.warn(str(error), stacklevel=3)
            return cls()

    def curves(self) -> dict[str, list[float]]:
        """Values per epoch by name, over all trainings; of what all of them have."""
        histories = [run["history"] for run in self.runs if run["history"]]
        names = [n for n in histories[0] if all(n in h for h in histories)] if histories else []
        return {
            name: [float("nan") if v is None else v for h in histories for v in h[name]]
            for name in names
        }


def _is_run(run):
    history = run.get("history") if isinstance(run, dict) else None
    return isinstance(history, dict) and all(map(_is_curve, history.values()))


def _is_curve(values):
    # JSON knows no infinity: None stands for what is not finite
    return isinstance(values, list) and all(
        v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values
    )


class KeepRecord(keras.callbacks.Callback):
    """Adds a training to a record, epoch by epoch.

    Parameters
    ----------
    record : TrainingRecord
    good : callable
        Whether weights of this training are kept.
    **facts
        What else to remember of the training: numbers, text.
    """

    def __init__(self, record: TrainingRecord, good: Callable[[], bool], **facts):
        super().__init__()
        self.record, self.good, self.facts = record, good, facts

    def on_train_begin(self, logs=None):
        self._started = time.monotonic()
        self.run = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "seconds": 0.0,
            **self.facts,
            "backend": keras.backend.backend(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
            "versions": {"python": platform.python_version(), **_versions()},
            "history": {},
        }

    def go_on(self, run: dict[str, Any], again: bool = True) -> None:
        """Go on with the record of a training that was interrupted, `again` to train."""
        self.run = copy.deepcopy(run)
        if again:
            self._started -= run.get("seconds", 0.0)
            self.run["interruptions"] = run.get("interruptions", 0) + 1
        # what was written of it, perhaps of an epoch that is made again
        runs = self.record.runs
        if runs and runs[-1].get("started") == run.get("started"):
            runs.pop()
        runs.append(self.run)

    def on_epoch_end(self, epoch, logs=None):
        if not self.good():
            # the weights in the folder are older ones, and so is their record
            return
        values = {"learning_rate": _learning_rate(self.model.optimizer), **(logs or {})}
        values = {name: float(np.squeeze(v)) for name, v in values.items() if np.size(v) == 1}
        history = self.run["history"]
        done = max(map(len, history.values()), default=0)
        for name in dict.fromkeys([*history, *values]):
            # columns stay of one length where a training goes on with other metrics
            column = history.setdefault(name, [])
            column += [None] * (done - len(column))
            value = values.get(name, np.nan)
            # JSON knows no infinity
            column.append(value if np.isfinite(value) else None)
        self.run["seconds"] = round(time.monotonic() - self._started, 1)
        if not any(run is self.run for run in self.record.runs):
            self.record.runs.append(self.run)


def _learning_rate(optimizer):
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _versions():
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
