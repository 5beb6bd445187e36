"""Keras callbacks of the training loop."""

from __future__ import annotations

import keras
import numpy as np

# a loss so many times as far away as the losses before were from zero has exploded
_EXPLODED = 1000.0


class KeepWeights(keras.callbacks.Callback):
    """Keeps the best and the last good weights.

    After every epoch the network gets the weights of the form that is trained. Good means that
    loss and weights are finite and the training loss did not explode. At the first epoch that is
    not, training stops and `diverged_at` names the epoch, `diverged_loss` its loss. Where the
    optimiser leaves out steps with gradients that are not finite, such a step makes the loss of its
    epoch infinite and does no harm: the epoch is good if the optimiser made any step in it.

    Parameters
    ----------
    network : keras.Model
        Network whose training form is trained.

    Attributes
    ----------
    last, best : list of ndarray or None
        Weights of the last good epoch, and of the one with the lowest validation loss (the lowest
        loss if there is no validation).
    """

    def __init__(self, network: keras.Model):
        super().__init__()
        self.network = network
        self.trained = False
        self._forget()

    def _forget(self):
        self.best_loss = np.inf
        self.best = self.last = None
        self.diverged_at = None
        self._steps = 0
        self._losses: list[float] = []

    def on_train_begin(self, logs=None):
        self._forget()
        self._stepped()

    def go_on(
        self,
        best_loss: float,
        best: list[np.ndarray],
        last: list[np.ndarray],
        losses: list[float | None],
    ) -> None:
        """Know what was best and last, and the losses so far, of a training that goes on."""
        self.best_loss, self.best, self.last = best_loss, best, last
        self.trained = True
        finite = [loss for loss in losses if loss is not None]
        self._losses = [finite[0], min(finite)] if finite else []

    def on_epoch_end(self, epoch, logs=None):
        loss = logs.get("val_loss", logs["loss"])
        weights = self.model.get_weights()
        finite = np.isfinite(loss) and np.isfinite(logs["loss"])
        finite = self._stepped() or finite
        if not finite or self._exploded(logs["loss"]) or not _all_finite(weights):
            self.diverged_at, self.diverged_loss = epoch + 1, float(logs["loss"])
            self.model.stop_training = True
            return
        self.last, self.trained = weights, True
        self.network.set_weights(weights)
        if loss < self.best_loss:
            self.best_loss, self.best = loss, weights

    def _exploded(self, loss):
        """Whether the training loss is far from all that it was."""
        if not np.isfinite(loss):
            # left out by the optimiser
            return False
        known = self._losses
        if known and loss - min(known) > _EXPLODED * max(1e-3, abs(known[0]), abs(min(known))):
            return True
        # the first and the lowest are enough to know
        self._losses = [*known[:1], min([*known, loss])] if known else [loss]
        return False

    def _stepped(self):
        """Whether an optimiser that leaves out bad steps made a good one since the last epoch."""
        inner = getattr(self.model.optimizer, "inner_optimizer", None)
        if inner is None:
            return False
        before, self._steps = self._steps, int(inner.iterations)
        return self._steps > before


def _all_finite(weights):
    return all(np.isfinite(w).all() for w in weights)


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
        data.first_epoch = first

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
