"""Models as one .keras file."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import n2v_tk
from n2v_tk.errors import ModelFolderError

FOLDERS = Path(__file__).parents[1] / "data" / "legacy"


@pytest.fixture
def file(tmp_path):
    n2v_tk.load_model(FOLDERS / "n2v2").save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


@pytest.mark.parametrize("name", ["n2v2", "n2v3d", "rgb_joint", "care_probabilistic"])
def test_there_and_back(tmp_path, name):
    model = n2v_tk.load_model(FOLDERS / name)
    model.save(tmp_path / "model.keras")
    again = n2v_tk.load_model(tmp_path / "model.keras")
    data = np.load(FOLDERS / name / "results.npz")
    image, axes = data["input"], str(data["axes"])
    assert type(again) is type(model)
    assert again.config == model.config
    assert again.trained
    assert np.array_equal(again.predict(image, axes), model.predict(image, axes))
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_keras_opens_it_too(file):
    network = keras.saving.load_model(file, safe_mode=True)
    model = n2v_tk.load_model(file)
    x = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype("float32")
    assert np.allclose(network.predict_on_batch(x), model.keras_model.predict_on_batch(x))


def rewritten(file, changes):
    """The file with some members replaced, or taken out where the new content is None."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n2v_tk.json": None}, "no settings of n2v_tk"),
        ({"n2v_tk.json": b"{"}, "damaged"),
        ({"n2v_tk.json": b"[]"}, "must be a JSON object"),
        ({"n2v_tk.json": b"[" * 100000}, "damaged"),
        ({"model.weights.h5": None}, "damaged"),
        ({"model.weights.h5": b"no weights"}, "do not fit the network"),
        ({"model.weights.h5": bytes(2**23)}, "too large"),
    ],
)
def test_damaged_files_are_refused(file, changes, message):
    with pytest.raises(ModelFolderError, match=message):
        n2v_tk.load_model(rewritten(file, changes))


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"no zip")
    with pytest.raises(ModelFolderError, match=r"is not a \.keras file"):
        n2v_tk.load_model(tmp_path / "x.keras")
    with pytest.raises(ModelFolderError, match="no such model folder"):
        n2v_tk.load_model(tmp_path / "y.keras")


def test_nothing_in_the_file_but_weights_is_used(file):
    """The description of the network, which could name any class, is not even read."""
    with zipfile.ZipFile(file) as archive:
        network = json.loads(archive.read("config.json"))
    network["module"], network["class_name"] = "os", "system"
    n2v_tk.load_model(rewritten(file, {"config.json": json.dumps(network).encode()}))


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    model = n2v_tk.load_model(FOLDERS / "n2v2")
    with pytest.raises(ModelFolderError, match="cannot be written"):
        model.save(tmp_path / "file" / "model.keras")
