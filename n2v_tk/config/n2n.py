"""Settings of Noise2Noise."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from ..errors import ConfigError, ImageError
from .base import Count, Fraction, Positive, Share
from .checks import image_list
from .recommended import SHARED, divisor_of, patch_for
from .size import NetworkSize, convolution, encoder_decoder
from .unet import UNetConfig, count_dimensions

# the paper's network pools five times by two
_PAPER_DIVISOR = 32
_RECOMMENDED_3D = {"train_learning_rate": 1e-3, "train_steps_per_epoch": 40}
# looks far, so the config makes patches large, and of those a step has few
_RECOMMENDED_PAPER = {
    "train_learning_rate": 1e-3, "train_epochs": 20, "train_steps_per_epoch": 100,
    "train_batch_size": 2,
}  # fmt: skip


class N2NConfig(UNetConfig):
    """Settings of a Noise2Noise model.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Noisy images, or clean ones to which training adds noise; their mean and standard
        deviation normalise images and targets alike.
    network : {'n2n', 'unet'}
        The paper's, in 2D, or the U-Net of N2V as the `unet_` settings say; see
        `recommended`. Default: the paper's in 2D.
    net_width : int
        Filters of the paper's encoder (48).
    train_loss : {'mse', 'mae', 'l0', 'hdr', 'masked_mse'}
        What the result is of what the targets say: their mean (mse), median (mae) or most
        frequent value ('l0', annealed from mse); the mean with errors relative to brightness
        ('hdr', for linear light without normalisation); the mean over pixels that are there
        ('masked_mse', with noise that takes pixels away).
    train_patch_shape : tuple of int, optional
        Random patches, sides divisible by 32 (the paper's network) or ``2**unet_n_depth``.
        Default: 256 (16 x 64 x 64 in 3D), or what the images allow.
    train_augment : bool
        Turn and flip both images of a pair alike, at random.
    **settings
        Those of `UNetConfig` and `DenoiserConfig`. Defaults here: batches of 4, learning rate 3e-4
        that falls over the last 30 % of the steps, and 0.99 for Adam's second momentum (the
        paper's).

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(100, 10, (4, 96, 128, 1))
    >>> N2NConfig(X).train_patch_shape, N2NConfig(X, network="unet").train_patch_shape
    ((96, 128), (96, 128))
    """

    network: Literal["n2n", "unet"] = "n2n"
    net_width: Annotated[int, Field(ge=3, le=512, multiple_of=3)] = 48
    train_loss: Literal["mse", "mae", "l0", "hdr", "masked_mse"] = "mse"
    train_patch_shape: tuple[Count, ...] = (256, 256)

    normalization: Literal["dataset", "none"] = "dataset"
    unet_kern_size: Count = 3
    train_batch_size: Count = 4
    train_learning_rate: Positive = 3e-4
    train_schedule: Literal["plateau", "cosine", "ramps", "milestones"] = "ramps"
    train_ramps: tuple[Share, Share] = (0.0, 0.3)
    train_betas: tuple[Fraction, Fraction] = (0.9, 0.99)

    size_settings: ClassVar[tuple[str, ...]] = (*UNetConfig.size_settings, "net_width")
    size_of_patch: ClassVar[tuple[str, ...]] = ("train_patch_shape",)

    method: ClassVar[str] = "n2n"

    def __init__(self, X=None, **settings):
        images = None if X is None else image_list(X)
        n_dim = settings.get("n_dim", 2) if not images else images[0].ndim - 2
        if n_dim == 3:
            settings = {"network": "unet", "train_patch_shape": (16, 64, 64)} | settings
        if images and all(image.ndim == n_dim + 2 for image in images):
            default = (16, 64, 64) if n_dim == 3 else (256, 256)
            if settings.get("train_patch_shape", default) == default:
                divisor = _PAPER_DIVISOR
                if settings.get("network", "n2n") == "unet":
                    divisor = divisor_of(settings.get("unet_n_depth", 2))
                settings["train_patch_shape"] = _patch_for(images, default, divisor)
        super().__init__(images, **settings)

    @classmethod
    def recommended(cls, X=None, **settings) -> N2NConfig:
        """The U-Net and the schedule of `N2VConfig.recommended`.

        `n2v_tk.denoise` and the commands take these. Patches are 64 x 64, or 16 x 64 x 64, or what
        the images allow. With ``network="n2n"`` settings for the paper's network.

        Parameters
        ----------
        X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
            Training images.
        **settings
            In place of these.

        Raises
        ------
        ImageError
            If an image is smaller than the network can take.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(1, 50, 200, 1))
        >>> N2NConfig.recommended(X).train_patch_shape
        (48, 64)
        """
        if settings.get("network") == "n2n":
            return cls(X, **{**_RECOMMENDED_PAPER, **settings})
        n_dim = settings.get("n_dim", 2) if X is None else count_dimensions(X)
        chosen = {"network": "unet", **SHARED, **(_RECOMMENDED_3D if n_dim == 3 else {})}
        if "train_patch_shape" not in settings:
            depth = settings.get("unet_n_depth", cls.model_fields["unet_n_depth"].default)
            chosen["train_patch_shape"] = patch_for(X, n_dim, depth)
        return cls(X, **{**chosen, **settings})

    @property
    def divisor(self) -> int:
        """What sides must be divisible by."""
        return _PAPER_DIVISOR if self.network == "n2n" else 2**self.unet_n_depth

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Of training patches."""
        return self.train_patch_shape

    def network_size(self) -> NetworkSize:
        if self.network == "unet":
            return super().network_size()
        width = self.net_width
        body, last = encoder_decoder(self.n_channel_in, width, (4 * width // 3, 2 * width // 3))
        return body + convolution(last, self.n_channel_out, 9)

    @pydantic.model_validator(mode="after")
    def _check_n2n(self):
        shape = self.train_patch_shape
        if len(shape) != self.n_dim or any(side % self.divisor for side in shape):
            raise ConfigError(
                f"train_patch_shape needs {self.n_dim} sides divisible by {self.divisor}. "
                f"Received: {shape}."
            )
        if self.network == "n2n" and self.n_dim != 2:
            raise ConfigError(
                f"The paper's network is for planes. Received: network='n2n', n_dim={self.n_dim}. "
                "Set network='unet'."
            )
        if self.probabilistic:
            raise ConfigError(
                "Noise2Noise predicts images, not distributions. Received: probabilistic=True."
            )
        if self.train_loss == "hdr" and self.normalization != "none":
            raise ConfigError(
                "The loss 'hdr' is relative to brightness, which normalised images have lost. "
                f"Received: normalization={self.normalization!r}. Set normalization='none'."
            )
        return self


def _patch_for(images, wanted, divisor):
    smallest = [min(i.shape[axis + 1] for i in images) for axis in range(len(wanted))]
    patch = tuple(min(w, s) // divisor * divisor for w, s in zip(wanted, smallest, strict=True))
    if not all(patch):
        raise ImageError(
            f"Images must have at least {divisor} pixels along every axis for this network. "
            f"Received: sides {tuple(smallest)}. Use network='unet' with a smaller unet_n_depth."
        )
    return patch
