"""What a training tells TensorBoard, read back as TensorBoard reads it."""

import sys
import warnings

import keras
import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig
from n2v_tk.models.loading import load_model
from n2v_tk.training import board

# before the tests' own fixture hides it
has_tensorboard = board.has_tensorboard
needs_tensorboard = pytest.mark.skipif(not has_tensorboard(), reason="tensorboard is not installed")


@pytest.fixture
def make(noisy_stack, small, tmp_path, monkeypatch):
    """Make a model in a folder, with TensorBoard said to be there or not."""

    def make(there=True, name="m", folder=tmp_path, **settings):
        monkeypatch.setattr(board, "has_tensorboard", lambda: there)
        config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32), **settings})
        return N2V(config, name, folder)

    return make


def written(folder):
    """Scalars {run: {tag: [(step, value), ...]}} and images {tag: [(step, picture), ...]}."""
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    scalars, images = {}, {}
    for run in sorted(path.name for path in folder.iterdir()):
        events = EventAccumulator(str(folder / run), size_guidance={"tensors": 0}).Reload()
        for tag in events.Tags()["tensors"]:
            points = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in
                      events.Tensors(tag)]  # fmt: skip
            if tag.startswith("epoch_"):
                scalars.setdefault(run, {})[tag] = [(step, float(v)) for step, v in points]
            else:
                # width, height, then the pictures
                images[tag] = [(step, tf.io.decode_png(v[2]).numpy()) for step, v in points]
    return scalars, images


@needs_tensorboard
def test_scalars_and_pictures_of_two_trainings(make, noisy_stack, tmp_path):
    model = make(train_epochs=4, train_keep="last")
    model.prepare_for_training(metrics=["mae"])
    history = model.train(noisy_stack, noisy_stack[:1], verbose=0).history
    more = model.train(noisy_stack, noisy_stack[:1], epochs=1, verbose=0).history
    scalars, images = written(tmp_path / "m" / "logs")
    for run, prefix in (("train", ""), ("validation", "val_")):
        for name in ("loss", "n2v_abs"):
            steps, values = zip(*scalars[run][f"epoch_{name}"], strict=True)
            assert steps == (1, 2, 3, 4, 5)
            expected = history[prefix + name] + more[prefix + name]
            np.testing.assert_allclose(values, expected, rtol=1e-6)
    rates = [value for _, value in scalars["train"]["epoch_learning_rate"]]
    np.testing.assert_allclose(rates, 4e-4, rtol=1e-6)
    assert set(images) == {"noisy", "denoised"}
    # after epochs 1, 2, 3 and the last of the first training, and the second
    for pictures in images.values():
        assert [step for step, _ in pictures] == [1, 2, 3, 4, 5]
        assert {picture.shape for _, picture in pictures} == {(80, 96, 1)}
    noisy = [picture for _, picture in images["noisy"]]
    assert all((picture == noisy[0]).all() for picture in noisy)
    low, high = np.percentile(noisy_stack[0], (1, 99))

    def grey(image):
        return np.clip((image - low) / (high - low), 0, 1) * 255

    np.testing.assert_allclose(noisy[0], grey(noisy_stack[0]), atol=1)
    denoised = [picture.astype(float) for _, picture in images["denoised"]]
    np.testing.assert_allclose(denoised[-1], grey(model.predict(noisy_stack[0], "YXC")), atol=1)
    assert np.abs(denoised[0] - denoised[-1]).max() > 2


class Colours:
    """Pictures that tell when they were asked for."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return {"first": np.full((4, 6, 3), self.asked, float) * [0, 1, 2], "second": np.eye(5)}


def fit(callback, epochs):
    """A training of one weight."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=epochs, verbose=0, callbacks=[callback])


@needs_tensorboard
def test_pictures_are_few_epochs_apart(tmp_path):
    from n2v_tk.training.tensorboard_tf import TensorBoard

    callback = TensorBoard(tmp_path, Colours())
    fit(callback, 23)
    scalars, images = written(tmp_path)
    assert [step for step, _ in images["first"]] == [1, 2, 3, 5, 8, 13, 21, 23]
    assert len(scalars["train"]["epoch_loss"]) == 23
    picture = images["first"][0][1]
    assert picture.shape == (4, 6, 3)
    assert (picture == [0, 128, 255]).all() or (picture == [0, 127, 255]).all()
    # the grey values of the first picture, 1 to 99 %: 0 to 2
    assert set(np.unique(images["second"][0][1])) <= {0, 127, 128}
    assert not (tmp_path / "validation").exists()


@needs_tensorboard
def test_a_preview_that_fails_does_not_end_the_training(tmp_path):
    from n2v_tk.training.tensorboard_tf import TensorBoard

    def broken():
        raise MemoryError("4 GiB")

    callback = TensorBoard(tmp_path, broken)
    with pytest.warns(UserWarning, match="no more pictures.*MemoryError: 4 GiB"):
        fit(callback, 3)
    assert len(written(tmp_path)[0]["train"]["epoch_loss"]) == 3


def test_without_tensorboard_training_works_and_says_how_to_get_it(make, noisy_stack, tmp_path):
    model = make(there=False, train_tensorboard=True)
    with pytest.warns(UserWarning, match=r'pip install "n2v_tk\[tensorboard\]"'):
        history = model.train(noisy_stack, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert not (tmp_path / "m" / "logs").exists()


def test_nobody_is_told_who_did_not_ask(make, tmp_path):
    """Neither for the default nor for what a file says."""
    make(there=False, train_tensorboard=True).save(tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(there=False, name="default").prepare_for_training()
        load_model(tmp_path / "saved").prepare_for_training()
        make(there=False, name="off", train_tensorboard=False).prepare_for_training()


def test_why_there_are_no_logs(make, monkeypatch):
    with pytest.warns(UserWarning, match="kept in memory has no folder"):
        make(folder=None, train_tensorboard=True).prepare_for_training()
    model = make(train_tensorboard=True)
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    assert "KERAS_BACKEND=numpy" in board._why_not(model.logdir)


def test_whether_it_is_installed_is_looked_up(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert not has_tensorboard()
