"""Settings of HQ-SSL."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field

from ..errors import ConfigError, ImageError
from .base import Count, DenoiserConfig, Fraction, Positive
from .checks import image_list
from .size import NetworkSize, encoder_decoder, pointwise

# the network pools five times by two
DIVISOR = 32


class HQSSLConfig(DenoiserConfig):
    """Settings of HQ-SSL, whose network never sees the pixel it predicts.

    Parameters
    ----------
    X : ndarray (S, Y, X, C) or sequence of such, optional
        Noisy training images.
    noise_model : {'gaussian', 'poisson', 'impulse', 'camera'}
        Normal noise of one standard deviation; shot noise; pixels replaced by any value of
        `impulse_range`; shot and read noise of a camera.
    noise_level : float, (gain, offset, read noise), or None
        In units of the images. Gaussian: standard deviation. Poisson: gain, grey values per
        photon, so that the variance is gain times signal. Impulse: probability of replacement.
        Camera: gain, grey value of the dark image, standard deviation of the read noise, so that
        the variance is ``gain * (signal - offset) + read_noise**2``. None learns it, beginning
        with what `n2v_tk.estimate_noise` tells of the training images.
    noise_scope : {'global', 'image'}
        Where it is learned: one level for all images, or one for each by a network of its own.
    covariance : {'full', 'diagonal'}
        Of the channels of a clean pixel.
    impulse_range : (low, high), optional
        Range of replaced values. Default: that of the training images.
    net_width : int
        Filters of the encoder; 48 is the published network.
    train_patch_shape : tuple of int, optional
        Random patches, sides divisible by 32. Default: 256, or what the images allow.
    train_regularization : float, optional
        Weight of the term that pushes variance to the noise when the level is learned, per
        standard deviation of the images. Default: 0.001 for one channel, 0.002 for several. The
        paper's 0.05 and 0.1 are for images in [0, 1], whose deviation is about a quarter; ten
        times less is enough from where levels begin here, and they come out less too high.
    train_augment : bool
        Turn and flip patches at random.
    **settings
        Those of `DenoiserConfig`. Defaults here: batches of 4, learning rate 3e-4 with ramps up
        and down, and 0.99 for Adam's second momentum (the paper's).

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.
    ImageError
        For volumes, and images outside the domain of the noise model.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(100, 10, (2, 128, 200, 1))
    >>> HQSSLConfig(X, noise_model="gaussian", noise_level=10.0).train_patch_shape
    (128, 192)
    """

    normalization: Literal["dataset", "none"] = "dataset"
    noise_model: Literal["gaussian", "poisson", "impulse", "camera"] = "gaussian"
    noise_level: float | tuple[float, float, float] | None = None
    noise_scope: Literal["global", "image"] = "global"
    covariance: Literal["full", "diagonal"] = "full"
    impulse_range: tuple[float, float] | None = None
    net_width: Annotated[int, Field(ge=4, le=512)] = 48
    train_patch_shape: tuple[Count, Count] = (256, 256)
    train_regularization: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    train_augment: bool = True

    train_batch_size: Count = 4
    train_learning_rate: Positive = 3e-4
    train_schedule: Literal["plateau", "cosine", "ramps", "milestones"] = "ramps"
    train_betas: tuple[Fraction, Fraction] = (0.9, 0.99)

    size_settings: ClassVar[tuple[str, ...]] = ("n_channel_in", "net_width")
    size_of_patch: ClassVar[tuple[str, ...]] = ("train_patch_shape",)

    method: ClassVar[str] = "hqssl"
    skips_bad_steps: ClassVar[bool] = True

    def __init__(self, X=None, **settings):
        if X is not None:
            images = image_list(X)
            if any(image.ndim == 5 for image in images):
                raise ImageError(
                    "HQ-SSL denoises planes: its rotations have no counterpart in volumes. "
                    f"Received: images of shapes {[tuple(i.shape) for i in images][:4]}. Train on "
                    "the planes, 'SYXC', or use N2V for volumes."
                )
            if all(image.ndim == 4 for image in images) and "train_patch_shape" not in settings:
                settings["train_patch_shape"] = _patch_for(images)
            if settings.get("noise_model") == "impulse" and "impulse_range" not in settings:
                low, high = min(i.min() for i in images), max(i.max() for i in images)
                settings["impulse_range"] = (float(low), float(high))
        if settings.get("n_dim", 2) != 2:
            raise ConfigError(
                f"HQ-SSL denoises planes only. Received: n_dim={settings['n_dim']}. Use N2V for "
                "volumes."
            )
        super().__init__(X, **settings)
        if X is not None:
            self.check_domain(images)

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Of training patches."""
        return self.train_patch_shape

    def network_size(self) -> NetworkSize:
        n, width = self.n_channel_in, self.net_width
        entries = n if self.covariance == "diagonal" else n * (n + 1) // 2
        branch, last = encoder_decoder(n, width)
        # one branch, with one set of weights, in four rotations
        total = NetworkSize(branch.weights, 4 * branch.features, branch.layers)
        total += pointwise(4 * last, (8 * width, 2 * width), n + entries)
        if self.noise_level is None:
            learned = 2 if self.noise_model == "camera" else 1
            if self.noise_scope == "image":
                total += encoder_decoder(n, width)[0]
                total += pointwise(last, (2 * width, 2 * width), learned)
            else:
                total += NetworkSize(learned, 0, 1)
        return total

    @pydantic.model_validator(mode="after")
    def _check_hqssl(self):
        if any(side % DIVISOR for side in self.train_patch_shape):
            raise ConfigError(
                f"train_patch_shape must be divisible by {DIVISOR}. Received: "
                f"{self.train_patch_shape}."
            )
        if self.n_channel_in != self.n_channel_out:
            raise ConfigError(
                "A denoised image has the channels of the noisy one. Received: n_channel_in="
                f"{self.n_channel_in}, n_channel_out={self.n_channel_out}."
            )
        self._check_level()
        bounds = self.impulse_range
        if bounds is not None and not -np.inf < bounds[0] < bounds[1] < np.inf:
            raise ConfigError(f"impulse_range must be (low, high). Received: {bounds}.")
        return self

    def _check_level(self):
        level = self.noise_level
        if level is None:
            return
        if self.noise_model == "camera":
            fine = isinstance(level, tuple) and level[0] > 0 and level[2] >= 0
            wanted = "(gain, offset, read noise) with a gain above 0 and no negative read noise"
        else:
            top = 1.0 if self.noise_model == "impulse" else np.inf
            fine = not isinstance(level, tuple) and 0 < level < top
            wanted = f"a number above 0{' and below 1' if top == 1 else ''}"
        if not fine or not np.isfinite(level).all():
            raise ConfigError(
                f"noise_level for noise_model={self.noise_model!r} must be {wanted}, or None to "
                f"learn it. Received: {level}."
            )

    def check_domain(self, images) -> None:
        """Refuse images that the noise model cannot have made.

        Raises
        ------
        ImageError
        """
        for image in images:
            if self.noise_model == "poisson" and image.min() < 0:
                raise ImageError(
                    "Shot noise has no negative values. Received: a minimum of "
                    f"{image.min():g}. Take noise_model='camera', which knows an offset and read "
                    "noise, or add the offset that was subtracted."
                )
            if self.noise_model == "impulse":
                low, high = self.impulse_range or (0.0, 1.0)
                if image.min() < low or image.max() > high:
                    raise ImageError(
                        f"Impulse noise stays within impulse_range=({low:g}, {high:g}). Received: "
                        f"an image from {image.min():g} to {image.max():g}."
                    )


def _patch_for(images):
    sides = [min(256, min(i.shape[axis] for i in images)) // DIVISOR * DIVISOR for axis in (1, 2)]
    if not all(sides):
        raise ImageError(
            f"Images for HQ-SSL must have at least {DIVISOR} pixels along each side. Received: "
            f"shapes {[tuple(i.shape) for i in images][:4]}."
        )
    return tuple(sides)
