import numpy as np
import pytest
from scipy.ndimage import convolve

from n2v_tk.data.noise_moments import noise_moments
from n2v_tk.prediction.posterior import own_share, posterior_mean


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


@pytest.mark.parametrize("background", [0.0, 100.0])
def test_what_shows_no_noise_is_given_back(background):
    """Of an empty channel with some bright pixels, whose noise is estimated as 0."""
    noisy = np.full((1, 96, 96, 1), background, np.float32)
    noisy[0, 10:90:20, 10:90:20] += 3
    predicted = np.full_like(noisy, background + 0.1)
    variance = noise_moments(noisy).variance(predicted)
    own = own_share(lambda image: 0 * image + predicted, noisy, predicted, variance)
    result = posterior_mean(noisy, predicted, variance, own)
    dark = noisy == background
    np.testing.assert_allclose(result[dark], background, atol=1e-5)
    assert np.isfinite(result).all()
