"""The training loop around `keras.Model.fit`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ..config.base import DenoiserConfig
from ..errors import ModelFolderError, TrainingError
from ..nets.forms import training_form
from .board import tensorboard_for
from .callbacks import CosineSchedule, CountEpochs, KeepWeights, RampSchedule
from .devices import Devices
from .files import KeepFiles
from .record import KeepRecord, TrainingRecord
from .repeating import repeatable
from .state import TrainingState, assign_all, remembered, remind, values_of
from .stopping import ending_in_order


class Trainer:
    """Trains the fast form of a network and brings the weights home.

    Parameters
    ----------
    network : keras.Model
        Gets the weights after every epoch and at the end.
    config : DenoiserConfig
        The `train_` settings; `train_precision` must be decided already.
    loss : callable
        Keras loss.
    folder : Path or None
        Where weights are written.
    optimizer : keras.optimizers.Optimizer, optional
        Default: Adam as the config says.
    before_weights : callable, optional
        Called before the first weights of a training are written.
    devices : Devices, optional
        That share every batch.
    record : TrainingRecord, optional
        Of the trainings that made the weights so far, which this one is added to.
    seed : int, optional
        What everything is drawn from, to be remembered.
    **kwargs
        Passed to `keras.Model.compile`.
    """

    def __init__(
        self,
        network: keras.Model,
        config: DenoiserConfig,
        loss,
        folder: Path | None,
        optimizer: keras.optimizers.Optimizer | None = None,
        before_weights: Callable[[], None] | None = None,
        devices: Devices | None = None,
        record: TrainingRecord | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        self.network = network
        self.config = config
        self.devices = devices or Devices(None, config.train_batch_size)
        self._own_optimizer = optimizer is None
        self._compile_options = {"loss": self.devices.share(loss), **kwargs}
        with self.devices.scope():
            self.form = training_form(network, config.train_precision, self.devices.synchronized)
            self._compile(optimizer)
        self.kept = KeepWeights(network)
        self.record = TrainingRecord() if record is None else record
        facts = {"seed": seed, "precision": config.train_precision}
        self._keep_record = KeepRecord(self.record, self._is_good, **facts)
        self.callbacks = self._callbacks(folder)
        self.seed = seed
        self._files = KeepFiles(
            folder, self.kept, self.record, self._state, config.train_state_minutes,
            config.train_checkpoint, before_weights=before_weights,
        )  # fmt: skip
        self._epochs_done = 0

    def _compile(self, optimizer=None, steps=None):
        config = self.config
        if optimizer is not None and self.devices.count > 1:
            # one made outside of the scope belongs to one device
            optimizer = type(optimizer).from_config(optimizer.get_config())
        if optimizer is None:
            optimizer = keras.optimizers.Adam(
                self._rate(steps),
                *config.train_betas,
                use_ema=config.train_ema is not None,
                ema_momentum=config.train_ema or 0.99,
            )
            if config.train_precision == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            elif config.skips_bad_steps:
                # it leaves out steps whose gradients are not finite; its scale stays out of it
                optimizer = keras.optimizers.LossScaleOptimizer(
                    optimizer, initial_scale=1.0, dynamic_growth_steps=2**31 - 1
                )
        self.form.compile(optimizer=optimizer, **self._compile_options)
        # variables that are made within a step make TensorFlow trace it twice
        self.form.optimizer.build(self.form.trainable_variables)

    def _rate(self, steps):
        """Learning rate, or its schedule where the number of steps is known."""
        config = self.config
        rate = config.train_learning_rate
        if steps is None:
            return rate
        if config.train_schedule == "milestones":
            halves = [rate * 0.5**i for i in range(len(config.train_milestones) + 1)]
            schedules = keras.optimizers.schedules
            return schedules.PiecewiseConstantDecay(list(config.train_milestones), halves)
        if config.train_schedule == "cosine":
            return CosineSchedule(rate, steps)
        return RampSchedule(rate, steps, *config.train_ramps)

    def _callbacks(self, folder):
        config = self.config
        callbacks: list[keras.callbacks.Callback] = [self.kept]
        if config.train_schedule == "plateau" and config.train_reduce_lr is not None:
            callbacks.append(keras.callbacks.ReduceLROnPlateau(**config.train_reduce_lr))
        if config.train_early_stop is not None:
            callbacks.append(keras.callbacks.EarlyStopping(patience=config.train_early_stop))
        self.board = tensorboard_for(config, folder)
        return callbacks if self.board is None else [*callbacks, self.board]

    def fit(
        self,
        data,
        validation,
        epochs: int,
        steps: int,
        verbose,
        live=None,
        state: TrainingState | None = None,
    ) -> keras.callbacks.History:
        """Train, then give the network the weights that `train_keep` asks for.

        Parameters
        ----------
        data : keras.utils.PyDataset
        validation : (x, y) or None
        epochs, steps : int
            Epochs, and steps in each.
        verbose : as in `keras.Model.fit`
        live : keras.callbacks.Callback, optional
            For this training only.
        state : TrainingState, optional
            Of a training that was interrupted, to go on with; its epochs count.

        Returns
        -------
        keras.callbacks.History
            Of all epochs, those before an interruption included.

        Raises
        ------
        ModelFolderError
            If the state is of another network or optimiser, or files cannot be written.
        TrainingError
            If the loss stopped being finite, or exploded; the network has the last good weights.
        """
        with self.devices.scope(), repeatable(self.config.train_seed), ending_in_order():
            more = [self._keep_record] if live is None else [self._keep_record, live]
            validation = self.devices.divisible(validation)
            return self._fit(data, validation, epochs, steps, verbose, more, state)

    def _fit(self, data, validation, epochs, steps, verbose, more, state):
        self.form.set_weights(self.network.get_weights())
        scheduled = self.config.train_schedule != "plateau"
        average = self.config.train_ema is not None
        diverged = self.kept.diverged_at is not None
        if self._own_optimizer and (scheduled or average or diverged):
            # a schedule and an average belong to one training and start anew with the next, and
            # after a divergence the optimiser remembers what is not finite
            self._compile(steps=epochs * steps if scheduled else None)
        self._before = self._epochs_done if state is None else state.before
        self._target, self._steps, self._validated = epochs, steps, validation is not None
        self._images = data.fingerprint()
        before = [CountEpochs(data, self._before)]
        optimizer = self.form.optimizer
        if getattr(getattr(optimizer, "inner_optimizer", optimizer), "use_ema", False):
            # first, so that the averaged weights are validated and kept
            before.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
        for callback in self.callbacks:
            # without validation what watches its loss watches the training loss
            if getattr(callback, "monitor", None) in ("loss", "val_loss"):
                callback.monitor = "loss" if validation is None else "val_loss"
        # the record late: it tells what others may have changed; the files when all is known
        callbacks = [*before, *self.callbacks, *more, self._files]
        self._all_callbacks = callbacks
        if state is not None:
            self._restore(state)
            callbacks = [*callbacks, _GoOn(self, state)]
            more_patience = state.settings.get("train_early_stop") != self.config.train_early_stop
            stopped = state.finished and epochs <= state.target and not more_patience
            if state.epochs >= epochs or stopped:
                return self._nothing_left(state)
        history = self._run(data, validation, callbacks, verbose, state)
        if self.kept.diverged_at is not None:
            raise self._diverged()
        if any(getattr(c, "stopped_epoch", 0) for c in self.callbacks):
            self._files.finish()
        return history if state is None else _with_earlier(history, state)

    def _run(self, data, validation, callbacks, verbose, state):
        """Keras' loop, and order in what is kept however it ends."""
        done = 0 if state is None else state.epochs
        batches = data
        if keras.backend.backend() == "tensorflow" and data.workers == 1:
            from .backend_tf import as_tf_dataset

            batches = as_tf_dataset(data)
        try:
            history = self.form.fit(
                batches,
                epochs=self._target,
                initial_epoch=done,
                validation_data=validation,
                validation_batch_size=self.config.train_batch_size,
                callbacks=callbacks,
                shuffle=False,
                verbose=verbose,
            )
        except ModelFolderError:
            # what cannot be written is not tried again
            self._bring_home()
            raise
        except BaseException:
            self._bring_home()
            self._epochs_done = self._before + max(done, self._files.epochs)
            self._files.catch_up()
            raise
        self._bring_home()
        self._files.catch_up()
        self._epochs_done = self._before + done + len(history.epoch)
        return history

    def _is_good(self):
        return self.kept.last is not None and self.kept.diverged_at is None

    def _diverged(self):
        config, kept = self.config, self.kept
        how = "exploded" if np.isfinite(kept.diverged_loss) else "became infinite or NaN"
        causes = [f"a learning rate that is too high ({config.train_learning_rate:g})"]
        if config.train_precision != "float32":
            causes.append(f"the range of {config.train_precision} (take float32)")
        causes.append("single values far outside the range of the rest, such as hot pixels")
        if config.normalization == "none":
            causes.append("images that are not normalised")
        rate = "train_learning_rate (--learning-rate)"
        if not self._own_optimizer:
            rate = "learning rate of your optimizer (prepare_for_training)"
        again = "train again"
        if self._files.folder is not None and kept.last is not None:
            again = "go on from there with resume=True (--resume)"
        return TrainingError(
            f"The loss {how} in epoch {kept.diverged_at}. Received: a loss of "
            f"{kept.diverged_loss:g}, train_learning_rate={config.train_learning_rate:g}, "
            f"train_precision={config.train_precision!r}. Likely causes: {'; '.join(causes)}. "
            f"The model has the weights of the last good epoch; set a lower {rate} and {again}."
        )

    def _bring_home(self):
        weights = self.kept.best if self.config.train_keep == "best" else self.kept.last
        if weights is not None:
            self.network.set_weights(weights)

    # the state of a training -------------------------------------------------------------------

    def _state(self, epochs):
        """Of the training after so many epochs."""
        best = self.kept.best
        return TrainingState(
            epochs=epochs,
            target=self._target,
            steps=self._steps,
            validated=self._validated,
            before=self._before,
            finished=False,
            seed=self.seed,
            images=self._images,
            settings=self.config.to_json(),
            run=copy.deepcopy(self._keep_record.run),
            callbacks=remembered(self._all_callbacks),
            best_loss=float(self.kept.best_loss),
            last=self.kept.last,
            best=None if best is self.kept.last else best,
            optimizer=values_of(self.form.optimizer.variables),
            drawing=values_of(self._drawing()),
        )

    def _drawing(self):
        """Random states of the layers, which are no weights."""
        known = {id(v) for v in (*self.form.weights, *self.form.metrics_variables)}
        return [v for v in self.form.variables if id(v) not in known]

    def _restore(self, state):
        if state.validated != self._validated:
            raise ModelFolderError(
                "A training goes on with validation images if it was begun with some, else "
                f"without. Received: {'some' if self._validated else 'none'}. Give what it had."
            )
        if state.images != self._images:
            raise ModelFolderError(
                "A training goes on with the same images only. Received: other images than it was "
                "begun with. Give the same, or choose another folder."
            )
        if state.steps != self._steps:
            raise ModelFolderError(
                "A training goes on with as many steps in an epoch as it had. Received: "
                f"{self._steps} for {state.steps}. Give the same number."
            )
        assign_all(self.form.weights, state.last, "network")
        assign_all(self._drawing(), state.drawing, "network")
        optimizer = self.form.optimizer
        plain = self.config.train_schedule == "plateau" or not self._own_optimizer
        own_rate = None if self._own_optimizer else _fixed_rate(optimizer)
        assign_all(optimizer.variables, state.optimizer, "optimiser")
        had = state.settings.get("train_learning_rate")
        wanted = self.config.train_learning_rate
        if own_rate is not None:
            # that of an optimiser of the user is the user's
            optimizer.learning_rate = own_rate
        elif self._own_optimizer and plain and had and wanted != had:
            optimizer.learning_rate = float(optimizer.learning_rate) * wanted / had
        self.seed = state.seed
        if self.board is not None:
            self.board.epochs_done = state.before + state.epochs
        self._take_over(state)
        self.network.set_weights(self.kept.last)

    def _take_over(self, state):
        """What the callbacks know; they forget it when Keras begins."""
        best = state.last if state.best is None else state.best
        self.kept.go_on(state.best_loss, best, state.last, state.run["history"].get("loss", []))
        remind(self._all_callbacks, state.callbacks)

    def _nothing_left(self, state):
        self._bring_home()
        self._keep_record.go_on(state.run, again=False)
        # an interruption may have come between the state and the weights
        self._files.catch_up(state)
        self._epochs_done = state.before + state.epochs
        return _with_earlier(keras.callbacks.History(), state)


def _fixed_rate(optimizer):
    """Learning rate of an optimiser, None where a schedule gives it."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    scheduled = keras.optimizers.schedules.LearningRateSchedule
    return None if isinstance(inner._learning_rate, scheduled) else float(inner.learning_rate)


class _GoOn(keras.callbacks.Callback):
    """Last of all callbacks: what the others know of a training that goes on."""

    def __init__(self, trainer, state):
        super().__init__()
        self.trainer, self.state = trainer, state

    def on_train_begin(self, logs=None):
        self.trainer._take_over(self.state)
        self.trainer._keep_record.go_on(self.state.run)


def _with_earlier(history, state):
    """A history with the epochs before the interruption."""
    if not hasattr(history, "epoch"):
        history.epoch = []
    earlier = {
        name: [float("nan") if v is None else v for v in values]
        for name, values in state.run["history"].items()
    }
    # of metrics that were not asked for before
    unknown = [float("nan")] * state.epochs
    names = history.history or earlier
    history.history = {
        name: [*earlier.get(name, unknown), *history.history.get(name, [])] for name in names
    }
    history.epoch = [*range(state.epochs), *history.epoch]
    return history
