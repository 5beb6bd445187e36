"""What all methods share: the verbs of csbdeep's models."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import keras
import numpy as np

from ..axes import StackLayout
from ..config.base import DenoiserConfig
from ..data.patches import as_image_list
from ..errors import AxesError, ConfigError, ImageError, ModelFolderError
from ..losses import LOSSES
from ..nets.forms import prediction_form
from ..nets.initialize import initialize
from ..nets.receptive_field import receptive_field
from ..normalization import check_image, image_statistics, result_dtype, to_dtype
from ..prediction.predictor import Predictor
from ..prediction.scaled import predict_scaled
from ..prediction.tiling import check_n_tiles
from ..training.checkpoints import load_weights
from ..training.fit import Trainer
from ..training.precision import resolve_precision
from .folder import ModelFolder


class Denoiser:
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

    Attributes
    ----------
    keras_model : keras.Model
        The network in float32, of stock Keras layers. Training works on a faster form of it and
        hands over the weights after every epoch.
    logdir : pathlib.Path or None
        The model folder: config.json, weights_best.h5, weights_last.h5.
    callbacks : list of keras.callbacks.Callback
        Filled by `prepare_for_training`; append to it.

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
    ):
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
        self._predictors: dict[str, tuple[list, Predictor]] = {}
        self._loaded = False
        if config is None:
            self.config = self.config_class.load(self.logdir / "config.json")
            self.keras_model = self._build()
            self._seed = self._draw_seed()
            self._folder.load_weights(self.config, self.keras_model)
            self._loaded = True
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
        return LOSSES[self.config.train_loss]

    @property
    def _divisor(self) -> int:
        """What spatial sides must be divisible by."""
        return 1

    # training ----------------------------------------------------------------------------------

    def prepare_for_training(self, optimizer=None, **kwargs) -> None:
        """Compile the network for training and fill `callbacks`.

        Called by `train` if it was not before.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, optional
            Default: Adam with the learning rate and schedule of the config.
        **kwargs
            Passed to `keras.Model.compile`, e.g. ``metrics=()``.
        """
        self.config.train_precision = resolve_precision(self.config.train_precision)
        self._trainer = Trainer(
            self.keras_model,
            self.config,
            self._loss(),
            self.logdir,
            optimizer,
            # not sooner: until then the folder may hold another model
            None if self._folder is None else lambda: self._folder.write_config(self.config),
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
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1. Received: {value}.")
        images = self._check_training_images(X, "Training images")
        if self.config.means is None:
            self.config.update_parameters(**_statistics_of(type(self.config), images))
        steps = steps_per_epoch or self.config.train_steps_per_epoch
        data = self._training_data(images, steps)
        validation = None
        if validation_X is not None:
            held_out = self._check_training_images(validation_X, "Validation images")
            validation = self._validation_data(held_out)
        if self._trainer is None:
            self.prepare_for_training()
        return self._trainer.fit(
            data, validation, epochs or self.config.train_epochs, steps, verbose
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

    # prediction --------------------------------------------------------------------------------

    def predict(
        self,
        img: np.ndarray,
        axes: str,
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        dtype=None,
        precision: str | None = None,
    ) -> np.ndarray:
        """Denoise an image.

        Parameters
        ----------
        img : ndarray
            Noisy image in its own units, any real dtype.
        axes : str
            Axes of `img`, letters of 'STCZYX' in any order. Samples and time points, and planes
            for a 2D model, are denoised one by one.
        resizer : csbdeep.data.Resizer, optional
            How sides are brought to multiples of ``2**unet_n_depth``. Default: reflection, cut
            off again.
        n_tiles : tuple of int, optional
            Tiles per axis of `img`. By default tiles are chosen to fit memory. The result does
            not depend on them.
        tta : bool
            Average over turns and flips of the XY plane (eight passes).
        dtype : dtype or 'same', optional
            Of the result; 'same' is that of `img`. Integers are rounded and clipped. Default:
            float32.
        precision : {'float32', 'mixed_bfloat16', 'mixed_float16', 'auto'}, optional
            Default: the one the model was trained in.

        Returns
        -------
        ndarray of the shape of `img`
            The denoised image (the mean, for a probabilistic model), axes as given.

        Raises
        ------
        AxesError, ImageError
            If the image does not fit the model.
        """
        img = np.asanyarray(img)
        dtype = result_dtype(dtype, img.dtype)
        layout, output = self._predict(img, axes, resizer, n_tiles, tta, precision)
        result = layout.from_stack(output[..., : self.config.n_channel_out])
        return to_dtype(result, dtype)

    def predict_probabilistic(
        self, img, axes, resizer=None, n_tiles=None, tta: bool = False, precision: str | None = None
    ):
        """Distribution of the denoised image, for models with ``probabilistic=True``.

        Parameters as in `predict`.

        Returns
        -------
        csbdeep.internals.probability.ProbabilisticPrediction
            With methods `mean()`, `scale()`, `var()`, ... of the shape of `img`, in its units.
        """
        if not getattr(self.config, "probabilistic", False):
            raise ConfigError(
                "predict_probabilistic needs a model trained with probabilistic=True. Received: "
                "probabilistic=False. Use predict."
            )
        from csbdeep.internals.probability import ProbabilisticPrediction

        layout, output = self._predict(img, axes, resizer, n_tiles, tta, precision)
        channels = self.config.n_channel_out
        return ProbabilisticPrediction(
            layout.from_stack(output[..., :channels]), layout.from_stack(output[..., channels:])
        )

    def _predict(self, img, axes, resizer, n_tiles, tta, precision):
        """Layout of the image, and mean (and scale) in its units as a stack 'S(Z)YXC'."""
        img = np.asanyarray(img)
        layout, counts = self.check(img, axes, n_tiles)
        output = predict_scaled(
            self._predictor(precision),
            layout.to_stack(img),
            self._scaling,
            self.config.n_channel_out,
            n_tiles=counts,
            tta=tta,
            structN2Vmask=getattr(self.config, "structN2Vmask", None),
            resizer=resizer,
        )
        return layout, output

    def check(
        self, img: np.ndarray, axes: str, n_tiles=None
    ) -> tuple[StackLayout, list[int] | None]:
        """Refuse what `predict` could not work with, without working.

        Parameters as in `predict`.

        Returns
        -------
        layout : StackLayout
            How the image becomes a stack 'S(Z)YXC'.
        n_tiles : list of int or None
            Tiles per spatial axis.

        Raises
        ------
        AxesError, ImageError, ConfigError
        """
        layout = StackLayout.of(img, axes, self.config.n_dim)
        if layout.n_channels != self.config.n_channel_in:
            hint = "" if "C" in layout.axes else " Name the channel axis with C in axes."
            raise AxesError(
                f"The model was trained on {self.config.n_channel_in} channel(s). Received: "
                f"{layout.n_channels} channel(s) in an image with shape {img.shape} and axes "
                f"{layout.axes}.{hint}"
            )
        check_image(img)
        if self.config.means is None and self.config.normalization == "dataset":
            raise ConfigError(
                "The model was not trained yet and has no means and stds to normalise with. "
                "Received: means=None. Train it, or make its config from images."
            )
        counts = None
        if n_tiles is not None:
            by_axis = check_n_tiles(n_tiles, layout.axes)
            if self.config.n_dim == 2 and by_axis.get("Z", 1) > 1:
                raise ConfigError(
                    f"n_tiles along Z must be 1 for a 2D model. Received: {tuple(n_tiles)}."
                )
            counts = [by_axis[a] for a in layout.spatial_axes]
        return layout, counts

    def _scaling(self, image):
        """Offset and scale of one image ((Z,) Y, X, C), each (C,)."""
        if self.config.normalization == "dataset":
            return np.array(self.config.means, float), np.array(self.config.stds, float)
        if self.config.normalization == "none":
            return np.zeros(image.shape[-1]), np.ones(image.shape[-1])
        return image_statistics(image, self.config.normalization)

    def _predictor(self, precision):
        if precision is None:
            trained = self.config.train_precision
            precision = "float32" if trained == "auto" else trained
        precision = resolve_precision(precision)
        weights = self.keras_model.get_weights()
        made_with, predictor = self._predictors.get(precision, (None, None))
        if made_with is None or any(
            not np.array_equal(a, b) for a, b in zip(made_with, weights, strict=True)
        ):
            predictor = Predictor(
                prediction_form(self.keras_model, precision),
                receptive_field(self.keras_model),
                self._divisor,
            )
            self._predictors[precision] = (weights, predictor)
        return predictor

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
        return self._loaded or (self._trainer is not None and self._trainer.kept.trained)

    def save(self, folder: str | os.PathLike) -> None:
        """Write the model into a folder of any name: config.json, weights_best.h5, weights_last.h5.

        Load it with ``N2V(None, folder.name, folder.parent)``.

        Raises
        ------
        ModelFolderError
            If the folder cannot be written.
        """
        ModelFolder(folder).save(self.config, self.keras_model)

    def _draw_seed(self) -> int:
        seed = self.config.train_seed
        return int(np.random.SeedSequence().entropy % 2**32) if seed is None else seed


def _statistics_of(config_class, images):
    settings = config_class._settings_from(images)
    return {name: settings[name] for name in ("means", "stds")}
