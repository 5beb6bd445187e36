"""Prediction with a trained model: the verbs that need nothing but a config and a network."""

from __future__ import annotations

import numpy as np

from ..axes import StackLayout
from ..errors import AxesError, ConfigError
from ..nets.forms import prediction_form
from ..nets.receptive_field import receptive_field
from ..normalization import (
    PERCENTILES,
    check_image,
    image_statistics,
    result_dtype,
    to_dtype,
)
from ..prediction.predictor import Predictor
from ..prediction.scaled import ScaleByStatistics, predict_scaled
from ..prediction.tiling import check_n_tiles
from ..training.precision import resolve_precision


class Predicting:
    """Denoises images with `self.keras_model` as `self.config` says.

    Part of `Denoiser`, which see.
    """

    # what lies beyond the edge where sides are brought to multiples of the divisor
    padding = "reflect"
    # formats that `export` can write
    formats = ("serving", "fiji", "fiji-n2v", "bioimageio", "onnx", "keras")
    # pixels of a tile, halo included; None is the predictor's own
    tile_pixels: int | None = None
    # what normalization='percentile' brings to 0 and 1
    percentiles = PERCENTILES

    @property
    def divisor(self) -> int:
        """What spatial sides must be divisible by."""
        return 1

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """How far a pixel of the result sees, to the left and to the right along each axis."""
        return receptive_field(self.keras_model)

    def predict(
        self,
        img: np.ndarray,
        axes: str,
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        dtype=None,
        precision: str | None = None,
        normalizer="model",
    ) -> np.ndarray:
        """Denoise an image.

        Parameters
        ----------
        img : ndarray
            Noisy image in its own units, any real dtype.
        axes : str
            Axes of `img`, letters of 'STCZYX' in any order. Samples and time points, and planes
            for a 2D model, are denoised one by one.
        resizer : csbdeep.data.Resizer, optional
            How sides are brought to what the network can divide. Default: reflection, cut off
            again.
        n_tiles : tuple of int, optional
            Tiles per axis of `img`. By default tiles are chosen to fit memory. The result does
            not depend on them.
        tta : bool
            Average over turns and flips of the XY plane (eight passes).
        dtype : dtype or 'same', optional
            Of the result; 'same' is that of `img`. Integers are rounded and clipped. Default:
            float32.
        precision : {'float32', 'mixed_bfloat16', 'mixed_float16', 'auto'}, optional
            Default: the one the model was trained in.
        normalizer : csbdeep.data.Normalizer or None, optional
            What brings each image to the scale of the network and, if its `do_after` says so,
            back. None does nothing. Default: as the model's config says.

        Returns
        -------
        ndarray of the shape of `img`
            The denoised image (the mean, for a probabilistic model), axes as given. If the model
            makes several channels of an image without a channel axis, they come last.

        Raises
        ------
        AxesError, ImageError
            If the image does not fit the model.
        """
        img = np.asanyarray(img)
        dtype = result_dtype(dtype, img.dtype)
        layout, output = self._predict(img, axes, resizer, n_tiles, tta, precision, normalizer)
        result = layout.from_stack(output[..., : self.config.n_channel_out])
        return to_dtype(result, dtype)

    def predict_probabilistic(
        self,
        img,
        axes,
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        precision: str | None = None,
        normalizer="model",
    ):
        """Distribution of the denoised image, for models with ``probabilistic=True``.

        Parameters as in `predict`.

        Returns
        -------
        csbdeep.internals.probability.ProbabilisticPrediction
            With methods `mean()`, `scale()`, `var()`, ... of the shape of `img`, in its units.
        """
        if not getattr(self.config, "probabilistic", False):
            raise ConfigError(
                "predict_probabilistic needs a model trained with probabilistic=True. Received: "
                "probabilistic=False. Use predict."
            )
        from csbdeep.internals.probability import ProbabilisticPrediction

        layout, output = self._predict(img, axes, resizer, n_tiles, tta, precision, normalizer)
        channels = self.config.n_channel_out
        return ProbabilisticPrediction(
            layout.from_stack(output[..., :channels]), layout.from_stack(output[..., channels:])
        )

    def _predict(self, img, axes, resizer, n_tiles, tta, precision, normalizer):
        """Layout of the image, and mean (and scale) in its units as a stack 'S(Z)YXC'."""
        img = np.asanyarray(img)
        own = isinstance(normalizer, str) and normalizer == "model"
        layout, counts = self.check(img, axes, n_tiles, own_normalizer=own)
        output = predict_scaled(
            self._predictor(precision),
            layout.to_stack(img),
            self._normalizer() if own else normalizer,
            self.config.n_channel_out,
            n_tiles=counts,
            tta=tta,
            structN2Vmask=self._mask_for_tta(),
            resizer=resizer,
        )
        return layout, output

    def check(
        self, img: np.ndarray, axes: str, n_tiles=None, own_normalizer: bool = True
    ) -> tuple[StackLayout, list[int] | None]:
        """Refuse what `predict` could not work with, without working.

        Parameters as in `predict`; `own_normalizer` is whether the model's is used.

        Returns
        -------
        layout : StackLayout
            How the image becomes a stack 'S(Z)YXC'.
        n_tiles : list of int or None
            Tiles per spatial axis.

        Raises
        ------
        AxesError, ImageError, ConfigError
        """
        layout = StackLayout.of(img, axes, self.config.n_dim)
        if layout.n_channels != self.config.n_channel_in:
            hint = "" if "C" in layout.axes else " Name the channel axis with C in axes."
            raise AxesError(
                f"The model was trained on {self.config.n_channel_in} channel(s). Received: "
                f"{layout.n_channels} channel(s) in an image with shape {img.shape} and axes "
                f"{layout.axes}.{hint}"
            )
        check_image(img)
        if own_normalizer and self.config.means is None and self.config.normalization == "dataset":
            raise ConfigError(
                "The model was not trained yet and has no means and stds to normalise with. "
                "Received: means=None. Train it, or make its config from images."
            )
        counts = None
        if n_tiles is not None:
            by_axis = check_n_tiles(n_tiles, layout.axes)
            if self.config.n_dim == 2 and by_axis.get("Z", 1) > 1:
                raise ConfigError(
                    f"n_tiles along Z must be 1 for a 2D model. Received: {tuple(n_tiles)}."
                )
            counts = [by_axis[a] for a in layout.spatial_axes]
        return layout, counts

    def _normalizer(self):
        """What brings images to the scale of the network and back (csbdeep's interface)."""
        return ScaleByStatistics(self._scaling)

    def _mask_for_tta(self):
        """Mask that limits the turns of test-time augmentation."""
        return None

    def fixed_scaling(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Offset and scale (C,) that normalise every image, or None if each has its own."""
        n_channels = self.config.n_channel_in
        if self.config.normalization == "dataset":
            if self.config.means is None:
                return np.zeros(n_channels), np.ones(n_channels)
            return np.array(self.config.means, float), np.array(self.config.stds, float)
        if self.config.normalization == "none":
            return np.zeros(n_channels), np.ones(n_channels)
        return None

    def _scaling(self, image):
        """Offset and scale of one image ((Z,) Y, X, C), each (C,)."""
        fixed = self.fixed_scaling()
        return image_statistics(image, self.config.normalization) if fixed is None else fixed

    def _predictor(self, precision):
        if precision is None:
            trained = self.config.train_precision
            precision = "float32" if trained == "auto" else trained
        precision = resolve_precision(precision)
        weights = self.keras_model.get_weights()
        made_with, predictor = self._predictors.get(precision, (None, None))
        if made_with is None or any(
            not np.array_equal(a, b) for a, b in zip(made_with, weights, strict=True)
        ):
            predictor = Predictor(
                prediction_form(self.keras_model, precision),
                self.reach,
                self.divisor,
            )
            if self.tile_pixels is not None:
                predictor.budget = self.tile_pixels
            self._predictors[precision] = (weights, predictor)
        return predictor
