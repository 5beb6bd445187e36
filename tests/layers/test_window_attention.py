import keras
import numpy as np
import pytest

from n2v_tk.layers.window_attention import (
    PixelMask,
    TokenMask,
    WindowAttention,
    join,
    partition,
    relative_positions,
)


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_windows_there_and_back(rng):
    x = rng.random((2, 16, 24, 3)).astype("f4")
    windows = numpy_of(partition(x, 8))
    assert windows.shape == (2 * 2 * 3, 64, 3)
    np.testing.assert_array_equal(windows[1].reshape(8, 8, 3), x[0, :8, 8:16])
    np.testing.assert_array_equal(numpy_of(join(windows, 8, 16, 24)), x)


def test_relative_positions():
    index = relative_positions(8)
    assert index.shape == (64, 64)
    assert (index.min(), index.max()) == (0, 224)
    # the way back is the mirrored distance, and to itself is no distance
    np.testing.assert_array_equal(index + index.T, 224)
    np.testing.assert_array_equal(np.diag(index), 112)
    assert len(np.unique(index)) == 225


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_is_the_formula(rng, heads):
    layer = WindowAttention(heads, window=4)
    x = rng.normal(size=(1, 4, 4, 3 * 6)).astype("f4")
    layer.build(x.shape)
    layer.relative_bias.assign(rng.normal(size=layer.relative_bias.shape))
    q, k, v = np.moveaxis(x.reshape(16, 3, heads, 6 // heads), (1, 2), (0, 1))
    bias = numpy_of(layer.relative_bias)[relative_positions(4)]
    wanted = []
    for head in range(heads):
        scores = q[head] @ k[head].T / np.sqrt(6 / heads) + bias[..., head]
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        wanted.append(weights / weights.sum(axis=1, keepdims=True) @ v[head])
    wanted = np.concatenate(wanted, axis=1).reshape(1, 4, 4, 6)
    np.testing.assert_allclose(numpy_of(layer(x)), wanted, atol=1e-5)


def seen_from(layer, x, pixel):
    """Which pixels of the output change with one of the input."""
    other = x.copy()
    other[0, pixel[0], pixel[1]] += 1
    return (numpy_of(layer(x)) != numpy_of(layer(other))).any(axis=-1)[0]


def test_pixels_see_their_window_only(rng):
    x = rng.normal(size=(1, 16, 16, 12)).astype("f4")
    changed = seen_from(WindowAttention(2, 8), x, (3, 9))
    assert changed[:8, 8:].all()
    assert changed.sum() == 64


def test_shifted_windows_do_not_see_over_the_edge(rng):
    """Rolling brings the last rows next to the first; attention must not mix them."""
    x = rng.normal(size=(1, 16, 16, 12)).astype("f4")
    layer = WindowAttention(2, 8, shift=4)
    middle = seen_from(layer, x, (6, 6))
    assert middle[4:12, 4:12].all()
    assert middle.sum() == 64
    corner = seen_from(layer, x, (0, 0))
    assert corner[:4, :4].all()
    assert corner.sum() == 16
    edge = seen_from(layer, x, (15, 6))
    assert edge[12:, 4:12].all()
    assert edge.sum() == 32


def test_unshifted_layers_move_with_cyclic_images(rng):
    x = rng.normal(size=(1, 24, 16, 12)).astype("f4")
    layer = WindowAttention(2, 8)
    moved = np.roll(x, (8, 8), axis=(1, 2))
    np.testing.assert_allclose(
        numpy_of(layer(moved)), np.roll(numpy_of(layer(x)), (8, 8), axis=(1, 2)), atol=1e-6
    )


def test_pixel_mask(rng):
    x = rng.uniform(1, 2, (4, 64, 64, 3)).astype("f4")
    masked = numpy_of(PixelMask(0.8, 0.9, value=-0.1, seed=0)(x, training=True))
    dropped = masked == np.float32(-0.1)
    assert (dropped.all(axis=-1) == dropped.any(axis=-1)).all()
    np.testing.assert_array_equal(masked[~dropped], x[~dropped])
    shares = dropped[..., 0].mean(axis=(1, 2))
    spread = 5 * np.sqrt(0.25 / 64**2)
    assert ((shares > 0.8 - spread) & (shares < 0.9 + spread)).all()
    assert len(np.unique(np.round(shares, 2))) > 1


def test_pixel_mask_at_its_ends(rng):
    x = rng.uniform(1, 2, (1, 16, 16, 1)).astype("f4")
    np.testing.assert_array_equal(numpy_of(PixelMask(0, 0)(x, training=True)), x)
    assert (numpy_of(PixelMask(1, 1)(x, training=True)) == np.float32(-0.1)).all()
    np.testing.assert_array_equal(numpy_of(PixelMask(1, 1)(x, training=False)), x)


def test_the_share_of_every_image_is_a_whole_percent_of_the_range():
    x = np.ones((400, 32, 32, 1), "f4")
    masked = numpy_of(PixelMask(0.3, 0.32, seed=0)(x, training=True)) < 0
    mean = masked.mean()
    assert abs(mean - 0.31) < 5 * 0.009 / np.sqrt(400) + 5 * np.sqrt(0.22 / masked.size)


def test_token_mask(rng):
    x = rng.uniform(1, 2, (2, 16, 24, 5)).astype("f4")
    layer = TokenMask(0.75, window=8, seed=0)
    masked = numpy_of(partition(numpy_of(layer(x, training=True)), 8))
    gone = (masked == 0).all(axis=-1)
    np.testing.assert_array_equal(gone.sum(axis=1), 48)
    np.testing.assert_array_equal(masked[~gone], numpy_of(partition(x, 8))[~gone])
    # every window has its own draw
    assert len({tuple(row) for row in gone}) == len(gone)
    np.testing.assert_array_equal(numpy_of(layer(x, training=False)), x)
    assert (numpy_of(TokenMask(0.75, at_test=True)(x, training=False)) == 0).any()
