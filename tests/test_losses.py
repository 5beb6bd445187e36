import keras
import numpy as np
import pytest

from n2v_tk.losses import LOSSES, keeping_means


def data(rng, shape=(2, 8, 8, 2), laplace=False):
    target = rng.normal(size=shape).astype(np.float32)
    mask = (rng.random(shape) < 0.2).astype(np.float32)
    prediction = rng.normal(size=shape).astype(np.float32)
    if laplace:
        scale = rng.uniform(0.5, 2, shape).astype(np.float32)
        prediction = np.concatenate([prediction, scale], axis=-1)
    return target, mask, prediction


def value(name, target, mask, prediction):
    y = np.concatenate([target, mask], axis=-1)
    return float(keras.ops.convert_to_numpy(LOSSES[name](y, prediction)))


@pytest.mark.parametrize("shape", [(2, 8, 8, 2), (2, 4, 6, 8, 1)])
def test_values(shape, rng):
    target, mask, prediction = data(rng, shape)
    error = (target - prediction)[mask == 1]
    assert value("mse", target, mask, prediction) == pytest.approx(np.mean(error**2), rel=1e-5)
    assert value("mae", target, mask, prediction) == pytest.approx(np.mean(abs(error)), rel=1e-5)
    target, mask, prediction = data(rng, shape, laplace=True)
    mean, scale = np.split(prediction, 2, axis=-1)
    likelihood = abs(target - mean) / scale + np.log(2 * scale)
    assert value("laplace", target, mask, prediction) == pytest.approx(
        likelihood[mask == 1].mean(), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_outside_the_mask_weigh_nothing(name, rng):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    target, mask, prediction = data(rng, laplace=name == "laplace")
    y = np.concatenate([target, mask], axis=-1)
    variable = keras.Variable(prediction)
    gradient = _gradient(LOSSES[name], y, variable)
    outside = np.concatenate([mask] * (gradient.shape[-1] // 2), axis=-1) == 0
    assert (gradient[outside] == 0).all()
    assert (gradient[~outside] != 0).any()
    # not even if they are infinite
    changed = target.copy()
    changed[mask == 0] = np.inf
    assert value(name, changed, mask, prediction) == value(name, target, mask, prediction)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_blind_spots_has_no_loss(name, rng):
    target, mask, prediction = data(rng, laplace=name == "laplace")
    assert value(name, target, 0 * mask, prediction) == 0


@pytest.mark.parametrize("shape", [(2, 32, 48, 2), (1, 16, 32, 32, 1)])
@pytest.mark.parametrize("name", ["mse", "laplace"])
def test_means_over_windows_are_asked_for_everywhere(name, shape, rng):
    target, mask, prediction = data(rng, shape, laplace=name == "laplace")
    c = shape[-1]
    residual = target - prediction[..., :c]
    # axes: windows and what is within them, in turn
    split = [n for side in shape[1:-1] for n in (side // 16, 16)]
    within = tuple(range(2, 2 * len(shape) - 3, 2))
    means = residual.reshape(shape[0], *split, c).mean(axis=within)
    y = np.concatenate([target, mask], axis=-1)
    total = float(keras.ops.convert_to_numpy(keeping_means(LOSSES[name], 0.5, c)(y, prediction)))
    expected = value(name, target, mask, prediction) + 0.5 * np.mean(means**2)
    assert total == pytest.approx(expected, rel=1e-5)


def test_sides_that_are_no_multiple_of_a_window(rng):
    target, mask, _ = data(rng, (1, 40, 12, 1))
    y = np.concatenate([target, 0 * mask], axis=-1)
    loss = keeping_means(LOSSES["mse"], 1.0, 1)
    assert float(keras.ops.convert_to_numpy(loss(y, target))) == 0
    # 0.1 too dark, in every window, however small
    assert float(keras.ops.convert_to_numpy(loss(y, target - 0.1))) == pytest.approx(0.01, rel=1e-4)


def test_half_precision_predictions_are_judged_in_float32(rng):
    target, mask, prediction = data(rng)
    y = np.concatenate([target, mask], axis=-1)
    loss = LOSSES["mse"](y, keras.ops.cast(prediction, "bfloat16"))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


def _gradient(loss, y, variable):
    tf = pytest.importorskip("tensorflow")
    with tf.GradientTape() as tape:
        total = loss(y, variable.value)
    return tape.gradient(total, variable.value).numpy()
