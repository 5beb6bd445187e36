"""Bayes' rule per pixel, against scipy, Monte Carlo and limits (Laine et al., NeurIPS 2019)."""

import keras
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from n2v_tk.likelihood import (
    Prediction,
    gaussian_nll,
    gaussian_posterior,
    impulse_moments,
    impulse_nll,
    impulse_posterior,
    n_covariance_entries,
    prediction,
)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def outputs(rng, n_channels, n=40, diagonal=False):
    count = n_channels + n_covariance_entries(n_channels, diagonal)
    return rng.normal(0, 1, (n, count)).astype("float32")


def matrices(predicted):
    size = len(predicted.covariance)
    return np.stack(
        [np.stack([numpy(predicted.covariance[i][j]) for j in range(size)], -1)
         for i in range(size)], -2,
    )  # fmt: skip


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("diagonal", [False, True])
def test_covariances_are_symmetric_and_positive(n_channels, diagonal, rng):
    found = matrices(prediction(outputs(rng, n_channels, diagonal=diagonal), n_channels, diagonal))
    assert np.allclose(found, found.swapaxes(-1, -2))
    assert np.linalg.eigvalsh(found).min() > -1e-5
    if diagonal:
        assert np.all(found[:, ~np.eye(n_channels, dtype=bool)] == 0)


def test_the_order_of_entries(rng):
    """Rows of an upper triangular A; the covariance is A times A transposed."""
    x = outputs(rng, 3)
    a0, a1, a2, a3, a4, a5 = x[:, 3:].T
    found = matrices(prediction(x, 3))
    assert np.allclose(found[:, 0, 0], a0**2 + a1**2 + a2**2, rtol=1e-4)
    assert np.allclose(found[:, 0, 1], a1 * a3 + a2 * a4, rtol=1e-3, atol=1e-5)
    assert np.allclose(found[:, 0, 2], a2 * a5, rtol=1e-4)
    assert np.allclose(found[:, 1, 2], a4 * a5, rtol=1e-4)
    assert np.allclose(np.linalg.det(found), (a0 * a3 * a5) ** 2, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_the_likelihood_is_that_of_scipy(n_channels, rng):
    x, y = outputs(rng, n_channels), rng.normal(0, 1, (40, n_channels)).astype("float32")
    variance = np.linspace(0.2, 0.6, n_channels).astype("float32")
    predicted = prediction(x, n_channels)
    full = matrices(predicted).astype(float) + np.diag(variance)
    expected = [
        -multivariate_normal(m, c).logpdf(v) - n_channels / 2 * np.log(2 * np.pi)
        for m, c, v in zip(x[:, :n_channels], full, y, strict=True)
    ]
    assert np.allclose(numpy(gaussian_nll(y, predicted, variance)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_the_posterior_is_that_of_linear_algebra(n_channels, rng):
    x, y = outputs(rng, n_channels), rng.normal(0, 1, (40, n_channels)).astype("float32")
    variance = np.linspace(0.2, 0.6, n_channels).astype("float32")
    predicted = prediction(x, n_channels)
    s, n = matrices(predicted).astype(float), np.diag(variance).astype(float)
    gain = s @ np.linalg.inv(s + n)
    mean = x[:, :n_channels] + np.einsum("nij,nj->ni", gain, y - x[:, :n_channels])
    spread = np.einsum("nii->ni", s - gain @ s)
    found = gaussian_posterior(y, predicted, variance)
    assert np.allclose(numpy(found[0]), mean, atol=1e-3)
    assert np.allclose(numpy(found[1]), spread, atol=1e-3)


def test_limits(rng):
    x, y = outputs(rng, 3), rng.normal(0, 1, (40, 3)).astype("float32")
    predicted = prediction(x, 3)
    mean = x[:, :3]
    # much noise: what the surroundings say
    assert np.allclose(numpy(gaussian_posterior(y, predicted, 1e8)[0]), mean, atol=1e-3)
    # nothing known from the surroundings' side: they are certain
    certain = Prediction(mean, [[0 * c for c in row] for row in predicted.covariance])
    assert np.allclose(numpy(gaussian_posterior(y, certain, 0.1)[0]), mean, atol=1e-6)
    # no noise: the pixel itself
    sure = prediction(np.concatenate([mean, np.tile([1, 0, 0, 1, 0, 1], (40, 1))], -1), 3)
    assert np.allclose(numpy(gaussian_posterior(y, sure, 1e-10)[0]), y, atol=1e-5)
    grey = prediction(x[:, :2], 1)
    between = numpy(gaussian_posterior(y[:, :1], grey, 0.3)[0])
    low, high = np.minimum(y[:, :1], x[:, :1]), np.maximum(y[:, :1], x[:, :1])
    assert np.all((between >= low - 1e-5) & (between <= high + 1e-5))


def test_the_likelihood_finds_mean_and_spread():
    """Fitted to values around 0.4 with spread 0.05, and noise of 0.1 that it is told of."""
    values = np.random.default_rng(0).normal(0.4, np.hypot(0.05, 0.1), 40000).astype("float32")
    means = np.linspace(0.38, 0.42, 9)
    spreads = np.linspace(0.03, 0.07, 9)
    losses = [
        [
            float(np.mean(numpy(gaussian_nll(
                values[:, None], prediction(np.tile(np.float32([[m, s]]), (len(values), 1)), 1),
                0.01,
            ))))
            for s in spreads
        ]
        for m in means
    ]  # fmt: skip
    i, j = np.unravel_index(np.argmin(losses), (9, 9))
    assert means[i] == pytest.approx(0.4, abs=0.006)
    assert spreads[j] == pytest.approx(0.05, abs=0.011)


def test_moments_of_impulse_noise(rng):
    x = 0.2 * outputs(rng, 3, n=1)
    x[:, :3] += 0.5
    predicted, alpha, n = prediction(x, 3), 0.3, 400000
    clean = rng.multivariate_normal(x[0, :3], matrices(predicted)[0], n)
    replaced = rng.random((n, 1)) < alpha
    noisy = np.where(replaced, rng.random((n, 3)), clean)
    moments = impulse_moments(predicted, np.float32([alpha]))
    assert np.allclose(numpy(moments.mean)[0], noisy.mean(0), atol=3e-3)
    assert np.allclose(matrices(moments)[0], np.cov(noisy.T), atol=3e-3)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_the_posterior_of_impulse_noise(n_channels, rng):
    x = 0.1 * outputs(rng, n_channels)
    y = rng.random((40, n_channels)).astype("float32")
    predicted, mean = prediction(x, n_channels), x[:, :n_channels]

    def posterior(noisy, alpha):
        found = impulse_posterior(noisy, predicted, np.full(len(noisy), alpha, "float32"))
        return numpy(found[0])

    assert np.allclose(posterior(y, 1.0), mean, atol=1e-4)
    assert np.allclose(posterior(mean, 0.5), mean, atol=1e-6)
    far = mean + 1000
    assert np.allclose(posterior(far, 0.5), mean, atol=1e-3)
    near = (mean + 1e-4).astype("float32")
    assert np.allclose(posterior(near, 0.0), near, atol=1e-6)
    assert np.isfinite(numpy(impulse_nll(y, predicted, np.full(40, 0.5, "float32")))).all()


def test_gradients_are_finite_where_nothing_is_spread():
    tf = pytest.importorskip("tensorflow")
    for n_channels in (1, 3):
        count = n_channels + n_covariance_entries(n_channels)
        x = tf.Variable(np.zeros((2, count), "float32"))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(gaussian_nll(np.ones((2, n_channels), "float32"),
                                              prediction(x, n_channels), 1e-6))  # fmt: skip
        assert np.isfinite(tape.gradient(loss, x).numpy()).all()
