"""Prediction from several threads at once: nothing breaks, and the bits are the same."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny import tiny_model

from n2v_tk import load_model
from n2v_tk.models import predicting

SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("3D", "probabilistic", "hqssl")]
KINDS = ["2D", "masked", *SLOW]


def at_once(jobs):
    """Results of jobs that all begin at the same moment, each in a thread."""
    ready = threading.Barrier(len(jobs))

    def start(job):
        ready.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(start, job) for job in jobs]]


def images(kind, sides):
    rng = np.random.default_rng(0)
    for side in sides:
        yield rng.normal(100, 10, (4, side, side) if kind == "3D" else (side, 3 * side // 2))


@pytest.mark.parametrize("kind", KINDS)
def test_threads_that_are_first_at_once_get_the_same_bits(kind, monkeypatch):
    made = []
    real = predicting.prediction_form
    monkeypatch.setattr(predicting, "prediction_form", lambda *a: made.append(1) or real(*a))
    axes = "ZYX" if kind == "3D" else "YX"
    several = list(images(kind, [24, 24, 24, 31, 40, 52]))
    model = tiny_model(kind)
    results = at_once([lambda i=image: model.predict(i, axes) for image in several])
    assert len(made) == 1
    alone = tiny_model(kind)
    for image, result in zip(several, results, strict=True):
        np.testing.assert_array_equal(result, alone.predict(image, axes))


def test_threads_with_memory_targets_tiles_and_turns_do_not_disturb_each_other(monkeypatch):
    model = tiny_model()
    image = next(images("2D", [60]))
    ways = [{}, {"tta": True}, {"n_tiles": (2, 3)}, {"max_memory": "200GB"}, {"dtype": "uint8"},
            {"precision": "mixed_bfloat16"}]  # fmt: skip
    expected = [model.predict(image, "YX", **way) for way in ways]
    jobs = [lambda w=way: [model.predict(image, "YX", **w) for _ in range(5)] for way in ways]
    for results, alone in zip(at_once(jobs), expected, strict=True):
        for result in results:
            np.testing.assert_array_equal(result, alone)


def test_a_memory_target_holds_for_its_own_call():
    model = tiny_model()
    layout = model.check(np.zeros((40, 40)), "YX")[0]
    tight = model._predictor(None, max_memory="200GB", layout=layout)
    tight.budget = 1000
    assert model._predictor(None).budget == model._predictor(None).largest > 1000
    assert tight.budget == 1000


@pytest.mark.slow
def test_openvino_from_threads():
    pytest.importorskip("openvino")
    model = tiny_model()
    several = list(images("2D", [24, 24, 31, 40]))
    expected = [model.predict(image, "YX", engine="openvino") for image in several]
    results = at_once(
        [
            lambda i=image: [model.predict(i, "YX", engine="openvino") for _ in range(10)]
            for image in several
        ]
    )
    for result, alone in zip(results, expected, strict=True):
        for one in result:
            np.testing.assert_array_equal(one, alone)


def test_models_are_loaded_from_threads(tmp_path):
    image = next(images("2D", [24]))
    saved = [tmp_path / "folder", tmp_path / "file.keras"]
    model = tiny_model()
    for path in saved:
        model.save(path)
    expected = model.predict(image, "YX")
    jobs = [lambda p=path: load_model(p).predict(image, "YX") for path in saved * 3]
    for result in at_once(jobs):
        np.testing.assert_array_equal(result, expected)
