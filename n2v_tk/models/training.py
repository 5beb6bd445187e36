"""Training of a model: the verbs that make its weights."""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext

import keras
import numpy as np

from ..config.files import STATE_FILE, weight_files
from ..data.patches import as_image_list
from ..errors import ConfigError, FolderInUseError, ImageError, ModelFolderError
from ..normalization import check_image
from ..training.devices import Devices
from ..training.fit import Trainer
from ..training.locking import in_use
from ..training.precision import resolve_precision
from ..training.record import TrainingRecord
from ..training.state import TrainingState, refuse_other_settings, stamp
from .shown import TrainingHistory

# side of the picture that is shown while a model is trained, in pixels
PREVIEW = 256
# and of what is kept for a report
EXAMPLE = 768
# how far above the first loss a training may end: as a share of an error, and for likelihoods,
# where it stands for 1.8 times the variance of errors
ERROR_MARGIN, LIKELIHOOD_MARGIN = 0.5, 0.3


class Training:
    """Trains `self.keras_model` as `self.config` says.

    Part of `Denoiser`, which see. Subclasses of that say what is trained on (`_training_data`,
    `_validation_data`), what is to be known of the images before (`_learn_about`), and with which
    loss (`_loss`).
    """

    def prepare_for_training(self, optimizer=None, devices: int | None = None, **kwargs) -> None:
        """Compile the network for training and fill `callbacks`.

        Called by `train` if it was not before.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, optional
            Default: Adam with the learning rate and schedule of the config.
        devices : int, optional
            GPUs of this machine (processors where it has none) that share every batch, on
            TensorFlow and JAX. `train_batch_size` must be divisible by it.
        **kwargs
            Passed to `keras.Model.compile`, e.g. ``metrics=()``. The metrics 'mse' and 'mae' are
            for N2V those on blind spots, as 'n2v_mse' and 'n2v_abs' in the history. CARE has both
            by default, as csbdeep has. Scales of probabilistic models do not count.
        """
        shared = Devices(devices, self.config.train_batch_size)
        metrics = kwargs.pop("metrics", self.default_metrics)
        with shared.scope():
            kwargs["metrics"] = [self._metric(m) for m in metrics or ()] or None
        wanted = self.config.train_precision
        self.config.train_precision = resolve_precision(wanted, self.keras_model)
        self._trainer = Trainer(
            self.keras_model,
            self.config,
            self._loss(),
            self.logdir,
            optimizer,
            # not sooner: until then the folder may hold another model
            None if self._folder is None else lambda: self._folder.begin(self.config),
            shared,
            self.record,
            self._seed,
            **kwargs,
        )
        self.callbacks = self._trainer.callbacks

    def train(
        self,
        X,
        validation_X=None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on noisy images.

        Parameters
        ----------
        X : ndarray (S, (Z,) Y, X, C) or sequence of such
            Noisy images in their own units, of any real dtype; sizes may differ in a sequence.
        validation_X : ndarray or sequence, optional
            Noisy images for the validation loss. Without any, the training loss decides which
            weights are best.
        epochs, steps_per_epoch : int, optional
            In place of the config's.
        verbose : {'auto', 0, 1, 2}
            As in `keras.Model.fit`.
        resume : bool
            Go on with the training that was interrupted in the model folder, from the end of its
            last full epoch; `epochs` counts from its start. Images and settings must be the same,
            but for the number of epochs and the learning rate. With a `train_seed`, on the same
            machine, the result is the one it would have had, to the bit. In a folder without
            training it simply starts.

        Returns
        -------
        keras.callbacks.History
            Of all epochs, those before an interruption included.

        Raises
        ------
        ImageError
            For images that do not fit the model or cannot be trained on; nothing is written then.
        FolderInUseError
            If another training uses the model folder.
        ModelFolderError
            If files cannot be written, or the training in the folder cannot be gone on with.
        TrainingError
            If the loss became infinite or NaN, or exploded. The model then has the last good
            weights, and training goes on from there with a lower learning rate and `resume`.
        KeyboardInterrupt, SystemExit
            If interrupted, or ended by SIGTERM. The model then has the weights it would have had
            at the end of the last full epoch, and so have the files.

        Warns
        -----
        UserWarning
            If the training loss ended far above that of the first epoch; says which weights the
            model has.
        """
        self._take_up(resume)
        images = self._check_training_images(X, "Training images")
        steps = self._count(epochs, steps_per_epoch)[1]
        if self.config.means is None:
            self.config.update_parameters(**_statistics_of(type(self.config), images))
        held_out = []
        if validation_X is not None:
            held_out = self._check_training_images(validation_X, "Validation images")
        self._learn_about(images + held_out)
        data = self._training_data(images, steps)
        validation = self._validation_data(held_out) if held_out else None
        return self._fit(data, validation, epochs, steps_per_epoch, verbose)

    def _take_up(self, resume):
        """Find the training to go on with: what it was drawn from becomes the model's."""
        self._interrupted = self._stamp = None
        if not resume:
            return
        if self.logdir is None:
            raise ConfigError(
                "A model kept in memory has no training on disk to go on with. Received: "
                "resume=True, basedir=None. Give the model a folder, or leave resume out: train "
                "goes on with the weights it has."
            )
        self._stamp = stamp(self.logdir)
        state = TrainingState.load(self.logdir, 4 * self.keras_model.count_params())
        if state is None:
            if weight_files(self.logdir):
                raise ModelFolderError(
                    "The folder holds a trained model, and not the state of its training. "
                    f"Received: {self.logdir} without {STATE_FILE}. Train it further without "
                    "resume (--from), or choose another folder."
                )
            return
        refuse_other_settings(self.config, state.settings, self.logdir)
        self.config.train_precision = state.settings.get("train_precision")
        self._seed, self._interrupted = state.seed, state
        # also of the trainings before that one
        self.record.runs[:] = TrainingRecord.find(self.logdir).runs

    def _count(self, epochs, steps_per_epoch):
        """Epochs, and steps in each: those asked for, else the config's."""
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1. Received: {value}.")
        return (
            epochs or self.config.train_epochs,
            steps_per_epoch or self.config.train_steps_per_epoch,
        )

    def _fit(self, data, validation, epochs, steps_per_epoch, verbose):
        if self._trainer is None:
            self.prepare_for_training()
        epochs, steps = self._count(epochs, steps_per_epoch)
        live = None
        if verbose == "auto" and "IPython" in sys.modules:
            from ..plot import LiveTraining, in_notebook

            if in_notebook():
                live, verbose = LiveTraining(epochs, lambda: self._preview(data)), 0
        if self._trainer.board is not None:
            names = ("noisy", "denoised")
            self._trainer.board.preview = lambda: dict(zip(names, self._preview(data), strict=True))
        try:
            self.example = data.example(EXAMPLE if self.config.n_dim == 2 else EXAMPLE // 4)
        except Exception:
            # a noise model of the user that knows patches only
            self.example = None
        state, self._interrupted = self._interrupted, None
        with nullcontext() if self.logdir is None else in_use(self.logdir):
            if self._stamp is not None and stamp(self.logdir) != self._stamp:
                raise FolderInUseError(
                    f"Another training was at work in the folder meanwhile. Received: "
                    f"{self.logdir}. Repeat this to go on from where it came to."
                )
            history = self._trainer.fit(data, validation, epochs, steps, verbose, live, state)
        self._warn_if_astray(history.history)
        return TrainingHistory.of(history, live is not None)

    def _loss_margin(self, first: float) -> float:
        """How far above `first`, the loss of the first epoch, losses may end."""
        if getattr(self.config, "probabilistic", False):
            return LIKELIHOOD_MARGIN
        return ERROR_MARGIN * abs(first)

    def _warn_if_astray(self, history):
        """Both last epochs count: one may be short, or meet what is rare."""
        losses = [loss for loss in history["loss"] if loss is not None and np.isfinite(loss)]
        if len(losses) < 3 or min(losses[-2:]) - losses[0] <= self._loss_margin(losses[0]):
            return
        has = "the last weights"
        if self.config.train_keep == "best":
            decisive = np.array(history.get("val_loss") or history["loss"], float)
            has = f"the weights of epoch {np.nanargmin(decisive) + 1}"
        warnings.warn(
            "Training went astray: it ended far above the loss that it began with. Received: "
            f"{losses[0]:.3g} in the first epoch, {losses[-1]:.3g} in the last. The model has "
            f"{has} (train_keep={self.config.train_keep!r}); look at what it predicts. Mostly the "
            "learning rate is too high: set a lower train_learning_rate (--learning-rate) and "
            "train again.",
            stacklevel=4,
        )

    def _preview(self, data):
        """A noisy picture of the training images, and what the model makes of it now."""
        noisy = data.example(PREVIEW if self.config.n_dim == 2 else PREVIEW // 4)
        denoised = self.predict(noisy, self.config.axes)
        if self.config.n_dim == 3:
            noisy, denoised = noisy[len(noisy) // 2], denoised[len(denoised) // 2]
        return tuple(
            i if i.shape[-1] == 3 else i[..., 0] for i in map(np.asarray, (noisy, denoised))
        )

    def _check_training_images(self, X, what):
        try:
            images = as_image_list(X, self.config.n_dim)
        except ImageError as error:
            raise ImageError(
                f"{what} do not fit a model of axes S{self.config.axes}. {error}"
            ) from None
        if images[0].shape[-1] != self.config.n_channel_in:
            raise ImageError(
                f"{what} must have the {self.config.n_channel_in} channel(s) of the model. "
                f"Received: {images[0].shape[-1]} channels."
            )
        for image in images:
            check_image(image, what)
        return images


def _statistics_of(config_class, images):
    settings = config_class._settings_from(images)
    return {name: settings[name] for name in ("means", "stds")}
