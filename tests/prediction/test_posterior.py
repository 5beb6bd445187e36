import numpy as np
import pytest
from scipy.ndimage import convolve

from n2v_tk import estimate_noise
from n2v_tk.data.noise_estimation import NoiseEstimate
from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.prediction.posterior import noise_variance_of, own_share, posterior_mean


def error(a, b):
    return float(np.mean((a - b) ** 2))


def test_the_mean_of_two_normal_distributions(rng):
    """With a wide window the spread is that of the whole image, and the formula is exact."""
    clean = rng.normal(0, 2.0, (1, 200, 200, 1))
    noisy = clean + rng.normal(0, 1.0, clean.shape)
    result = posterior_mean(noisy, np.zeros_like(noisy), np.float32(1.0), width=1000.0)
    total = np.sqrt(np.mean(noisy**2))
    weight = (result / noisy)[np.abs(noisy) < 2 * total]
    assert np.ptp(weight) < 1e-3
    # the few beyond three deviations count a little less
    np.testing.assert_allclose(weight, 4 / 5, rtol=0.01)
    assert error(result, clean) < error(noisy, clean) < error(0 * clean, clean)


def test_a_perfect_prediction_stays(rng):
    clean = rng.random((2, 96, 96, 2)) * 100
    noisy = clean + rng.normal(0, 5.0, clean.shape)
    result = posterior_mean(noisy, clean, np.float32(25.0))
    assert error(result, clean) < 0.05 * error(noisy, clean)


def test_an_image_without_noise_is_given_back(rng):
    clean = rng.normal(0, 100, (1, 64, 64, 1))
    result = posterior_mean(clean, np.zeros_like(clean, np.float32), np.float32(1e-12))
    assert result.dtype == np.float32
    near = np.abs(clean) < 200
    np.testing.assert_allclose(result[near], clean[near], rtol=1e-5)


@pytest.mark.parametrize("n_dim", [2, 3])
def test_it_is_nearer_to_the_clean_image_than_what_leaves_the_pixel_out(rng, n_dim):
    """Of a texture that neighbours tell only in part."""
    shape = (1, *((8, 48, 48) if n_dim == 3 else (128, 128)), 2)
    clean = 20 * rng.standard_normal(shape)
    for axis in range(1, n_dim + 1):
        clean = clean + np.roll(clean, 1, axis)
    noisy = clean + rng.normal(0, 15.0, shape)
    around = np.ones((1, *[3] * n_dim, 1))
    around[(0, *[1] * n_dim, 0)] = 0
    predicted = convolve(noisy, around / around.sum())
    result = posterior_mean(noisy, predicted, np.float32(225.0))
    first, second = error(predicted, clean), error(noisy, clean)
    assert error(result, clean) < 1.02 * first * second / (first + second)


@pytest.mark.parametrize("own", [0.1, 0.3])
def test_what_a_prediction_has_of_the_pixel_counts(rng, own):
    """The best mean is the same, however much of the pixel was in it before."""
    clean = np.cumsum(rng.normal(0, 3.0, (2, 96, 96, 1)), axis=1)
    noisy = clean + rng.normal(0, 4.0, clean.shape)
    blind = (np.roll(noisy, 1, 1) + np.roll(noisy, -1, 1)) / 2
    expected = posterior_mean(noisy, blind, np.float32(16.0))
    some = (1 - own) * blind + own * noisy
    result = posterior_mean(noisy, some, np.float32(16.0), own)
    # all but the few beyond three deviations
    assert np.mean(np.abs(result - expected) < 1e-3) > 0.99
    assert error(result, clean) < min(error(some, clean), error(blind, clean))
    assert error(result, clean) < error(posterior_mean(noisy, some, np.float32(16.0)), clean)


@pytest.mark.parametrize("n_dim", [2, 3])
def test_the_share_of_the_pixel_is_found(rng, n_dim):
    noisy = rng.normal(100, 10, (2, *((12, 32, 32) if n_dim == 3 else (96, 96)), 1))
    kernel = rng.random((1, *[3] * n_dim, 1))
    kernel /= kernel.sum()
    for own in (0.0, 0.25, 0.9):
        kernel[(0, *[1] * n_dim, 0)] = own
        predicted = convolve(noisy, kernel, mode="nearest")
        share = own_share(
            lambda image: convolve(image, kernel, mode="nearest"), noisy, predicted, np.float32(100)
        )
        assert share.shape == noisy.shape
        assert abs(share.mean() - own) < 0.01
        assert np.abs(share - own).max() < 0.15


def test_the_share_is_of_the_place(rng):
    noisy = rng.normal(0, 1, (1, 128, 128, 1))
    own = np.where(np.arange(128)[:, None, None] < 64, 0.1, 0.7)
    share = own_share(lambda image: own * image, noisy, own * noisy, np.float32(1))
    np.testing.assert_allclose(share[0, :30], 0.1, atol=0.01)
    np.testing.assert_allclose(share[0, 98:], 0.7, atol=0.01)


def test_hot_pixels_do_not_come_back(rng):
    clean = np.full((1, 64, 64, 1), 100.0)
    noisy = clean + rng.normal(0, 5.0, clean.shape)
    noisy[0, 30, 30, 0] += 1000
    result = posterior_mean(noisy, clean, np.float32(25.0))
    assert abs(result[0, 30, 30, 0] - 100) < 10
    # and what is around is as without
    assert np.abs(result - clean)[0, 20:40, 20:40].mean() < 1.5


def test_samples_and_channels_have_nothing_to_do_with_each_other(rng):
    noisy = rng.normal(0, 1, (2, 32, 32, 2))
    predicted = rng.normal(0, 1, noisy.shape)
    result = posterior_mean(noisy, predicted, np.float32(1.0))
    for s in range(2):
        for c in range(2):
            one = (slice(s, s + 1), ..., slice(c, c + 1))
            alone = posterior_mean(noisy[one], predicted[one], np.float32(1.0))
            np.testing.assert_allclose(result[one], alone, atol=1e-5)


def test_the_variance_of_the_noise(rng):
    clean = np.array([0.0, 100.0, 1000.0]).reshape(1, 1, 3, 1)

    def variance(noise):
        return noise_variance_of(clean, noise)(clean).ravel()

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
    variance = noise_variance_of(clean.reshape(1, 1, 2, 1), (2.0, 100.0, 0.0))(clean)
    np.testing.assert_allclose(variance, [0.04, 400.0])


@pytest.mark.parametrize("background", [0.0, 100.0])
def test_what_shows_no_noise_is_given_back(background):
    """Of an empty channel with some bright pixels, whose noise is estimated as 0."""
    noisy = np.full((1, 96, 96, 1), background, np.float32)
    noisy[0, 10:90:20, 10:90:20] += 3
    predicted = np.full_like(noisy, background + 0.1)
    variance = noise_variance_of(noisy)(predicted)
    own = own_share(lambda image: 0 * image + predicted, noisy, predicted, variance)
    result = posterior_mean(noisy, predicted, variance, own)
    dark = noisy == background
    np.testing.assert_allclose(result[dark], background, atol=1e-5)
    assert np.isfinite(result).all()


def test_estimates_are_of_each_channel():
    one = NoiseEstimate(1.0, 0.0, np.nan, 1.0, 1.0)
    image = np.zeros((1, 8, 8, 3))
    assert noise_variance_of(image, [one] * 3)(image).shape == image.shape
    with pytest.raises(ConfigError, match="2 for 3 channels"):
        noise_variance_of(image, [one] * 2)


def test_channels_are_estimated_on_their_own(rng):
    noisy = rng.normal(100, [[[[5.0, 20.0]]]], (1, 256, 256, 2))
    variance = noise_variance_of(noisy)(noisy)
    for c in range(2):
        expected = estimate_noise(noisy[..., c]).sigma ** 2
        np.testing.assert_allclose(variance[..., c].mean(), expected, rtol=0.1)


@pytest.mark.parametrize(
    "noise", [0, -1, np.nan, "a", [], (1, 2), (0, 0, 1), (1, 0, -1), [[1, 2], 3]]
)
def test_noise_that_is_none(noise):
    with pytest.raises(ConfigError, match="Received"):
        noise_variance_of(np.zeros((1, 64, 64, 1)), noise)


def test_too_few_pixels_to_tell_the_noise_from():
    with pytest.raises(ImageError, match=r"Too few pixels.*Give the noise"):
        noise_variance_of(np.zeros((1, 32, 32, 1)))
