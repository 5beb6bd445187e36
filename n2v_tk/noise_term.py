"""What noise adds to the variance of a pixel, in the scale of the network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from keras import ops

from .config.hqssl import HQSSLConfig
from .data.noise_estimation import estimate_noise
from .errors import ImageError
from .likelihood import (
    Prediction,
    gaussian_nll,
    gaussian_posterior,
    impulse_nll,
    impulse_posterior,
    n_covariance_entries,
    prediction,
)

# smallest signal that shot noise is reckoned with, and smallest deviation, in standard deviations
# of the normalised images
SMALLEST = 1e-3
# smallest variance of shot noise, relative to that at the mean of the images: pixels that noise
# made darker than black would else count without bound
LEAST_SHOT_NOISE = 0.01


class Parts(NamedTuple):
    """What the channels of a network's output mean."""

    predicted: Prediction
    # parameters of the noise that are learned, (..., n), or None
    learned: object


class NoiseTerm:
    """The noise model of a config, for images normalised by an offset and a scale per channel.

    Parameters
    ----------
    config : HQSSLConfig
    offset, scale : array_like (C,)
        ``(image - offset) / scale`` is what the network sees.
    """

    def __init__(self, config: HQSSLConfig, offset, scale):
        self.config = config
        self.model = config.noise_model
        self.offset = np.asarray(offset, np.float64)
        self.scale = np.asarray(scale, np.float64)
        # one level in units of the images becomes one per channel
        self._typical = float(self.scale.mean())
        self._relative = (self._typical / self.scale).astype(np.float32)

    @property
    def n_learned(self) -> int:
        """How many numbers are learned for the noise."""
        if self.config.noise_level is not None:
            return 0
        return 2 if self.model == "camera" else 1

    @property
    def n_outputs(self) -> int:
        """Channels of the network's output: means, covariance, learned numbers."""
        n, diagonal = self.config.n_channel_in, self.config.covariance == "diagonal"
        return n + n_covariance_entries(n, diagonal) + self.n_learned

    def parts(self, outputs) -> Parts:
        """Split the network's output (..., n_outputs)."""
        n_parameters = self.n_outputs - self.n_learned
        diagonal = self.config.covariance == "diagonal"
        predicted = prediction(outputs[..., :n_parameters], self.config.n_channel_in, diagonal)
        return Parts(predicted, outputs[..., n_parameters:] if self.n_learned else None)

    def negative_log_likelihood(self, noisy, outputs):
        """Of noisy pixels (..., C), less the term that pushes variance to the noise: (...)."""
        predicted, learned = self.parts(outputs)
        if self.model == "impulse":
            return impulse_nll(noisy, predicted, self._alpha(noisy, learned))
        variance = self.variance(predicted.mean, learned)
        nll = gaussian_nll(noisy, predicted, variance)
        if learned is None:
            return nll
        weight = self.config.train_regularization
        if weight is None:
            weight = 0.001 if self.config.n_channel_in == 1 else 0.002
        return nll - weight * ops.mean(ops.sqrt(variance), axis=-1)

    def posterior(self, noisy, outputs):
        """Mean and variance (..., C) of the clean value, given the noisy one too."""
        predicted, learned = self.parts(outputs)
        if self.model == "impulse":
            return impulse_posterior(noisy, predicted, self._alpha(noisy, learned))
        return gaussian_posterior(noisy, predicted, self.variance(predicted.mean, learned))

    def prior(self, outputs):
        """Mean and variance (..., C) of the clean value from its surroundings alone."""
        predicted = self.parts(outputs).predicted
        size = len(predicted.covariance)
        variance = ops.stack([predicted.covariance[c][c] for c in range(size)], axis=-1)
        return predicted.mean, variance

    def variance(self, mean, learned):
        """Variance of the noise of normalised pixels (..., C) whose clean value is `mean`."""
        level = self.config.noise_level
        if self.model == "gaussian":
            if level is None:
                deviation = (ops.softplus(learned - 4.0) + SMALLEST) * self._relative
            else:
                deviation = np.maximum(level / self.scale, SMALLEST).astype(np.float32)
            return ops.square(deviation) + ops.zeros_like(mean)
        if self.model == "poisson":
            dark = (-self.offset / self.scale).astype(np.float32)
            if level is None:
                gain = (ops.softplus(learned - 4.0) + SMALLEST) * self._relative
            else:
                gain = (level / self.scale).astype(np.float32)
            return gain * ops.maximum(mean - dark, np.maximum(SMALLEST, -LEAST_SHOT_NOISE * dark))
        if level is None:
            # gain and variance at the mean of the images; the dark value follows from both
            slope = ops.softplus(learned[..., :1] - 4.0) * self._relative
            middle = ops.square((ops.softplus(learned[..., 1:] - 1.0) + SMALLEST) * self._relative)
            return ops.maximum(middle + slope * mean, LEAST_SHOT_NOISE * middle)
        gain, dark, read = level
        slope = (gain / self.scale).astype(np.float32)
        zero = ((dark - self.offset) / self.scale).astype(np.float32)
        at_mean = slope * np.maximum(-zero, 0.0)
        floor = np.maximum((read / self.scale) ** 2, LEAST_SHOT_NOISE * at_mean)
        floor = np.maximum(floor, SMALLEST**2).astype(np.float32)
        return slope * ops.maximum(mean - zero, 0.0) + floor

    def _alpha(self, noisy, learned):
        if self.config.noise_level is not None:
            return ops.full_like(noisy[..., 0], self.config.noise_level)
        return ops.sigmoid(learned[..., 0])

    def start(self, images) -> np.ndarray | None:
        """Values to begin learning with, from the noise that images (C, Y, X) show.

        None where they do not tell it: too few pixels, or impulse noise.
        """
        if self.model == "impulse":
            return None
        sides = np.min([image.shape[1:] for image in images], axis=0)
        together = np.concatenate([image[:, : sides[0], : sides[1]] for image in images])
        try:
            found = estimate_noise(together)
        except ImageError:
            return None
        sigma, gain = found.sigma / self._typical, found.gain / self._typical
        if self.model == "gaussian":
            values = [_inverse_softplus(sigma - SMALLEST) + 4]
        elif self.model == "poisson":
            signal = float(np.mean(self.offset)) / self._typical
            values = [_inverse_softplus(sigma**2 / max(signal, SMALLEST) - SMALLEST) + 4]
        else:
            values = [_inverse_softplus(gain) + 4, _inverse_softplus(sigma - SMALLEST) + 1]
        return np.array(values, np.float32)

    def level(self, learned) -> dict[str, float]:
        """Learned numbers in units of the images.

        Parameters
        ----------
        learned : ndarray (n_learned,)

        Returns
        -------
        dict
            'sigma'; 'gain'; 'probability'; or 'gain' and 'variance_at_mean'.
        """
        learned = np.asarray(learned, np.float64)

        def softplus(x):
            return float(np.logaddexp(0, x))

        if self.model == "gaussian":
            return {"sigma": (softplus(learned[0] - 4) + SMALLEST) * self._typical}
        if self.model == "poisson":
            return {"gain": (softplus(learned[0] - 4) + SMALLEST) * self._typical}
        if self.model == "impulse":
            return {"probability": float(1 / (1 + np.exp(-learned[0])))}
        return {
            "gain": softplus(learned[0] - 4) * self._typical,
            "variance_at_mean": ((softplus(learned[1] - 1) + SMALLEST) * self._typical) ** 2,
        }


def _inverse_softplus(value):
    value = max(value, 1e-3)
    return value + np.log(-np.expm1(-value))
