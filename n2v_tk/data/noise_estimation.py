"""How noisy an image is, told from the image alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..axes import StackLayout, normalize_axes
from ..errors import AxesError, ImageError
from ..normalization import check_image

# second differences along both axes: blind to planes, of unit variance on white noise
_WEIGHTS = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]) / 6.0
_BLOCK = 8
_LEAST_BLOCKS = 64
# blocks with little structure: this share of the smoothest at every brightness
_SMOOTHEST = 0.25
_BINS = 24
# variance that the smoothest blocks of normal noise of variance 1 show, and by which part of it
# they show less for skewness squared, be it of Poisson noise or behind an electron multiplier
_SHOWN = 0.639
_LESS_BY_SKEW = 0.008
_MOST_SQUARED_SKEW = 20.0
# third moment of second differences over that of white noise
_THIRD = float(np.sum(_WEIGHTS**3))


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise of an image.

    Parameters
    ----------
    sigma : float
        Standard deviation, over the whole image, in grey values.
    gain : float
        Slope of the variance over the signal: grey values per photo-electron. 0 where the noise
        does not grow with the signal.
    offset : float
        Grey value where the variance of shot noise begins, if there is no read noise: where the
        line of variance over signal meets zero. NaN without a slope.
    variance_at_zero : float
        Variance at grey value 0, on that line; below 0 with an offset.
    variance_in_the_dark : float
        Variance where the image is darkest, as it was seen.
    skewness : float
        Third moment of neighbouring differences over the cube of their standard deviation: 0 for
        normal noise, one over the root of the number of photons for shot noise, more behind an
        electron multiplier. Fine texture may have one too, and lessens that of the noise.
    normal_variance : float
        Variance of that part of the noise which has no third moment, as read noise has none. It is
        told by the third moments that are seen, which are those of photons: ``gain * (variance -
        normal_variance)``.
    mean : float
        Of the image, in grey values.
    """

    sigma: float
    gain: float
    offset: float
    variance_at_zero: float
    variance_in_the_dark: float
    skewness: float = 0.0
    normal_variance: float = 0.0
    mean: float = 0.0

    def camera(self, offset: float | None = None) -> tuple[float, float, float]:
        """Gain, offset and read noise, as `HQSSLConfig` takes them for the noise model 'camera'.

        Parameters
        ----------
        offset : float, optional
            Grey value of the dark camera, if it is known. An image does not tell offset and
            read noise apart; without it the read noise is all noise there is where the image is
            darkest, and the offset lies where the line of variance over signal passes that.
        """
        if self.gain <= 0:
            return (1e-6 * self.sigma, 0.0 if offset is None else offset, self.sigma)
        if offset is None:
            dark = max(self.variance_in_the_dark, 0.0)
            return (self.gain, self.offset + dark / self.gain, float(np.sqrt(dark)))
        read = max(0.0, self.variance_at_zero + self.gain * offset)
        return (self.gain, offset, float(np.sqrt(read)))

    def to_photons(self, image: np.ndarray, read_noise: float = 0.0) -> np.ndarray:
        """The image in units in which its noise is that of a camera of gain 1 and offset 0.

        Images of different cameras, and those whose grey values were scaled one by one, have one
        noise then and can be denoised by one model: ``variance = value + read_noise**2``.

        Parameters
        ----------
        image : ndarray
            Of any axes, the noise of which this is.
        read_noise : float
            That the camera shall have, in photons; by its square values are lower. What the image
            has of its own counts as photons that came with it.

        Returns
        -------
        ndarray, float64

        Raises
        ------
        ImageError
            If the noise does not grow with the signal.
        """
        self._check_slope()
        return (np.asarray(image, np.float64) - self.offset) / self.gain - read_noise**2

    def from_photons(self, image: np.ndarray, read_noise: float = 0.0) -> np.ndarray:
        """Back to grey values from what `to_photons` made, or what was predicted from it.

        Parameters
        ----------
        image, read_noise
            As in `to_photons`, which also says what is returned and raised.
        """
        self._check_slope()
        return (np.asarray(image, np.float64) + read_noise**2) * self.gain + self.offset

    def _check_slope(self):
        if not self.gain > 0:
            raise ImageError(
                "Grey values become photons by how the noise grows with the signal, and here it "
                f"does not. Received: gain={self.gain:g}. Take the noise model 'gaussian' with "
                f"noise_level={self.sigma:.4g}, or divide the images by their sigma."
            )


def estimate_noise(image: np.ndarray, axes: str | None = None) -> NoiseEstimate:
    """Estimate noise that is independent from pixel to pixel.

    Second differences hold noise and little else; their spread in small blocks, of those blocks
    at every brightness where it is least, gives the variance over the signal (the photon transfer
    curve). A line through it has the camera's gain as its slope. Where photons are few, noise is
    lopsided and the spread of some blocks small by chance; how lopsided is told by third moments.

    Parameters
    ----------
    image : ndarray
        Noisy image, any axes; planes are taken together, channels too.
    axes : str, optional
        Letters of 'STCZYX'. Default: the last two are Y and X.

    Returns
    -------
    NoiseEstimate

    Raises
    ------
    AxesError
        If the image has less than two axes.
    ImageError
        If the image has too few pixels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> estimate = estimate_noise(rng.normal(100, 5, (256, 256)))
    >>> round(estimate.sigma, 1)
    5.0
    """
    image = np.asanyarray(image)
    check_image(image)
    if axes is not None:
        axes = normalize_axes(axes, image.ndim)
        stack = StackLayout.of(image, axes, 2).to_stack(image)
        planes = np.moveaxis(stack, -1, 1).reshape(-1, *stack.shape[1:3])
    elif image.ndim < 2:
        raise AxesError(f"An image has at least two axes, Y and X. Received: shape {image.shape}.")
    else:
        planes = image.reshape(-1, *image.shape[-2:])
    return estimate_noise_of_planes(planes, f"shape {image.shape}")


def estimate_noise_of_planes(planes: Sequence[np.ndarray], what: str = "") -> NoiseEstimate:
    """`estimate_noise` of planes (Y, X) whose sizes may differ.

    Parameters
    ----------
    planes : sequence of ndarray (Y, X)
    what : str
        They are called so if they have too few pixels.
    """
    blocks = _blocks(planes)
    if len(blocks.means) < _LEAST_BLOCKS:
        what = what or f"planes of {[tuple(plane.shape) for plane in planes][:4]}"
        raise ImageError(
            f"Too few pixels to tell the noise from. Received: {what}. "
            f"{_LEAST_BLOCKS} blocks of {_BLOCK} x {_BLOCK} pixels along Y and X are needed; axes "
            "say which those are, where they are not the last two."
        )
    _, variance, (gain, at_zero), normal = _photon_transfer(blocks)
    at_mean = max(gain * blocks.means.mean() + at_zero, 0.0)
    # bright spots on dark ground, and dark ones on bright, have third moments of their own
    second = blocks.variances.mean()
    skewness = blocks.thirds.mean() / second**1.5 if second > 0 else 0.0
    return NoiseEstimate(
        sigma=float(np.sqrt(at_mean)),
        gain=float(gain),
        offset=float(-at_zero / gain) if gain > 0 else float("nan"),
        variance_at_zero=float(at_zero),
        variance_in_the_dark=float(variance[0]),
        skewness=float(skewness),
        normal_variance=float(normal),
        mean=float(blocks.means.mean()),
    )


def noise_if_enough(image: np.ndarray) -> NoiseEstimate | None:
    """`estimate_noise` of an image (..., Y, X), None where that has too few pixels."""
    rows, columns = ((side - 2) // _BLOCK for side in image.shape[-2:])
    blocks = max(0, rows) * max(0, columns) * int(np.prod(image.shape[:-2]))
    return estimate_noise(image) if blocks >= _LEAST_BLOCKS else None


def noise_over_signal(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the noise at several brightnesses: the photon transfer curve.

    Parameters
    ----------
    planes : ndarray (N, Y, X)

    Returns
    -------
    signal, variance : ndarray
        Grey values, and squared grey values.
    """
    return _photon_transfer(_blocks(planes))[:2]


class _Blocks(NamedTuple):
    """Mean of the image, and second and third moments of the noise, in blocks, (N,) each."""

    means: np.ndarray
    variances: np.ndarray
    thirds: np.ndarray


def _blocks(planes):
    from scipy.ndimage import convolve

    found = []
    for plane in planes:
        plane = np.asarray(plane, np.float64)
        residual = convolve(plane, _WEIGHTS)[1:-1, 1:-1]
        cut = [s // _BLOCK * _BLOCK for s in residual.shape]
        shape = (cut[0] // _BLOCK, _BLOCK, cut[1] // _BLOCK, _BLOCK)
        inside = plane[1:-1, 1:-1][: cut[0], : cut[1]].reshape(shape)
        residual = residual[: cut[0], : cut[1]].reshape(shape)
        moments = (inside, residual**2, residual**3 / _THIRD)
        found.append([values.mean(axis=(1, 3)).ravel() for values in moments])
    return _Blocks(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _photon_transfer(blocks):
    """Signal and variance in bins of brightness, the line of variance, and what of it is normal.

    In every bin the variances of the smoothest blocks count, brought to the mean of all by what
    pure noise would show there.
    """
    order = np.argsort(blocks.means)
    groups = np.array_split(order, max(1, min(_BINS, len(order) // _LEAST_BLOCKS)))
    signal, smooth, thirds, counts = [], [], [], []
    for group in groups:
        variances = np.sort(blocks.variances[group])
        signal.append(blocks.means[group].mean())
        smooth.append(variances[: max(4, int(_SMOOTHEST * len(group)))].mean())
        thirds.append(blocks.thirds[group].mean())
        counts.append(len(group))
    signal, smooth, thirds, counts = map(np.array, (signal, smooth, thirds, counts))
    variance = smooth / _SHOWN
    line = _line(signal, variance, counts)
    for _ in range(3):
        if line[0] > 0:
            squared_skew = _squared_skew(_above_0(variance), thirds, line[0])
            variance = smooth / (_SHOWN * (1 - _LESS_BY_SKEW * squared_skew))
            line = _line(signal, variance, counts)
    return signal, variance, line, _normal_variance(_above_0(variance), thirds, counts, line[0])


def _above_0(variance):
    return np.maximum(variance, max(variance.max() * 1e-6, np.finfo(float).tiny))


def _normal_variance(variance, thirds, counts, gain):
    """Variance of noise without third moments, where that of photons has gain times its own.

    A third moment is known to the power 1.5 of the variance.
    """
    if not gain > 0:
        return 0.0
    weights = counts * (variance.min() / variance) ** 3
    return max(0.0, np.average(variance - thirds / gain, weights=weights))


def _squared_skew(variance, thirds, gain):
    """Of noise whose variance grows with the signal by a gain.

    Third moments follow the variance above that of the read noise, in proportion to the gain: once
    for Poisson noise, 1.5 times behind an electron multiplier.
    """
    weights = variance.min() / variance
    slope, at_zero = 0.0, 0.0
    if len(variance) > 2 and np.ptp(variance) > 1e-9 * variance.max():
        slope, at_zero = np.polyfit(variance, thirds, 1, w=weights**1.5)
    slope = np.clip(slope, 0.0, 1.5 * gain)
    read = np.clip(-at_zero / slope, 0.0, variance.min()) if slope > 0 else 0.0
    return np.minimum((slope * (variance - read)) ** 2 / variance**3, _MOST_SQUARED_SKEW)


def _line(signal, variance, counts):
    """Slope, not negative, and value at 0 of variance over signal; outliers count less."""
    if variance.max() <= 0:
        return 0.0, 0.0
    if len(signal) < 3 or np.ptp(signal) < 1e-9 * max(1.0, np.abs(signal).max()):
        return 0.0, float(np.average(variance, weights=counts))
    weights = counts / np.maximum(variance, variance.mean() * 1e-3) ** 2
    for _ in range(5):
        slope, at_zero = np.polyfit(signal, variance, 1, w=np.sqrt(weights))
        residual = np.abs(variance - slope * signal - at_zero)
        typical = max(np.median(residual), 1e-12)
        weights = counts / np.maximum(variance, variance.mean() * 1e-3) ** 2
        weights = weights / np.maximum(1.0, residual / (2 * typical))
    if slope <= 0:
        return 0.0, float(np.average(variance, weights=weights))
    return float(slope), float(at_zero)
