"""What is known of how a model was trained: training.json in its folder."""

from __future__ import annotations

import os
import platform
import time
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
        'precision', 'seconds', 'started', 'versions', 'machine' and 'backend'.
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
        if not path.exists():
            return cls()
        runs = read_config(path).get("runs")
        if not isinstance(runs, list) or not all(_is_run(run) for run in runs):
            raise ModelFolderError(
                f"The record of the training is damaged. Received: {path}. The model works "
                "without it; remove the file."
            )
        return cls(runs)

    def save(self, folder: str | os.PathLike) -> None:
        """Write it into a model folder, under a temporary name first."""
        write_config(Path(folder) / FILE, {"runs": self.runs})

    def curves(self) -> dict[str, list[float]]:
        """Values per epoch by name, over all trainings; of what all of them have."""
        histories = [run["history"] for run in self.runs if run["history"]]
        names = [n for n in histories[0] if all(n in h for h in histories)] if histories else []
        return {
            name: [float("nan") if v is None else v for h in histories for v in h[name]]
            for name in names
        }


def _is_run(run):
    return isinstance(run, dict) and isinstance(run.get("history"), dict)


class KeepRecord(keras.callbacks.Callback):
    """Adds a training to a record, epoch by epoch, and writes it into the model folder.

    Parameters
    ----------
    record : TrainingRecord
    folder : Path or None
    **facts
        What else to remember of the training: numbers, text.
    """

    def __init__(self, record: TrainingRecord, folder: Path | None, **facts):
        super().__init__()
        self.record, self.folder, self.facts = record, folder, facts

    def on_train_begin(self, logs=None):
        self._started = time.monotonic()
        self._run = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "seconds": 0.0,
            **self.facts,
            "backend": keras.backend.backend(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
            "versions": {"python": platform.python_version(), **_versions()},
            "history": {},
        }

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            # only now: a training that never got here left the older ones as they were
            self.record.runs.append(self._run)
        values = {"learning_rate": float(self.model.optimizer.learning_rate), **(logs or {})}
        for name, value in values.items():
            # JSON knows no infinity
            value = float(value) if np.isfinite(value) else None
            self._run["history"].setdefault(name, []).append(value)
        self._run["seconds"] = round(time.monotonic() - self._started, 1)
        if self.folder is not None:
            self.record.save(self.folder)


def _versions():
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
