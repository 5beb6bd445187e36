"""Prediction that brings back what each pixel itself tells."""

from __future__ import annotations

import numpy as np

from ..data.noise_estimation import NoiseEstimate
from ..data.noise_moments import noise_moments
from ..errors import ConfigError
from ..normalization import result_dtype, to_dtype
from ..prediction.posterior import own_share, posterior_mean
from .base import Denoiser
from .predicting import as_image
from .shown import DenoisedImage


class WithPosterior(Denoiser):
    """A method whose predictions leave out part of what a pixel itself tells.

    With blind spots in training, that is the pixel; with noise added in training, what the network
    takes from a pixel that it expects to be noisier.
    """

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
        output: str = "prior",
        noise: float | tuple[float, float, float] | NoiseEstimate | None = None,
    ) -> np.ndarray:
        """Denoise an image.

        Parameters
        ----------
        img, axes, resizer, n_tiles, tta, dtype, precision, normalizer, max_memory, engine
            As in `Denoiser.predict`.
        output : {'prior', 'posterior'}
            What the network predicts: the methods as published. Or the mean given the pixel too, as
            far as it is not in there already (`n2v_tk.prediction.posterior.posterior_mean`), which
            is sharper and nearer to the clean image where the noise is what `noise` says; where
            there is more, it stays. It predicts twice.
        noise : float, (gain, offset, read noise) or NoiseEstimate, optional
            For 'posterior', in units of the image: standard deviation; of a camera, with variance
            ``gain * (signal - offset) + read_noise**2``; or what `n2v_tk.estimate_noise` returns.
            Default: that of the config's `noise_level`, if it has one, else that of each channel of
            `img`.

        Returns
        -------
        DenoisedImage of the shape of `img`

        Raises
        ------
        AxesError, ImageError
            If the image does not fit the model, or has too few pixels to tell its noise.
        ConfigError
            For another `output`, for `noise` with 'prior', and for 'posterior' without `noise` if
            the model has a `structN2Vmask`: noise that is correlated cannot be told from the image.
        """
        options = (resizer, n_tiles, tta)
        more = (precision, normalizer, max_memory, engine)
        if output not in ("prior", "posterior"):
            raise ConfigError(f"output must be 'prior' or 'posterior'. Received: {output!r}.")
        if output == "prior" and noise is not None:
            raise ConfigError(
                "The noise counts where the pixel itself is brought back. Received: noise without "
                "output='posterior'. Give both, or neither."
            )
        if output == "prior":
            return super().predict(img, axes, *options, dtype, *more)
        noise = self._check_noise(noise)
        img = as_image(img)
        dtype = result_dtype(dtype, img.dtype)
        layout = self.check(img, axes, n_tiles)[0]
        noisy = np.asarray(layout.to_stack(img))
        moments = noise_moments(noisy, noise)
        prior = super().predict

        def predict(stack):
            return layout.to_stack(prior(layout.from_stack(stack), axes, *options, None, *more))

        predicted = predict(noisy)
        variance = moments.variance(predicted)
        own = own_share(predict, noisy, predicted, variance)
        result = layout.from_stack(posterior_mean(noisy, predicted, variance, own))
        return DenoisedImage(to_dtype(result, dtype), layout.axes)

    def _check_noise(self, noise):
        """What is known of the noise; None where the image has to tell it, if it can."""
        return noise
