"""Recorrupted-to-Recorrupted: pairs for Noise2Noise from single noisy images."""

from __future__ import annotations

import warnings

import numpy as np

from ..config.r2r import R2RConfig
from ..data.noise_estimation import noise_if_enough
from ..data.patches import check_patch_fits, grid_patches
from ..data.recorruption import RecorruptedDataWrapper, recorrupt
from ..data.sampling import middle
from ..data.sequences import batch_rng
from ..errors import ImageError
from ..losses import mse
from ..nets.unet import build_unet, network_options
from ..normalization import normalize
from ..prediction.posterior import noise_variance_of
from .with_posterior import WithPosterior

VALIDATION_PATCHES = 256
# that tell the noise, and how much of each
NOISE_IMAGES, NOISE_SIDE = 16, 1024
# skewness from which noise is not normal enough, and the share of it that is much to be left over
LOPSIDED, LEFT_OVER = 0.2, 0.25


class R2R(WithPosterior):
    """Recorrupted-to-Recorrupted: noise is added to a noisy image twice, so that both are a pair.

    What is added to the input is taken from the target, weighed so that the noise of the two is
    independent: then the squared loss has the minimum that clean targets would give it, for inputs
    a little noisier than the image (Pang, Zheng, Quan, Ji. Recorrupted-to-Recorrupted: unsupervised
    deep learning for image denoising. CVPR 2021). Every pixel teaches, none is hidden. The noise
    must be independent from pixel to pixel and normal, and its level is given or estimated; noise
    beyond it stays in the image, and so does part of noise of few photons, which is not normal, or
    of pixels that differ in their noise. Training warns of that: `N2V` takes independent noise of
    any kind.

    Parameters, attributes and errors as in `Denoiser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.normal(100, 10, (1, 64, 64, 1))
    >>> config = R2RConfig(noisy, noise_level=10.0, unet_n_first=4, train_epochs=1,
    ...                    train_steps_per_epoch=2, train_seed=1)
    >>> model = R2R(config, basedir=None)
    >>> history = model.train(noisy, verbose=0)
    >>> model.predict(noisy[0, ..., 0], "YX").shape
    (64, 64)
    """

    config_class = R2RConfig
    # of the noise of the training images
    _variance_of = None

    def _build(self):
        return build_unet(**network_options(self.config))

    @property
    def divisor(self):
        return 2**self.config.unet_n_depth

    def _loss(self):
        return mse

    def _training_data(self, images, steps_per_epoch):
        c = self.config
        check_patch_fits(images, c.train_patch_shape, self.divisor)
        together = _some_of(images)
        self._variance_of = self._noise_variance(together)
        _warn_if_lopsided(together)
        return RecorruptedDataWrapper(
            images, self._variance_of, c.r2r_alpha, c.train_batch_size, steps_per_epoch,
            c.train_patch_shape, c.train_augment, seed=self._seed, scaling=self.fixed_scaling(),
            workers=c.train_workers,
        )  # fmt: skip

    def _validation_data(self, images):
        """Patches with noise drawn once, so that the losses of epochs compare."""
        c = self.config
        check_patch_fits(images, c.train_patch_shape, self.divisor)
        patches, _ = grid_patches(images, c.train_patch_shape, VALIDATION_PATCHES)
        patches = np.stack([np.asarray(patch, np.float32) for patch in patches])
        # epochs count from 0, so this stream is never one of the training batches
        rng = batch_rng(self._seed, 2**32 - 1, 0)
        pair = recorrupt(patches, self._variance_of, c.r2r_alpha, rng)
        return tuple(normalize(part, *self.fixed_scaling()) for part in pair)

    def _fit(self, *arguments):
        history = super()._fit(*arguments)
        if self.example is not None:
            self._warn_of_noise_left(self.example)
        return history

    def _warn_of_noise_left(self, noisy):
        denoised = np.asarray(self.predict(noisy, self.config.axes))
        before, after = _noise_by_channel(noisy), _noise_by_channel(denoised)
        shares = [b.sigma / a.sigma for a, b in zip(before, after, strict=True) if a.sigma > 0]
        if shares and max(shares) > LEFT_OVER:
            warnings.warn(
                "R2R left noise in the image: it is not normal, or stronger than noise_level, or "
                f"differs from pixel to pixel. Received: a result with {max(shares):.0%} of its "
                "standard deviation. Use N2V (method 'n2v'), which takes independent noise of any "
                "kind.",
                stacklevel=4,
            )

    def _noise_variance(self, noisy):
        """Variance of the noise of images (S, (Z,) Y, X, C) over the signal, in their units."""
        try:
            return noise_variance_of(noisy, self.config.noise_level)
        except ImageError as error:
            raise ImageError(f"{error} Give their noise_level, or train on more of them.") from None

    def _check_noise(self, noise):
        return self.config.noise_level if noise is None else noise


def _some_of(images):
    """The middles of some images, of one size, as a stack."""
    samples = [sample for image in images for sample in image]
    chosen = samples[:: -(-len(samples) // NOISE_IMAGES)]
    parts = [middle(sample, NOISE_SIDE) for sample in chosen]
    sides = np.min([part.shape[:-1] for part in parts], axis=0)
    return np.stack([part[tuple(slice(side) for side in sides)] for part in parts])


def _warn_if_lopsided(noisy):
    """With a third moment, the noise of a pair depends on each other although uncorrelated.

    The square of one then tells of the other, which is what a network learns: it leaves
    ``skewness**2 / 2 / (1 + alpha**2)**2`` of the variance of the noise in the image.
    """
    skewness = max((of.skewness for of in _noise_by_channel(noisy)), key=abs, default=0.0)
    if abs(skewness) > LOPSIDED:
        warnings.warn(
            "The noise is not normal, as that of few photons is not: R2R will leave part of it in "
            f"the image. Received: noise with a skewness of {skewness:.2g}. Use N2V (method 'n2v'),"
            " which takes independent noise of any kind.",
            stacklevel=5,
        )


def _noise_by_channel(image):
    """Estimates of the noise (..., C), none where there are too few pixels to tell."""
    found = [noise_if_enough(image[..., c]) for c in range(image.shape[-1])]
    return [of for of in found if of is not None]
