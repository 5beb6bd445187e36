"""Noise2Noise: learn from pairs of noisy images."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from ..config.n2n import N2NConfig
from ..data.pairs import (
    FrameDataWrapper,
    NoisyDataWrapper,
    PairDataWrapper,
    check_pairs,
    warn_of_bad_pairs,
)
from ..data.patches import as_image_list, check_patch_fits, grid_patches
from ..errors import ConfigError, ImageError
from ..losses import N2N_LOSSES
from ..nets.blindspot import build_n2n
from ..nets.unet import build_unet, network_options
from ..normalization import check_image, normalize
from .base import Denoiser

VALIDATION_PATCHES = 64


class N2N(Denoiser):
    """Noise2Noise: two noisy images of one scene teach as much as a clean one would.

    A network that is asked to predict one noisy image from another cannot know the noise of its
    target, and predicts what targets have in common (Lehtinen, Munkberg, Hasselgren, Laine,
    Karras, Aittala, Aila. ICML 2018). The noise of the two must be independent; their mean must be
    the clean image. With clean targets it is ordinary supervised training.

    Parameters, attributes and errors as in `Denoiser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(100, 10, (2, 1, 64, 64, 1))
    >>> config = N2NConfig(first, net_width=3, train_epochs=1, train_steps_per_epoch=2,
    ...                    train_seed=1)
    >>> model = N2N(config, basedir=None)
    >>> history = model.train(first, second, verbose=0)
    >>> model.predict(first[0, ..., 0], "YX").shape
    (64, 64)
    """

    config_class = N2NConfig

    def _build(self):
        c = self.config
        if c.network == "unet":
            return build_unet(**network_options(c), n_channel_out=c.n_channel_out)
        return build_n2n((None, None, c.n_channel_in), c.n_channel_out, c.net_width)

    @property
    def divisor(self):
        return self.config.divisor

    def _loss(self):
        return N2N_LOSSES[self.config.train_loss]

    def train(
        self,
        X,
        Y,
        validation_data=None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on pairs.

        Parameters
        ----------
        X, Y : ndarray (S, (Z,) Y, X, C) or sequence of such
            Noisy images and, of the same scenes, others (or clean ones), in their own units.
        validation_data : (X, Y), optional
            Pairs for the validation loss; with clean or averaged targets it tells most.
        epochs, steps_per_epoch, verbose, resume
            As in `Denoiser.train`.

        Returns
        -------
        keras.callbacks.History

        Raises
        ------
        ImageError
            For images that do not fit the model or each other; nothing is written then.
        TrainingError
            If the loss became infinite or NaN. The model then has the last good weights.
        """
        self._take_up(resume)
        X, Y = check_pairs(X, Y, self.config.n_dim)
        self._check(X, Y, "Training images")
        warn_of_bad_pairs(X, Y)
        validation = self._validation_pairs(validation_data)
        return self._train(PairDataWrapper, (X, Y), X, validation, epochs, steps_per_epoch, verbose)

    def train_on_frames(
        self,
        frames,
        validation_frames=None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on repeated frames of still scenes: all pairs of two of them.

        Parameters
        ----------
        frames : ndarray (F, (Z,) Y, X, C), or sequence of such
            Frames of one scene, or of several.
        validation_frames : ndarray or sequence, optional
            The same, of which each frame is compared with the mean of the others.
        epochs, steps_per_epoch, verbose, resume
            As in `Denoiser.train`.

        Raises
        ------
        ImageError
            If a scene has one frame only.
        """
        self._take_up(resume)
        frames = self._check_frames(frames, "Frames for training")
        warn_of_bad_pairs([frames[0][:1]], [frames[0][1:2]])
        validation = None
        if validation_frames is not None:
            scenes = self._check_frames(validation_frames, "Frames for validation")
            means = [
                (scene.sum(axis=0, keepdims=True, dtype=np.float64) - scene) / (len(scene) - 1)
                for scene in scenes
            ]
            validation = self._validation_pairs((scenes, means))
        return self._train(
            FrameDataWrapper, (frames,), frames, validation, epochs, steps_per_epoch, verbose
        )

    def train_on_clean(
        self,
        clean,
        noise_model: Callable,
        validation_data=None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on clean images to which noise is added, anew for every input and target.

        Parameters
        ----------
        clean : ndarray (S, (Z,) Y, X, C) or sequence of such
        noise_model : callable
            Of `n2v_tk.data.noise`, in units of the images.
        validation_data : (X, Y), optional
            Noisy and clean images.
        epochs, steps_per_epoch, verbose, resume
            As in `Denoiser.train`.

        Raises
        ------
        ConfigError
            If the loss needs masks and the noise model has none.
        """
        self._take_up(resume)
        clean = as_image_list(clean, self.config.n_dim)
        self._check(clean, clean, "Clean images")
        masked = self.config.train_loss == "masked_mse"
        if masked and not hasattr(noise_model, "with_mask"):
            raise ConfigError(
                "The loss 'masked_mse' is for noise that takes pixels away and says which. "
                f"Received: {noise_model!r}. Use n2v_tk.data.noise.Bernoulli."
            )
        return self._train(
            NoisyDataWrapper, (clean, noise_model), clean, self._validation_pairs(validation_data),
            epochs, steps_per_epoch, verbose, with_mask=masked,
        )  # fmt: skip

    def _train(
        self, wrapper, sources, images, validation, epochs, steps_per_epoch, verbose, **options
    ):
        c = self.config
        n_epochs, steps = self._count(epochs, steps_per_epoch)
        if c.train_loss == "masked_mse" and not options.get("with_mask"):
            raise ConfigError(
                "The loss 'masked_mse' needs to know which pixels are there. Received: pairs "
                "without masks. Use train_on_clean with a noise model that has them."
            )
        if c.means is None and c.normalization == "dataset":
            settings = type(c)._settings_from(images)
            c.update_parameters(means=settings["means"], stds=settings["stds"])
        check_patch_fits(images, c.train_patch_shape, self.divisor, "train_patch_shape")
        scaling = self.fixed_scaling()
        if wrapper is PairDataWrapper:
            options["target_scaling"] = scaling
        data = wrapper(
            *sources, c.train_batch_size, steps, c.train_patch_shape, c.train_augment,
            seed=self._seed, scaling=scaling, workers=c.train_workers,
            anneal_over=n_epochs * steps if c.train_loss == "l0" else None, **options,
        )  # fmt: skip
        return self._fit(data, self._with_extras(validation), epochs, steps_per_epoch, verbose)

    def _loss_margin(self, first):
        # becomes another loss while it is annealed
        return np.inf if self.config.train_loss == "l0" else super()._loss_margin(first)

    def _with_extras(self, validation):
        """What the loss wants in targets beside their values."""
        if validation is None:
            return None
        x, y = validation
        if self.config.train_loss == "l0":
            # the median: neither the start nor the end of the annealing
            y = np.concatenate([y, np.ones_like(y[..., :1])], axis=-1)
        if self.config.train_loss == "masked_mse":
            y = np.concatenate([y, np.ones_like(y)], axis=-1)
        return x, y

    def _check(self, X, Y, what):
        c = self.config
        if X[0].shape[-1] != c.n_channel_in or Y[0].shape[-1] != c.n_channel_out:
            raise ImageError(
                f"{what} must have {c.n_channel_in} channel(s) and their targets "
                f"{c.n_channel_out}. Received: {X[0].shape[-1]} and {Y[0].shape[-1]}."
            )
        for image in (*X, *Y):
            check_image(image, what)

    def _check_frames(self, frames, what):
        frames = as_image_list(frames, self.config.n_dim)
        self._check(frames, frames, what)
        for scene in frames:
            if len(scene) < 2:
                raise ImageError(
                    f"{what}: every scene needs two frames at least. Received: one frame of shape "
                    f"{scene.shape}. From single noisy images, N2V learns."
                )
        return frames

    def _validation_pairs(self, pair):
        if pair is None:
            return None
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigError(
                f"validation_data must be a pair (X, Y). Received: {type(pair).__name__}."
            )
        X, Y = check_pairs(*pair, self.config.n_dim)
        self._check(X, Y, "Validation images")
        check_patch_fits(X, self.config.train_patch_shape, self.divisor, "train_patch_shape")
        offset, scale = self.fixed_scaling()
        patches = (
            grid_patches(images, self.config.train_patch_shape, VALIDATION_PATCHES)[0]
            for images in (X, Y)
        )
        x, y = (np.stack([normalize(p, offset, scale) for p in s]) for s in patches)
        return x, y
