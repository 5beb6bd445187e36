"""Noise added to one image and taken from the other."""

import numpy as np
import pytest

from n2v_tk.data.noise_moments import NoiseMoments
from n2v_tk.data.recorruption import RecorruptedDataWrapper, recorrupt


def noise_of(variance, gain=0.0, normal=np.inf):
    """With ``gain * signal + variance``, of which so much is normal."""
    return NoiseMoments([(gain, variance, 1e-3, normal)])


def residuals(noisy, clean, noise, alpha, seed=1):
    """Of the second half of a pair, which is drawn the other way round."""
    pair = recorrupt(noisy, noise, alpha, np.random.default_rng(seed), opposed=True)
    return [(part[len(noisy) :] - clean).ravel().astype(float) for part in pair]


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(2, 256, 256, 1), (1, 16, 96, 96, 2)])
def test_the_noise_of_a_pair_is_independent(alpha, shape, rng):
    clean = rng.uniform(50, 60, shape)
    noisy = clean + rng.normal(0, 10, shape)
    more, less = residuals(noisy, clean, noise_of(100), alpha)
    chance = 4 / np.sqrt(more.size)
    assert abs(np.corrcoef(more, less)[0, 1]) < chance
    # normal, so no correlation of squares either
    assert abs(np.corrcoef(more**2, less**2)[0, 1]) < chance
    assert more.var() == pytest.approx(100 * (1 + alpha**2), rel=0.02)
    assert less.var() == pytest.approx(100 * (1 + 1 / alpha**2), rel=0.02)
    assert abs(more.mean()) < 4 * more.std() / np.sqrt(more.size)


def test_a_wrong_level_leaves_them_correlated(rng):
    clean = np.full((1, 256, 256, 1), 50.0)
    noisy = clean + rng.normal(0, 10, clean.shape)
    for variance, sign in ((60, 1), (150, -1)):
        more, less = residuals(noisy, clean, noise_of(variance), 0.5)
        assert sign * np.corrcoef(more, less)[0, 1] > 0.05


def test_variance_that_depends_on_the_signal_is_that_of_the_signal_not_of_the_pixel(rng):
    clean = np.broadcast_to(np.linspace(20, 200, 512), (1, 512, 512))[..., None]
    gain = 2.0
    noisy = clean + rng.normal(0, 1, clean.shape) * np.sqrt(gain * clean)
    more, less = residuals(noisy, clean, noise_of(0, gain), 0.5)
    for part in (clean.ravel() < 60, clean.ravel() > 160):
        chance = 4 / np.sqrt(part.sum())
        assert abs(np.corrcoef(more[part], less[part])[0, 1]) < chance
    # noise of the pixel itself in its variance makes what is added lopsided with it
    added = (noisy.ravel() - clean.ravel()) * np.square(more - (noisy - clean).ravel())
    assert abs(added.mean()) < 4 * added.std() / np.sqrt(added.size)


def cumulants(more, less):
    """Of third order, of both with each other, over the deviations."""
    more, less = ((part - part.mean()) / part.std() for part in (more, less))
    return np.array([np.mean(more * less), np.mean(more**2 * less), np.mean(more * less**2)])


@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("most", [30, 90], ids=["few", "many"])
def test_photons_of_a_pair_have_no_cumulants_in_common_up_to_third_order(alpha, most):
    rng = np.random.default_rng(4)
    clean = np.broadcast_to(np.linspace(0.4 * most, most, 800), (1, 800, 800))[..., None]
    gain = 3.0
    noisy, clean = gain * rng.poisson(clean), gain * clean
    chance = 5 / np.sqrt(clean.size)
    found = cumulants(*residuals(noisy, clean, noise_of(0, gain, 0.0), alpha))
    assert np.abs(found).max() < chance + 0.002
    # which those of the variance alone have
    found = cumulants(*residuals(noisy, clean, noise_of(0, gain), alpha))
    noise = noisy - clean
    skewness = np.mean(noise**3) / noise.std() ** 3
    expected = skewness / ((1 + alpha**2) * np.sqrt(1 + 1 / alpha**2))
    assert found[1] == pytest.approx(expected, rel=0.15, abs=chance / 2)


def test_photons_with_read_noise(rng):
    """Twelve photons and read noise of three: of 21 of the variance 9 have no third moment."""
    clean = np.full((1, 700, 700, 1), 12.0)
    noisy = rng.poisson(clean) + rng.normal(0, 3, clean.shape)
    noise = noise_of(9.0, 1.0, 9.0)
    found = cumulants(*residuals(noisy, clean, noise, 0.3))
    assert np.abs(found).max() < 0.01
    assert cumulants(*residuals(noisy, clean, noise_of(9.0, 1.0, 0.0), 0.3))[1] < -0.02


def test_the_noise_of_few_photons_is_uncorrelated(rng):
    """Down to one, of which most pixels have none or one."""
    for photons in (1, 3):
        noisy = rng.poisson(np.full((1, 600, 600, 1), photons)).astype(float)
        more, less = residuals(noisy, photons, noise_of(0, 1.0, 0.0), 0.3)
        assert np.abs(cumulants(more, less)).max() < 0.03
        assert more.var() == pytest.approx(1.09 * photons, rel=0.03)
        # dark pixels have no noise to add
        dark = noisy.ravel() == 0
        assert np.abs(more[dark] + photons).max() < 0.1


def test_the_pixel_itself_is_left_out_at_the_edge_too(rng):
    seen = []

    class Seeing(NoiseMoments):
        def variance(self, signal):
            seen.append(signal)
            return super().variance(signal)

    noise = Seeing([(0.0, 1.0, 1.0, 0.0)])
    noisy = np.zeros((1, 6, 6, 1), np.float32)
    for place in ((0, 0), (0, 3), (5, 5), (2, 2)):
        changed = noisy.copy()
        changed[0, *place, 0] = 8.0
        recorrupt(changed, noise, 1.0, rng)
        assert seen[-1][0, *place, 0] == pytest.approx(0, abs=1e-5)
    assert seen[-1][0, 1, 2, 0] == pytest.approx(1.0, rel=1e-5)


def test_batches_repeat_and_are_drawn_anew(rng):
    images = rng.normal(50, 10, (2, 64, 64, 1))

    def data(epoch=0):
        made = RecorruptedDataWrapper(
            images, noise_of(100), 0.5, 4, 3, (32, 32), augment=True, seed=3,
            scaling=(np.array([50.0]), np.array([10.0])),
        )  # fmt: skip
        made.epoch = epoch
        return made

    x, y = data()[1]
    assert x.shape == y.shape == (4, 32, 32, 1)
    assert x.dtype == y.dtype == np.float32
    np.testing.assert_array_equal(x, data()[1][0])
    assert not np.array_equal(x, data(1)[1][0])
    # every patch twice, with noise of either sign
    for first, second in ((x[:2], x[2:]), (y[:2], y[2:])):
        assert not np.array_equal(first, second)
    np.testing.assert_allclose(x[:2] + x[2:], y[:2] + y[2:], atol=1e-4)
    # normalised: their weighed mean is the image, whose noise has variance 1 there
    image = (x + 0.25 * y) / 1.25
    assert image.var() == pytest.approx(1, rel=0.15)
    assert x.var() == pytest.approx(1.25, rel=0.15)
    assert y.var() == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("size", [1, 3])
def test_batches_of_odd_sizes(size, rng):
    images = rng.normal(50, 10, (1, 64, 64, 1))
    data = RecorruptedDataWrapper(images, noise_of(100), 0.5, size, 1, (32, 32), seed=3)
    assert data[0][0].shape == data[0][1].shape == (size, 32, 32, 1)


def test_opposed_noise_makes_the_gradient_of_the_loss_vary_less(rng):
    """Of a linear prediction ``w * x`` on one image: the spread of d loss / d w over draws."""
    image = rng.normal(0, 1, (1, 32, 32, 1)).astype(np.float32)

    def gradient(seed, opposed):
        draws = np.random.default_rng(seed)
        many = image if opposed else np.concatenate([image, image])
        x, y = recorrupt(many, noise_of(0.5), 0.2, draws, opposed)
        return np.mean(2 * (0.5 * x - y) * x)

    spreads = [np.std([gradient(i, opposed) for i in range(200)]) for opposed in (True, False)]
    assert spreads[0] < 0.5 * spreads[1]
