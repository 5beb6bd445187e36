"""Prediction with a trained model: the verbs that need nothing but a config and a network."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..axes import StackLayout
from ..errors import AxesError, ConfigError, ImageError
from ..lazy import LazyArray
from ..nets.forms import prediction_form
from ..nets.receptive_field import receptive_field
from ..normalization import (
    PERCENTILES,
    check_image,
    image_statistics,
    result_dtype,
    to_dtype,
)
from ..prediction.memory import parse_bytes
from ..prediction.predictor import BUILDING, Predictor
from ..prediction.scaled import ScaleByStatistics, predict_scaled
from ..prediction.tiling import check_n_tiles
from ..training.precision import resolve_precision
from .shown import DenoisedImage

ENGINES = ("keras", "openvino")


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
        max_memory: int | str | None = None,
        engine: str = "keras",
    ) -> np.ndarray:
        """Denoise an image.

        Parameters
        ----------
        img : ndarray or LazyArray
            Noisy image in its own units, any real dtype. Lazy ones are read as they are needed.
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
        max_memory : int or str, optional
            Most main memory that the process should take, e.g. '2GB': tiles are chosen to fit,
            unless `n_tiles` is given. `predict_large` does without the whole result in memory.
        engine : {'keras', 'openvino'}
            What runs the network: the backend of Keras, or OpenVINO (extra
            ``n2v_tk[openvino]``), which some processors run faster.

        Returns
        -------
        DenoisedImage of the shape of `img`
            A numpy array that a notebook shows as a picture: the denoised image (the mean, for a
            probabilistic model), axes as given. If the model makes several channels of an image
            without a channel axis, they come last.

        Raises
        ------
        AxesError, ImageError
            If the image does not fit the model.
        """
        img = as_image(img)
        dtype = result_dtype(dtype, img.dtype)
        layout, output = self._predict(
            img, axes, resizer, n_tiles, tta, precision, normalizer, max_memory, engine
        )
        result = layout.from_stack(output[..., : self.config.n_channel_out])
        axes = layout.axes if result.ndim == img.ndim else layout.axes + "C"
        return DenoisedImage(to_dtype(result, dtype), axes)

    def predict_probabilistic(
        self,
        img,
        axes,
        resizer=None,
        n_tiles=None,
        tta: bool = False,
        precision: str | None = None,
        normalizer="model",
        max_memory: int | str | None = None,
        engine: str = "keras",
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

        layout, output = self._predict(
            img, axes, resizer, n_tiles, tta, precision, normalizer, max_memory, engine
        )
        channels = self.config.n_channel_out
        return ProbabilisticPrediction(
            layout.from_stack(output[..., :channels]), layout.from_stack(output[..., channels:])
        )

    def predict_large(
        self,
        source: str | os.PathLike | np.ndarray,
        target: str | os.PathLike,
        axes: str | None = None,
        *,
        dtype=None,
        tta: bool = False,
        precision: str | None = None,
        engine: str = "keras",
        chunks: tuple[int, ...] | None = None,
        version: str | None = None,
        max_memory: int | str | None = None,
        client=None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Denoise an image of any size into an OME-Zarr store, block by block.

        The result is that of `predict` up to rounding (with `tta` only for sides that the network
        divides; others are padded before they are turned, not after). It grows in
        ``<target>.partial`` and gets its name when it is whole. A run that was killed goes on
        where it stopped when it is repeated, and ends with the same bits.

        Parameters
        ----------
        source : path, array or LazyArray
            As for `n2v_tk.read_image`, e.g. an OME-Zarr store; or an array.
        target : path
            Ends in .zarr.
        axes : str, optional
            In place of the file's; needed for arrays.
        dtype, tta, precision, engine
            As in `predict`.
        chunks : tuple of int, optional
            Of the result, one per axis in the order 'TCZYX'. Default: those of the source if it
            is OME-Zarr, else 1024 x 1024 for planes and 32 x 256 x 256 for volumes.
        version : {'0.4', '0.5'}, optional
            Of OME-Zarr: 0.4 lies in Zarr 2, 0.5 in Zarr 3. Default: that of the source, else 0.4.
        max_memory : int or str, optional
            Most main memory that the process should take (each worker, with `client`), e.g.
            '2GB'. By default blocks have some eight million pixels.
        client : dask.distributed.Client, optional
            Work on its workers, which must reach source and target under the same paths.
        overwrite : bool
            Replace a result that is there, and begin anew.
        progress : callable, optional
            Called with the number of blocks done and of all.

        Returns
        -------
        Path
            The target, with the levels (resolutions) of the source, or halves along Y and X down
            to 512 pixels; pixel sizes and units are kept.

        Raises
        ------
        AxesError, ImageError, ConfigError
            If image, model and settings do not fit, chunks do not fit the memory target, or an
            unfinished result of another request is there.
        OutputExistsError
            If the target is there already.
        ImageFileError
            If source or target cannot be read or written, a full disk included; what is done is
            kept.
        SchedulerError
            If the workers cannot do it.
        """
        from .large import predict_large

        return predict_large(
            self, source, target, axes, dtype=dtype, tta=tta, precision=precision, engine=engine,
            chunks=chunks, version=version, max_memory=max_memory, client=client,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip

    def denoise_stack(self, predictor: Predictor, stack: np.ndarray, normalizer, tta: bool = False):
        """What `predict` gives for a stack (S, (Z,) Y, X, C), with a predictor that is at hand."""
        n_out = self.config.n_channel_out
        result = predict_scaled(
            predictor, stack, normalizer, n_out, tta=tta, structN2Vmask=self._mask_for_tta()
        )
        return result[..., :n_out]

    def refuse_blocks(self) -> None:
        """Refuse to denoise block by block where that is not what `predict` would give."""

    def fingerprint(self) -> str:
        """What tells this model from others: a digest of its weights and settings."""
        digest = hashlib.sha256(repr(sorted(self.config.to_json().items())).encode())
        for weights in self.keras_model.get_weights():
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()[:16]

    def _predict(self, img, axes, resizer, n_tiles, tta, precision, normalizer, max_memory, engine):
        """Layout of the image, and mean (and scale) in its units as a stack 'S(Z)YXC'."""
        img = as_image(img)
        own = isinstance(normalizer, str) and normalizer == "model"
        _check_helper("resizer", resizer, ("before", "after"))
        if not own:
            _check_helper("normalizer", normalizer, ("before", "after", "do_after"))
        layout, counts = self.check(img, axes, n_tiles, own_normalizer=own)
        output = predict_scaled(
            # test-time augmentation holds their sum so far, the next result and the next sum
            self._predictor(precision, engine, max_memory, layout, 3 if tta else 1),
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
        self,
        img: np.ndarray,
        axes: str,
        n_tiles=None,
        own_normalizer: bool = True,
        look: bool = True,
    ) -> tuple[StackLayout, list[int] | None]:
        """Refuse what `predict` could not work with, without working.

        Parameters as in `predict`; `own_normalizer` is whether the model's is used, `look` whether
        to look at the pixels.

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
        check_image(img, look=look)
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
        if fixed is not None:
            return fixed
        return image_statistics(image, self.config.normalization, self.percentiles)

    def _predictor(self, precision, engine="keras", max_memory=None, layout=None, results=1):
        """What runs the network, made anew when weights changed.

        `max_memory` is to hold so many `results` at once, of an image of that `layout`.
        """
        if engine not in ENGINES:
            raise ConfigError(f"engine must be one of {', '.join(ENGINES)}. Received: {engine!r}.")
        precision = resolve_precision(precision or self._own_precision(), self.keras_model)
        most = None if max_memory is None else parse_bytes(max_memory)
        weights = self.keras_model.get_weights()
        predictor = self._made_before(precision, engine, weights)
        if predictor is None:
            with BUILDING:
                # perhaps by another thread by now
                predictor = self._made_before(precision, engine, weights)
                if predictor is None:
                    predictor = Predictor(
                        prediction_form(self.keras_model, precision),
                        self.reach,
                        self.divisor,
                        engine,
                        self.tile_pixels,
                    )
                    self._predictors[precision, engine] = (weights, predictor)
        predictor = predictor.for_one_call()
        if most is not None:
            predictor.limit_memory(most, self._image_bytes(layout, results))
        return predictor

    def _made_before(self, precision, engine, weights):
        """The predictor with these weights, or None."""
        made_with, predictor = self._predictors.get((precision, engine), (None, None))
        same = made_with is not None and all(
            np.array_equal(a, b) for a, b in zip(made_with, weights, strict=True)
        )
        return predictor if same else None

    def _own_precision(self):
        """The precision that the model was trained in."""
        trained = self.config.train_precision
        return "float32" if trained == "auto" else trained

    def _image_bytes(self, layout, results):
        """What one image and all results take in float32, of a layout."""
        sides = math.prod(layout.length(a) for a in layout.spatial_axes)
        samples = math.prod(layout.shape) // (sides * layout.n_channels)
        channels_out = self.keras_model.output_shape[-1]
        # the image normalised and padded; results, and those of all samples where there are several
        results += samples if samples > 1 else 0
        return 4 * sides * (2 * layout.n_channels + results * channels_out)


def _check_helper(name, helper, verbs):
    if helper is not None and not all(hasattr(helper, verb) for verb in verbs):
        raise ConfigError(
            f"{name} must be None or have {', '.join(verbs)}, as those of csbdeep.data have. "
            f"Received: {helper!r}."
        )


def as_image(image) -> np.ndarray | LazyArray:
    """An array as it is, anything else as an array."""
    if isinstance(image, LazyArray):
        return image
    try:
        return np.asanyarray(image)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"The image must be an array. Received: {type(image).__name__}: {error}. Make an array "
            "of it first, all rows of one length."
        ) from None
