import keras
import numpy as np
import pytest

from n2v_tk.errors import ImageError
from n2v_tk.layers.lanczos import downsample, lanczos_matrix


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_constants_stay_and_shapes_shrink(factor):
    small = keras.ops.convert_to_numpy(downsample(np.full((1, 32, 48, 3), 0.7, "f4"), factor))
    assert small.shape == (1, 32 // factor, 48 // factor, 3)
    np.testing.assert_allclose(small, 0.7, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_ramp_keeps_its_place(factor):
    """Coarse pixels lie in the middle of the fine ones they stand for."""
    n_low = 16
    ramp = lanczos_matrix(n_low, factor) @ np.arange(n_low * factor)
    wanted = factor * np.arange(n_low) + (factor - 1) / 2
    np.testing.assert_allclose(ramp[2:-2], wanted[2:-2], atol=1e-3)


def test_the_kernel_is_lanczos_of_two_lobes():
    row = lanczos_matrix(9, 2)[4]
    offsets = np.arange(-4, 4) + 0.5
    kernel = np.sinc(offsets / 2) * np.sinc(offsets / 4)
    np.testing.assert_allclose(row[np.abs(row) > 0], kernel / kernel.sum(), rtol=1e-5)


def test_fine_stripes_do_not_alias():
    stripes = np.tile([0.0, 1.0], 32)
    assert np.ptp((lanczos_matrix(16, 4) @ stripes)[2:-2]) < 0.01
    assert np.ptp(stripes[::4]) == 0  # plain picking would show one of the two


def test_factor_must_divide():
    with pytest.raises(ImageError, match=r"Received: a picture of 30 x 48 pixels, factor 4"):
        downsample(np.zeros((1, 30, 48, 1), "f4"), 4)
