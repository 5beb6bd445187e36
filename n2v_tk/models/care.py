"""Supervised restoration with csbdeep's CARE networks."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np

from ..config.care import CAREConfig
from ..data.pairs import PairDataWrapper, check_pairs
from ..data.patches import check_patch_fits
from ..errors import ConfigError, ExportError, ImageError
from ..losses import PAIR_LOSSES, of_means
from ..nets.unet import build_unet, network_options
from ..normalization import check_image
from .base import Denoiser

_METRICS = {"mse": keras.losses.mean_squared_error, "mae": keras.losses.mean_absolute_error}


class CARE(Denoiser):
    """Content-aware restoration: learn from pairs of a degraded image and a good one.

    Weigert et al., Nature Methods 2018. Opens the model folders of csbdeep.

    Parameters, attributes and errors as in `Denoiser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good = rng.random((8, 32, 32, 1), "float32")
    >>> noisy = good + rng.normal(0, 0.1, good.shape).astype("float32")
    >>> config = CAREConfig(noisy, good, unet_n_first=4, train_epochs=1, train_steps_per_epoch=2,
    ...                     train_seed=1)
    >>> model = CARE(config, basedir=None)
    >>> history = model.train(noisy, good, validation_data=(noisy, good), verbose=0)
    >>> model.predict(noisy[0, ..., 0], "YX").shape
    (32, 32)
    """

    config_class = CAREConfig
    default_metrics = ("mse", "mae")
    percentiles = (2.0, 99.8)

    def _build(self):
        options = network_options(self.config)
        return build_unet(**options, n_channel_out=self.config.n_channel_out)

    @property
    def divisor(self):
        return 2**self.config.unet_n_depth

    def _loss(self):
        return PAIR_LOSSES[self.config.train_loss]

    def _metric(self, metric):
        if metric not in _METRICS:
            return metric
        loss = of_means(_METRICS[metric], self.config.n_channel_out)
        return keras.metrics.MeanMetricWrapper(loss, name=metric)

    def _normalizer(self):
        from csbdeep.data import PercentileNormalizer

        return (
            None if self.config.normalization == "none" else PercentileNormalizer(*self.percentiles)
        )

    def train(
        self,
        X,
        Y,
        validation_data=None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        augmenter=None,
        verbose: int | str = "auto",
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train on pairs of images, which are taken as they are: normalise them first.

        Parameters
        ----------
        X, Y : ndarray (S, (Z,) Y, X, C) or sequence of such
            Images and their targets, e.g. of `csbdeep.io.load_training_data`.
        validation_data : (X, Y), optional
            Pairs for the validation loss. Without any, the training loss decides which weights
            are best.
        epochs, steps_per_epoch : int, optional
            In place of the config's.
        augmenter : callable, optional
            ``augmenter(x, y)`` gives the batch to train on in place of (x, y).
        verbose : {'auto', 0, 1, 2}
            As in `keras.Model.fit`.
        resume : bool
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
        c = self.config
        steps = self._count(epochs, steps_per_epoch)[1]
        X, Y = self._check_pairs(X, Y, "Training images")
        shape = c.train_patch_shape or X[0].shape[1:-1]
        if c.train_patch_shape is None and any(i.shape[1:-1] != shape for i in X):
            raise ImageError(
                "Images of several sizes need a train_patch_shape. Received: sides "
                f"{sorted({i.shape[1:-1] for i in X})[:8]}."
            )
        if any(side % self.divisor for side in shape):
            raise ImageError(
                f"Training images must have sides divisible by {self.divisor}. Received: "
                f"{shape}. Set train_patch_shape, or cut them."
            )
        check_patch_fits(X, shape, self.divisor, "train_patch_shape")
        if validation_data is not None:
            validation_data = self._check_validation(validation_data)
        data = PairDataWrapper(
            X, Y, c.train_batch_size, steps, shape, c.train_augment, augmenter, self._seed,
            workers=c.train_workers,
        )  # fmt: skip
        return self._fit(data, validation_data, epochs, steps_per_epoch, verbose)

    def _check_pairs(self, X, Y, what):
        X, Y = check_pairs(X, Y, self.config.n_dim)
        for images, n_channels in ((X, self.config.n_channel_in), (Y, self.config.n_channel_out)):
            if images[0].shape[-1] != n_channels:
                raise ImageError(
                    f"{what} must have {self.config.n_channel_in} channel(s) and their targets "
                    f"{self.config.n_channel_out}. Received: {X[0].shape[-1]} and "
                    f"{Y[0].shape[-1]}."
                )
            for image in images:
                check_image(image, what)
        return X, Y

    def _check_validation(self, pair):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigError(
                f"validation_data must be a pair (X, Y). Received: {type(pair).__name__}."
            )
        X, Y = self._check_pairs(*pair, "Validation images")
        if len({i.shape[1:] for i in X}) > 1 or any(s % self.divisor for s in X[0].shape[1:-1]):
            raise ImageError(
                "Validation images must all have one size, with sides divisible by "
                f"{self.divisor}. Received: {sorted({i.shape[1:-1] for i in X})[:8]}."
            )
        return tuple(np.concatenate(images).astype(np.float32) for images in (X, Y))

    def predict(
        self,
        img: np.ndarray,
        axes: str,
        normalizer="model",
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        dtype=None,
        precision: str | None = None,
    ) -> np.ndarray:
        """Restore an image. Parameters as in `Denoiser.predict`, in csbdeep's order."""
        return super().predict(img, axes, resizer, n_tiles, tta, dtype, precision, normalizer)

    def predict_probabilistic(
        self,
        img,
        axes,
        normalizer="model",
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        precision: str | None = None,
    ):
        """Distribution of the restored image. Parameters as in `predict`."""
        return super().predict_probabilistic(
            img, axes, resizer, n_tiles, tta, precision, normalizer
        )

    def export_TF(self, fname: str | os.PathLike | None = None) -> Path:
        """Write a bundle for CSBDeep in Fiji, with the argument of csbdeep (`Denoiser.export`).

        Parameters
        ----------
        fname : path, optional
            The zip, replaced if it is there. Default: TF_SavedModel.zip in the model folder.

        Returns
        -------
        Path
        """
        if fname is None and self.logdir is None:
            raise ExportError(
                "A model kept in memory has no folder to export to. Received: fname=None. Name "
                "the file."
            )
        path = Path(self.logdir / "TF_SavedModel.zip" if fname is None else fname)
        if path.suffix != ".zip":
            path = path.with_name(f"{path.name}.zip")
        return self.export("fiji", path, overwrite=True)
