"""HQ-SSL: an exact blind spot, and the noisy pixel brought back by Bayes' rule."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
from keras import layers

from ..config.hqssl import DIVISOR, HQSSLConfig
from ..data.pairs import PairDataWrapper
from ..data.patches import check_patch_fits, grid_patches
from ..errors import ConfigError
from ..layers.trained_level import MeanEverywhere, TrainedLevel
from ..masking.structn2v import symmetries, transform, transform_back
from ..nets.blindspot import build_blindspot, build_twin
from ..nets.receptive_field import receptive_field
from ..noise_term import NoiseTerm
from ..normalization import normalize, result_dtype, to_dtype
from .base import Denoiser
from .predicting import as_image
from .shown import DenoisedImage, Posterior
from .training import LIKELIHOOD_MARGIN

VALIDATION_PATCHES = 32
# a noise level of real images is reached within some hundred steps
LEVEL_SPEED = 20.0
# that tell the noise level to begin with
LEVEL_IMAGES = 16
OUTPUTS = ("posterior", "prior", "all")


class HQSSL(Denoiser):
    """HQ-SSL: learn from noisy images alone, with a model of their noise.

    A network that never sees a pixel predicts the distribution of its clean value from its
    surroundings; what the pixel itself says is added by Bayes' rule (Laine, Karras, Lehtinen,
    Aila. High-quality self-supervised deep image denoising. NeurIPS 2019). The noise must be
    independent from pixel to pixel and of the kind that `noise_model` names; its level can be
    learned. 2D only.

    Parameters, attributes and errors as in `Denoiser`. `keras_model` maps the normalised image to
    means, the entries of a covariance and, where the noise level is learned, its parameters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.normal(100, 10, (1, 64, 64, 1))
    >>> config = HQSSLConfig(noisy, noise_model="gaussian", noise_level=10.0, net_width=4,
    ...                      train_epochs=1, train_steps_per_epoch=2, train_seed=1)
    >>> model = HQSSL(config, basedir=None)
    >>> history = model.train(noisy, verbose=0)
    >>> sorted(model.predict(noisy[0, ..., 0], "YX", output="all"))
    ['posterior_mean', 'posterior_variance', 'prior_mean', 'prior_variance']
    """

    config_class = HQSSLConfig
    # copies of a pixel beyond the edge would let it see itself
    padding = "constant"
    tile_pixels = 2**20
    # others take stock layers only, or cannot finish by Bayes' rule
    formats = ("serving", "onnx")

    def _build(self):
        c = self.config
        shape = (None, None, c.n_channel_in)
        term = self._noise_term()
        network = build_blindspot(shape, term.n_outputs - term.n_learned, c.net_width)
        if not term.n_learned:
            return network
        image = network.input
        if c.noise_scope == "global":
            learned = TrainedLevel(term.n_learned, LEVEL_SPEED, name="head_level")(network.output)
        else:
            level = build_twin(shape, term.n_learned, c.net_width, zero=True)
            learned = MeanEverywhere(name="head_level")(level(image))
        outputs = layers.Concatenate(name="head_with_level")([network.output, learned])
        return keras.Model(image, outputs, name="blindspot_with_level")

    @property
    def divisor(self):
        return DIVISOR

    @property
    def reach(self):
        """The branch's sight upwards and sideways, turned to all sides."""
        branch = self.keras_model.get_layer("branch")
        farthest = max(max(axis) for axis in receptive_field(branch))
        return ((farthest, farthest),) * 2

    def _noise_term(self):
        return NoiseTerm(self.config, *self.fixed_scaling())

    def fixed_scaling(self):
        c = self.config
        if c.noise_model == "impulse":
            # replaced values are uniform over 0 to 1 there
            low, high = c.impulse_range or (0.0, 1.0)
            return np.full(c.n_channel_in, low), np.full(c.n_channel_in, high - low)
        return super().fixed_scaling()

    def result_in_graph(self, noisy, outputs):
        """Posterior mean of normalised pixels, for exports."""
        return self._noise_term().posterior(noisy, outputs)[0]

    def _loss(self):
        term = self._noise_term()

        def negative_log_likelihood(y_true, y_pred):
            return keras.ops.mean(term.negative_log_likelihood(y_true, y_pred))

        return negative_log_likelihood

    def _loss_margin(self, first):
        return LIKELIHOOD_MARGIN

    def _training_data(self, images, steps_per_epoch):
        c = self.config
        c.check_domain(images)
        check_patch_fits(images, c.train_patch_shape, DIVISOR, "train_patch_shape")
        self._start_level(images)
        scaling = self.fixed_scaling()
        return PairDataWrapper(
            images, images, c.train_batch_size, steps_per_epoch, c.train_patch_shape,
            c.train_augment, seed=self._seed, scaling=scaling, target_scaling=scaling,
            workers=c.train_workers,
        )  # fmt: skip

    def _start_level(self, images):
        """Begin with the noise that the images show, from which training goes on."""
        term = self._noise_term()
        if not term.n_learned or self.trained:
            return
        # spread over all images, and not more than it takes
        samples = [sample for image in images for sample in image]
        chosen = samples[:: max(1, len(samples) // LEVEL_IMAGES)]
        chosen = [np.moveaxis(np.asarray(sample), -1, 0) for sample in chosen]
        if self.config.noise_scope == "global":
            start = term.start(chosen)
            if start is not None:
                level = self.keras_model.get_layer("head_level")
                level.set_weights([start / level.speed])
            return
        # the network that tells images apart begins with the most noise of all: that less is there
        # the likelihood tells at once, that more is there it hardly tells, since what noise a level
        # leaves over passes for signal that cannot be predicted
        starts = [start for start in (term.start([one]) for one in chosen) if start is not None]
        if starts:
            head = self.keras_model.get_layer("twin").get_layer("level_head")
            head.set_weights([head.get_weights()[0], np.max(starts, axis=0)])

    def _validation_data(self, images):
        shape = self.config.train_patch_shape
        check_patch_fits(images, shape, DIVISOR, "train_patch_shape")
        patches, _ = grid_patches(images, shape, VALIDATION_PATCHES)
        x = np.stack([normalize(patch, *self.fixed_scaling()) for patch in patches])
        return x, x

    def predict(
        self,
        img: np.ndarray,
        axes: str,
        output: str = "posterior",
        n_tiles=None,
        dtype=None,
        precision: str | None = None,
        tta: bool = False,
        max_memory: int | str | None = None,
        engine: str = "keras",
    ):
        """Denoise an image.

        Parameters
        ----------
        img, axes, n_tiles, dtype, precision, max_memory, engine
            As in `Denoiser.predict`.
        output : {'posterior', 'prior', 'all'}
            The mean of the clean value given the whole noisy image; that given all but the pixel
            itself; or both with their variances.
        tta : bool
            Average means and variances over turns and flips of the image (eight passes).

        Returns
        -------
        ndarray of the shape of `img`, or dict of such
            For 'all' with keys 'posterior_mean', 'posterior_variance', 'prior_mean' and
            'prior_variance'; variances in squared units of the image, in float32.

        Raises
        ------
        AxesError, ImageError, ConfigError
            If the image does not fit the model.
        """
        if output not in OUTPUTS:
            raise ConfigError(f"output must be one of {', '.join(OUTPUTS)}. Received: {output!r}.")
        img = as_image(img)
        dtype = result_dtype(dtype, img.dtype)
        layout, counts = self.check(img, axes, n_tiles)
        stack = layout.to_stack(img)
        self.config.check_domain([stack])
        wanted = {"posterior": ["posterior_mean"], "prior": ["prior_mean"]}.get(output)
        names = wanted or ["posterior_mean", "posterior_variance", "prior_mean", "prior_variance"]
        # beside what the network gives there are means and variances made of it
        predictor = self._predictor(precision, engine, max_memory, layout, 5 if tta else 3)
        results = self._denoised(predictor, stack, counts, names, tta)
        results = Posterior(
            (name, DenoisedImage(self._of_dtype(name, layout.from_stack(v), dtype), layout.axes))
            for name, v in results.items()
        )
        return results if output == "all" else results[names[0]]

    @staticmethod
    def _of_dtype(name, values, dtype):
        return to_dtype(values, dtype if name.endswith("mean") else np.float32)

    def denoise_stack(self, predictor, stack, normalizer, tta=False):
        """Posterior means of a stack (S, Y, X, C), with a predictor that is at hand."""
        return self._denoised(predictor, stack, None, ["posterior_mean"], tta)["posterior_mean"]

    def refuse_blocks(self):
        """The level of an image that is learned image by image is told from all of it."""
        c = self.config
        if c.noise_level is None and c.noise_scope == "image":
            raise ConfigError(
                "A model that tells the noise of each image needs all of the image at once. "
                "Received: noise_scope='image'. Use predict (another output than .zarr), or a "
                "model with noise_scope='global'."
            )

    def _denoised(self, predictor, stack, counts, names, tta):
        """Means and variances of a stack in its units."""
        results = {name: np.zeros(stack.shape, np.float32) for name in names}
        offset, scale = self.fixed_scaling()
        turned = symmetries() if tta else ((0, False),)
        for (i, image), symmetry in product(enumerate(stack), turned):
            # the head weighs the four branches differently: a turned image has another result
            noisy = transform(normalize(np.asarray(image), offset, scale), *symmetry, axes=(0, 1))
            tiles = counts[::-1] if counts is not None and symmetry[0] % 2 else counts
            outputs = self._outputs(predictor, noisy, tiles)
            for name, values in self._bayes(noisy, outputs, names).items():
                back = values * scale**2 if name.endswith("variance") else values * scale + offset
                results[name][i] += transform_back(back, *symmetry, axes=(0, 1)) / len(turned)
        return results

    def _outputs(self, predictor, noisy, counts):
        from csbdeep.data import PadAndCropResizer

        resizer = PadAndCropResizer(mode=self.padding)
        outputs = predictor(noisy[np.newaxis], n_tiles=counts, resizer=resizer)[0]
        n_learned = self._noise_term().n_learned
        if n_learned:
            # one level for the image, also where tiles gave several
            outputs[..., -n_learned:] = outputs[..., -n_learned:].mean(axis=(0, 1))
        return outputs

    def _bayes(self, noisy, outputs, names):
        """Some rows at a time: probabilities take more room than pixels."""
        term, rows = self._noise_term(), max(1, 2**20 // noisy.shape[1])
        found = {name: [] for name in names}
        for first in range(0, len(noisy), rows):
            part = slice(first, first + rows)
            pairs = {"prior": term.prior(outputs[part])}
            if any(name.startswith("posterior") for name in names):
                pairs["posterior"] = term.posterior(noisy[part], outputs[part])
            for name in names:
                which, what = name.split("_")
                value = pairs[which][0 if what == "mean" else 1]
                found[name].append(keras.ops.convert_to_numpy(value))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def noise_level(self, img: np.ndarray | None = None, axes: str | None = None) -> dict:
        """The noise level that was learned, in units of the images.

        Parameters
        ----------
        img : ndarray, optional
            Image to tell the level of, with its `axes`. Needed for noise_scope='image'.

        Returns
        -------
        dict
            'sigma' (gaussian), 'gain' (poisson), 'probability' (impulse), or 'gain' and
            'variance_at_mean' (camera: variance at the mean grey value of the training images).

        Raises
        ------
        ConfigError
            If the level was given, not learned.
        """
        term = self._noise_term()
        if not term.n_learned:
            raise ConfigError(
                f"The noise level was given. Received: noise_level={self.config.noise_level}."
            )
        if self.config.noise_scope == "global":
            level = self.keras_model.get_layer("head_level")
            return term.level(level.speed * level.get_weights()[0])
        if img is None:
            raise ConfigError(
                "With noise_scope='image' every image has its level. Received: no image."
            )
        img = np.asanyarray(as_image(img))
        layout, _ = self.check(img, axes)
        image = layout.to_stack(img)[0]
        noisy = normalize(np.asarray(image), *self.fixed_scaling())
        outputs = self._outputs(self._predictor(None), noisy, None)
        return term.level(outputs[0, 0, -term.n_learned :])

    def predict_probabilistic(self, *args, **kwargs):
        """Not for this method: ``predict(..., output='all')`` gives means and variances."""
        raise ConfigError(
            "HQ-SSL gives normal distributions. Received: predict_probabilistic. Use "
            "predict(image, axes, output='all')."
        )
