"""What the settings of all methods share: checking, files, and how training runs."""

from __future__ import annotations

import os
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field, PositiveInt

from .. import __version__
from ..errors import ConfigError, ImageError, ModelFolderError
from ..normalization import channel_statistics, check_image
from .checks import explain, number, plain
from .files import method_of, read_config, write_config

_PLATEAU_ARGUMENTS = {
    "monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr",
}  # fmt: skip

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class DenoiserConfig(pydantic.BaseModel):
    """Settings that every method has.

    Every assignment is checked as the constructor checks it.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Training images, from which `n_dim`, `axes`, the number of channels, `means` and `stds`
        are taken.
    n_dim : {2, 3}
        Number of spatial axes.
    axes : {'YXC', 'ZYXC'}
        Axes of one image.
    n_channel_in, n_channel_out : int
        Channels of image and result.
    means, stds : list of str
        Mean and standard deviation of each channel of the training images.
    normalization : {'dataset', 'image', 'percentile', 'none'}
        What brings images to the scale of the network: mean and standard deviation of the
        training images (n2v's way, the default) or of each image, percentiles 1 and 99.8 of
        each image, or nothing.
    train_epochs, train_steps_per_epoch, train_batch_size : int
    train_learning_rate : float
        Of Adam, at the start.
    train_schedule : {'plateau', 'cosine', 'ramps'}
        Reduce the learning rate when the validation loss stands still, as `train_reduce_lr`
        says (the default), along half a cosine to zero over all steps, or up at the start and
        down at the end, as `train_ramps` says.
    train_ramps : (up, down)
        Shares of all steps over which the learning rate rises (cosine) and falls (squared
        cosine).
    train_betas : (first, second)
        Momenta of Adam.
    train_reduce_lr : dict or None
        Arguments of `keras.callbacks.ReduceLROnPlateau`.
    train_ema : float or None
        Momentum of an exponential moving average of the weights, e.g. 0.999; validation and the
        saved weights then use the average.
    train_early_stop : int or None
        Stop when the validation loss has not fallen for so many epochs. Off by default: on blind
        spots the loss is mostly noise.
    train_keep : {'best', 'last'}
        Weights to go on with after training: of the lowest validation loss, or the last.
    train_checkpoint : str or None
        File name for the best weights in the model folder.
    train_seed : int or None
        Seed of initial weights, patches, blind spots and augmentation. None draws one.
    train_precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        'auto' is mixed_bfloat16 where the hardware computes it fast, else float32. Weights,
        losses, statistics and the output layer are float32 in any case.
    train_workers : int
        Threads that prepare batches.
    train_tensorboard : bool
        Write logs for TensorBoard into the model folder, where tensorboard is installed.
    """

    model_config = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=False)

    n_dim: Literal[2, 3] = 2
    axes: str = "YXC"
    n_channel_in: PositiveInt = 1
    n_channel_out: PositiveInt = 1
    means: list[str] | None = None
    stds: list[str] | None = None
    normalization: Literal["dataset", "image", "percentile", "none"] = "dataset"

    train_epochs: PositiveInt = 100
    train_steps_per_epoch: PositiveInt = 400
    train_batch_size: PositiveInt = 16
    train_learning_rate: Positive = 4e-4
    train_schedule: Literal["plateau", "cosine", "ramps"] = "plateau"
    train_ramps: tuple[Share, Share] = (0.1, 0.3)
    train_betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    train_reduce_lr: dict[str, Any] | None = {"factor": 0.5, "patience": 10}
    train_ema: Fraction | None = None
    train_early_stop: PositiveInt | None = None
    train_keep: Literal["best", "last"] = "best"
    train_checkpoint: str | None = "weights_best.h5"
    train_seed: Annotated[int, Field(ge=0)] | None = None
    train_precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    train_workers: PositiveInt = 1
    train_tensorboard: bool = True

    _unknown: dict[str, Any] = pydantic.PrivateAttr(default_factory=dict)

    _made_with: str = pydantic.PrivateAttr("")

    method: ClassVar[str] = ""
    # the package whose model folders have these settings, and keys of it that mean nothing here
    predecessor: ClassVar[str] = ""
    obsolete_in_old_files: ClassVar[tuple[str, ...]] = ()

    def __init__(self, X=None, **settings):
        settings = {name: plain(value) for name, value in settings.items()}
        self._refuse_unknown(settings)
        if X is not None:
            settings = self._settings_from(X) | settings
        try:
            super().__init__(**settings)
        except pydantic.ValidationError as error:
            raise ConfigError(explain(error)) from None

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            self._refuse_unknown({name: value})
            value = getattr(type(self)(**{**dict(self), name: value}), name)
        super().__setattr__(name, value)

    @classmethod
    def _refuse_unknown(cls, settings):
        for name in settings:
            if name not in cls.model_fields:
                near = get_close_matches(name, cls.model_fields, 1, cutoff=0.5)
                raise ConfigError(
                    f"Unknown setting. Received: {name!r}. "
                    + (f"Did you mean {near[0]!r}?" if near else "See the class for all settings.")
                )

    @classmethod
    def _settings_from(cls, X):
        images = [X] if hasattr(X, "ndim") else list(X)
        if not images or any(i.ndim not in (4, 5) or i.ndim != images[0].ndim for i in images):
            raise ImageError(
                "Training images must be 'SYXC' (2D) or 'SZYXC' (3D), all alike. Received: shapes "
                f"{[tuple(i.shape) for i in images][:8]}. Add missing axes, e.g. "
                "image[np.newaxis, ..., np.newaxis] for one grey image 'YX'."
            )
        for image in images:
            check_image(image, "A training image")
        means, stds = channel_statistics(images)
        n_dim = images[0].ndim - 2
        n_channels = images[0].shape[-1]
        return {
            "n_dim": n_dim,
            "axes": "ZYXC"[-n_dim - 1 :],
            "n_channel_in": n_channels,
            "n_channel_out": n_channels,
            "means": [str(m) for m in means],
            "stds": [str(s) for s in stds],
        }

    @pydantic.field_validator("means", "stds", mode="before")
    @classmethod
    def _as_strings(cls, values):
        # n2v keeps these numbers as strings; json files of both kinds are read
        return None if values is None else [str(v) for v in np.atleast_1d(values)]

    @pydantic.field_validator("train_checkpoint")
    @classmethod
    def _file_name_only(cls, name):
        if name is not None and (not name or Path(name).name != name or "\\" in name):
            raise ConfigError(
                "train_checkpoint must be a file name in the model folder, without any folder. "
                f"Received: {name!r}."
            )
        if name is not None and not name.endswith(".h5"):
            raise ConfigError(f"train_checkpoint must end in '.h5'. Received: {name!r}.")
        return name

    @pydantic.model_validator(mode="after")
    def _check_shared(self):
        if self.axes != "ZYXC"[-self.n_dim - 1 :]:
            raise ConfigError(
                f"axes must be 'YXC' in 2D and 'ZYXC' in 3D. Received: axes={self.axes!r} with "
                f"n_dim={self.n_dim}."
            )
        if (self.means is None) != (self.stds is None):
            raise ConfigError(
                f"means and stds belong together. Received: means={self.means}, stds={self.stds}."
            )
        unknown = set(self.train_reduce_lr or ()) - _PLATEAU_ARGUMENTS
        if unknown:
            raise ConfigError(
                "train_reduce_lr holds arguments of keras.callbacks.ReduceLROnPlateau: "
                f"{', '.join(sorted(_PLATEAU_ARGUMENTS))}. Received: {self.train_reduce_lr}."
            )
        for name in ("means", "stds"):
            values = getattr(self, name)
            if values is None:
                continue
            numbers = [number(v, name) for v in values]
            if len(numbers) != self.n_channel_in:
                raise ConfigError(
                    f"{name} must hold one number per channel ({self.n_channel_in}). "
                    f"Received: {values}."
                )
            if name == "stds" and min(numbers) <= 0:
                raise ConfigError(
                    f"A channel of the training images is constant: its standard deviation is 0. "
                    f"Received: stds={values}. There is nothing to learn from a constant image; "
                    "leave the channel out."
                )
        return self

    def __eq__(self, other) -> bool:
        """Whether all settings are equal, wherever they come from."""
        return type(self) is type(other) and dict(self) == dict(other)

    @property
    def training_steps(self) -> int:
        """Steps of a whole training."""
        return self.train_epochs * self.train_steps_per_epoch

    def is_valid(self, return_invalid: bool = False):
        """True: a config that exists is valid. Kept for code written for n2v.

        With `return_invalid` also an empty tuple of invalid keys.
        """
        return (True, ()) if return_invalid else True

    def update_parameters(self, allow_new: bool = False, **settings) -> None:
        """Set several settings at once, checked together; on an error none is set.

        `allow_new` is accepted for n2v's sake; unknown settings are errors in any case.
        """
        settings = {name: plain(value) for name, value in settings.items()}
        checked = type(self)(**{**dict(self), **settings})
        for name in settings:
            super().__setattr__(name, getattr(checked, name))

    def save(self, path: str | os.PathLike) -> None:
        """Write config.json, under a temporary name first."""
        write_config(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What config.json holds: the settings, the method, the version, and unknown settings."""
        return {
            **self._unknown,
            **self.model_dump(mode="json"),
            "n2v_tk_method": self.method,
            "n2v_tk_version": __version__,
        }

    @classmethod
    def load(cls, path: str | os.PathLike, **changes):
        """Read config.json, of n2v_tk or of the package that it follows.

        Settings that an old file lacks get the values that models without them were made with.
        Unknown ones are kept, written back by `save`, and named in one warning.

        Parameters
        ----------
        path : path
        **changes
            Settings to have in place of the file's.

        Raises
        ------
        ModelFolderError
            If the file is missing, not JSON, or of another method.
        ConfigError
            If a setting is invalid.
        """
        path = Path(path)
        return cls.from_json(read_config(path), path, **changes)

    @classmethod
    def from_json(cls, data: dict[str, Any], source: str | os.PathLike, **changes):
        """As `load`, from what a config.json holds; `source` names it in messages."""
        data = dict(data)
        if (method := method_of(data)) != cls.method:
            raise ModelFolderError(
                f"The model is not of this method. Received: a {method!r} model for "
                f"{cls.__name__}: {source}. n2v_tk.load_model opens models of every method."
            )
        data.pop("n2v_tk_method", None)
        version = data.pop("n2v_tk_version", None)
        if version is None:
            data = cls._from_predecessor(data)
        unknown = {k: data.pop(k) for k in list(data) if k not in cls.model_fields}
        config = cls(**{**data, **changes})
        config._unknown = unknown
        config._made_with = cls.predecessor if version is None else f"n2v_tk {version}"
        ignored = sorted(set(unknown) - set(cls.obsolete_in_old_files))
        if ignored:
            warnings.warn(
                f"{source} holds settings that this version does not know; they are kept but "
                f"have no effect: {', '.join(ignored)}.",
                stacklevel=2,
            )
        return config

    @classmethod
    def _from_predecessor(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Settings of an old package's config.json in the meaning they have here."""
        return data

    def strange_to_predecessor(self) -> list[str]:
        """What of these settings the predecessor cannot predict with, although it reads them."""
        return []

    @property
    def made_with(self) -> str:
        """What wrote the config.json that these settings come from, '' for new ones."""
        return self._made_with
