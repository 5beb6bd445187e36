import keras
import numpy as np
import pytest

from n2v_tk.nets.initialize import initialize
from n2v_tk.nets.swinir import build_swinir

TINY = {"width": 12, "heads": 2, "depths": (2, 2), "window": 4}


@pytest.fixture
def tiny():
    network = build_swinir(1, **TINY, seed=0)
    initialize(network, 0)
    return network


def predict(network, x, **options):
    return keras.ops.convert_to_numpy(network(x, **options))


def test_parameters_of_the_published_network():
    assert build_swinir(3).count_params() == 824_118
    assert build_swinir(1).count_params() == 822_916


def test_the_image_does_not_leak_into_the_result(rng):
    """With every pixel dropped the result does not depend on the image at all."""
    network = build_swinir(1, **TINY, input_mask=(1.0, 1.0), attention_mask=0, stochastic_depth=0)
    initialize(network, 0)
    results = [predict(network, rng.random((1, 16, 16, 1)), training=True) for _ in range(2)]
    np.testing.assert_array_equal(*results)


def test_predictions_are_not_random(tiny, rng):
    x = rng.random((1, 16, 24, 1)).astype("f4")
    np.testing.assert_array_equal(predict(tiny, x), predict(tiny, x))
    first, second = (predict(tiny, x, training=True) for _ in range(2))
    assert (first != second).any()


@pytest.mark.slow
def test_masks_at_test_are_random_around_a_mean(rng):
    network = build_swinir(1, **TINY, attention_mask_at_test=True, seed=0)
    initialize(network, 0)
    x = rng.random((1, 8, 8, 1)).astype("f4")
    draws = np.array([predict(network, x) for _ in range(60)])
    single = (draws[0] - draws[1]).std()
    halves = (draws[::2].mean(axis=0) - draws[1::2].mean(axis=0)).std()
    assert single > 0
    assert halves < 0.5 * single


def test_saves_and_loads(tiny, tmp_path, rng):
    tiny.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    x = rng.random((1, 8, 12, 1)).astype("f4")
    np.testing.assert_allclose(predict(again, x), predict(tiny, x), atol=1e-6)


def test_the_same_seed_draws_the_same_weights():
    networks = [build_swinir(1, **TINY) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialize(network, seed)
    first, same, other = ([w.copy() for w in network.get_weights()] for network in networks)
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    bias = networks[0].get_layer("g0_0_attention").relative_bias
    assert 0.01 < float(keras.ops.std(bias)) < 0.025
    assert float(keras.ops.max(keras.ops.abs(bias))) <= 0.04 + 1e-6
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
