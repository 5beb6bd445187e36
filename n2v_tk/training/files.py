"""What training writes into the model folder, in an order that no kill can spoil."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import keras

from .callbacks import KeepWeights
from .checkpoints import save_weights
from .record import TrainingRecord
from .state import TrainingState


class KeepFiles(keras.callbacks.Callback):
    """Writes state, weights and record of a training after its epochs. The last of all callbacks.

    First comes the state, which holds everything. Only then is what an older model left there
    removed, and weights are written. So there is a model at any moment: the older one, or the
    state (from which weights are taken where their file is missing), or the weights.

    Parameters
    ----------
    folder : Path or None
        None writes nothing.
    kept : KeepWeights
        The weights.
    record : TrainingRecord
    state : callable
        Makes the `TrainingState` after so many epochs.
    minutes : float
        From one writing of the state to the next, at least.
    best_name, last_name : str or None
        Names of the files of weights.
    before_weights : callable, optional
        Called before the first weights of a training are written: removes what belonged to older
        ones, writes what belongs to these.
    """

    def __init__(
        self,
        folder: Path | None,
        kept: KeepWeights,
        record: TrainingRecord,
        state: Callable[[int], TrainingState],
        minutes: float = 0.0,
        best_name: str | None = "weights_best.h5",
        last_name: str = "weights_last.h5",
        before_weights: Callable[[], None] | None = None,
    ):
        super().__init__()
        self.folder, self.kept, self.record, self.state = folder, kept, record, state
        self.minutes = minutes
        self.best_name, self.last_name = best_name, last_name
        self.before_weights = before_weights
        self._forget()

    def _forget(self):
        self._last: TrainingState | None = None
        # epochs that the state on disk has, and those that all files have
        self._state_of = self._all_of = 0
        self._saved = -float("inf")
        self._last_written = self._best_written = None

    def on_train_begin(self, logs=None):
        self._forget()

    def on_epoch_end(self, epoch, logs=None):
        if self.folder is None or self.kept.diverged_at is not None:
            return
        self._last = self.state(epoch + 1)
        if time.monotonic() - self._saved >= 60 * self.minutes:
            self._write_state()
        self._write_the_rest()

    def _write_state(self):
        self._last.save(self.folder)
        self._state_of, self._saved = self._last.epochs, time.monotonic()

    def _write_the_rest(self):
        if self._last_written is None and self.before_weights is not None:
            self.before_weights()
        if self.kept.last is not self._last_written:
            self._write_weights(self.last_name, self.kept.last)
            self._last_written = self.kept.last
        if self.kept.best is not None and self.kept.best is not self._best_written:
            self._write_weights(self.best_name, self.kept.best)
            self._best_written = self.kept.best
        self._write_record()
        self._all_of = self._last.epochs

    def catch_up(self, state: TrainingState | None = None) -> None:
        """Write what an interruption, or a state with nothing left to do, left unwritten."""
        if self.folder is None:
            return
        if state is not None:
            self._last, self._state_of = state, state.epochs
        if self._last is None:
            return
        if self._state_of != self._last.epochs:
            self._write_state()
        if self._all_of != self._last.epochs:
            self._write_the_rest()

    @property
    def epochs(self) -> int:
        """Made and kept so far."""
        return 0 if self._last is None else self._last.epochs

    def finish(self) -> None:
        """Write that nothing is left to do, although not all epochs were made."""
        if self._last is not None:
            self._last.finished = True
            self._last.save(self.folder)

    def _write_weights(self, name, weights):
        if name is not None:
            save_weights(self.kept.network, self.folder / name, weights)

    def _write_record(self):
        try:
            self.record.save(self.folder)
        except OSError as error:
            warnings.warn(
                f"The record of the training cannot be written: {error}. Training goes on.",
                stacklevel=2,
            )
