import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from n2v_tk.layers.local_means import LocalMeans


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_the_formula(rng):
    images, results = rng.random((2, 2, 24, 40, 3)).astype("f4")
    there = gaussian_filter(np.ones((24, 40)), 2.0, mode="constant", truncate=3)[..., None]
    blurred = gaussian_filter(images - results, (0, 2.0, 2.0, 0), mode="constant", truncate=3)
    found = numpy_of(LocalMeans(2.0)([images, results]))
    np.testing.assert_allclose(found, results + blurred / there, atol=1e-5)


def test_a_result_that_is_too_bright_everywhere_is_put_right(rng):
    images = rng.random((1, 16, 20, 1)).astype("f4")
    found = numpy_of(LocalMeans(3.0)([images, images + 0.7]))
    np.testing.assert_allclose(found, images, atol=1e-5)


def test_noise_is_divided_as_said(rng):
    noise = rng.normal(size=(1, 256, 256, 1)).astype("f4")
    through = numpy_of(LocalMeans(6.0)([noise, np.zeros_like(noise)]))[0, 32:-32, 32:-32]
    np.testing.assert_allclose(through.std(), 1 / (2 * np.sqrt(np.pi) * 6), rtol=0.15)


def test_training_sees_the_network_alone(rng):
    images, results = rng.random((2, 1, 16, 16, 1)).astype("f4")
    np.testing.assert_array_equal(
        numpy_of(LocalMeans(2.0)([images, results], training=True)), results
    )


def test_in_float32_under_any_policy(rng):
    images, results = rng.random((2, 1, 32, 32, 1)).astype("f4")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = LocalMeans(4.0)
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(
        numpy_of(layer([images, results])), numpy_of(LocalMeans(4.0)([images, results]))
    )
