"""What all methods share: the verbs of csbdeep's models."""

from __future__ import annotations

import datetime
import json
import os
import zipfile
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np

from .. import html
from ..config.base import DenoiserConfig
from ..config.files import holds_model, replace
from ..config.reading import CONFIG_IN_KERAS_FILE
from ..errors import ConfigError, ModelFolderError
from ..nets.initialize import initialize
from ..training.checkpoints import load_weights
from ..training.fit import Trainer
from ..training.locking import in_use
from ..training.record import FILE as RECORD_FILE
from ..training.record import TrainingRecord
from ..training.state import TrainingState
from .folder import ModelFolder
from .predicting import Predicting
from .training import Training


class Denoiser(Predicting, Training):
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
    weights : str, optional
        When a model is loaded: the weight file, if not the one that its settings ask for.
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
    record : n2v_tk.training.record.TrainingRecord
        Losses, seed, time and versions of the trainings that made the weights.
    example : ndarray ((Z,) Y, X, C) or None
        A part of the noisy images of the last training, for `report`.

    Raises
    ------
    ModelFolderError
        If a model cannot be loaded from its folder, or the folder cannot be written.
    """

    config_class: type[DenoiserConfig] = DenoiserConfig
    # that a training reports unless told otherwise
    default_metrics: tuple[str, ...] = ()

    def __init__(
        self,
        config: DenoiserConfig | None,
        name: str | None = None,
        basedir: str | os.PathLike | None = ".",
        weights: str | None = None,
        **changes,
    ):
        if config is not None and changes:
            raise ConfigError(
                "Settings are changed by name only when a model is loaded from its folder. "
                f"Received: {', '.join(changes)} together with a config. Set them in the config."
            )
        if config is not None and weights is not None:
            raise ConfigError(
                "Weights are named only when a model is loaded from its folder. Received: "
                f"weights={weights!r} together with a config. Use model.load_weights."
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
        self._interrupted: TrainingState | None = None
        self._stamp: int | None = None
        self._predictors: dict = {}
        self.loaded = False
        self.record = TrainingRecord()
        self.example: np.ndarray | None = None
        if config is None:
            self.config = self.config_class.load(self.logdir / "config.json", **changes)
            self.keras_model = self._build()
            self._seed = self._draw_seed()
            if weights is None:
                self._folder.load_weights(self.config, self.keras_model)
                self.loaded = True
            else:
                self.load_weights(weights)
            self.record = TrainingRecord.find(self.logdir)
        else:
            self.config = config.model_copy(deep=True)
            self.keras_model = self._build()
            self._seed = self._draw_seed()
            initialize(self.keras_model, self._seed)
            if self._folder is not None:
                self._folder.claim(self.config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._where()}, axes {self.config.axes})"

    def _where(self):
        return "in memory" if self.logdir is None else f"in {self.logdir}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        epochs = len(self.record.curves().get("loss", []))
        trained = f"{epochs} epochs" if epochs else "yes" if self.trained else "not yet"
        rows = {
            "model": self.name,
            "kept": self._where(),
            "trained": trained,
            "images": f"{self.config.axes}, {self.config.n_channel_in} channel(s)",
            "weights": f"{self.keras_model.count_params():,}",
        }
        settings = html.details("settings", self.config._repr_html_())
        return f"<b>{type(self).__name__}</b>{html.table(rows)}{settings}"

    # what a method says ------------------------------------------------------------------------

    def _build(self) -> keras.Model:
        raise NotImplementedError

    def _learn_about(self, images):
        """Find out what a method has to know of all images, before it trains on them."""

    def _training_data(self, images, steps_per_epoch):
        raise NotImplementedError

    def _validation_data(self, images):
        raise NotImplementedError

    def _loss(self):
        raise NotImplementedError

    def _metric(self, metric):
        """A metric for `keras.Model.compile` from one that may be a name."""
        return metric

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
        self.loaded = True

    @property
    def trained(self) -> bool:
        """Whether the weights were loaded or come from at least one epoch of training."""
        return self.loaded or (self._trainer is not None and self._trainer.kept.trained)

    def save(self, path: str | os.PathLike) -> None:
        """Write the model into a folder of any name, or into one file if `path` ends in .keras.

        The folder gets config.json, weights_best.h5 and weights_last.h5, both with the weights that
        the model has now; the state of a training, if one is there, belongs to others and goes.
        The file is one that `keras.saving.load_model` opens too. `n2v_tk.load_model` opens either.

        Raises
        ------
        ModelFolderError
            If it cannot be written.
        FolderInUseError
            If a model is being trained in the folder.

        Warns
        -----
        CompatibilityWarning
            If the model has what n2v 0.3.3 lacks, which reads such folders too.
        """
        if Path(path).suffix == ".keras":
            self._save_as_file(Path(path))
        else:
            # a training may be writing into a folder that has a model
            with in_use(path) if holds_model(path) else nullcontext():
                self._save_as_folder(path)

    def _save_as_folder(self, path):
        ModelFolder(path).save(self.config, self.keras_model)
        try:
            self.record.save(path)
        except OSError as error:
            raise ModelFolderError(
                f"The record of the training cannot be written. Received: {path}: {error}. "
                "The model is there without it."
            ) from error

    def _save_as_file(self, path):
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.keras")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.keras_model.save(temporary)
                with zipfile.ZipFile(temporary, "a") as archive:
                    settings = json.dumps(self.config.to_json(), indent=1)
                    archive.writestr(CONFIG_IN_KERAS_FILE, settings)
                    archive.writestr(RECORD_FILE, json.dumps({"runs": self.record.runs}))
                replace(temporary, path)
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

    def report(
        self,
        path: str | os.PathLike,
        image: np.ndarray | None = None,
        axes: str | None = None,
        truth: np.ndarray | None = None,
        repeats: np.ndarray | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write a page of HTML that tells whether the result can be trusted.

        Parameters
        ----------
        path : path
            Ends in .html. The page holds all of its pictures.
        image : ndarray, optional
            Noisy image; of large ones the middle is looked at. Default: a part of the images that
            the model was trained on just now, if it was.
        axes : str, optional
            Axes of `image` and `truth`. Needed unless `image` has two dimensions.
        truth : ndarray, optional
            Clean image of the same shape, for PSNR and SSIM.
        repeats : ndarray (T, (Z,) Y, X), optional
            Two or more noisy looks at the scene of `image`, for a PSNR without ground truth.
            Without `image` the first of them is denoised.
        overwrite : bool
            Replace what is there.

        Returns
        -------
        Path
            What was written: losses, images with linked zoom, what was taken away and its
            autocorrelation, brightness, error on held-out pixels, settings, versions and seed.

        Raises
        ------
        ImageError, AxesError
            If the images do not fit the model or each other.
        OutputExistsError
            If the output is there already.
        """
        from ..evaluation.report import write_report

        return write_report(self, path, image, axes, truth, repeats, overwrite)

    def _draw_seed(self) -> int:
        seed = self.config.train_seed
        return int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed
