"""Noise models: made noise for demonstrations, tests and benchmarks."""

from __future__ import annotations

import numpy as np

from ..errors import ConfigError


def poisson_gaussian(
    image: np.ndarray,
    gain: float = 1.0,
    read_noise: float = 0.0,
    offset: float = 0.0,
    seed: int | None = 0,
) -> np.ndarray:
    """Shot and read noise of a camera.

    ``y = gain * Poisson((image - offset) / gain) + Normal(0, read_noise) + offset`` has the image
    as its mean and ``gain * (image - offset) + read_noise**2`` as its variance. Nothing is
    clipped or rounded, since both would make the noise depend on the signal in its mean.

    Parameters
    ----------
    image : ndarray
        Clean image, in grey values.
    gain : float
        Grey values per photo-electron. 0 leaves shot noise out.
    read_noise : float
        Standard deviation of the read noise, in grey values.
    offset : float
        Grey value of the dark camera.
    seed : int, optional
        Seed of the draw.

    Returns
    -------
    ndarray of float32, shape of `image`

    Raises
    ------
    ConfigError
        For a negative `gain` or `read_noise`, or an image below `offset` when `gain` is not 0.

    Examples
    --------
    >>> noisy = poisson_gaussian(np.full((100, 100), 50.0), gain=2.0, read_noise=5.0)
    >>> bool(abs(noisy.mean() - 50) < 1), bool(abs(noisy.var() - 125) < 8)
    (True, True)
    """
    if gain < 0 or read_noise < 0:
        raise ConfigError(
            "gain and read_noise must not be negative. "
            f"Received: gain={gain}, read_noise={read_noise}."
        )
    rng = np.random.default_rng(seed)
    signal = np.asarray(image, np.float64) - offset
    if gain > 0:
        if signal.min() < 0:
            raise ConfigError(
                "Shot noise needs an image that is nowhere darker than the offset. "
                f"Received: minimum {signal.min() + offset}, offset {offset}."
            )
        signal = gain * rng.poisson(signal / gain)
    return (signal + read_noise * rng.standard_normal(signal.shape) + offset).astype(np.float32)
