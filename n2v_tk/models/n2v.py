"""Noise2Void, and with other settings structN2V and N2V2."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from ..config.n2v import N2VConfig
from ..data.patches import check_patch_fits, grid_patches
from ..data.sequences import N2VDataWrapper, batch_rng, masked_pair
from ..errors import ConfigError, ExportError, ModelFolderError
from ..losses import LOSSES, keeping_means, of_means
from ..nets.unet import build_single_unet_per_channel, build_unet, network_options
from ..normalization import channel_statistics, normalize
from ..prediction.scaled import ScaleByStatistics
from .with_posterior import WithPosterior

VALIDATION_PATCHES = 256


class N2V(WithPosterior):
    """Noise2Void: learn to denoise from the noisy images alone.

    A U-Net predicts pixels that were hidden from it, from their surroundings. What noise there is
    in a hidden pixel cannot be known from there, so it learns the signal (Krull et al., CVPR
    2019). The noise must be independent from pixel to pixel; with a `structN2Vmask` it may be
    correlated along that mask (Broaddus et al., ISBI 2020). `N2VConfig.n2v2` gives N2V2 (Hoeck et
    al., ECCV Workshops 2022), which is free of checkerboard patterns.

    Parameters, attributes and errors as in `Denoiser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.normal(100, 10, (1, 64, 64, 1))
    >>> config = N2VConfig(noisy, unet_n_first=4, unet_kern_size=3, n2v_patch_shape=(32, 32),
    ...                    train_epochs=1, train_steps_per_epoch=2, train_seed=1)
    >>> model = N2V(config, basedir=None)
    >>> history = model.train(noisy, verbose=0)
    >>> model.predict(noisy[0, ..., 0], "YX").shape
    (64, 64)
    """

    config_class = N2VConfig

    def _build(self):
        c = self.config
        if not c.single_net_per_channel:
            return build_unet(**network_options(c))
        if c.channel_wiring == "last" and c.n_channel_in > 1:
            warnings.warn(
                "THIS MODEL NEVER SAW MOST CHANNELS. n2v 0.3.3 gave each of its networks, one per "
                f"channel, the last of the {c.n_channel_in} channels to read, and this model was "
                "trained so. It is opened as it was trained; train it again, or go on with "
                "channel_wiring='own', where every network reads its own channel.",
                stacklevel=4,
            )
        return build_single_unet_per_channel(**network_options(c), channel_wiring=c.channel_wiring)

    @property
    def divisor(self):
        return 2**self.config.unet_n_depth

    def _loss(self):
        c = self.config
        loss = LOSSES[c.train_loss]
        if c.n2v_mean_weight == 0:
            return loss
        return keeping_means(loss, c.n2v_mean_weight, c.n_channel_in)

    def _metric(self, metric):
        names = {"mse": "n2v_mse", "mae": "n2v_abs"}
        if metric not in names:
            return metric
        loss = of_means(LOSSES[metric], self.config.n_channel_in)
        return keras.metrics.MeanMetricWrapper(loss, name=names[metric])

    def _mask_for_tta(self):
        return None if self.config.legacy_tta else self.config.structN2Vmask

    def _training_data(self, images, steps_per_epoch):
        c = self.config
        check_patch_fits(images, c.n2v_patch_shape, self.divisor)
        scaling = [[self._scaling(sample) for sample in image] for image in images]
        return N2VDataWrapper(
            images,
            c.train_batch_size,
            steps_per_epoch,
            c.n2v_patch_shape,
            c.masker(*self._scale_after_normalization(images, scaling)),
            augment=c.train_augment,
            structN2Vmask=c.structN2Vmask,
            seed=self._seed,
            offset=[np.array([offset for offset, _ in s]) for s in scaling],
            scale=[np.array([scale for _, scale in s]) for s in scaling],
            workers=c.train_workers,
        )

    def _validation_data(self, images):
        """Patches with blind spots drawn once, so that the losses of epochs compare."""
        c = self.config
        check_patch_fits(images, c.n2v_patch_shape, self.divisor)
        patches, sources = grid_patches(images, c.n2v_patch_shape, VALIDATION_PATCHES)
        scaling = {s: self._scaling(images[s[0]][s[1]]) for s in set(sources)}
        x = np.stack([normalize(p, *scaling[s]) for p, s in zip(patches, sources, strict=True)])
        scaling = [[scaling[s] for s in set(sources)]]
        masker = c.masker(*self._scale_after_normalization(images, scaling))
        # epochs count from 0, so this stream is never one of the training batches
        return masked_pair(x, masker, batch_rng(self._seed, 2**32 - 1, 0))

    def _scale_after_normalization(self, images, scaling):
        """Mean and standard deviation of normalised images, for noise that hides pixels."""
        if self.config.normalization in ("dataset", "image"):
            return 0.0, 1.0
        mean, std = channel_statistics(images)
        offset, scale = np.mean([pair for image in scaling for pair in image], axis=0)
        return float(np.mean((mean - offset) / scale)), float(np.mean(std / scale))

    def _check_noise(self, noise):
        if noise is None and self.config.structN2Vmask is not None:
            raise ConfigError(
                "The level of correlated noise cannot be told from the image. Received: "
                "output='posterior' with noise=None for a model with a structN2Vmask. Give the "
                "standard deviation of the noise, or take output='prior'."
            )
        return noise

    def predict_bioimageio(self, img: np.ndarray, axes: str, eps: float = 1e-6) -> np.ndarray:
        """Denoise as a bioimage.io package does, whose normalisation adds `eps` to the deviation.

        Parameters
        ----------
        img : ndarray
            Noisy image in its own units.
        axes : str
            Axes of `img`; a batch axis may be named 'b'.
        eps : float
            Added to each standard deviation when normalising, and not when scaling back.

        Returns
        -------
        ndarray of float64, shape of `img`
        """
        means, stds = (np.array(v, float) for v in (self.config.means, self.config.stds))
        scale = ScaleByStatistics(lambda image: (means, stds + eps), lambda image: (means, stds))
        result = self.predict(img, axes.upper().replace("B", "S"), normalizer=scale)
        return result.astype(np.float64)

    @classmethod
    def from_bioimageio(cls, path: str | os.PathLike, **changes) -> N2V:
        """Open a package for bioimage.io of n2v_tk or of n2v 0.3.3.

        Parameters
        ----------
        path : path
            The zip.
        **changes
            Settings to have in place of the package's.

        Returns
        -------
        N2V
            Kept in memory only.

        Raises
        ------
        ModelFolderError
            If the package is damaged or holds no model of N2V.
        """
        from ..export.bioimageio_package import open_package

        model = open_package(Path(path), **changes)
        if not isinstance(model, cls):
            raise ModelFolderError(
                f"The package holds no model of {cls.__name__}. Received: {type(model).__name__} "
                f"in {path}. n2v_tk.load_model opens models of every method."
            )
        return model

    def export_TF(
        self,
        name: str,
        description: str,
        authors: Sequence[str],
        test_img: np.ndarray,
        axes: str,
        patch_shape: Sequence[int] | None = None,
        license: str = "BSD-3-Clause",
        result_path: str | os.PathLike | None = None,
    ) -> Path:
        """Write a package for bioimage.io, with the arguments of n2v (`Denoiser.export`).

        Parameters
        ----------
        name, description, license : str
        authors : sequence of str
        test_img : ndarray
            A noisy image, and its `axes`.
        patch_shape : tuple of int, optional
            Accepted and not used: the sizes that the network takes follow from it.
        result_path : path, optional
            Folder of the package. Default: the model folder.

        Returns
        -------
        Path
            ``<result_path>/<its last name>.bioimage.io.zip``, replaced if it is there.
        """
        if result_path is None and self.logdir is None:
            raise ExportError(
                "A model kept in memory has no folder to export to. Received: result_path=None."
            )
        folder = Path(self.logdir if result_path is None else result_path)
        return self.export(
            "bioimageio",
            folder / f"{folder.resolve().name}.bioimage.io.zip",
            overwrite=True,
            name=name,
            description=description,
            authors=authors,
            license=license,
            test_image=test_img,
            axes=axes,
        )
