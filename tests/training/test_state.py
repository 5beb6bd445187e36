import json
import zipfile

import keras
import numpy as np
import pytest

from n2v_tk.config.files import STATE_FILE
from n2v_tk.errors import ModelFolderError
from n2v_tk.training.state import (
    TrainingState,
    assign_all,
    remembered,
    remind,
    settings_in,
)


def state(**changes):
    facts = {
        "epochs": 2, "target": 5, "steps": 3, "validated": True, "before": 0, "finished": False,
        "seed": 7, "images": "x",
        "settings": {"unet_n_first": 4, "train_epochs": 5}, "run": {"history": {"loss": [1.0]}},
        "callbacks": [], "best_loss": 0.5, "last": [np.ones((2, 3), np.float32)], "best": None,
        "optimizer": [np.array(3)], "drawing": [np.array([1, 2], np.uint32)],
    }  # fmt: skip
    return TrainingState(**(facts | changes))


def test_what_is_read_is_what_was_written(tmp_path):
    written = state(best=[np.zeros((2, 3), np.float32)], best_loss=float("inf"))
    written.save(tmp_path)
    read = TrainingState.load(tmp_path, 1000)
    for name in ("last", "best", "optimizer", "drawing"):
        for a, b in zip(getattr(written, name), getattr(read, name), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    arrays = ("last", "best", "optimizer", "drawing")
    assert {k: v for k, v in vars(read).items() if k not in arrays} == {
        k: v for k, v in vars(written).items() if k not in arrays
    }
    assert settings_in(tmp_path) == written.settings
    assert [p.name for p in tmp_path.iterdir()] == [STATE_FILE]


def test_a_folder_without_state(tmp_path):
    assert TrainingState.load(tmp_path, 10) is None
    assert settings_in(tmp_path) is None


def test_settings_that_count():
    known = state().settings
    assert state().changed(known) == []
    assert state().changed(known | {"train_epochs": 9, "train_learning_rate": 1.0}) == []
    assert state().changed(known | {"unet_n_first": 5, "n2v_perc_pix": 1.0}) == [
        "n2v_perc_pix",
        "unet_n_first",
    ]
    with_means = state(settings=known | {"means": ["1"]})
    assert with_means.changed(known | {"means": None}) == []
    assert with_means.changed(known | {"means": ["2"]}) == ["means"]


def damaged(tmp_path, **entries):
    """A state in which entries are others."""
    state().save(tmp_path)
    with np.load(tmp_path / STATE_FILE) as file:
        arrays = dict(file) | entries
    np.savez(tmp_path / STATE_FILE, **arrays)


def facts(**changes):
    one = {k: v for k, v in vars(state()).items() if k not in ("last", "best", "optimizer")}
    del one["drawing"]
    return np.array(json.dumps(one | changes))


@pytest.mark.parametrize(
    "entries",
    [
        {"facts": np.array("{")},
        {"facts": np.array("[]")},
        {"facts": np.array({"a": 1}, dtype=object)},
        {"last_0": np.array([print], dtype=object)},
        {"facts": facts(epochs="many")},
        {"facts": facts(settings=[1])},
        {"facts": facts(run={})},
        {"facts": facts(callbacks=[1])},
        {"facts": facts(more=1)},
        {"facts": facts(best_loss="low")},
    ],
)
def test_a_damaged_state_is_refused(tmp_path, entries):
    damaged(tmp_path, **entries)
    with pytest.raises(ModelFolderError, match="state of the training is damaged"):
        TrainingState.load(tmp_path, 1000)


def test_half_a_state_is_refused(tmp_path):
    state().save(tmp_path)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:-100])
    for read in (lambda: TrainingState.load(tmp_path, 1000), lambda: settings_in(tmp_path)):
        with pytest.raises(ModelFolderError, match="damaged"):
            read()


def test_a_state_that_unpacks_to_far_more_than_the_model_is_refused(tmp_path):
    state().save(tmp_path)
    with zipfile.ZipFile(tmp_path / STATE_FILE, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(2**25))
    with pytest.raises(ModelFolderError, match="more than the model can have"):
        TrainingState.load(tmp_path, 1000)


def test_arrays_of_another_network_are_refused():
    variables = [keras.Variable(np.zeros((2, 3)))]
    with pytest.raises(ModelFolderError, match="another network"):
        assign_all(variables, [np.zeros((3, 2))], "network")
    with pytest.raises(ModelFolderError, match="another network"):
        assign_all(variables, [], "network")


def test_what_callbacks_remember():
    first, second = (keras.callbacks.ReduceLROnPlateau() for _ in range(2))
    first.best, first.wait, first.cooldown_counter = np.float64(1.5), 3, 1
    facts = json.loads(json.dumps(remembered([keras.callbacks.History(), first])))
    remind([second, keras.callbacks.EarlyStopping()], facts)
    assert (second.best, second.wait, second.cooldown_counter) == (1.5, 3, 1)
