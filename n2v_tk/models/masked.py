"""Masked training: a transformer that cannot rely on the noise it was trained on."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from ..config.masked import MaskedDenoiserConfig
from ..data.noise import Gaussian
from ..data.pairs import NoisyDataWrapper
from ..data.patches import check_patch_fits, grid_patches
from ..errors import ConfigError
from ..losses import PAIR_LOSSES
from ..nets.swinir import build_swinir
from ..normalization import normalize, result_dtype, to_dtype
from .base import Denoiser
from .predicting import as_image

VALIDATION_PATCHES = 32
# published overlap of tiles; what lies farther away hardly counts
REACH = 32


class MaskedDenoiser(Denoiser):
    """Masked training: learn what images look like rather than what one noise looks like.

    Trained on clean images with one kind of noise, of which many pixels are hidden, the network
    must complete the picture, and so also denoises noise that it has never seen. On the noise it
    was trained on it is worse than without masks (Chen, Gu, Liu, Magid, Dong, Wang, Pfister, Zhu.
    Masked Image Training for Generalizable Deep Image Denoising. CVPR 2023). 2D only. Attention
    reaches farther than tiles overlap (32 pixels, as in the published code), so results depend a
    little on tiles.

    Parameters, attributes and errors as in `Denoiser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.uniform(0, 255, (2, 32, 32, 1)).astype(np.uint8)
    >>> config = MaskedDenoiserConfig(clean, net_width=12, net_heads=2, net_depths=(2,),
    ...     train_patch_shape=(16, 16), train_batch_size=2, train_epochs=1,
    ...     train_steps_per_epoch=2, train_seed=1)
    >>> model = MaskedDenoiser(config, basedir=None)
    >>> history = model.train(clean, verbose=0)
    >>> model.predict(clean[0, ..., 0], "YX").shape
    (32, 32)
    """

    config_class = MaskedDenoiserConfig
    # tokens of all heads are many numbers for each pixel
    tile_pixels = 2**17
    formats = ("serving", "onnx")
    # of this model, with masks in predictions
    _twin = None

    def _build(self):
        c = self.config
        low, high = c.value_range
        means = None
        if c.means is not None:
            means = [(float(mean) - low) / (high - low) for mean in c.means]
        return build_swinir(
            c.n_channel_in, c.net_width, c.net_depths, c.net_heads, c.net_window,
            stochastic_depth=c.net_stochastic_depth, means=means, input_mask=c.input_mask,
            attention_mask=c.attention_mask, attention_mask_at_test=c.attention_mask_at_test,
            mask_value=c.mask_value, local_means=c.local_means, seed=c.train_seed,
        )  # fmt: skip

    @property
    def divisor(self):
        return self.config.net_window

    @property
    def reach(self):
        return ((REACH, REACH),) * 2

    def fixed_scaling(self):
        low, high = self.config.value_range
        n_channels = self.config.n_channel_in
        return np.full(n_channels, low), np.full(n_channels, high - low)

    def _loss(self):
        return PAIR_LOSSES[self.config.train_loss]

    def train(
        self,
        X,
        validation_X=None,
        noise_model: Callable | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on clean images, to which noise is added.

        Parameters
        ----------
        X : ndarray (S, Y, X, C) or sequence of such
            Clean images in their own units.
        validation_X : ndarray or sequence, optional
            Clean images for the validation loss, with noise of the same kind.
        noise_model : callable, optional
            Of `n2v_tk.data.noise`, in units of the images. Default: normal noise of the config's
            `noise_sigma`.
        epochs, steps_per_epoch, verbose, resume
            As in `Denoiser.train`.

        Returns
        -------
        keras.callbacks.History

        Raises
        ------
        ImageError
            For images that do not fit the model; nothing is written then.
        ConfigError
            For a noise model that does not fit the images.
        TrainingError
            If the loss became infinite or NaN. The model then has the last good weights.
        """
        self._take_up(resume)
        c = self.config
        noise = noise_model or Gaussian(c.noise_sigma)
        images = self._check_training_images(X, "Training images")
        self._check_range(images)
        self._check_noise(noise, images)
        steps = self._count(epochs, steps_per_epoch)[1]
        check_patch_fits(images, c.train_patch_shape, c.net_window, "train_patch_shape")
        validation = None
        if validation_X is not None:
            held_out = self._check_training_images(validation_X, "Validation images")
            validation = self._noisy_and_clean(held_out, noise)
        data = NoisyDataWrapper(
            images, noise, c.train_batch_size, steps, c.train_patch_shape, c.train_augment,
            seed=self._seed, scaling=self.fixed_scaling(), workers=c.train_workers,
            clean_targets=True, clip=c.value_range if c.clip_noise else None,
        )  # fmt: skip
        return self._fit(data, validation, epochs, steps_per_epoch, verbose)

    def _check_range(self, images):
        low, high = self.config.value_range
        lowest, highest = (float(f([f(i) for i in images])) for f in (np.min, np.max))
        if lowest < low - 0.5 * (high - low) or highest > high + 0.5 * (high - low):
            raise ConfigError(
                f"Training images lie far outside value_range=({low:g}, {high:g}). Received: "
                f"images from {lowest:g} to {highest:g}. Make the config from the images, or set "
                "value_range."
            )

    def _check_noise(self, noise, images):
        """Before work starts: on the darkest and the brightest image."""
        rng = np.random.default_rng(0)
        extremes = (min(images, key=np.min), max(images, key=np.max))
        for image in extremes:
            noisy = noise(np.asarray(image[:1], np.float32), rng)
            if noisy.shape != image[:1].shape or not np.isfinite(noisy).all():
                raise ConfigError(
                    "A noise model must give finite images of the same shape. Received: "
                    f"{noise!r}, which made {noisy.shape} of {image[:1].shape}."
                )

    def _noisy_and_clean(self, images, noise):
        c = self.config
        check_patch_fits(images, c.train_patch_shape, c.net_window, "train_patch_shape")
        patches, _ = grid_patches(images, c.train_patch_shape, VALIDATION_PATCHES)
        clean = np.stack([np.asarray(patch, np.float32) for patch in patches])
        rng = np.random.default_rng([self._seed, 1])
        if getattr(noise, "whole_images", False):
            spoiled = [noise(np.asarray(image, np.float32), rng) for image in images]
            patches, _ = grid_patches(spoiled, c.train_patch_shape, VALIDATION_PATCHES)
            noisy = np.stack(list(patches))
        else:
            noisy = noise(clean, rng)
        if c.clip_noise:
            noisy = np.clip(noisy, *c.value_range)
        return tuple(normalize(x, *self.fixed_scaling()) for x in (noisy, clean))

    def predict(self, img: np.ndarray, axes: str, n_average: int | None = None, **options):
        """Denoise an image.

        Parameters
        ----------
        img, axes
            As in `Denoiser.predict`.
        n_average : int, optional
            Mean of so many predictions with random attention masks, the published code's way of
            testing.
        **options
            The other parameters of `Denoiser.predict`.

        Returns
        -------
        ndarray of the shape of `img`

        Raises
        ------
        AxesError, ImageError, ConfigError
            If the image does not fit the model, or `n_average` the settings.
        """
        if n_average is None:
            return super().predict(img, axes, **options)
        if n_average < 1 or not self.config.attention_mask:
            raise ConfigError(
                "n_average is the number of predictions with random attention masks, which the "
                f"model must have. Received: n_average={n_average}, attention_mask="
                f"{self.config.attention_mask}."
            )
        dtype = result_dtype(options.pop("dtype", None), as_image(img).dtype)
        random = self._with_masks_at_test()
        total = sum(random.predict(img, axes, **options).astype(float) for _ in range(n_average))
        return to_dtype(total / n_average, dtype)

    def _with_masks_at_test(self):
        if self.config.attention_mask_at_test:
            return super()
        if self._twin is None:
            settings = {**dict(self.config), "attention_mask_at_test": True}
            self._twin = MaskedDenoiser(MaskedDenoiserConfig(**settings), basedir=None)
        self._twin.keras_model.set_weights(self.keras_model.get_weights())
        return self._twin
