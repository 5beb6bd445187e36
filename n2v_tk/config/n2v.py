"""Settings of Noise2Void, structN2V and N2V2."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field

from ..errors import ConfigError
from ..machine import amount
from ..masking.masker import BlindSpotMasker
from ..masking.structn2v import line_mask
from .base import Count, Positive
from .files import weight_files
from .recommended import recommended_settings
from .size import NetworkSize
from .unet import UNetConfig, count_dimensions

# pixels of the window and of the mask around a blind spot; useful ones have hundreds
_LARGEST_WINDOW, _LARGEST_MASK = 2**22, 2**16

# What a config.json of n2v means by what it cannot say. Without single_net_per_channel, which came
# late, there was one network for all channels.
_WHAT_N2V_DOES = {
    "single_net_per_channel": False,
    "channel_wiring": "last",
    "structN2V_fill": (-2.0, 2.0),
    "legacy_density": True,
    "legacy_tta": True,
    "train_augment": False,
}

# methods that leave out the pixel itself or part of it, which can be brought back
WITH_POSTERIOR = ("n2v", "n2v2", "r2r", "hqssl")


class N2VConfig(UNetConfig):
    """Settings of a Noise2Void model, with n2v's names and defaults.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Noisy training images.
    unet_wide_decoder : bool
        As many filters on the way up as on the way down. Folders of n2v before 0.3.2 are opened
        with it, since their networks are so; N2V2's are in any case.
    single_net_per_channel : bool
        One independent network per channel (True), or one for all.
    channel_wiring : {'own', 'last'}
        What each of several networks reads: its own channel, or the last one, as in n2v 0.3.3 by
        mistake. Folders of n2v are opened with 'last', since that is what their weights know,
        but for those written with Keras of its own on TensorFlow 1, which wired them rightly.
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
    n2v_mean_weight : float
        Weight, in the loss, of predictions keeping the mean of the image over windows of 16
        pixels (0: only blind spots count, as in n2v; `n2v_tk.losses.keeping_means`). For
        replacement by a mean or median.
    structN2Vmask : list of 0 and 1, optional
        Neighbours to hide with each blind spot, odd sides.
    structN2V_fill : 'neighbours' or (low, high)
        What hides them: pixels of the window around each (the default), or uniform noise of that
        range, in standard deviations of the normalised image around its mean. n2v's is (-2, 2),
        which networks tell from the image (`n2v_tk.masking.masker`).
    legacy_density : bool
        n2v's boxes, which hide another share of pixels than asked for, above all in 3D.
    legacy_tta : bool
        Average over all eight turns and flips with `tta`, as n2v does, also where a
        `structN2Vmask` makes some of them wrong.
    **settings
        Those of `UNetConfig` (the network) and `DenoiserConfig` (the training).

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

    batch_norm: bool = True
    unet_wide_decoder: bool = False
    single_net_per_channel: bool = True
    channel_wiring: Literal["own", "last"] = "own"

    n2v_perc_pix: Annotated[float, Field(ge=1e-5, le=100)] = 1.5
    n2v_patch_shape: tuple[Count, ...] = (64, 64)
    n2v_manipulator: str = "uniform_withCP"
    n2v_neighborhood_radius: Annotated[int, Field(ge=0, lt=2**31)] = 5
    n2v_additive_sigma: Positive = 1.0
    n2v_mean_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    structN2Vmask: list | None = None
    structN2V_fill: Literal["neighbours"] | tuple[float, float] = "neighbours"
    legacy_density: bool = False
    legacy_tta: bool = False

    size_of_patch: ClassVar[tuple[str, ...]] = ("n2v_patch_shape",)

    method: ClassVar[str] = "n2v"
    predecessor: ClassVar[str] = "n2v"
    # stood beside n2v_patch_shape in old releases
    obsolete_in_old_files: ClassVar[tuple[str, ...]] = ("patch_shape",)

    def __init__(self, X=None, **settings):
        n_dim = settings.get("n_dim", 2) if X is None else count_dimensions(X)
        if n_dim == 3:
            settings = {"n2v_patch_shape": (64, 64, 64)} | settings
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

    @classmethod
    def recommended(cls, X=None, method: str = "n2v", **settings) -> N2VConfig:
        """Settings that learn fast, chosen on images that had no part in any test.

        `n2v_tk.denoise` and the commands take these. Patches fit the images.

        Parameters
        ----------
        X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
            Noisy training images.
        method : {'n2v', 'n2v2', 'structn2v'}
            What `N2VConfig.n2v2` and `N2VConfig.struct` change comes on top.
        **settings
            In place of these; for 'structn2v' also `axis` and `length`.

        Raises
        ------
        ImageError
            If an image is smaller than the network can take.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(1, 50, 200, 1))
        >>> N2VConfig.recommended(X).n2v_patch_shape
        (48, 64)
        """
        depth = settings.get("unet_n_depth", cls.model_fields["unet_n_depth"].default)
        settings = recommended_settings(X, method, depth, settings)
        make = {"n2v": cls, "n2v2": cls.n2v2, "structn2v": cls.struct}[method]
        if method == "structn2v" and "structN2Vmask" in settings:
            make = cls
        return make(X, **settings)

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Of training patches."""
        return self.n2v_patch_shape

    @property
    def has_wide_decoder(self) -> bool:
        return self.skip_skipone or self.unet_wide_decoder

    def network_size(self) -> NetworkSize:
        if not self.single_net_per_channel:
            return super().network_size()
        return self._unet_size(1, 1) * self.n_channel_in

    @pydantic.field_validator("structN2Vmask")
    @classmethod
    def _check_mask(cls, mask):
        if mask is None:
            return None
        try:
            values = np.asarray(mask)
            shape = values.shape if values.dtype.kind in "biuf" else ()
        except (ValueError, TypeError, RecursionError, OverflowError):
            shape = ()
        if not 1 <= len(shape) <= 3 or math.prod(shape) > _LARGEST_MASK:
            raise ConfigError(
                "structN2Vmask must be rows of equal length that hold 0 and 1, at most "
                f"{_LARGEST_MASK} in all, e.g. [[1, 1, 0, 1, 1]]. Received: "
                f"{'shape ' + str(shape) if shape else repr(mask)[:60]}."
            )
        return mask

    @pydantic.model_validator(mode="after")
    def _check_n2v(self):
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
        fill = self.structN2V_fill
        if fill != "neighbours" and not -np.inf < fill[0] < fill[1] < np.inf:
            raise ConfigError(
                f"structN2V_fill must be 'neighbours' or (low, high). Received: {fill}."
            )
        self._check_fixed_sides()
        window = (2 * self.n2v_neighborhood_radius + 1) ** self.n_dim
        if window > _LARGEST_WINDOW:
            raise ConfigError(
                f"n2v_neighborhood_radius makes a window of {window:.3g} pixels, which take "
                f"{amount(8 * self.n_dim * window)}. Received: {self.n2v_neighborhood_radius}. "
                "Common are 2 to 10."
            )
        self.masker()
        return self

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
    def _from_predecessor(cls, data, source):
        # which came with N2V2 in 0.3.2, as did n2v's own narrower network; before it was csbdeep's
        wide = "skip_skipone" not in data
        data = {**_WHAT_N2V_DOES, "unet_wide_decoder": wide, **data}
        for old, new in (("mean", "means"), ("std", "stds")):
            if old in data:
                # one number for all channels in the first releases
                number = data.pop(old)
                data.setdefault(new, [number] * data.get("n_channel_in", 1))
        if data.get("n2v_manipulator") == "normal_additive":
            # there the radius is the standard deviation
            data["n2v_additive_sigma"] = data.get("n2v_neighborhood_radius", 5) or 1e-6
        if data.get("n2v_neighborhood_radius") == 0:
            # a window of the pixel alone: nothing was replaced
            if data.get("n2v_manipulator", "uniform_withCP") == "uniform_withCP":
                data["n2v_manipulator"] = "identity"
            data["n2v_neighborhood_radius"] = 1
        one = not data["single_net_per_channel"] or data.get("n_channel_in", 1) == 1
        if one or _wired_rightly(Path(source)):
            data["channel_wiring"] = "own"
        return data

    def strange_to_predecessor(self):
        """What n2v 0.3.3 cannot predict with."""
        multi = self.n_channel_in > 1
        reasons = {
            "blurpool in 3D": self.blurpool and self.n_dim == 3,
            "unet_wide_decoder, of n2v before 0.3.2": (
                self.unet_wide_decoder and not self.skip_skipone
            ),
            "probabilistic=True": self.probabilistic,
            "one network per channel, each reading its own channel (n2v would let all of them "
            "read the last one)": multi
            and self.single_net_per_channel
            and self.channel_wiring == "own",
            "unet_residual with several channels": self.unet_residual and multi,
            f"normalization={self.normalization!r}": self.normalization != "dataset",
            # csbdeep's table of tile overlaps ends there
            "unet_kern_size other than 3, 5, 7 or unet_n_depth above 5": (
                self.unet_kern_size not in (3, 5, 7) or self.unet_n_depth > 5
            ),
        }
        return [reason for reason, applies in reasons.items() if applies]


def _wired_rightly(source):
    """Whether the weights beside a config.json are of a time when each of several networks read
    its own channel.

    Keras of its own, up to 2.3, made a graph once, when each network was at its channel. That
    within TensorFlow, which calls itself '2.2.4-tf', '2.4.0' and so on, runs n2v's layer anew for
    every prediction, when its counter is at the last one.
    """
    import h5py

    folder = source.parent if source.name == "config.json" else source
    for path in weight_files(folder):
        try:
            with h5py.File(path, "r") as file:
                version = file.attrs.get("keras_version", "")
        # what stands there is a stranger's; weights that are none are refused when they are read
        except (OSError, RuntimeError, ValueError, TypeError):
            continue
        text = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
        return re.fullmatch(r"2\.[0-3]\.\d+", text) is not None
    return False


def refuse_without_posterior(method: str, large: bool = False) -> None:
    """Refuse to bring back the pixel itself where that cannot be done from the image alone.

    Raises
    ------
    ConfigError
    """
    if method not in WITH_POSTERIOR:
        raise ConfigError(
            f"The pixel itself can be brought back for {', '.join(WITH_POSTERIOR)} only. Received: "
            f"posterior=True (--posterior) with {method!r}. Leave it out; after structn2v, whose "
            "noise the image does not tell, model.predict(image, axes, output='posterior', "
            "noise=SIGMA) does it."
        )
    if large:
        raise ConfigError(
            "Results that end in .zarr are made block by block, without the pixel itself. "
            "Received: --posterior. Leave it out, or write TIFF."
        )
