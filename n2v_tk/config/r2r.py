"""Settings of Recorrupted-to-Recorrupted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from ..errors import ConfigError
from .base import Count, Positive, Share
from .checks import noise_numbers
from .recommended import RECOMMENDED_3D, SHARED, patch_for
from .unet import UNetConfig, count_dimensions


class R2RConfig(UNetConfig):
    """Settings of a model of Recorrupted-to-Recorrupted, with the U-Net of Noise2Void.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Noisy training images.
    noise_level : float, (gain, offset, read noise), or None
        Of the training images, in their units: standard deviation of normal noise, or that of a
        camera which counts photons, with variance ``gain * (signal - offset) + read_noise**2``.
        None takes what `n2v_tk.estimate_noise` tells of them, channel by channel.
    r2r_alpha : float
        Noise that is added to what the network sees, in standard deviations of the image's own
        (0.3). More of it makes targets less noisy, and inputs less like the images that are to be
        denoised.
    train_patch_shape : tuple of int, optional
        Random patches, sides divisible by ``2**unet_n_depth``. Default: 64 x 64 or 16 x 64 x 64,
        or what the images allow.
    **settings
        Those of `UNetConfig` and `DenoiserConfig`. Defaults here are those of
        `N2VConfig.recommended`, without what is about blind spots, and the last weights are kept.
        `train_loss` is 'mse': only squares let the added noise cancel that of the targets.

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.
    ImageError
        If an image is smaller than the network can take.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(100, 10, (4, 50, 128, 1))
    >>> R2RConfig(X, noise_level=10.0).train_patch_shape
    (48, 64)
    """

    noise_level: float | tuple[float, float, float] | None = None
    r2r_alpha: Annotated[float, Field(ge=0.01, le=10)] = 0.3
    train_patch_shape: tuple[Count, ...] = (64, 64)

    normalization: Literal["dataset", "none"] = "dataset"
    unet_kern_size: Count = SHARED["unet_kern_size"]
    train_loss: Literal["mse"] = "mse"
    train_epochs: Count = SHARED["train_epochs"]
    train_steps_per_epoch: Count = SHARED["train_steps_per_epoch"]
    train_batch_size: Count = SHARED["train_batch_size"]
    train_learning_rate: Positive = SHARED["train_learning_rate"]
    train_schedule: Literal["plateau", "cosine", "ramps", "milestones"] = SHARED["train_schedule"]
    train_ramps: tuple[Share, Share] = SHARED["train_ramps"]
    train_keep: Literal["best", "last"] = "last"

    size_of_patch: ClassVar[tuple[str, ...]] = ("train_patch_shape",)

    method: ClassVar[str] = "r2r"

    def __init__(self, X=None, **settings):
        n_dim = settings.get("n_dim", 2) if X is None else count_dimensions(X)
        if n_dim == 3:
            settings = RECOMMENDED_3D | settings
        if "train_patch_shape" not in settings and n_dim in (2, 3):
            depth = settings.get("unet_n_depth", type(self).model_fields["unet_n_depth"].default)
            settings = {**settings, "train_patch_shape": patch_for(X, n_dim, depth)}
        super().__init__(X, **settings)

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Of training patches."""
        return self.train_patch_shape

    @pydantic.model_validator(mode="before")
    @classmethod
    def _refuse_distributions(cls, settings):
        if isinstance(settings, dict) and settings.get("probabilistic") is True:
            raise ConfigError(
                "Recorrupted-to-Recorrupted predicts images, not distributions. Received: "
                "probabilistic=True."
            )
        return settings

    @pydantic.model_validator(mode="after")
    def _check_r2r(self):
        sides, divisor = self.train_patch_shape, 2**self.unet_n_depth
        if len(sides) != self.n_dim or any(side % divisor for side in sides):
            raise ConfigError(
                f"train_patch_shape needs {self.n_dim} sides divisible by {divisor} "
                f"(2**unet_n_depth). Received: {sides}."
            )
        if self.n_channel_in != self.n_channel_out:
            raise ConfigError(
                "A denoised image has the channels of the noisy one. Received: n_channel_in="
                f"{self.n_channel_in}, n_channel_out={self.n_channel_out}."
            )
        self._check_fixed_sides()
        if self.noise_level is not None and noise_numbers(self.noise_level) is None:
            raise ConfigError(
                "noise_level must be a standard deviation above 0, or (gain, offset, read noise) "
                "with gain above 0 and read noise not below, or None to estimate it. Received: "
                f"{self.noise_level}."
            )
        return self
