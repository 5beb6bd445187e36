"""Logs for TensorBoard (TensorFlow backend only)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

# of the grey values that are shown
PERCENTILES = (1, 99)


class TensorBoard(keras.callbacks.Callback):
    """Losses, metrics, learning rate and pictures, once per epoch.

    Scalars have the names that `keras.callbacks.TensorBoard` gives them ('epoch_loss', ...), in the
    runs 'train' and 'validation'. Unlike its, steps are epochs that have ended, and go on counting
    when the same model is trained once more. Nothing is done between the batches.

    Parameters
    ----------
    folder : Path
        Made with the first epoch that ends.
    preview : callable, optional
        Returns pictures by their names, (Y, X) or (Y, X, C) each, as the weights are now. Called
        after epochs 1, 2, 3, 5, 8, 13, ... of a training and after its last: pictures change fast
        at first, and each takes time. All are shown with the grey values of the first.

    Attributes
    ----------
    epochs_done : int
        Epochs of all trainings so far.
    """

    def __init__(self, folder: Path, preview: Callable[[], Mapping[str, np.ndarray]] | None = None):
        super().__init__()
        self.folder = folder
        self.preview = preview
        self.epochs_done = 0
        self._writers: dict = {}

    def on_train_begin(self, logs=None):
        self._due, self._next = 1, 2
        self._broken = False
        self._shown_after = self.epochs_done

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_done += 1
        if not self._broken:
            self._guarded(lambda: self._write(epoch, logs))

    def _guarded(self, write):
        try:
            write()
        except Exception as error:
            # a training of hours is worth more than its logs
            self._broken = True
            warnings.warn(
                f"TensorBoard gets no more of this training: {type(error).__name__}: {error}",
                stacklevel=2,
            )

    def _write(self, epoch, logs):
        logs = {"learning_rate": self._learning_rate(), **(logs or {})}
        for name, value in logs.items():
            run = "validation" if name.startswith("val_") else "train"
            with self._writer(run).as_default(step=self.epochs_done):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", float(value))
        if epoch + 1 >= self._due:
            # a training that goes on begins late
            while epoch + 1 >= self._due:
                self._due, self._next = self._next, self._due + self._next
            self._show()
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs=None):
        if not self._broken:
            self._guarded(self._finish)
        self._writers = {}

    def _finish(self):
        if self._shown_after < self.epochs_done:
            self._show()
        for writer in self._writers.values():
            writer.close()

    def _writer(self, run):
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self.folder / run))
        return self._writers[run]

    def _learning_rate(self):
        optimizer = self.model.optimizer
        rate = getattr(optimizer, "inner_optimizer", optimizer).learning_rate
        return float(keras.ops.convert_to_numpy(rate))

    def _show(self):
        if self.preview is None:
            return
        self._shown_after = self.epochs_done
        try:
            pictures = {name: np.asarray(p, np.float32) for name, p in self.preview().items()}
        except Exception as error:
            # a training of hours is worth more than its pictures
            self.preview = None
            warnings.warn(
                f"TensorBoard shows no more pictures of this training: {type(error).__name__}: "
                f"{error}",
                stacklevel=2,
            )
            return
        low, high = np.percentile(next(iter(pictures.values())), PERCENTILES)
        with self._writer("train").as_default(step=self.epochs_done):
            for name, picture in pictures.items():
                grey = np.clip((picture - low) / max(high - low, 1e-12), 0, 1)
                tf.summary.image(name, _as_batch(grey))


def _as_batch(picture):
    """A picture as TensorBoard takes it: (1, Y, X, 1 or 3)."""
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    return picture[np.newaxis, ..., : 3 if picture.shape[-1] >= 3 else 1]
