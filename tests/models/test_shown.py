"""What notebooks show, and the record of a training."""

import json
import pickle

import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig, load_model
from n2v_tk.errors import ModelFolderError
from n2v_tk.models.shown import DenoisedImage, Posterior, TrainingHistory
from n2v_tk.training.record import TrainingRecord


def test_a_denoised_image_is_an_array(rng):
    data = rng.random((3, 20, 24)).astype("float32")
    image = DenoisedImage(data, "ZYX")
    assert isinstance(image, np.ndarray)
    assert np.shares_memory(image, data)
    assert image.axes == "ZYX"
    # the axes of a part are nobody's business
    assert image[1].axes is None
    assert image.transpose(1, 2, 0).axes is None
    assert image.astype("uint8").axes == "ZYX"
    for result in (image + 1, np.sqrt(image), image > 0.5):
        assert type(result) is np.ndarray
    assert type(image.mean()) is np.float32
    assert type(image.max(axis=0)) is np.ndarray
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)), data)
    assert "3 × 20 × 24 (ZYX), float32" in image._repr_html_()
    assert "data:image/png" in image[1]._repr_html_()
    assert image[0, 0]._repr_html_() is None


def test_uncertainty_shows_itself(rng):
    parts = Posterior(
        (f"{kind}_{what}", rng.random((20, 24)))
        for kind in ("prior", "posterior")
        for what in ("mean", "variance")
    )
    assert isinstance(parts, dict)
    assert parts._repr_png_().startswith(b"\x89PNG")


def test_what_is_known_of_a_training(noisy_stack, small, tmp_path):
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    model = N2V(config, "m", tmp_path)
    assert "not yet" in model._repr_html_()
    assert not (tmp_path / "m" / "training.json").exists()
    history = model.train(noisy_stack, noisy_stack, verbose=0)
    assert isinstance(history, TrainingHistory)
    assert "<img" in history._repr_html_()
    assert type(model.predict(noisy_stack[0, ..., 0], "YX")) is DenoisedImage
    run = json.loads((tmp_path / "m" / "training.json").read_text())["runs"][0]
    assert run["seed"] == 1
    assert run["precision"] == "float32"
    assert run["versions"]["numpy"] == np.__version__
    assert run["history"]["loss"] == history.history["loss"]
    assert len(run["history"]["learning_rate"]) == 2
    # a loaded model that is trained further has both trainings
    again = load_model(tmp_path / "m")
    assert again.record.curves()["loss"] == history.history["loss"]
    again.train(noisy_stack, None, epochs=1, verbose=0)
    assert len(TrainingRecord.load(tmp_path / "m").runs) == 2
    # of what both have
    assert set(again.record.curves()) == {"loss", "learning_rate"}
    assert "3 epochs" in again._repr_html_()
    assert again.example.shape == (80, 96, 1)


def test_the_learning_rate_by_its_old_name(noisy_stack, small):
    """Scripts for n2v write `history["lr"]` into tables; tables of all columns have it once."""
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    curves = N2V(config, basedir=None).train(noisy_stack, noisy_stack, verbose=0).history
    assert curves["lr"] == curves["learning_rate"]
    assert len(curves["lr"]) == 2
    assert set(curves) == {"loss", "val_loss", "learning_rate"}
    with pytest.raises(KeyError, match="rl"):
        curves["rl"]
    with pytest.raises(KeyError, match="lr"):
        TrainingHistory.of(TrainingHistory()).history["lr"]


def test_a_new_model_in_an_old_folder_has_a_record_of_its_own(noisy_stack, small, tmp_path):
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    N2V(config, "m", tmp_path).train(noisy_stack, None, verbose=0)
    with pytest.warns(UserWarning, match="There is a model in"):
        new = N2V(config, "m", tmp_path)
    new.train(noisy_stack, None, epochs=1, verbose=0)
    assert [len(r["history"]["loss"]) for r in TrainingRecord.load(tmp_path / "m").runs] == [1]


def test_the_record_goes_with_the_model(noisy_stack, small, tmp_path):
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    model = N2V(config, "m", tmp_path)
    model.train(noisy_stack, None, verbose=0)
    for path in (tmp_path / "copy", tmp_path / "copy.keras"):
        model.save(path)
        assert load_model(path).record.runs == model.record.runs
    # nothing is left of another one
    N2V(config, basedir=None).save(tmp_path / "copy")
    assert load_model(tmp_path / "copy").record.runs == []
    (tmp_path / "m" / "training.json").write_text("[")
    with pytest.warns(UserWarning, match="training.json"):
        assert load_model(tmp_path / "m").record.runs == []


def test_nothing_beside_a_training_can_stop_it(noisy_stack, small, tmp_path, monkeypatch):
    """Neither its record, nor a metric with many values, nor an example that cannot be cut."""
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    model = N2V(config, "m", tmp_path)
    (tmp_path / "m" / "training.json").mkdir()
    monkeypatch.setattr(
        "n2v_tk.data.sequences.middle", lambda *_: (_ for _ in ()).throw(ValueError("no"))
    )
    with pytest.warns(UserWarning, match="cannot be written"):
        model.train(noisy_stack, None, verbose=0)
    assert model.example is None
    assert len(model.record.curves()["loss"]) == 2


def test_a_training_that_diverges_at_once_leaves_the_record(noisy_stack, small, tmp_path):
    from n2v_tk.errors import TrainingError

    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)})
    N2V(config, "m", tmp_path).train(noisy_stack, None, verbose=0)
    before = (tmp_path / "m" / "training.json").read_text()
    wild = config.model_copy(update={"train_learning_rate": 1e30})
    with pytest.warns(UserWarning, match="There is a model in"):
        model = N2V(wild, "m", tmp_path)
    with pytest.raises(TrainingError):
        model.train(noisy_stack, None, verbose=0)
    assert (tmp_path / "m" / "training.json").read_text() == before


def test_damaged_records(tmp_path):
    assert TrainingRecord.load(tmp_path).runs == []
    for text in ("{}", '{"runs": [1]}', '{"runs": [{"history": 3}]}', "["):
        (tmp_path / "training.json").write_text(text)
        with pytest.raises(ModelFolderError):
            TrainingRecord.load(tmp_path)


def test_infinite_losses_are_kept_as_json(tmp_path):
    record = TrainingRecord([{"history": {"loss": [1.0, None]}}])
    record.save(tmp_path)
    loss = TrainingRecord.load(tmp_path).curves()["loss"]
    assert loss[0] == 1
    assert np.isnan(loss[1])


def test_settings_show_what_differs():
    page = N2VConfig(train_epochs=7, means=["1"], stds=["2"])._repr_html_()
    changed, rest = page.split("<details>")
    assert "train_epochs" in changed
    assert "n2v_perc_pix" in rest
    assert "n2v_perc_pix" not in changed
