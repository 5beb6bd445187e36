import numpy as np
import pytest

from n2v_tk.data.noise_estimation import estimate_noise
from n2v_tk.evaluation.report_text import (
    verdict_of_held_out,
    verdict_of_linearity,
    verdict_of_residual,
)
from n2v_tk.evaluation.trust import (
    HeldOut,
    held_out_error,
    linearity,
    residual_of,
    unsupervised_mse,
)


@pytest.fixture
def scene(rng):
    y, x = np.mgrid[:160, :180]
    clean = 200 + 80 * np.sin(y / 15) * np.cos(x / 13)
    return clean, clean + rng.normal(0, 12, clean.shape)


def test_a_perfect_result_is_trusted(scene):
    clean, noisy = scene
    found = residual_of(noisy, clean)
    assert abs(found.std - 12) < 0.3
    assert verdict_of_residual(found)[0][0] == "good"
    slope, offset = linearity(noisy, clean)
    assert abs(slope - 1) < 0.01
    assert verdict_of_linearity(slope, offset, clean)[0][0] == "good"


def test_lost_structure_is_seen(scene):
    clean, noisy = scene
    flat = np.full_like(clean, clean.mean())
    assert verdict_of_residual(residual_of(noisy, flat))[0][0] == "problem"
    pale = clean.mean() + 0.6 * (clean - clean.mean())
    slope, offset = linearity(noisy, pale)
    assert abs(slope - 1 / 0.6) < 0.02
    assert verdict_of_linearity(slope, offset, pale)[0][0] == "problem"


def test_noise_that_was_left_is_seen(scene):
    from scipy.ndimage import gaussian_filter

    clean, noisy = scene
    smoothed = clean + gaussian_filter(noisy - clean, 0.7)
    kind, text = verdict_of_residual(residual_of(noisy, smoothed))[0]
    assert kind == "warning"
    assert "noise was left" in text


class Model:
    """Denoises by some function of (Y, X)."""

    class config:
        axes = "YXC"

    def __init__(self, function):
        self.function = function

    def predict(self, image, axes):
        assert axes == "YXC"
        return self.function(image[..., 0])[..., None]


def test_pixels_that_are_held_out(scene):
    clean, noisy = scene
    noise = estimate_noise(noisy)
    best = held_out_error(Model(lambda image: clean), noisy[..., None], noise)
    assert abs(best.mse / 144 - 1) < 0.1
    assert best.error < 5
    # what copies its input cannot copy what it does not see
    copy = held_out_error(Model(lambda image: image), noisy[..., None], noise)
    assert copy.mse > 1.05 * 144
    worse = held_out_error(Model(lambda image: clean + 20), noisy[..., None], noise)
    assert abs(worse.error - 20) < 2
    assert verdict_of_held_out(best, 160)[0][0] == "good"
    assert verdict_of_held_out(worse, 160)[0][0] == "warning"
    assert verdict_of_held_out(HeldOut(50.0, 144.0, 100), 160)[0][0] == "warning"


def test_what_is_held_out_is_replaced_as_the_model_learned(rng):
    """What copies its input then shows how many pixels were averaged in their place."""
    noisy = rng.normal(0, 12, (300, 300, 1))
    noise = estimate_noise(noisy[..., 0])

    class Means(Model):
        class config(Model.config):
            n2v_manipulator, n2v_neighborhood_radius = "mean", 1

    found = held_out_error(Means(lambda image: image), noisy, noise)
    assert abs(found.mse / 144 - (1 + 1 / 8)) < 0.03
    Means.config.n2v_neighborhood_radius = 2
    found = held_out_error(Means(lambda image: image), noisy, noise)
    assert abs(found.mse / 144 - (1 + 1 / 24)) < 0.03
    # a window's pixel may be the hidden one itself
    Means.config.n2v_manipulator = "uniform_withCP"
    found = held_out_error(Means(lambda image: image), noisy, noise)
    assert found.mse < 1.2 * 144


@pytest.mark.parametrize("n", [2, 3, 6])
def test_error_from_repeated_looks(rng, n):
    y, x = np.mgrid[:300, :300]
    clean = 200 + 80 * np.sin(y / 15) * np.cos(x / 13)
    looks = [clean + rng.normal(0, 12, clean.shape) for _ in range(n)]
    result = clean + rng.normal(0, 4, clean.shape)
    assert abs(unsupervised_mse(result, looks) - 16) < 3
