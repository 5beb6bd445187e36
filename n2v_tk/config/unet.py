"""Settings of the U-Net, shared by the methods that use it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from ..errors import ConfigError
from .base import Count, DenoiserConfig
from .checks import image_list
from .size import NetworkSize, unet


class UNetConfig(DenoiserConfig):
    """Settings of methods whose network is a U-Net (`n2v_tk.nets.unet`).

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Training images.
    unet_n_depth, unet_n_first, unet_kern_size : int
        Poolings (2), filters of the first level (32), odd side of the kernels (5 in 2D, 3 in 3D).
    unet_residual : bool
        Add the input to the output.
    unet_last_activation : {'linear', 'relu'}
    unet_dropout : float
        Dropout rate.
    unet_input_shape : tuple
        Spatial sides (None for any), then channels.
    batch_norm : bool
        Batch normalisation.
    blurpool, skip_skipone : bool
        The two changes of N2V2 to the network: anti-aliased pooling, no top skip connection.
    probabilistic : bool
        Predict mean and scale of a Laplace distribution; `train_loss` is then 'laplace'.
    train_loss : {'mae', 'mse', 'laplace'}
    train_augment : bool
        Turn and flip patches at random.
    **settings
        Those of `DenoiserConfig`.
    """

    unet_n_depth: Annotated[int, Field(ge=1, le=8)] = 2
    unet_kern_size: Count = 5
    unet_n_first: Count = 32
    unet_residual: bool = False
    unet_last_activation: Literal["linear", "relu"] = "linear"
    unet_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    unet_input_shape: tuple[Count | None, ...] | None = None
    batch_norm: bool = False
    blurpool: bool = False
    skip_skipone: bool = False
    probabilistic: bool = False

    train_loss: Literal["mae", "mse", "laplace"] = "mae"
    train_augment: bool = True

    size_settings: ClassVar[tuple[str, ...]] = (
        "n_dim", "n_channel_in", "n_channel_out", "unet_n_depth", "unet_n_first", "unet_kern_size",
    )  # fmt: skip

    def __init__(self, X=None, **settings):
        n_dim = settings.get("n_dim", 2) if X is None else count_dimensions(X)
        if n_dim == 3:
            settings = {"unet_kern_size": 3, "axes": "ZYXC"} | settings
        if settings.get("probabilistic"):
            settings.setdefault("train_loss", "laplace")
        super().__init__(X, **settings)

    @pydantic.model_validator(mode="after")
    def _check_unet(self):
        if self.unet_kern_size % 2 == 0:
            raise ConfigError(
                f"unet_kern_size must be odd, e.g. 3 or 5. Received: {self.unet_kern_size}."
            )
        if self.unet_residual and self.skip_skipone:
            raise ConfigError(
                "unet_residual must be False for N2V2 (skip_skipone), whose top skip connection "
                "it would bring back. Received: unet_residual=True, skip_skipone=True."
            )
        if self.unet_residual and self.n_channel_in != self.n_channel_out:
            raise ConfigError(
                "unet_residual adds the input to the output, which needs as many channels in both. "
                f"Received: n_channel_in={self.n_channel_in}, n_channel_out={self.n_channel_out}."
            )
        if self.probabilistic != (self.train_loss == "laplace"):
            raise ConfigError(
                "train_loss must be 'laplace' for a probabilistic model and only for it. Received: "
                f"probabilistic={self.probabilistic}, train_loss={self.train_loss!r}."
            )
        self._check_input_shape()
        return self

    @property
    def has_wide_decoder(self) -> bool:
        """Whether there are as many filters on the way up as on the way down."""
        return self.skip_skipone

    def network_size(self) -> NetworkSize:
        return self._unet_size(self.n_channel_in, self.n_channel_out)

    def _unet_size(self, channels, n_out):
        return unet(
            self.n_dim, channels, n_out, self.unet_n_depth, self.unet_n_first, self.unet_kern_size,
            self.batch_norm, self.blurpool, self.has_wide_decoder, self.skip_skipone,
            1 + self.probabilistic,
        )  # fmt: skip

    def _check_input_shape(self):
        shape = (None,) * self.n_dim + (self.n_channel_in,)
        if self.unet_input_shape is None:
            object.__getattribute__(self, "__dict__")["unet_input_shape"] = shape
        given, divisor = self.unet_input_shape, 2**self.unet_n_depth
        fits = len(given) == len(shape) and given[-1] == shape[-1]
        if not fits or any(side is not None and side % divisor for side in given[:-1]):
            raise ConfigError(
                "unet_input_shape must be spatial sides (None for any, else divisible by "
                f"{divisor}) and the number of channels, e.g. {shape}. Received: {given}."
            )

    def _check_fixed_sides(self):
        """Of a network that takes one size only: patches must have it."""
        fixed, sides = self.unet_input_shape[:-1], self.patch_shape
        if any(g not in (None, p) for g, p in zip(fixed, sides, strict=True)):
            raise ConfigError(
                f"unet_input_shape must have the sides of {self.size_of_patch[0]} where it has "
                f"any. Received: {self.unet_input_shape} and {sides}. Use None to take any size."
            )


def count_dimensions(X) -> int:
    """Spatial axes of training images 'S(Z)YXC', or of the first of a sequence of them."""
    return image_list(X)[0].ndim - 2
