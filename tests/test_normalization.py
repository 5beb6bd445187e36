import numpy as np
import pytest

from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.normalization import (
    channel_statistics,
    check_image,
    denormalize,
    image_statistics,
    normalize,
    result_dtype,
    to_dtype,
)


def test_statistics_are_those_of_all_pixels(rng):
    images = [rng.normal(1e4, 3, (3, 40, 50, 2)), rng.normal(1e4 + 50, 9, (1, 20, 30, 2))]
    pixels = np.concatenate([i.reshape(-1, 2) for i in images])
    means, stds = channel_statistics(images)
    np.testing.assert_allclose(means, pixels.mean(axis=0))
    np.testing.assert_allclose(stds, pixels.std(axis=0))


def test_statistics_of_large_images_in_pieces(rng):
    image = rng.integers(0, 65535, (3, 1200, 1300, 1)).astype(np.uint16)
    means, stds = channel_statistics([image])
    np.testing.assert_allclose([means[0], stds[0]], [image.mean(), image.std()])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_normalize_and_back(dtype, rng):
    image = rng.integers(0, 200, (30, 30, 2)).astype(dtype)
    offset, scale = image_statistics(image, "image")
    normalized = normalize(image, offset, scale)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=(0, 1)), 1, atol=1e-5)
    np.testing.assert_allclose(denormalize(normalized, offset, scale), image, atol=1e-3)


def test_large_offsets_keep_their_precision(rng):
    image = 1e9 + rng.normal(size=(50, 50, 1))
    normalized = normalize(image, *image_statistics(image, "image"))
    assert normalized.std() == pytest.approx(1, abs=1e-3)


def test_percentiles_become_0_and_1(rng):
    image = rng.normal(size=(100, 100, 1))
    normalized = normalize(image, *image_statistics(image, "percentile"))
    np.testing.assert_allclose(np.percentile(normalized, (1, 99.8)), (0, 1), atol=1e-5)


def test_a_blank_image_stays_finite():
    blank = np.full((8, 8, 1), 7.0)
    for normalization in ("image", "percentile"):
        assert (normalize(blank, *image_statistics(blank, normalization)) == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint64"])
def test_integers_are_rounded_and_clipped(dtype):
    limits = np.iinfo(dtype)
    image = np.array([-1e30, limits.min, 0.5, 1.5, 2.51, limits.max, 1e30], np.float32)
    result = to_dtype(image, dtype)
    assert result.dtype == dtype
    assert result[0] == limits.min
    assert result[-1] == limits.max
    np.testing.assert_array_equal(result[2:5], [0, 2, 3])


def test_other_types():
    assert to_dtype(np.ones(3, np.float32), "float64").dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "source", "expected"),
    [(None, "uint8", "float32"), ("same", ">u2", "uint16"), ("float64", "uint8", "float64"),
     (np.int16, "uint8", "int16"), ("same", "float16", "float16")],
)  # fmt: skip
def test_dtype_of_the_result(dtype, source, expected):
    assert str(result_dtype(dtype, np.dtype(source))) == expected


@pytest.mark.parametrize(
    ("dtype", "source"),
    [
        ("unit8", "uint8"),
        ("complex64", "uint8"),
        ("same", "bool"),
        ({"": ""}, "uint8"),
        ([()], "uint8"),
        ("(", "uint8"),
    ],
)
def test_dtypes_that_hold_no_image(dtype, source):
    with pytest.raises(ConfigError, match="'same' or a real type"):
        result_dtype(dtype, np.dtype(source))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.ones((4, 4), complex), "dtype complex128"),
        (np.array([[None, 1]]), "dtype object"),
        (np.array([["a"]]), "real numbers"),
        (np.zeros((0, 4)), r"empty. Received: shape \(0, 4\)"),
        (np.array([[1, np.nan], [np.inf, 2]]), r"2 of 4 pixels.*first at index \(0, 1\)"),
        (np.array([[1.0, 3.5e38], [-1e308, 2]]), r"2 of 4 pixels.*first at index \(0, 1\)"),
    ],
)
def test_images_that_cannot_be_used(image, message):
    with pytest.raises(ImageError, match=message):
        check_image(image)


def test_nan_in_a_large_image_is_found_at_its_place():
    image = np.zeros((3, 1500, 1500), np.float32)
    image[2, 7, 9] = np.nan
    with pytest.raises(ImageError, match=r"1 of 6750000.*\(2, 7, 9\)"):
        check_image(image)
