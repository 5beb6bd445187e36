"""Noise models with structure: correlated noise, lines, text, missing frequencies.

Called as those of `n2v_tk.data.noise`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .noise import Strength, as_float, draw_strength


@dataclass(frozen=True)
class Correlated:
    """Normal noise whose neighbours are alike: white noise, smoothed.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation, after smoothing.
    width : float or tuple of float
        Of the Gaussian that smooths, in pixels, for all spatial axes or one by one. 0 leaves an
        axis alone.
    """

    sigma: Strength
    width: float | tuple[float, ...] = 1.0

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from scipy.ndimage import gaussian_filter1d

        sigma = draw_strength(self.sigma, images, rng, "sigma")
        n_dim = images.ndim - 2
        widths = self.width if isinstance(self.width, tuple) else (self.width,) * n_dim
        if len(widths) != n_dim:
            raise ConfigError(
                f"width must be a number or one per spatial axis ({n_dim}). Received: {self.width}."
            )
        noise = rng.standard_normal(images.shape)
        for axis, width in enumerate(widths, start=1):
            if width > 0:
                noise = gaussian_filter1d(noise, width, axis=axis, mode="wrap")
                impulse = np.zeros(images.shape[axis])
                impulse[0] = 1
                kernel = gaussian_filter1d(impulse, width, mode="wrap")
                noise /= np.sqrt(np.sum(kernel**2))
        return as_float(images + sigma * noise)


@dataclass(frozen=True)
class Lines:
    """Whole lines that are brighter or darker, as of a scanner.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation of the lines' offsets.
    axis : {'X', 'Y'}
        Axis along which the lines run.
    """

    sigma: Strength
    axis: str = "X"

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.axis not in ("X", "Y"):
            raise ConfigError(f"axis must be 'X' or 'Y'. Received: {self.axis!r}.")
        sigma = draw_strength(self.sigma, images, rng, "sigma")
        shape = list(images.shape)
        shape[-2 if self.axis == "X" else -3] = 1
        return as_float(images + sigma * rng.standard_normal(shape))


@dataclass(frozen=True)
class Text:
    """Random strings in random sizes and colours, written over planes (Pillow).

    Parameters
    ----------
    coverage : float or (low, high)
        Share of the pixels that letters cover, reached or a little exceeded.
    low, high : float
        Range of the letters' values, per channel.
    """

    coverage: Strength
    low: float = 0.0
    high: float = 1.0

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if images.ndim != 4:
            raise ConfigError(
                f"Text is written over images (B, Y, X, C). Received: shape {images.shape}."
            )
        noisy = np.array(images, np.float32)
        for image, wanted in zip(
            noisy, draw_strength(self.coverage, images, rng, "coverage").ravel(), strict=True
        ):
            if wanted >= 0.95:
                raise ConfigError(f"coverage must be below 0.95. Received: {self.coverage}.")
            covered = np.zeros(image.shape[:2], bool)
            while covered.mean() < wanted:
                letters = _letters(image.shape[:2], rng)
                image[letters] = rng.uniform(self.low, self.high, image.shape[-1])
                covered |= letters
        return noisy


@dataclass(frozen=True)
class MissingFrequencies:
    """Undersampled magnetic resonance: frequencies are missing, low ones more rarely.

    A frequency at radius r, of at most R along an axis, is kept with probability ``p**(r / R)``
    and divided by it, so the mean is the clean image. A frequency and its mirror image are kept
    or lost together, so the image stays real (Lehtinen et al., ICML 2018, section 3.4).

    Parameters
    ----------
    p : float
        Probability at the largest radius; 0.025 in the paper, which keeps 10 % in all.
    """

    p: float = 0.025
    # frequencies belong to images, not to patches of them
    whole_images = True

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.with_spectrum(images, rng)[0]

    def probability(self, sides: tuple[int, int]) -> np.ndarray:
        """Of every frequency to be kept, (Y, X) in the order of `numpy.fft.fft2`."""
        if not 0 < self.p <= 1:
            raise ConfigError(f"p must be above 0 and at most 1. Received: {self.p}.")
        if any(side % 2 == 0 for side in sides):
            raise ConfigError(
                "Images must have odd sides, so that every frequency has its mirror image. "
                f"Received: {tuple(sides)}. Cut one row or column off."
            )
        y, x = (np.fft.fftfreq(side) * side for side in sides)
        radius = np.hypot(y[:, None], x)
        return self.p ** (radius / (max(sides) // 2))

    def with_spectrum(
        self, images: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Noisy images, their measured spectra, and which frequencies were measured.

        Returns
        -------
        noisy : ndarray of float32 (B, Y, X, C)
        spectrum : ndarray of complex128 (B, Y, X, C)
            As measured, not divided by the probability; 0 where it was not.
        measured : ndarray of bool (B, Y, X, 1)
        """
        m = self.probability(images.shape[1:3])
        u = rng.random((len(images), *m.shape))
        # two draws, each below the root of m: both with probability m
        mirror = np.roll(u[:, ::-1, ::-1], 1, axis=(1, 2))
        measured = ((u**2 < m) & (mirror**2 < m))[..., None]
        measured[:, 0, 0] = True
        spectrum = np.fft.fft2(images, axes=(1, 2)) * measured
        noisy = np.fft.ifft2(spectrum / m[..., None], axes=(1, 2)).real
        return as_float(noisy), spectrum, measured


def replace_spectrum(images: np.ndarray, spectrum: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Put measured frequencies back into denoised images, as the last step.

    Parameters
    ----------
    images : ndarray (B, Y, X, C)
        Denoised.
    spectrum, measured
        Of `MissingFrequencies.with_spectrum`.

    Returns
    -------
    ndarray of float32 (B, Y, X, C)
    """
    denoised = np.fft.fft2(images, axes=(1, 2))
    return as_float(np.fft.ifft2(np.where(measured, spectrum, denoised), axes=(1, 2)).real)


def _letters(sides, rng):
    """Pixels of one random string, (Y, X)."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = sides
    picture = Image.new("L", (width, height))
    draw = ImageDraw.Draw(picture)
    text = "".join(rng.choice(list(string.ascii_letters + string.digits), rng.integers(5, 11)))
    size = int(rng.integers(8, max(9, height // 8)))
    place = (int(rng.integers(-size, width)), int(rng.integers(-size // 2, height)))
    draw.text(place, text, fill=255, font=ImageFont.load_default(size))
    return np.asarray(picture) > 127
