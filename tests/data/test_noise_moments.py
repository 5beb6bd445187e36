"""Variance and third moment of the noise over the signal."""

import numpy as np
import pytest

from n2v_tk import estimate_noise
from n2v_tk.data.noise_estimation import NoiseEstimate
from n2v_tk.data.noise_moments import noise_moments
from n2v_tk.errors import ConfigError, ImageError


def test_the_variance_of_the_noise(rng):
    clean = np.array([0.0, 100.0, 1000.0]).reshape(1, 1, 3, 1)

    def variance(noise):
        return noise_moments(clean, noise).variance(clean).ravel()

    np.testing.assert_allclose(variance(3.0), 9.0)
    # gain (signal - offset) + read noise squared, and no less than in the dark
    np.testing.assert_allclose(variance((2.0, 100.0, 5.0)), [25.0, 25.0, 1825.0])
    estimate = NoiseEstimate(20.0, 2.0, 50.0, -100.0, 40.0)
    np.testing.assert_allclose(variance(estimate), [40.0, 100.0, 1900.0])
    flat = NoiseEstimate(20.0, 0.0, np.nan, 400.0, 500.0)
    np.testing.assert_allclose(variance(flat), 400.0)


def test_a_camera_without_read_noise(rng):
    """As `NoiseEstimate.camera` tells of one with an empty background."""
    clean = np.array([100.0, 300.0])
    variance = noise_moments(clean.reshape(1, 1, 2, 1), (2.0, 100.0, 0.0)).variance(clean)
    np.testing.assert_allclose(variance, [0.04, 400.0])


def test_estimates_are_of_each_channel():
    one = NoiseEstimate(1.0, 0.0, np.nan, 1.0, 1.0)
    image = np.zeros((1, 8, 8, 3))
    assert noise_moments(image, [one] * 3).variance(image).shape == image.shape
    with pytest.raises(ConfigError, match="2 for 3 channels"):
        noise_moments(image, [one] * 2)


def test_channels_are_estimated_on_their_own(rng):
    noisy = rng.normal(100, [[[[5.0, 20.0]]]], (1, 256, 256, 2))
    variance = noise_moments(noisy).variance(noisy)
    for c in range(2):
        expected = estimate_noise(noisy[..., c]).sigma ** 2
        np.testing.assert_allclose(variance[..., c].mean(), expected, rtol=0.1)


@pytest.mark.parametrize(
    "noise", [0, -1, np.nan, "a", [], (1, 2), (0, 0, 1), (1, 0, -1), [[1, 2], 3]]
)
def test_noise_that_is_none(noise):
    with pytest.raises(ConfigError, match="Received"):
        noise_moments(np.zeros((1, 64, 64, 1)), noise)


def test_too_few_pixels_to_tell_the_noise_from():
    with pytest.raises(ImageError, match=r"Too few pixels.*Give the noise"):
        noise_moments(np.zeros((1, 32, 32, 1)))


def test_third_moments_are_those_of_photons_and_0_of_normal_noise():
    clean = np.array([0.0, 100.0, 300.0]).reshape(1, 1, 3, 1)

    def third(noise):
        moments = noise_moments(clean, noise)
        return (moments.photon(clean) * moments.variance(clean)).ravel()

    np.testing.assert_allclose(third(3.0), 0)
    # gain squared times (signal - offset), whatever the read noise is
    for read in (0.0, 5.0):
        np.testing.assert_allclose(third((2.0, 100.0, read)), [0, 0, 800.0], atol=0.2)
    estimate = NoiseEstimate(20.0, 2.0, 50.0, -100.0, 40.0, 0.3, 50.0)
    np.testing.assert_allclose(third(estimate), [0, 100.0, 900.0], rtol=1e-5)


@pytest.mark.parametrize("side", [128, 512])
@pytest.mark.parametrize(
    ("multiplied", "read"), [(False, 0), (False, 3), (True, 0)],
    ids=["poisson", "with read noise", "electron multiplier"],
)  # fmt: skip
def test_third_moments_are_told_by_the_image(multiplied, read, side):
    """Behind an electron multiplier those of photons of its gain of 2, though it has more."""
    clean = np.tile(np.linspace(4, 30, side), (side, 1))
    rng = np.random.default_rng(3)
    noisy = rng.poisson(clean).astype(float)
    if multiplied:
        noisy = np.where(noisy > 0, rng.gamma(np.maximum(noisy, 1)), 0)
    noisy += rng.normal(0, read, clean.shape)
    gain = 2 if multiplied else 1
    levels = np.array([10.0, 15.0, 20.0])
    expected = gain * (1 - read**2 / (gain * levels + read**2))
    photon = noise_moments(noisy[None, ..., None]).photon(levels)
    np.testing.assert_allclose(photon / expected, 1, atol=0.15 if side == 512 else 0.55)


def test_normal_noise_has_no_third_moment(rng):
    clean = np.tile(np.linspace(20, 200, 512), (512, 1))
    moments = noise_moments((clean + rng.normal(0, 10, clean.shape))[None, ..., None])
    assert abs(moments.photon(100.0) / 10) < 0.02
