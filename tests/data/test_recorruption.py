"""Noise added to one image and taken from the other."""

import numpy as np
import pytest

from n2v_tk.data.recorruption import RecorruptedDataWrapper, recorrupt


def residuals(noisy, clean, variance_of, alpha, seed=1):
    pair = recorrupt(noisy, variance_of, alpha, np.random.default_rng(seed))
    return [(part - clean).ravel().astype(float) for part in pair]


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(2, 256, 256, 1), (1, 16, 96, 96, 2)])
def test_the_noise_of_a_pair_is_independent(alpha, shape, rng):
    clean = rng.uniform(50, 60, shape)
    noisy = clean + rng.normal(0, 10, shape)
    more, less = residuals(noisy, clean, lambda signal: np.float32(100), alpha)
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
        more, less = residuals(noisy, clean, lambda signal, v=variance: np.float32(v), 0.5)
        assert sign * np.corrcoef(more, less)[0, 1] > 0.05


def test_variance_that_depends_on_the_signal_is_that_of_the_signal_not_of_the_pixel(rng):
    clean = np.broadcast_to(np.linspace(20, 200, 512), (1, 512, 512))[..., None]
    gain = 2.0
    noisy = clean + rng.normal(0, 1, clean.shape) * np.sqrt(gain * clean)

    def variance_of(signal):
        return gain * np.maximum(signal, 1)

    more, less = residuals(noisy, clean, variance_of, 0.5)
    for part in (clean.ravel() < 60, clean.ravel() > 160):
        chance = 4 / np.sqrt(part.sum())
        assert abs(np.corrcoef(more[part], less[part])[0, 1]) < chance
    # noise of the pixel itself in its variance makes what is added lopsided with it
    added = (noisy.ravel() - clean.ravel()) * np.square(more - (noisy - clean).ravel())
    assert abs(added.mean()) < 4 * added.std() / np.sqrt(added.size)


def test_the_pixel_itself_is_left_out_at_the_edge_too(rng):
    seen = []

    def variance_of(signal):
        seen.append(signal)
        return np.float32(1)

    noisy = np.zeros((1, 6, 6, 1), np.float32)
    for place in ((0, 0), (0, 3), (5, 5), (2, 2)):
        changed = noisy.copy()
        changed[0, *place, 0] = 8.0
        recorrupt(changed, variance_of, 1.0, rng)
        assert seen[-1][0, *place, 0] == pytest.approx(0, abs=1e-5)
    assert seen[-1][0, 1, 2, 0] == pytest.approx(1.0, rel=1e-5)


def test_batches_repeat_and_are_drawn_anew(rng):
    images = rng.normal(50, 10, (2, 64, 64, 1))

    def data(epoch=0):
        made = RecorruptedDataWrapper(
            images, lambda signal: np.float32(100), 0.5, 4, 3, (32, 32), augment=True, seed=3,
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
    data = RecorruptedDataWrapper(images, lambda s: np.float32(100), 0.5, size, 1, (32, 32), seed=3)
    assert data[0][0].shape == data[0][1].shape == (size, 32, 32, 1)


def test_opposed_noise_makes_the_gradient_of_the_loss_vary_less(rng):
    """Of a linear prediction ``w * x`` on one image: the spread of d loss / d w over draws."""
    image = rng.normal(0, 1, (1, 32, 32, 1)).astype(np.float32)

    def gradient(seed, opposed):
        draws = np.random.default_rng(seed)
        many = image if opposed else np.concatenate([image, image])
        x, y = recorrupt(many, lambda signal: np.float32(0.5), 0.2, draws, opposed)
        return np.mean(2 * (0.5 * x - y) * x)

    spreads = [np.std([gradient(i, opposed) for i in range(200)]) for opposed in (True, False)]
    assert spreads[0] < 0.5 * spreads[1]
