"""Keras callbacks of the training loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from .checkpoints import save_weights


class KeepWeights(keras.callbacks.Callback):
    """Keeps the best and the last good weights, in memory and, with a folder, on disk.

    After every epoch the network gets the weights of the form that is trained. Good means that
    loss and weights are finite. At the first epoch that is not, training stops and `diverged_at`
    names the epoch. Where the optimiser leaves out steps with gradients that are not finite, such
    a step makes the loss of its epoch infinite and does no harm: the epoch is good if the optimiser
    made any step in it.

    Parameters
    ----------
    network : keras.Model
        Network whose training form is trained; its layers name the weights in the files.
    folder : Path or None
        Model folder.
    best_name : str or None
        File name for the weights of the lowest validation loss (of the lowest loss if there is
        no validation).
    last_name : str
        File name for the weights of the last epoch.
    before_writing : callable, optional
        Called before the first weights of a training are written: whatever belongs to them and
        must not replace what belonged to older ones any sooner.
    """

    def __init__(
        self,
        network: keras.Model,
        folder: Path | None,
        best_name: str | None = "weights_best.h5",
        last_name: str = "weights_last.h5",
        before_writing: Callable[[], None] | None = None,
    ):
        super().__init__()
        self.network = network
        self.folder = folder
        self.best_name = best_name
        self.last_name = last_name
        self.before_writing = before_writing
        self.trained = False
        self._forget()

    def _forget(self):
        self.best_loss = np.inf
        self.best = self.last = None
        self.diverged_at = None
        self._steps = 0

    def on_train_begin(self, logs=None):
        self._forget()
        self._stepped()

    def on_epoch_end(self, epoch, logs=None):
        loss = logs.get("val_loss", logs["loss"])
        weights = self.model.get_weights()
        finite = np.isfinite(loss) and np.isfinite(logs["loss"])
        finite = self._stepped() or finite
        if not finite or not all(np.isfinite(w).all() for w in weights):
            self.diverged_at = epoch + 1
            self.model.stop_training = True
            return
        if self.last is None and self.before_writing is not None:
            self.before_writing()
        self.last, self.trained = weights, True
        self.network.set_weights(weights)
        self._write(self.last_name, weights)
        if loss < self.best_loss:
            self.best_loss, self.best = loss, weights
            self._write(self.best_name, weights)

    def _stepped(self):
        """Whether an optimiser that leaves out bad steps made a good one since the last epoch."""
        inner = getattr(self.model.optimizer, "inner_optimizer", None)
        if inner is None:
            return False
        before, self._steps = self._steps, int(inner.iterations)
        return self._steps > before

    def _write(self, name, weights):
        if self.folder is not None and name is not None:
            save_weights(self.network, self.folder / name, weights)


class CountEpochs(keras.callbacks.Callback):
    """Tells a data set which epoch it is before any batch of it is drawn.

    Keras calls a data set's `on_epoch_end` once more when `fit` starts on some backends, and never
    tells it the first epoch.

    Parameters
    ----------
    data : object with an attribute `epoch`
    first : int
        Epochs that were trained before.
    """

    def __init__(self, data, first: int = 0):
        super().__init__()
        self.data, self.first = data, first

    def on_epoch_begin(self, epoch, logs=None):
        self.data.epoch = self.first + epoch


@keras.saving.register_keras_serializable(package="n2v_tk")
class CosineSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine from the initial learning rate to zero.

    Parameters
    ----------
    initial : float
        Learning rate at step 0.
    steps : int
        Steps to zero.
    """

    def __init__(self, initial: float, steps: int):
        self.initial, self.steps = initial, steps

    def __call__(self, step):
        done = keras.ops.cast(step, "float32") / self.steps
        done = keras.ops.clip(done, 0.0, 1.0)
        return self.initial * 0.5 * (1.0 + keras.ops.cos(np.pi * done))

    def get_config(self):
        return {"initial": self.initial, "steps": self.steps}


@keras.saving.register_keras_serializable(package="n2v_tk")
class RampSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises along half a cosine at the start and falls along a squared one at the end.

    Laine et al., NeurIPS 2019, and with ``up=0`` Lehtinen et al., ICML 2018.

    Parameters
    ----------
    initial : float
        Learning rate in between.
    steps : int
        All steps.
    up, down : float
        Shares of the steps at the start and at the end.
    """

    def __init__(self, initial: float, steps: int, up: float = 0.1, down: float = 0.3):
        self.initial, self.steps, self.up, self.down = initial, steps, up, down

    def __call__(self, step):
        ops = keras.ops
        done = ops.cast(step, "float32") / self.steps
        rise = ops.clip(done / max(self.up, 1e-9), 0.0, 1.0) if self.up else 1.0
        fall = ops.clip((1.0 - done) / max(self.down, 1e-9), 0.0, 1.0) if self.down else 1.0
        rise = 0.5 - 0.5 * ops.cos(np.pi * rise)
        fall = (0.5 - 0.5 * ops.cos(np.pi * fall)) ** 2
        return self.initial * rise * fall

    def get_config(self):
        return {"initial": self.initial, "steps": self.steps, "up": self.up, "down": self.down}
