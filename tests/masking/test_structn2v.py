import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.masking.coordinates import stratified_coordinates
from n2v_tk.masking.structn2v import (
    hidden_pixels,
    line_mask,
    mask_offsets,
    symmetries,
    transform,
    transform_back,
)

MASKS = [
    line_mask("X", 13),
    line_mask("Y", 5),
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
    [[0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]],
    line_mask("Z", 5, 3),
    np.ones((3, 1, 3), int),
]


@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_exactly_the_pixels_under_the_mask_are_hidden(mask, rng):
    mask = np.array(mask)
    shape = (3, 16, 24, 2) if mask.ndim == 2 else (2, 8, 16, 16, 1)
    spots = stratified_coordinates(shape, 2, rng)
    hidden = np.zeros(shape, bool)
    hidden[hidden_pixels(shape, spots, mask_offsets(mask, mask.ndim))] = True
    under = np.zeros(shape, bool)
    middle = np.array(mask.shape) // 2
    for spot in zip(*spots, strict=True):
        for offset in np.argwhere(mask) - middle:
            position = np.add(spot[1:-1], offset)
            if offset.any() and (position >= 0).all() and (position < shape[1:-1]).all():
                under[(spot[0], *position, spot[-1])] = True
    np.testing.assert_array_equal(hidden, under)


def test_the_mask_of_the_caller_stays_as_it_is():
    mask = np.ones((1, 5), int)
    mask_offsets(mask, 2)
    np.testing.assert_array_equal(mask, np.ones((1, 5)))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[1, 1]], r"odd sides.*Received: shape \(1, 2\)"),
        ([1, 0, 1], r"must have 2 axes.*Received: shape \(3,\)"),
        ([[1, 2, 1]], r"1 \(hidden\) and 0"),
    ],
)
def test_bad_masks_are_refused(mask, message):
    with pytest.raises(ConfigError, match=message):
        mask_offsets(mask, 2)


@pytest.mark.parametrize(("axis", "length"), [("Q", 5), ("X", 4), ("X", 1)])
def test_bad_lines_are_refused(axis, length):
    with pytest.raises(ConfigError, match="Received"):
        line_mask(axis, length)


def test_symmetries_keep_the_mask():
    assert len(symmetries([[0, 1, 0], [1, 0, 1], [0, 1, 0]])) == 8
    assert len(symmetries(line_mask("Y", 7))) == 4
    # one-sided: itself and its mirror image in Y, which is a flip along X and a half turn
    assert symmetries([[1, 0, 0]]) == ((0, False), (2, True))
    assert symmetries([[1, 0, 0], [0, 0, 0], [0, 0, 0]]) == ((0, False), (1, True))
    assert len(symmetries(line_mask("Z", 5, 3))) == 8


@pytest.mark.parametrize("symmetry", symmetries())
def test_transforms_have_an_inverse(symmetry, rng):
    image = rng.normal(size=(2, 5, 7, 3))
    turned = transform(image, *symmetry, axes=(1, 2))
    np.testing.assert_array_equal(transform_back(turned, *symmetry, axes=(1, 2)), image)
    assert len({transform(np.arange(6).reshape(2, 3), *s).tobytes() for s in symmetries()}) == 8
