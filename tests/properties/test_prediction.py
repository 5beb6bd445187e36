"""Prediction: of the shape, axes and dtype of the image, however it is cut, or refused."""

import math

import numpy as np
import pytest
from hostile import ANYTHING, allowed
from hypothesis import assume, given
from hypothesis import strategies as st
from sources import InMemory
from tiny import tiny_model

from n2v_tk.lazy import LazyArray

# each takes seconds to build
LONG = [
    pytest.param(kind, marks=pytest.mark.slow) for kind in ("channels", "probabilistic", "hqssl")
]
KINDS = ["2D", "3D", "masked", *LONG]
DTYPES = ["?", "u1", "i1", "u2", ">u2", "i4", "u8", "f2", "f4", ">f4", "f8", "g"]
_MODELS = {}


def model(kind):
    """One model of a kind for all examples."""
    if kind not in _MODELS:
        _MODELS[kind] = tiny_model(kind)
    return _MODELS[kind]


@pytest.fixture(autouse=True, scope="module")
def _forget_models():
    yield
    _MODELS.clear()


@st.composite
def images(draw, kind, largest=24, extra=True):
    """An image that fits a kind of model, with its axes, in any dtype and memory layout."""
    axes = list("ZYX" if kind == "3D" else "YX")
    axes += ["C"] if kind == "channels" else []
    if extra:
        others = [a for a in "STZC" if a not in axes and (a != "C" or kind != "channels")]
        axes += draw(st.lists(st.sampled_from(others), unique=True, max_size=2))
    axes = "".join(draw(st.permutations(axes)))
    side = {"C": st.just(2 if kind == "channels" else 1), "Y": st.integers(1, largest)}
    side["X"] = side["Y"]
    shape = tuple(draw(side.get(a, st.integers(1, 3))) for a in axes)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    image = rng.integers(0, 2 if dtype.kind == "b" else 120, shape).astype(dtype)
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "read-only", "lazy"]))
    if layout == "F":
        image = np.asfortranarray(image)
    elif layout == "reversed":
        image = image[..., ::-1]
    elif layout == "strided":
        image = np.repeat(image, 2, axis=0)[::2]
    elif layout == "read-only":
        image.flags.writeable = False
    elif layout == "lazy":
        image = LazyArray(InMemory(image))
    return image, axes


def assert_close(result, expected):
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_result_has_shape_dtype_and_axes_of_its_image(kind, data):
    image, axes = data.draw(images(kind))
    before = np.array(image)
    dtype = data.draw(st.sampled_from([None, "same", "float64", "uint8", "int16", np.float16]))
    result = allowed(lambda: model(kind).predict(image, axes, dtype=dtype))
    if result is None:  # boolean images cannot have results of their type
        assert dtype == "same"
        assert image.dtype.kind == "b"
        return
    wanted = {"same": image.dtype, None: np.float32}.get(dtype, dtype)
    assert result.dtype == np.dtype(wanted).newbyteorder("=")
    assert result.shape == image.shape
    assert np.isfinite(np.asarray(result, np.float64)).all()
    np.testing.assert_array_equal(np.array(image), before)
    if np.dtype(wanted).kind in "ui":
        limits = np.iinfo(wanted)
        exact = np.asarray(model(kind).predict(image, axes), np.float64)
        rounded = np.clip(np.rint(exact), limits.min, limits.max)
        np.testing.assert_array_equal(np.asarray(result, np.float64), rounded)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_axes_in_another_order_give_the_result_in_that_order(kind, data):
    image, axes = data.draw(images(kind))
    # of samples and time points the order of the samples is the same
    order = data.draw(st.permutations(range(len(axes))))
    turned = "".join(axes[i] for i in order)
    assume([a for a in turned if a in "STZ"] == [a for a in axes if a in "STZ"])
    expected = np.asarray(model(kind).predict(image, axes))
    result = model(kind).predict(np.transpose(np.asarray(image), order), turned.lower())
    np.testing.assert_array_equal(np.asarray(result), np.transpose(expected, order))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_tiles_and_memory_do_not_change_the_result(kind, data):
    image, axes = data.draw(images(kind, largest=60, extra=False))
    whole = model(kind).predict(image, axes)
    n_tiles = [data.draw(st.integers(1, 4)) if a in "YX" else 1 for a in axes]
    assert_close(model(kind).predict(image, axes, n_tiles=n_tiles), whole)
    most = data.draw(st.sampled_from(["1MB", "1.2 GB", 3e9, 2**40]))
    tiled = allowed(lambda: model(kind).predict(image, axes, max_memory=most))
    assert tiled is None or assert_close(tiled, whole) is None
    assert tiled is not None or most != 2**40


@pytest.mark.parametrize("kind", KINDS[:2])
@given(data=st.data())
def test_images_of_a_stack_are_denoised_one_by_one(kind, data):
    image, axes = data.draw(images(kind, extra=False))
    stack = np.stack([np.asarray(image)] * 2 + [np.asarray(image)[::-1]])
    results = model(kind).predict(stack, "T" + axes)
    for one, result in zip(stack, results, strict=True):
        assert_close(model(kind).predict(one, axes), result)


@given(
    name=st.sampled_from(
        ["axes", "n_tiles", "dtype", "precision", "normalizer", "max_memory", "engine", "resizer"]
    ),
    value=ANYTHING,
)
def test_arguments_work_or_are_refused(name, value):
    image = np.arange(64.0).reshape(8, 8)
    arguments = {"axes": "YX", "dtype": "float32", name: value}
    result = allowed(lambda: model("2D").predict(image, **arguments))
    assert result is None or result.shape == image.shape


@given(image=ANYTHING, axes=st.sampled_from(["YX", "X", "ZYX", "YXC"]))
def test_what_is_no_image_is_refused(image, axes):
    result = allowed(lambda: model("2D").predict(image, axes))
    assert result is None or result.shape == np.shape(image)


@given(
    shape=st.lists(st.integers(0, 3), min_size=2, max_size=4),
    value=st.sampled_from([float("nan"), float("inf"), 1e39, 1e308, -1e308, 3e38]),
    dtype=st.sampled_from(["f4", "f8", "g", "c16", "O", "U9", "M8[s]", "V4"]),
)
def test_strange_pixels_are_refused_or_give_finite_results(shape, value, dtype):
    axes = "TZYX"[-len(shape) :]
    with np.errstate(all="ignore"):
        image = np.zeros(shape, dtype)
        if image.size and dtype in ("f4", "f8", "g", "c16", "O"):
            image.flat[0] = value
        result = allowed(lambda: model("2D").predict(image, axes))
    if result is not None:
        assert math.prod(shape)
        assert np.isfinite(result).all()
