import itertools

import keras
import numpy as np
import pytest
from keras import layers

from n2v_tk.layers import MaxBlurPool
from n2v_tk.nets.unet import _blur_pool


def reference(x):
    """Running maximum and strided binomial correlation in numpy, padding 'same' included."""
    sides = x.shape[1:-1]
    n_dim = len(sides)
    high = np.pad(x, [(0, 0), *[(0, 1)] * n_dim, (0, 0)], constant_values=-np.inf)
    maximum = np.max(
        [
            high[(slice(None), *(slice(o, o + s) for o, s in zip(offset, sides, strict=True)))]
            for offset in itertools.product((0, 1), repeat=n_dim)
        ],
        axis=0,
    )
    padded = np.pad(maximum, [(0, 0), *[(s % 2, 1) for s in sides], (0, 0)])
    result = 0
    for offset in itertools.product((0, 1, 2), repeat=n_dim):
        weight = np.prod([(0.25, 0.5, 0.25)[o] for o in offset])
        window = tuple(
            slice(o, o + 2 * -(-s // 2) - 1, 2) for o, s in zip(offset, sides, strict=True)
        )
        result = result + weight * padded[(slice(None), *window)]
    return result


@pytest.mark.parametrize("sides", [(8, 10), (7, 10), (9, 5), (6, 8, 4), (5, 8, 7)])
def test_layer_equals_numpy(sides, rng):
    x = rng.normal(size=(2, *sides, 3)).astype(np.float32)
    y = keras.ops.convert_to_numpy(MaxBlurPool()(x))
    np.testing.assert_allclose(y, reference(x), atol=1e-6)
    assert y.shape[1:-1] == tuple(-(-s // 2) for s in sides)


@pytest.mark.parametrize("sides", [(8, 10), (6, 8, 4)])
def test_stock_layers_equal_numpy(sides, rng):
    inputs = keras.Input((*sides, 3))
    net = keras.Model(inputs, _blur_pool(inputs, (2,) * len(sides), "pool"))
    assert all(type(layer).__module__.startswith("keras.") for layer in net.layers)
    assert net.trainable_weights == []
    x = rng.normal(size=(2, *sides, 3)).astype(np.float32)
    np.testing.assert_allclose(net.predict_on_batch(x), reference(x), atol=1e-6)
    if len(sides) == 2:
        kernel = net.get_layer("pool_blur").get_weights()[0]
        np.testing.assert_allclose(kernel.sum(axis=(0, 1)), 1)


@pytest.mark.parametrize("shape", [(1, 9, 9, 2), (1, 8, 6, 1), (1, 8, 8, 8, 1)])
def test_constant_in_constant_out_but_for_the_last_row_and_column(shape):
    y = keras.ops.convert_to_numpy(MaxBlurPool()(np.full(shape, 3.0, np.float32)))
    inner = tuple(slice(1 if s % 2 else 0, -1) for s in shape[1:-1])
    np.testing.assert_allclose(y[(slice(None), *inner)], 3.0, rtol=1e-6)
    assert y[0, -1, 0, ..., 0].max() < 3.0


@pytest.mark.parametrize("n_dim", [2, 3])
def test_layer_in_a_network_of_any_size(n_dim, rng, tmp_path):
    conv = layers.Conv2D if n_dim == 2 else layers.Conv3D
    net = keras.Sequential(
        [keras.Input((*[None] * n_dim, 2)), MaxBlurPool(name="pool"), conv(1, 3, padding="same")]
    )
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    for side in (6, 7):
        x = rng.normal(size=(1, *[side] * n_dim, 2)).astype(np.float32)
        np.testing.assert_array_equal(net.predict_on_batch(x), again.predict_on_batch(x))
    assert net.output_shape == (None, *[None] * n_dim, 1)


def test_other_ranks_are_refused():
    with pytest.raises(ValueError, match="Received: input shape"):
        MaxBlurPool()(np.zeros((1, 4, 2), np.float32))
