import numpy as np
import pytest

from n2v_tk.data.picture import Picture
from n2v_tk.errors import AxesError, ImageError


@pytest.mark.parametrize(("axes", "shape"), [
    ("YX", (6, 7)), ("CYX", (3, 6, 7)), ("XYC", (7, 6, 3)), ("ZYX", (4, 6, 7)),
    ("YZXC", (6, 4, 7, 2)),
])  # fmt: skip
def test_there_and_back(rng, axes, shape):
    image = rng.normal(100, 20, shape)
    picture = Picture(image, axes)
    assert picture.values.min() == 0
    assert picture.values.max() == 1
    assert picture.n_dim == (3 if "Z" in axes else 2)
    np.testing.assert_allclose(picture.restore(picture.values), image, rtol=1e-5)


def test_eight_bits_keep_their_range():
    picture = Picture(np.array([[10, 20], [30, 250]], np.uint8), "YX")
    assert (picture.low, picture.high) == (0, 255)


def test_range_of_what_is_known(rng):
    image = rng.random((8, 8))
    image[2, 3] = 1e6
    mask = np.ones((8, 8))
    mask[2, 3] = 0
    picture = Picture(image, "YX", mask)
    assert picture.high < 1
    assert picture.weight.sum() == 63
    assert Picture(image, "YX", value_range=(-1, 2)).high == 2


def test_masks_with_and_without_channels(rng):
    image = rng.random((3, 6, 7))
    mask = rng.random((6, 7)) < 0.5
    weight = Picture(image, "CYX", mask).weight
    np.testing.assert_array_equal(weight, np.repeat(mask[None, ..., None], 3, axis=-1))
    each = rng.random((3, 6, 7)) < 0.5
    np.testing.assert_array_equal(Picture(image, "CYX", each).weight[0], np.moveaxis(each, 0, -1))


def test_enlarged(rng):
    picture = Picture(rng.random((3, 6, 7)), "CYX", factor=4)
    assert picture.sides == (24, 28)
    assert picture.restore(rng.random((1, 24, 28, 3))).shape == (3, 24, 28)
    with pytest.raises(ImageError, match=r"The reference must have the shape \(3, 24, 28\)"):
        picture.in_unit_range(rng.random((3, 6, 7)), "The reference")


def test_fingerprints_tell_pictures_and_masks_apart(rng):
    image = rng.random((6, 7))
    mask = np.ones((6, 7))
    same = Picture(image, "YX").fingerprint()
    assert same == Picture(image.copy(), "YX", mask).fingerprint()
    mask[0, 0] = 0
    assert same != Picture(image, "YX", mask).fingerprint()
    assert same != Picture(image * 2, "YX").fingerprint()


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"axes": "SYX"}, AxesError, "One picture is needed"),
    ({"mask": np.ones((5, 7))}, ImageError, r"Received: \(5, 7\) for a picture of \(3, 6, 7\)"),
    ({"mask": np.zeros((6, 7))}, ImageError, "a mask of zeros"),
    ({"mask": np.full((6, 7), 255)}, ImageError, "values 255. Compare it with a number"),
    ({"image": np.full((3, 6, 7), 5.0)}, ImageError, "constant. Received: 5"),
    ({"image": np.full((3, 6, 7), np.nan)}, ImageError, "NaN"),
    ({"axes": "ZYX", "factor": 2}, AxesError, "not volumes"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(rng, change, error, message):
    options = {"image": rng.random((3, 6, 7)), "axes": "CYX"} | change
    with pytest.raises(error, match=message):
        Picture(**options)
