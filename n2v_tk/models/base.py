"""What all methods share: the verbs of csbdeep's models."""

from __future__ import annotations

import datetime
import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np

from ..config.base import DenoiserConfig
from ..config.reading import CONFIG_IN_KERAS_FILE
from ..data.patches import as_image_list
from ..errors import ConfigError, ImageError, ModelFolderError
from ..nets.initialize import initialize
from ..normalization import check_image
from ..training.checkpoints import load_weights
from ..training.devices import Devices
from ..training.fit import Trainer
from ..training.precision import resolve_precision
from .folder import ModelFolder
from .predicting import Predicting


class Denoiser(Predicting):
    """A method with its settings, its network and, unless told otherwise, its folder.

    Subclasses name their `config_class` and say how the network is built (`_build`), what
    it is trained on (`_training_data`, `_validation_data`), with which loss (`_loss`), and what a
    prediction returns.

    Parameters
    ----------
    config : DenoiserConfig or None
        Settings. None loads the model `name` from `basedir`.
    name : str, optional
        Name of the model and of its folder. By default the time.
    basedir : path or None
        Where model folders are. None keeps the model in memory only.
    **changes
        When a model is loaded: settings to have in place of those in its folder.

    Attributes
    ----------
    keras_model : keras.Model
        The network in float32, of stock Keras layers. Training works on a faster form of it and
        hands over the weights after every epoch.
    logdir : pathlib.Path or None
        The model folder: config.json, weights_best.h5, weights_last.h5.
    callbacks : list of keras.callbacks.Callback
        Filled by `prepare_for_training`; append to it.
    loaded : bool
        Whether the weights come from a file.

    Raises
    ------
    ModelFolderError
        If a model cannot be loaded from its folder, or the folder cannot be written.
    """

    config_class: type[DenoiserConfig] = DenoiserConfig

    def __init__(
        self,
        config: DenoiserConfig | None,
        name: str | None = None,
        basedir: str | os.PathLike | None = ".",
        **changes,
    ):
        if config is not None and changes:
            raise ConfigError(
                "Settings are changed by name only when a model is loaded from its folder. "
                f"Received: {', '.join(changes)} together with a config. Set them in the config."
            )
        if config is not None and not isinstance(config, self.config_class):
            raise ConfigError(
                f"config must be a {self.config_class.__name__}. Received: {type(config).__name__}."
            )
        if config is None and (name is None or basedir is None):
            raise ConfigError(
                "Without a config a model is loaded from its folder, which needs name and basedir. "
                f"Received: name={name!r}, basedir={basedir!r}."
            )
        self.name = name or datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S.%f")
        self.basedir = None if basedir is None else Path(basedir)
        self.logdir = None if basedir is None else self.basedir / self.name
        self._folder = None if basedir is None else ModelFolder(self.logdir)
        self.callbacks: list[keras.callbacks.Callback] = []
        self._trainer: Trainer | None = None
        self._predictors: dict = {}
        self.loaded = False
        if config is None:
            self.config = self.config_class.load(self.logdir / "config.json", **changes)
            self.keras_model = self._build()
            self._seed = self._draw_seed()
            self._folder.load_weights(self.config, self.keras_model)
            self.loaded = True
        else:
            self.config = config.model_copy(deep=True)
            self.keras_model = self._build()
            self._seed = self._draw_seed()
            initialize(self.keras_model, self._seed)
            if self._folder is not None:
                self._folder.claim(self.config)

    def __repr__(self) -> str:
        where = "in memory" if self.logdir is None else f"in {self.logdir}"
        return f"{type(self).__name__}({self.name!r}, {where}, axes {self.config.axes})"

    # what a method says ------------------------------------------------------------------------

    def _build(self) -> keras.Model:
        raise NotImplementedError

    def _training_data(self, images, steps_per_epoch):
        raise NotImplementedError

    def _validation_data(self, images):
        raise NotImplementedError

    def _loss(self):
        raise NotImplementedError

    def _metric(self, metric):
        """A metric for `keras.Model.compile` from one that may be a name."""
        return metric

    # training ----------------------------------------------------------------------------------

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
            those of the training loss: on blind spots for N2V, as 'n2v_mse' and 'n2v_abs' in the
            history.
        """
        shared = Devices(devices, self.config.train_batch_size)
        if "metrics" in kwargs:
            with shared.scope():
                kwargs["metrics"] = [self._metric(m) for m in kwargs["metrics"] or ()]
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

        Returns
        -------
        keras.callbacks.History

        Raises
        ------
        ImageError
            For images that do not fit the model or cannot be trained on; nothing is written then.
        TrainingError
            If the loss became infinite or NaN. The model then has the last good weights.
        KeyboardInterrupt
            If interrupted. The model then has the weights it would have had at the end of the
            last full epoch, and so have the files.
        """
        images = self._check_training_images(X, "Training images")
        steps = self._count(epochs, steps_per_epoch)[1]
        if self.config.means is None:
            self.config.update_parameters(**_statistics_of(type(self.config), images))
        data = self._training_data(images, steps)
        validation = None
        if validation_X is not None:
            held_out = self._check_training_images(validation_X, "Validation images")
            validation = self._validation_data(held_out)
        return self._fit(data, validation, epochs, steps_per_epoch, verbose)

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
        return self._trainer.fit(data, validation, *self._count(epochs, steps_per_epoch), verbose)

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

    # folder ------------------------------------------------------------------------------------

    def load_weights(self, name: str = "weights_best.h5") -> None:
        """Load a weight file of the model folder.

        Raises
        ------
        ModelFolderError
            If there is no such file or it does not fit.
        """
        if self.logdir is None:
            raise ModelFolderError(
                "A model kept in memory has no weight files. Received: basedir=None."
            )
        load_weights(self.keras_model, self.logdir / name)

    @property
    def trained(self) -> bool:
        """Whether the weights were loaded or come from at least one epoch of training."""
        return self.loaded or (self._trainer is not None and self._trainer.kept.trained)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model into a folder of any name, or into one file if `path` ends in .keras.

        The folder gets config.json, weights_best.h5 and weights_last.h5. The file is one that
        `keras.saving.load_model` opens too. `n2v_tk.load_model` opens either.

        Raises
        ------
        ModelFolderError
            If it cannot be written.

        Warns
        -----
        CompatibilityWarning
            If the model has what n2v 0.3.3 lacks, which reads such folders too.
        """
        if Path(path).suffix == ".keras":
            self._save_as_file(Path(path))
        else:
            ModelFolder(path).save(self.config, self.keras_model)

    def _save_as_file(self, path):
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.keras")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.keras_model.save(temporary)
                with zipfile.ZipFile(temporary, "a") as archive:
                    settings = json.dumps(self.config.to_json(), indent=1)
                    archive.writestr(CONFIG_IN_KERAS_FILE, settings)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise ModelFolderError(
                f"The model cannot be written. Received: {path}: {error}. Choose another place."
            ) from error

    def export(
        self, kind: str, path: str | os.PathLike, overwrite: bool = False, **options
    ) -> Path:
        """Hand the model to another program.

        Parameters
        ----------
        kind : {'serving', 'fiji', 'fiji-n2v', 'bioimageio', 'onnx', 'keras'}
            TensorFlow Serving (a folder of versions), CSBDeep for Fiji, N2V for Fiji,
            bioimage.io (zips), ONNX, or Keras (one file).
        path : path
            Where to write. It appears at once when it is whole.
        overwrite : bool
            Replace what is there.
        **options
            Of the format: those of the functions in `n2v_tk.export`.

        Returns
        -------
        Path
            What was written. All formats are float32.

        Raises
        ------
        ExportError
            For an unknown format, a package that is missing (it says which to install), a model
            without trained weights, or one that the format cannot hold.
        OutputExistsError
            If the output is there already.
        """
        from ..export import export_model

        return export_model(self, kind, path, overwrite, **options)

    def _draw_seed(self) -> int:
        seed = self.config.train_seed
        return int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed


def _statistics_of(config_class, images):
    settings = config_class._settings_from(images)
    return {name: settings[name] for name in ("means", "stds")}
