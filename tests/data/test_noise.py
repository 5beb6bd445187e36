import numpy as np
import pytest

from n2v_tk.data.noise import poisson_gaussian
from n2v_tk.errors import ConfigError


def test_mean_and_variance():
    image = np.repeat([20.0, 100.0, 400.0], 200_000)
    noisy = poisson_gaussian(image, gain=2, read_noise=5, offset=10, seed=1)
    for level in np.unique(image):
        values = noisy[image == level]
        assert values.mean() == pytest.approx(level, rel=0.01)
        assert values.var() == pytest.approx(2 * (level - 10) + 25, rel=0.02)


def test_no_noise_is_the_identity():
    image = np.random.default_rng(0).uniform(0, 255, (20, 20)).astype(np.float32)
    np.testing.assert_array_equal(poisson_gaussian(image, gain=0, read_noise=0), image)


def test_seeded():
    image = np.full((10, 10), 50)
    a, b, c = (poisson_gaussian(image, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize("options", [{"gain": -1}, {"read_noise": -1}, {"offset": 60}], ids=str)
def test_impossible_cameras_are_refused(options):
    with pytest.raises(ConfigError, match="Received"):
        poisson_gaussian(np.full((4, 4), 50.0), **options)
