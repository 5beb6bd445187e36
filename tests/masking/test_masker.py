import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.masking.manipulators import MANIPULATORS
from n2v_tk.masking.masker import BlindSpotMasker
from n2v_tk.masking.structn2v import hidden_pixels, line_mask, mask_offsets

SHAPES = [(3, 32, 32, 2), (2, 16, 16, 16, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("manipulator", MANIPULATORS)
def test_only_blind_spots_change(shape, manipulator, rng):
    batch = rng.normal(size=shape).astype(np.float32)
    before = batch.copy()
    masker = BlindSpotMasker(len(shape) - 2, 2, manipulator, 2)
    spots = masker(batch, rng)
    blind = np.zeros(shape, bool)
    blind[spots] = True
    assert blind.sum() == spots[0].size > 0
    np.testing.assert_array_equal(batch[~blind], before[~blind])
    unchanged = np.mean(batch[blind] == before[blind])
    if manipulator == "identity":
        assert unchanged == 1
    elif manipulator == "uniform_withCP":
        assert unchanged < 0.2
    else:
        assert unchanged == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("manipulator", MANIPULATORS)
def test_structn2v_works_with_every_manipulator(shape, manipulator, rng):
    batch = rng.normal(100, 1, size=shape).astype(np.float32)
    before = batch.copy()
    mask = line_mask("X", 5, len(shape) - 2)
    masker = BlindSpotMasker(len(shape) - 2, 2, manipulator, 3, mask, (5, 7))
    spots = masker(batch, rng)
    blind, under = np.zeros((2, *shape), bool)
    blind[spots] = True
    under[hidden_pixels(shape, spots, mask_offsets(mask, mask.ndim))] = True
    # blind spots hold values of the image, also under the mask of another one
    assert (batch[blind] > 90).all()
    filled = batch[under & ~blind]
    assert filled.size > 2 * blind.sum()
    assert filled.min() >= 5
    assert filled.max() <= 7
    assert filled.mean() == pytest.approx(6, abs=0.1)
    np.testing.assert_array_equal(batch[~under & ~blind], before[~under & ~blind])


@pytest.mark.parametrize("shape", SHAPES)
def test_hidden_pixels_are_filled_from_their_own_unhidden_neighbours(shape, rng):
    # every value once, so that a value says where it came from
    batch = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    mask = line_mask("X", 5, len(shape) - 2)
    spots = BlindSpotMasker(mask.ndim, 2, "identity", 3, mask)(batch, rng)
    hidden = np.zeros(shape, bool)
    hidden[hidden_pixels(shape, spots, mask_offsets(mask, mask.ndim))] = True
    hidden[spots] = False
    for index in np.argwhere(hidden)[:300]:
        source = np.array(np.unravel_index(int(batch[tuple(index)]), shape))
        assert source[0] == index[0]
        assert source[-1] == index[-1]
        step = (source - index)[1:-1]
        assert np.abs(step).max() <= 3
        on_the_line = (step[:-1] == 0).all() and abs(step[-1]) <= 2
        assert not on_the_line


def test_an_asymmetric_mask_does_not_give_the_blind_spot_away(rng):
    """No hidden pixel is filled with the value of its own blind spot."""
    mask = np.array([[0, 0, 0, 1, 1]])
    for _ in range(20):
        batch = np.arange(64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
        original = batch.copy()
        spots = BlindSpotMasker(2, 1, "median", 2, mask)(batch, rng)
        for step in (1, 2):
            x = np.minimum(spots[2] + step, 63)
            assert not (batch[0, spots[1], x, 0] == original[spots]).any()


def test_values_come_from_the_batch_before_any_was_filled(rng):
    # with every pixel blind, a median over filled pixels would differ from that of the image
    batch = rng.normal(size=(1, 12, 12, 1)).astype(np.float32)
    before = batch.copy()
    BlindSpotMasker(2, 100, "median", 1)(batch, rng)
    expected = np.median(np.delete(before[0, 4:7, 4:7, 0].ravel(), 4))
    assert batch[0, 5, 5, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mask", [np.ones((5, 5)), np.tril(np.ones((5, 5))), np.ones((9, 9))])
def test_with_noise_the_mask_may_hide_the_whole_window(mask, rng):
    # every value once, so that a value says where it came from
    batch = 100 + np.arange(64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
    spots = BlindSpotMasker(2, 1.5, "uniform_withoutCP", 2, mask, (-2, 2))(batch, rng)
    position = np.unravel_index((batch[spots] - 100).astype(int), (64, 64))
    steps = np.stack(position, -1) - np.stack(spots[1:3], -1)
    assert np.abs(steps).max() == 2
    assert np.any(steps != 0, axis=1).all()
    assert np.sum(np.abs(batch) <= 2) > 4 * spots[0].size
    with pytest.raises(ConfigError, match="hides every pixel"):
        BlindSpotMasker(2, 1.5, "uniform_withoutCP", 2, mask)


def test_with_noise_what_is_visible_in_the_window_is_taken(rng):
    """Also where the mask and its mirror image together hide all of it."""
    batch = 100 + np.arange(64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
    mask = [[1, 1, 0], [0, 0, 1], [1, 0, 1]]
    spots = BlindSpotMasker(2, 1.5, "uniform_withoutCP", 1, mask, (-2, 2))(batch, rng)
    position = np.unravel_index((batch[spots] - 100).astype(int), (64, 64))
    steps = np.stack(position, -1) - np.stack(spots[1:3], -1)
    assert {tuple(step) for step in steps} == {(-1, 1), (0, -1), (1, 0)}
    with pytest.raises(ConfigError, match="hides every pixel"):
        BlindSpotMasker(2, 1.5, "uniform_withoutCP", 1, mask)


def test_batches_that_cannot_be_changed_in_place_are_refused(rng):
    with pytest.raises(ValueError, match="C-contiguous"):
        BlindSpotMasker(2)(np.zeros((8, 32, 32, 2), np.float32)[::2], rng)


def test_unknown_manipulator_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'median'"):
        BlindSpotMasker(2, manipulator="medain")
