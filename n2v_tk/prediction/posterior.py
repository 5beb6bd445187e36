"""The pixel's own value, which blind spots leave out, brought back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# pixels over which the spread of the clean image around the prediction is averaged (standard
# deviation of a Gaussian window): narrower windows are noisy, wider ones blind to structure
WIDTH = 6.0
# deviations from which a pixel is no noise of the known kind but hot, and not to be believed
_HOT = 3.0
# by which pixels are changed to see what predictions take from them, in deviations of the noise;
# and at least, as a share of the largest value, for float32 to hold it
_STEP, _LEAST_STEP = 0.2, 1e-6
# least deviation of the noise, as a share of the largest difference to the prediction: the fourth
# power of their ratio is a float32
_LEAST_DEVIATION = 1e-8
_TINY = np.finfo(np.float32).tiny


def posterior_mean(
    noisy: np.ndarray,
    predicted: np.ndarray,
    noise_variance: np.ndarray,
    own: np.ndarray | float = 0.0,
    width: float = WIDTH,
) -> np.ndarray:
    """Mean of the clean image given all pixels, from what is predicted without each pixel's own.

    A network with blind spots gives the mean of the clean value given the other pixels. With
    normal distributions, of variance s around that mean and of variance n for the noise, the mean
    given the pixel y too is ``(n * predicted + s * y) / (n + s)`` (Laine et al., NeurIPS 2019,
    equation 6, for one channel). There a network tells s of every pixel; here it is what the
    squared difference of image and prediction has beyond n, in a window around the pixel.

    Networks that were trained with blind spots and predict without may take a share `own` of the
    pixel already. Of all ``predicted + a * (y - predicted)`` the nearest to the clean image then
    has ``a = 1 - n * (1 - own) / d``, d the mean squared difference: Stein's lemma (Annals of
    Statistics 9(6), 1981), which is the formula above where `own` is 0.

    Parameters
    ----------
    noisy, predicted : ndarray (S, (Z,) Y, X, C)
        In the same units.
    noise_variance : ndarray
        That broadcasts to them: variance of the noise in squared units.
    own : ndarray or float
        That broadcasts to them: what of each pixel is in its prediction (`own_share`).
    width : float
        Standard deviation of the window, in pixels.

    Returns
    -------
    ndarray of float32, shape of `noisy`

    Examples
    --------
    Where the prediction knows nothing of the image, the noisy pixel counts most.

    >>> rng = np.random.default_rng(0)
    >>> clean = rng.normal(0, 10, (1, 64, 64, 1))
    >>> noisy = clean + rng.normal(0, 1, clean.shape)
    >>> result = posterior_mean(noisy, np.zeros_like(noisy), np.float32(1))
    >>> bool(np.mean((result - clean) ** 2) < 1.1)
    True
    """
    noisy = np.asarray(noisy, np.float32)
    predicted = np.asarray(predicted, np.float32)
    deviation = _deviation(noise_variance)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * np.abs(noisy - predicted).max(initial=0))
    # in units of the noise: 1 where the prediction is the clean image and has nothing of the pixel
    difference = (noisy - predicted) / deviation
    seen = np.maximum(_local_variance(difference, width), _TINY)
    left_out = np.maximum(1 - np.asarray(own, np.float32), 0)
    share = np.clip(1 - left_out / seen, 0, 1)
    limit = _HOT * np.sqrt(np.maximum(seen, left_out**2))
    return predicted + share * np.clip(difference, -limit, limit) * deviation


def own_share(
    predict: Callable[[np.ndarray], np.ndarray],
    noisy: np.ndarray,
    predicted: np.ndarray,
    noise_variance: np.ndarray,
    width: float = WIDTH,
) -> np.ndarray:
    """How much of each pixel is in its own prediction: the derivative, averaged around the pixel.

    All pixels are changed at once, each up or down by chance, and what a prediction changes with
    its own pixel is its derivative, what others bring has mean 0 (Ramani, Blu and Unser,
    Monte-Carlo SURE, IEEE Transactions on Image Processing 17(9), 2008).

    Parameters
    ----------
    predict : callable
        From images to predictions, both (S, (Z,) Y, X, C).
    noisy, predicted : ndarray (S, (Z,) Y, X, C)
        An image and what `predict` makes of it.
    noise_variance : ndarray
        As in `posterior_mean`; pixels are changed by a fifth of its root.
    width : float
        Standard deviation of the window, in pixels.

    Returns
    -------
    ndarray of float32, shape of `noisy`
        0 for blind spots, 1 for the identity.

    Examples
    --------
    >>> noisy = np.zeros((1, 64, 64, 1), np.float32)
    >>> own_share(lambda image: 0.3 * image, noisy, noisy, np.float32(1)).mean().round(3)
    np.float32(0.3)
    """
    from scipy.ndimage import gaussian_filter

    step = np.maximum(
        _STEP * _deviation(noise_variance), _LEAST_STEP * np.abs(noisy).max(initial=0)
    )
    rng = np.random.default_rng(0)
    signs = rng.integers(0, 2, noisy.shape, np.int8) * 2 - 1
    changed = predict((noisy + signs * step).astype(np.float32))
    derivative = np.asarray(signs * (changed - predicted) / step, np.float32)
    return gaussian_filter(derivative, (0.0, *[width] * (noisy.ndim - 2), 0.0))


def _deviation(variance):
    return np.sqrt(np.maximum(np.asarray(variance, np.float32), _TINY))


def _local_variance(values, width):
    """Mean square of values of mean 0 in a window, as far as it is no accident.

    The mean square of n normal values varies by ``2 / n`` of its square. What varies no more from
    window to window is taken for one number, and what varies more is drawn towards the mean by as
    much (James and Stein), image by image and channel by channel.
    """
    local, count = _local_mean_of_squares(values, width)
    axes = tuple(range(1, values.ndim - 1))
    mean = local.mean(axes, keepdims=True)
    accident = 2 / count * np.mean(local**2, axes, keepdims=True)
    real = 1 - accident / np.maximum(local.var(axes, keepdims=True), _TINY)
    return mean + np.clip(real, 0, 1) * (local - mean)


def _local_mean_of_squares(values, width):
    """With the number of values in a window; single ones far off count no more than they could."""
    from scipy.ndimage import gaussian_filter

    n_dim = values.ndim - 2
    window = (0.0, *[width] * n_dim, 0.0)
    offsets = np.arange(-int(4 * width + 0.5), int(4 * width + 0.5) + 1)
    weights = np.exp(-0.5 * (offsets / width) ** 2)
    weights /= weights.sum()
    # of a pixel in its own window, and pixels that a mean with equal weights would have
    own, count = float(weights.max()) ** n_dim, float(np.sum(weights**2)) ** -n_dim
    squares = limited = values**2
    for _ in range(2):
        around = (gaussian_filter(limited, window) - own * limited) / (1 - own)
        limited = np.minimum(squares, _HOT**2 * np.maximum(around, 0))
    return gaussian_filter(limited, window), count
