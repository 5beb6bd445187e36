"""Settings of masked training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field

from ..errors import ConfigError, ImageError
from .base import Count, DenoiserConfig, Fraction, Positive
from .checks import image_list
from .size import NetworkSize, swinir

_PUBLISHED = {
    "train_patch_shape": (64, 64), "train_batch_size": 64, "train_learning_rate": 1e-4,
    "train_epochs": 500, "train_steps_per_epoch": 400, "train_schedule": "milestones",
    "train_milestones": (150_000,), "train_ema": 0.999, "train_keep": "last",
    "input_mask": (0.8, 0.9), "local_means": None,
}  # fmt: skip


class MaskedDenoiserConfig(DenoiserConfig):
    """Settings of a masked denoiser.

    Parameters
    ----------
    X : ndarray (S, Y, X, C) or sequence of such, optional
        Clean training images.
    value_range : (low, high), optional
        Grey values that become 0 and 1 for the network. Default: 0 and 255 for 8 bit, else the
        range of the training images.
    noise_sigma : float, optional
        Standard deviation of the normal noise to train on, in units of the images. Default: the
        paper's 15/255 of the range. `MaskedDenoiser.train` takes any other noise model.
    clip_noise : bool
        Clip noisy training images to the range, as the paper does.
    input_mask : (low, high) or None
        Share of the pixels of an image that are dropped while training, drawn for each image.
        Predictions drop none, and by the paper that difference makes results brighter; with its
        shares, 0.8 to 0.9, small networks of short trainings become useless.
    attention_mask : float
        Share of the pixels of each window that attention does without while training.
    attention_mask_at_test : bool
        Also in predictions, as the published code does, which makes them random; see `n_average`
        of `MaskedDenoiser.predict`.
    mask_value : float
        What dropped pixels become, where images are 0 to 1.
    local_means : float or None
        Standard deviation, in pixels, of the Gaussian window in which results have the mean of the
        noisy image, 0.5 to 10; None leaves results as the network made them, as the paper does.
        For noise that has a mean of its own, None.
    net_width, net_heads : int
        Features of a pixel, and heads of the attention.
    net_depths : tuple of int
        Attention layers of each group.
    net_window : int
        Side of a window in pixels.
    net_stochastic_depth : float
        Probability to leave out the last layer while training.
    train_patch_shape : tuple of int
        Sides divisible by `net_window`.
    train_loss : {'mae', 'mse'}
    train_augment : bool
        Turn and flip patches at random.
    **settings
        Those of `DenoiserConfig`. Defaults here: the learning rate 1e-4, averaged weights
        (`train_ema` 0.999), and the last ones kept.

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.
    ImageError
        For volumes.

    Examples
    --------
    >>> X = np.zeros((2, 96, 96, 1), np.uint8)
    >>> X[:, ::2] = 200
    >>> config = MaskedDenoiserConfig(X)
    >>> config.value_range, config.noise_sigma
    ((0.0, 255.0), 15.0)
    """

    normalization: Literal["none"] = "none"
    value_range: tuple[float, float] = (0.0, 1.0)
    noise_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    clip_noise: bool = True
    input_mask: tuple[float, float] | None = (0.0, 0.9)
    attention_mask: Annotated[float, Field(ge=0, lt=1)] = 0.75
    attention_mask_at_test: bool = False
    mask_value: Annotated[float, Field(allow_inf_nan=False)] = -0.1
    local_means: Annotated[float, Field(ge=0.5, le=10)] | None = 6.0
    net_width: Count = 60
    net_heads: Count = 6
    net_depths: tuple[Count, ...] = (6, 6, 6, 6)
    net_window: Annotated[int, Field(ge=2, lt=2**31, multiple_of=2)] = 8
    net_stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = 0.1
    train_patch_shape: tuple[Count, Count] = (64, 64)
    train_loss: Literal["mae", "mse"] = "mae"
    train_augment: bool = True

    train_learning_rate: Positive = 1e-4
    train_schedule: Literal["plateau", "cosine", "ramps", "milestones"] = "cosine"
    train_ema: Fraction | None = 0.999
    train_keep: Literal["best", "last"] = "last"

    size_settings: ClassVar[tuple[str, ...]] = (
        "n_channel_in", "net_width", "net_depths", "net_heads", "net_window",
    )  # fmt: skip
    size_of_patch: ClassVar[tuple[str, ...]] = ("train_patch_shape",)

    method: ClassVar[str] = "masked"

    def __init__(self, X=None, **settings):
        if X is not None:
            images = image_list(X)
            if any(image.ndim == 5 for image in images):
                raise ImageError(
                    "Masked training denoises planes. Received: images of shapes "
                    f"{[tuple(i.shape) for i in images][:4]}. Train on the planes, 'SYXC'."
                )
            if "value_range" not in settings and all(image.ndim == 4 for image in images):
                settings["value_range"] = _range_of(images)
        super().__init__(X, **settings)
        if self.noise_sigma is None:
            low, high = self.value_range
            self.noise_sigma = 15 / 255 * (high - low)

    @classmethod
    def published(cls, X=None, **settings) -> MaskedDenoiserConfig:
        """Settings of the paper: its masks, and 200,000 steps on batches of 64."""
        return cls(X, **{**_PUBLISHED, **settings})

    @classmethod
    def unmasked(cls, X=None, **settings) -> MaskedDenoiserConfig:
        """The same without masks: the baseline that masked training is compared with."""
        without = {"input_mask": None, "attention_mask": 0.0, "local_means": None}
        return cls(X, **{**without, **settings})

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Of training patches."""
        return self.train_patch_shape

    def network_size(self) -> NetworkSize:
        return swinir(
            self.n_channel_in, self.net_width, self.net_depths, self.net_heads, self.net_window
        )

    @pydantic.model_validator(mode="after")
    def _check_masked(self):
        if self.n_dim != 2:
            raise ConfigError(f"Masked training denoises planes. Received: n_dim={self.n_dim}.")
        if self.n_channel_in != self.n_channel_out:
            raise ConfigError(
                "A denoised image has the channels of the noisy one. Received: n_channel_in="
                f"{self.n_channel_in}, n_channel_out={self.n_channel_out}."
            )
        low, high = self.value_range
        if not -np.inf < low < high < np.inf:
            raise ConfigError(f"value_range must be (low, high). Received: {self.value_range}.")
        if any(side % self.net_window for side in self.train_patch_shape):
            raise ConfigError(
                f"train_patch_shape must be divisible by net_window={self.net_window}. Received: "
                f"{self.train_patch_shape}."
            )
        if self.net_width % self.net_heads or self.net_width % 4:
            raise ConfigError(
                f"net_width must be divisible by net_heads={self.net_heads} and by 4. Received: "
                f"{self.net_width}."
            )
        if not self.net_depths:
            raise ConfigError("net_depths needs one group of layers at least. Received: ().")
        mask = self.input_mask
        if mask is not None and not 0 <= mask[0] <= mask[1] <= 1:
            raise ConfigError(
                f"input_mask must be (low, high) shares of 0 to 1, or None. Received: {mask}."
            )
        return self


def _range_of(images):
    if all(image.dtype == np.uint8 for image in images):
        return 0.0, 255.0
    return float(min(i.min() for i in images)), float(max(i.max() for i in images))


def refuse_without_clean_images(method: str) -> None:
    """Refuse to denoise an image from itself with a method that learns from clean images.

    Raises
    ------
    ConfigError
    """
    if method == MaskedDenoiserConfig.method:
        raise ConfigError(
            "Masked training learns from clean images and cannot denoise an image from itself. "
            f"Received: method={method!r}. Train on clean images (n2v_tk.MaskedDenoiser, n2v-tk "
            "train --method masked), then predict."
        )
