"""Settings of supervised restoration (CARE)."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from ..errors import ConfigError
from .base import Count
from .checks import image_list
from .unet import UNetConfig


class CAREConfig(UNetConfig):
    """Settings of a CARE model, with csbdeep's names and defaults.

    Parameters
    ----------
    X, Y : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Training images and their targets, from which `n_dim`, `axes` and channels are taken.
    unet_residual : bool
        Add the input to the output. Default: where both have as many channels.
    train_patch_shape : tuple of int, optional
        Random patches to train on, one side per spatial axis, divisible by ``2**unet_n_depth``.
        Default: the images as they are, which must all have one size then.
    train_augment : bool
        Turn and flip pairs at random. Off by default: a restoration may have a direction.
    normalization : {'percentile', 'none'}
        What `predict` does to images: csbdeep's `PercentileNormalizer`, which brings percentiles 2
        and 99.8 to 0 and 1, or nothing. Training takes images as they are, since csbdeep's
        `create_patches` writes them normalised.
    **settings
        Those of `UNetConfig` (the network) and `DenoiserConfig` (the training).

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.zeros((8, 64, 64, 1))
    >>> CAREConfig(X, np.zeros((8, 64, 64, 2))).n_channel_out
    2
    >>> CAREConfig(axes="ZYXC", probabilistic=True).train_loss
    'laplace'
    """

    normalization: Literal["percentile", "none"] = "percentile"
    train_augment: bool = False
    train_patch_shape: tuple[Count, ...] | None = None

    size_of_patch: ClassVar[tuple[str, ...]] = ("train_patch_shape",)

    method: ClassVar[str] = "care"
    predecessor: ClassVar[str] = "csbdeep"
    # names of files that are fixed here
    obsolete_in_old_files: ClassVar[tuple[str, ...]] = (
        "train_checkpoint_last",
        "train_checkpoint_epoch",
    )

    def __init__(self, X=None, Y=None, **settings):
        if "axes" in settings:
            axes = str(settings["axes"]).upper().replace("S", "")
            settings["axes"] = axes if "C" in axes else axes + "C"
            settings.setdefault("n_dim", len(settings["axes"]) - 1)
        if Y is not None:
            settings.setdefault("n_channel_out", _channels(Y))
        channels = {
            name: settings.get(name, 1 if X is None else _channels(X))
            for name in ("n_channel_in", "n_channel_out")
        }
        settings.setdefault("unet_residual", channels["n_channel_in"] == channels["n_channel_out"])
        super().__init__(X, **settings)

    @classmethod
    def _settings_from(cls, X):
        settings = super()._settings_from(X)
        return {k: v for k, v in settings.items() if k not in ("means", "stds")}

    @property
    def has_wide_decoder(self) -> bool:
        return True

    @property
    def patch_shape(self) -> tuple[int, ...] | None:
        """Of training patches; None where whole images are trained on."""
        return self.train_patch_shape

    @classmethod
    def _from_predecessor(cls, data, source):
        schedule = data.get("train_reduce_lr")
        if isinstance(schedule, dict) and "epsilon" in schedule:
            # the name of min_delta up to Keras 2.1.5
            schedule = dict(schedule)
            schedule["min_delta"] = schedule.pop("epsilon")
            data = {**data, "train_reduce_lr": schedule}
        return data

    @pydantic.model_validator(mode="after")
    def _check_care(self):
        shape, divisor = self.train_patch_shape, 2**self.unet_n_depth
        if shape is not None and (len(shape) != self.n_dim or any(s % divisor for s in shape)):
            raise ConfigError(
                f"train_patch_shape needs {self.n_dim} sides divisible by {divisor} "
                f"(2**unet_n_depth). Received: {shape}."
            )
        return self


def _channels(images):
    return image_list(images)[0].shape[-1]
