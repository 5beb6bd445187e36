"""The training loop around `keras.Model.fit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from ..config.base import DenoiserConfig
from ..errors import TrainingError
from ..nets.forms import training_form
from .board import tensorboard_for
from .callbacks import CosineSchedule, CountEpochs, KeepWeights, RampSchedule
from .devices import Devices
from .record import KeepRecord, TrainingRecord


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
    before_writing : callable, optional
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
        before_writing: Callable[[], None] | None = None,
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
        self.kept = KeepWeights(
            network, folder, config.train_checkpoint, before_writing=before_writing
        )
        self.record = TrainingRecord() if record is None else record
        facts = {"seed": seed, "precision": config.train_precision}
        self._keep_record = KeepRecord(
            self.record, folder, lambda: self.kept.last is not None, **facts
        )
        self.callbacks = self._callbacks(folder)
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
        self, data, validation, epochs: int, steps: int, verbose, live=None
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

        Raises
        ------
        TrainingError
            If the loss stopped being finite; the network has the last good weights.
        """
        with self.devices.scope():
            more = [self._keep_record] if live is None else [self._keep_record, live]
            return self._fit(data, self.devices.divisible(validation), epochs, steps, verbose, more)

    def _fit(self, data, validation, epochs, steps, verbose, more):
        self.form.set_weights(self.network.get_weights())
        scheduled = self.config.train_schedule != "plateau"
        average = self.config.train_ema is not None
        diverged = self.kept.diverged_at is not None
        if self._own_optimizer and (scheduled or average or diverged):
            # a schedule and an average belong to one training and start anew with the next, and
            # after a divergence the optimiser remembers what is not finite
            self._compile(steps=epochs * steps if scheduled else None)
        before = [CountEpochs(data, self._epochs_done)]
        optimizer = self.form.optimizer
        if getattr(getattr(optimizer, "inner_optimizer", optimizer), "use_ema", False):
            # first, so that the averaged weights are validated and kept
            before.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
        for callback in self.callbacks:
            # without validation what watches its loss watches the training loss
            if getattr(callback, "monitor", None) in ("loss", "val_loss"):
                callback.monitor = "loss" if validation is None else "val_loss"
        batches = data
        if keras.backend.backend() == "tensorflow" and data.workers == 1:
            from .backend_tf import as_tf_dataset

            batches = as_tf_dataset(data)
        try:
            history = self.form.fit(
                batches,
                epochs=epochs,
                validation_data=validation,
                validation_batch_size=self.config.train_batch_size,
                # the record last: it tells what others may have changed
                callbacks=[*before, *self.callbacks, *more],
                shuffle=False,
                verbose=verbose,
            )
        finally:
            self._bring_home()
        self._epochs_done += len(history.epoch)
        if self.kept.diverged_at is not None:
            raise TrainingError(
                f"The loss became infinite or NaN in epoch {self.kept.diverged_at}. Received: "
                f"train_learning_rate={self.config.train_learning_rate}, "
                f"train_precision={self.config.train_precision!r}. The model has the weights of "
                "the last good epoch; train again with a lower learning rate or in float32."
            )
        return history

    def _bring_home(self):
        weights = self.kept.best if self.config.train_keep == "best" else self.kept.last
        if weights is not None:
            self.network.set_weights(weights)
