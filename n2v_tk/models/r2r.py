"""Recorrupted-to-Recorrupted: pairs for Noise2Noise from single noisy images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ..config.r2r import R2RConfig
from ..data.noise_estimation import NoiseEstimate, estimate_noise_of_planes
from ..data.noise_moments import noise_moments
from ..data.patches import check_patch_fits, grid_patches
from ..data.recorruption import RecorruptedDataWrapper, recorrupt
from ..data.sampling import middle
from ..data.sequences import batch_rng
from ..errors import ImageError
from ..lazy import let_go
from ..losses import mse
from ..nets.unet import build_unet, network_options
from ..normalization import normalize
from .with_posterior import WithPosterior

VALIDATION_PATCHES = 256
# that tell the noise, and their largest side
NOISE_PLANES, NOISE_SIDE = 16, 1024
# skewness beyond that of photons from which noise is of another kind, and that of four photons
LOPSIDED, MOST_LOPSIDED = 0.12, 0.5


class R2R(WithPosterior):
    """Recorrupted-to-Recorrupted: noise is added to a noisy image twice, so that both are a pair.

    What is added to the input is taken from the target, weighed so that the noise of the two is
    independent: then the squared loss has the minimum that clean targets would give it, for inputs
    a little noisier than the image (Pang, Zheng, Quan, Ji. Recorrupted-to-Recorrupted: unsupervised
    deep learning for image denoising. CVPR 2021). Every pixel teaches, none is hidden. The noise
    must be independent from pixel to pixel, and normal or that of photons (`recorrupt`), and its
    level is given or estimated; noise beyond it stays in the image, and so does part of noise of
    pixels that differ, or of other kinds, which training warns of where it can tell. `N2V` takes
    independent noise of any kind.

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
    _noise = None

    def _build(self):
        return build_unet(**network_options(self.config))

    @property
    def divisor(self):
        return 2**self.config.unet_n_depth

    def _loss(self):
        return mse

    def _learn_about(self, images):
        self._noise = self._moments(images)

    def _training_data(self, images, steps_per_epoch):
        c = self.config
        check_patch_fits(images, c.train_patch_shape, self.divisor, "train_patch_shape")
        return RecorruptedDataWrapper(
            images, self._noise, c.r2r_alpha, c.train_batch_size, steps_per_epoch,
            c.train_patch_shape, c.train_augment, seed=self._seed, scaling=self.fixed_scaling(),
            workers=c.train_workers,
        )  # fmt: skip

    def _validation_data(self, images):
        """Patches with noise drawn once, so that the losses of epochs compare."""
        c = self.config
        check_patch_fits(images, c.train_patch_shape, self.divisor, "train_patch_shape")
        patches, _ = grid_patches(images, c.train_patch_shape, VALIDATION_PATCHES)
        patches = np.stack([np.asarray(patch, np.float32) for patch in patches])
        # epochs count from 0, so this stream is never one of the training batches
        rng = batch_rng(self._seed, 2**32 - 1, 0)
        pair = recorrupt(patches, self._noise, c.r2r_alpha, rng)
        return tuple(normalize(part, *self.fixed_scaling()) for part in pair)

    def _moments(self, images):
        """Of the noise over the signal, in units of the images."""
        level = self.config.noise_level
        try:
            estimates = noise_of_channels(images)
        except ImageError:
            if level is None:
                raise
            estimates = []
        moments = noise_moments(images[0], estimates if level is None else level)
        _warn_if_lopsided(estimates, moments, told=level is not None)
        return moments

    def _check_noise(self, noise):
        return self.config.noise_level if noise is None else noise


def noise_of_channels(images: Sequence[np.ndarray]) -> list[NoiseEstimate]:
    """Noise of each channel of images, told from some of their planes.

    Parameters
    ----------
    images : sequence of ndarray (S, (Z,) Y, X, C)

    Raises
    ------
    ImageError
        If they have too few pixels to tell it, or a channel has none.
    """
    planes = _planes(images)
    try:
        channels = range(planes[0].shape[-1])
        found = [estimate_noise_of_planes([plane[..., c] for plane in planes]) for c in channels]
    except ImageError as error:
        raise ImageError(f"{error} Give their noise_level, or train on more of them.") from None
    for channel, estimate in enumerate(found):
        if not estimate.sigma > 0:
            raise ImageError(
                "R2R learns from noise, and the images show none. Received: channel "
                f"{channel}, most of whose pixels are as their neighbours say. Give their "
                "noise_level, leave the channel out, or take N2V (method 'n2v')."
            )
    return found


def _planes(images):
    """Some planes (Y, X, C), spread over all images, of large ones the middle."""
    places = [
        (image, (sample, *z))
        for image in images
        for sample in range(len(image))
        for z in np.ndindex(image.shape[1:-3])
    ]
    chosen = places[:: -(-len(places) // NOISE_PLANES)]
    planes = [middle(image[place], NOISE_SIDE) for image, place in chosen]
    for image in images:
        let_go(image)
    return planes


def _warn_if_lopsided(estimates, moments, told):
    """With a third moment that is not known, the noise of a pair depends on each other.

    The square of one then tells of the other, which is what a network learns: in the image it
    leaves about ``skewness**2 / 2 / (1 + alpha**2)**4`` of the variance of the noise. Noise of very
    few photons has moments beyond the third, which are those of Poisson's if the camera is `told`,
    but of most detectors are not. Texture of dark gaps makes noise seem lopsided towards dark
    values.
    """
    means = np.array([estimate.mean for estimate in estimates])
    known = moments.photon(means) / np.sqrt(moments.variance(means))
    for skewness, expected in zip([one.skewness for one in estimates], known, strict=True):
        if skewness > expected + LOPSIDED:
            than = f"where noise of their level has {expected:.2g}"
        elif skewness > MOST_LOPSIDED and not told:
            than = "that of fewer than four photons, which few detectors count one by one"
        else:
            continue
        warnings.warn(
            "The noise does not seem to be normal or that of enough photons: R2R may leave part of "
            f"it in the image. Received: images with a skewness of {skewness:.2g} from pixel to "
            f"pixel, {than}. Compare with N2V (method 'n2v'), which takes independent noise of any "
            "kind.",
            stacklevel=5,
        )
        return
