import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.masking.manipulators import MANIPULATORS
from n2v_tk.masking.masker import BlindSpotMasker
from n2v_tk.masking.structn2v import line_mask

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
    masker = BlindSpotMasker(
        len(shape) - 2, 2, manipulator, 3, line_mask("X", 5, len(shape) - 2), (-2, 2)
    )
    spots = masker(batch, rng)
    blind = np.zeros(shape, bool)
    blind[spots] = True
    hidden = (batch < 50) & ~blind
    assert hidden.sum() > 2 * blind.sum()
    # values are those of the image, never of the noise that hides it
    assert (batch[blind] > 90).all()


def test_values_come_from_the_batch_before_any_was_filled(rng):
    # with every pixel blind, a median over filled pixels would differ from that of the image
    batch = rng.normal(size=(1, 12, 12, 1)).astype(np.float32)
    before = batch.copy()
    BlindSpotMasker(2, 100, "median", 1)(batch, rng)
    expected = np.median(np.delete(before[0, 4:7, 4:7, 0].ravel(), 4))
    assert batch[0, 5, 5, 0] == pytest.approx(expected, abs=1e-6)


def test_batches_that_cannot_be_changed_in_place_are_refused(rng):
    with pytest.raises(ValueError, match="C-contiguous"):
        BlindSpotMasker(2)(np.zeros((8, 32, 32, 2), np.float32)[::2], rng)


def test_unknown_manipulator_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'median'"):
        BlindSpotMasker(2, manipulator="medain")
