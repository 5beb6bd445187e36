"""Settings of Noise2Void, structN2V and N2V2."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field, NonNegativeInt, PositiveInt

from ..errors import ConfigError
from ..masking.masker import BlindSpotMasker
from ..masking.structn2v import line_mask
from .base import DenoiserConfig, Positive

Odd = Annotated[int, Field(ge=1)]


class N2VConfig(DenoiserConfig):
    """Settings of a Noise2Void model, with n2v's names and defaults.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Noisy training images.
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
        Batch normalisation (True).
    single_net_per_channel : bool
        One independent network per channel (True), or one for all.
    blurpool, skip_skipone : bool
        The two changes of N2V2 to the network: anti-aliased pooling, no top skip connection.
    probabilistic : bool
        Predict mean and scale of a Laplace distribution; `train_loss` is then 'laplace'.
    train_loss : {'mae', 'mse', 'laplace'}
    train_augment : bool
        Turn and flip patches at random, as far as `structN2Vmask` allows.
    n2v_perc_pix : float
        Percentage of pixels made blind spots (1.5).
    n2v_patch_shape : tuple of int
        Training patch, each side divisible by ``2**unet_n_depth`` (64 along every axis).
    n2v_manipulator : str
        What replaces a blind spot: 'uniform_withCP', 'uniform_withoutCP', 'normal_withoutCP',
        'normal_additive', 'normal_fitted', 'identity', 'mean' or 'median'
        (`n2v_tk.masking.manipulators`).
    n2v_neighborhood_radius : int
        Radius of the window of replacement values, in pixels (5).
    n2v_additive_sigma : float
        Standard deviation for 'normal_additive', in units of the normalised image. n2v used the
        radius for it.
    structN2Vmask : list of 0 and 1, optional
        Neighbours to hide with each blind spot, odd sides.
    structN2V_fill : 'neighbours' or (low, high)
        What hides them: pixels of the window around each (the default), or uniform noise of that
        range, in standard deviations of the normalised image around its mean. n2v's is (-2, 2),
        which networks tell from the image (`n2v_tk.masking.masker`).
    legacy_density : bool
        n2v's boxes, which hide another share of pixels than asked for, above all in 3D.
    **settings
        Those of `DenoiserConfig`.

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.
    ImageError
        For images that cannot be trained on.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(1, 128, 128, 1))
    >>> N2VConfig(X, unet_kern_size=3).n2v_patch_shape
    (64, 64)
    >>> N2VConfig.n2v2(X).n2v_manipulator
    'median'
    """

    unet_n_depth: Annotated[int, Field(ge=1, le=8)] = 2
    unet_kern_size: Odd = 5
    unet_n_first: PositiveInt = 32
    unet_residual: bool = False
    unet_last_activation: Literal["linear", "relu"] = "linear"
    unet_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    unet_input_shape: tuple[int | None, ...] | None = None
    batch_norm: bool = True
    single_net_per_channel: bool = True
    blurpool: bool = False
    skip_skipone: bool = False
    probabilistic: bool = False

    train_loss: Literal["mae", "mse", "laplace"] = "mae"
    train_augment: bool = True

    n2v_perc_pix: Annotated[float, Field(gt=0, le=100)] = 1.5
    n2v_patch_shape: tuple[PositiveInt, ...] = (64, 64)
    n2v_manipulator: str = "uniform_withCP"
    n2v_neighborhood_radius: NonNegativeInt = 5
    n2v_additive_sigma: Positive = 1.0
    structN2Vmask: list | None = None
    structN2V_fill: Literal["neighbours"] | tuple[float, float] = "neighbours"
    legacy_density: bool = False

    absent_in_old_files: ClassVar[dict[str, Any]] = {
        "single_net_per_channel": False,
        "structN2V_fill": (-2.0, 2.0),
        "legacy_density": True,
        "train_augment": False,
    }

    def __init__(self, X=None, **settings):
        if X is not None and not hasattr(X, "ndim"):
            X = [np.asanyarray(image) for image in X]
        if X is None:
            n_dim = settings.get("n_dim", 2)
        else:
            n_dim = (X if hasattr(X, "ndim") else X[0]).ndim - 2 if len(X) else 0
        if n_dim == 3:
            settings = {"unet_kern_size": 3, "n2v_patch_shape": (64, 64, 64)} | settings
            settings.setdefault("axes", "ZYXC")
        if settings.get("probabilistic"):
            settings.setdefault("train_loss", "laplace")
        super().__init__(X, **settings)

    @classmethod
    def n2v2(cls, X=None, **settings) -> N2VConfig:
        """Settings of N2V2 (Hoeck et al., ECCV Workshops 2022), against checkerboard patterns.

        Blur pooling, no top skip connection, replacement by the median, and the last weights kept:
        the validation loss is too noisy a criterion here (the authors' experiments on BSD68: 28.3
        dB with the last weights, 27.7 with the best).
        """
        n2v2 = {
            "blurpool": True,
            "skip_skipone": True,
            "unet_residual": False,
            "n2v_manipulator": "median",
            "train_keep": "last",
        }
        return cls(X, **{**n2v2, **settings})

    @classmethod
    def struct(cls, X=None, axis: str = "X", length: int = 11, **settings) -> N2VConfig:
        """Settings of structN2V for noise that is correlated along one axis.

        Parameters
        ----------
        X : ndarray or sequence, optional
            Noisy training images.
        axis : {'X', 'Y', 'Z'}
            Axis along which the noise is correlated; 'X' for horizontal lines.
        length : odd int
            Pixels along `axis` to hide, the blind spot in the middle included.
        **settings
            Further settings.
        """
        base = cls(X, **settings)
        mask = line_mask(axis, length, base.n_dim)
        base.update_parameters(**{"structN2Vmask": mask.tolist(), **settings})
        return base

    @pydantic.model_validator(mode="after")
    def _check_n2v(self):
        if self.unet_kern_size % 2 == 0:
            raise ConfigError(
                f"unet_kern_size must be odd, e.g. 3 or 5. Received: {self.unet_kern_size}."
            )
        divisor = 2**self.unet_n_depth
        sides = self.n2v_patch_shape
        if len(sides) != self.n_dim:
            raise ConfigError(
                f"n2v_patch_shape needs one side per spatial axis ({self.n_dim}). "
                f"Received: {sides}."
            )
        if any(side % divisor for side in sides):
            nearest = tuple(max(divisor, round(side / divisor) * divisor) for side in sides)
            raise ConfigError(
                f"n2v_patch_shape must be divisible by {divisor} (2**unet_n_depth). "
                f"Received: {sides}. The nearest that fits is {nearest}."
            )
        if self.n_channel_in != self.n_channel_out:
            raise ConfigError(
                "A denoised image has the channels of the noisy one: n_channel_in and "
                f"n_channel_out must be equal. Received: {self.n_channel_in} and "
                f"{self.n_channel_out}."
            )
        if self.unet_residual and self.skip_skipone:
            raise ConfigError(
                "unet_residual must be False for N2V2 (skip_skipone), whose top skip connection "
                "it would bring back. Received: unet_residual=True, skip_skipone=True."
            )
        if self.probabilistic != (self.train_loss == "laplace"):
            raise ConfigError(
                "train_loss must be 'laplace' for a probabilistic model and only for it. Received: "
                f"probabilistic={self.probabilistic}, train_loss={self.train_loss!r}."
            )
        fill = self.structN2V_fill
        if fill != "neighbours" and not -np.inf < fill[0] < fill[1] < np.inf:
            raise ConfigError(
                f"structN2V_fill must be 'neighbours' or (low, high). Received: {fill}."
            )
        self._check_input_shape(divisor)
        self.masker()
        return self

    def _check_input_shape(self, divisor):
        shape = (None,) * self.n_dim + (self.n_channel_in,)
        if self.unet_input_shape is None:
            object.__getattribute__(self, "__dict__")["unet_input_shape"] = shape
        given = self.unet_input_shape
        fits = len(given) == len(shape) and given[-1] == shape[-1]
        if fits and any(
            g not in (None, p) for g, p in zip(given, self.n2v_patch_shape, strict=False)
        ):
            raise ConfigError(
                "unet_input_shape must have the sides of n2v_patch_shape where it has any. "
                f"Received: {given} and {self.n2v_patch_shape}. Use None to take any size."
            )
        if not fits or any(side is not None and side % divisor for side in given[:-1]):
            raise ConfigError(
                "unet_input_shape must be spatial sides (None for any, else divisible by "
                f"{divisor}) and the number of channels, e.g. {shape}. Received: {given}."
            )

    def masker(self, offset: float = 0.0, scale: float = 1.0) -> BlindSpotMasker:
        """What hides blind spots in batches.

        Parameters
        ----------
        offset, scale : float
            Mean and standard deviation of the normalised images: 0 and 1 unless `normalization`
            is 'percentile' or 'none'.
        """
        fill = self.structN2V_fill
        if fill != "neighbours":
            fill = tuple(offset + scale * f for f in fill)
        return BlindSpotMasker(
            self.n_dim,
            self.n2v_perc_pix,
            self.n2v_manipulator,
            self.n2v_neighborhood_radius,
            self.structN2Vmask,
            fill,
            self.legacy_density,
            scale * self.n2v_additive_sigma,
        )

    @classmethod
    def obsolete_in_old_files(cls):
        """`patch_shape` of old releases stands beside n2v_patch_shape and means nothing."""
        return ("patch_shape",)
