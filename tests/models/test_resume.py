"""A training that was interrupted ends as it would have ended, to the bit."""

import os
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from n2v_tk import (
    N2V,
    N2VConfig,
    load_model,
)
from n2v_tk.config.files import STATE_FILE
from n2v_tk.errors import ConfigError, FolderInUseError, ModelFolderError, TrainingError
from n2v_tk.models.one_call import train_with_validation
from n2v_tk.training.locking import in_use
from n2v_tk.training.record import TrainingRecord
from n2v_tk.training.state import TrainingState
from n2v_tk.training.stopping import Terminated

TRAINING = {"train_epochs": 4, "train_steps_per_epoch": 3, "train_batch_size": 2, "train_seed": 5}
N2V_SMALL = {**TRAINING, "unet_n_first": 4, "unet_kern_size": 3, "n2v_patch_shape": (32, 32)}


@pytest.fixture
def resuming(monkeypatch):
    """What the benchmark does, of which this is a part."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from benchmarks.reliability import resuming

    return resuming


@pytest.fixture(scope="module")
def noisy():
    return np.random.default_rng(0).normal(100, 10, (4, 64, 64, 1)).astype(np.float32)


def n2v(noisy, folder, **settings):
    model = N2V(N2VConfig(noisy, **{**N2V_SMALL, **settings}), "model", folder)
    return model, (noisy[:3], noisy[3:])


class CopyAt(keras.callbacks.Callback):
    """Copies the model folder when an epoch begins: what a kill would leave behind then."""

    def __init__(self, epoch, folder, copy):
        super().__init__()
        self.epoch, self.folder, self.copy = epoch, folder, copy

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            shutil.copytree(self.folder, self.copy)


METHODS = ["N2V, drop-out, plateau", "N2V, average of weights, cosine", "Noise2Noise", "R2R",
           "HQ-SSL", "masked training", "CARE"]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    # tracing the others takes its time
    [METHODS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in METHODS[1:])],
)
def test_a_resumed_training_ends_as_if_it_had_not_been_interrupted(resuming, name, tmp_path):
    """From every epoch on: python -m benchmarks run reliability --sections resume."""
    assert list(resuming.METHODS) == METHODS
    assert resuming.resume_from_epochs(resuming.METHODS[name], tmp_path, [2]) == [True]
    runs = TrainingRecord.load(tmp_path / "2" / "model").runs
    assert len(runs) == 1
    assert runs[0]["interruptions"] == 1
    whole = TrainingRecord.load(tmp_path / "whole" / "model").runs[0]
    assert runs[0]["history"] == whole["history"]


@pytest.mark.slow
def test_a_deep_image_prior_goes_on_from_each_look(resuming, tmp_path):
    assert resuming.deep_image_prior(tmp_path) == [True] * 3


@pytest.fixture(scope="module")
def stopped(noisy, tmp_path_factory):
    """A folder whose training was stopped in the middle of the third epoch."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if self.epoch == 2 and batch == 1:
                raise KeyboardInterrupt

    model, data = n2v(noisy, tmp_path_factory.mktemp("stopped"))
    model.prepare_for_training()
    model.callbacks.append(Stop())
    with pytest.raises(KeyboardInterrupt):
        model.train(*data, verbose=0)
    return model.logdir


@pytest.fixture
def interrupted(stopped, tmp_path):
    """A copy of it, in tmp_path."""
    return Path(shutil.copytree(stopped, tmp_path / "model"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:There is a model in")
def test_a_training_that_ended_is_not_made_again_and_can_be_made_longer(
    noisy, tmp_path, interrupted
):
    model, data = n2v(noisy, tmp_path)
    model.train(*data, verbose=0, resume=True)
    before = (interrupted / STATE_FILE).read_bytes()
    again, data = n2v(noisy, tmp_path)
    history = again.train(*data, verbose=0, resume=True)
    assert history.epoch == [0, 1, 2, 3]
    assert (interrupted / STATE_FILE).read_bytes() == before
    for a, b in zip(model.keras_model.get_weights(), again.keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    longer = again.train(*data, epochs=5, verbose=0, resume=True)
    assert longer.epoch == [0, 1, 2, 3, 4]
    assert longer.history["loss"][:4] == history.history["loss"]
    whole, data = n2v(noisy, None, train_epochs=5)
    expected = whole.train(*data, verbose=0)
    assert expected.history["loss"] == longer.history["loss"]


def test_a_model_that_is_loaded_goes_on_and_another_seed_is_taken_up(noisy, tmp_path):
    """Without a train_seed the one that was drawn is in the state."""
    model, data = n2v(noisy, tmp_path, train_seed=None)
    model.prepare_for_training()
    model.callbacks.append(CopyAt(2, model.logdir, tmp_path / "copy"))
    model.train(*data, verbose=0)
    loaded = load_model(tmp_path / "copy")
    assert loaded._seed != model._seed
    history = loaded.train(*data, verbose=0, resume=True)
    assert loaded._seed == model._seed
    assert history.epoch == [0, 1, 2, 3]


class Adds(keras.callbacks.Callback):
    """A value of its own to every epoch."""

    def on_epoch_end(self, epoch, logs=None):
        logs["own"] = float(epoch)


def test_what_only_some_epochs_measured_stays_beside_them(noisy, interrupted):
    """Of four epochs the third alone, made after an interruption and before another."""
    model = load_model(interrupted)
    model.prepare_for_training()
    model.callbacks.append(Adds())
    history = model.train(noisy[:3], noisy[3:], epochs=3, verbose=0, resume=True).history
    np.testing.assert_array_equal(history["own"], [np.nan, np.nan, 2])
    model = load_model(interrupted)
    history = model.train(noisy[:3], noisy[3:], verbose=0, resume=True).history
    assert {len(column) for column in history.values()} == {4}
    curves = TrainingRecord.load(interrupted).runs[-1]["history"]
    assert curves["own"] == [None, None, 2.0, None]
    assert {len(column) for column in curves.values()} == {4}


def test_resume_simply_starts_in_a_new_folder(noisy, tmp_path):
    model, data = n2v(noisy, tmp_path)
    assert model.train(*data, verbose=0, epochs=1, resume=True).epoch == [0]


@pytest.mark.filterwarnings("ignore:There is a model in")
def test_what_cannot_be_gone_on_with(noisy, tmp_path, interrupted):
    other, data = n2v(noisy, tmp_path, n2v_perc_pix=5.0)
    with pytest.raises(ModelFolderError, match="other n2v_perc_pix than in"):
        other.train(*data, verbose=0, resume=True)
    other, data = n2v(noisy + 1, tmp_path)
    with pytest.raises(ModelFolderError, match="other means, stds than in"):
        other.train(*data, verbose=0, resume=True)
    model, data = n2v(noisy, tmp_path)
    with pytest.raises(ModelFolderError, match="as many steps"):
        model.train(*data, verbose=0, steps_per_epoch=7, resume=True)
    (interrupted / STATE_FILE).unlink()
    with pytest.raises(ModelFolderError, match="not the state of its training"):
        model.train(*data, verbose=0, resume=True)
    memory, data = n2v(noisy, None)
    with pytest.raises(ConfigError, match="kept in memory"):
        memory.train(*data, verbose=0, resume=True)


@pytest.mark.filterwarnings("ignore:There is a model in")
def test_a_training_that_begins_anew_leaves_nothing_of_the_old(noisy, tmp_path, interrupted):
    model, data = n2v(noisy, tmp_path, unet_n_first=5)
    model.train(*data, verbose=0, epochs=1)
    state = TrainingState.load(interrupted, 10**7)
    assert state.epochs == 1
    assert state.settings["unet_n_first"] == 5
    assert load_model(interrupted).config.unet_n_first == 5


def test_a_model_is_there_although_the_kill_came_before_its_weights(noisy, interrupted):
    expected = load_model(interrupted).predict(noisy[0, ..., 0], "YX")
    for weights in interrupted.glob("*.h5"):
        weights.unlink()
    np.testing.assert_array_equal(load_model(interrupted).predict(noisy[0, ..., 0], "YX"), expected)


def test_after_a_divergence_a_lower_learning_rate_goes_on(noisy, tmp_path):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate = 1e30

    model, data = n2v(noisy, tmp_path)
    model.prepare_for_training()
    model.callbacks.append(Explode())
    with pytest.raises(TrainingError, match=r"epoch 3.*Likely causes: .*resume=True"):
        model.train(*data, verbose=0)
    kept = model.keras_model.get_weights()
    assert all(np.isfinite(w).all() for w in kept)
    model.callbacks.pop()
    model.config.update_parameters(train_learning_rate=1e-4)
    history = model.train(*data, verbose=0, resume=True)
    assert history.epoch == [0, 1, 2, 3]
    assert np.isfinite(history.history["loss"]).all()
    assert model.record.curves()["learning_rate"][2:] == pytest.approx([1e-4] * 2)


def test_sigterm_ends_a_training_in_order(noisy, tmp_path):
    class Terminate(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    model, data = n2v(noisy, tmp_path, train_state_minutes=60.0)
    model.prepare_for_training()
    model.callbacks.append(Terminate())
    with pytest.raises(Terminated) as ended:
        model.train(*data, verbose=0)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert TrainingState.load(model.logdir, 10**7).epochs == 1


def test_a_second_training_in_a_folder_is_refused(noisy, tmp_path):
    model, data = n2v(noisy, tmp_path)
    with in_use(model.logdir), pytest.raises(FolderInUseError, match=f"process {os.getpid()} "):
        model.train(*data, verbose=0)
    assert not list(model.logdir.glob("*.h5"))
    model.train(*data, verbose=0, epochs=1)


def test_what_is_held_out_is_the_same_when_a_training_goes_on(noisy, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(N2V, "train", lambda self, *data, **options: seen.append(data))
    model, _ = n2v(noisy, None, train_seed=None)
    for _ in range(3):
        train_with_validation(model, [noisy[:1]])
    for again in seen[1:]:
        for a, b in zip(seen[0][0] + seen[0][1], again[0] + again[1], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:There is a model in")
def test_weights_that_a_kill_left_behind_the_state_are_written(noisy, tmp_path, interrupted):
    """Also where nothing is left to train."""
    model, data = n2v(noisy, tmp_path)
    model.train(*data, verbose=0, resume=True)
    expected = model.keras_model.get_weights()
    record = TrainingRecord.load(interrupted).runs
    for path in [*interrupted.glob("*.h5"), interrupted / "training.json"]:
        path.unlink()
    again, data = n2v(noisy, tmp_path)
    again.train(*data, verbose=0, resume=True)
    again.load_weights()
    for a, b in zip(expected, again.keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (interrupted / "weights_last.h5").exists()
    assert TrainingRecord.load(interrupted).runs == record


@pytest.mark.filterwarnings("ignore:There is a model in")
def test_a_state_is_no_model_under_other_settings(noisy, tmp_path, interrupted):
    for path in interrupted.glob("*.h5"):
        path.unlink()
    before = (interrupted / "config.json").read_bytes()
    other, _ = n2v(noisy, tmp_path, n2v_perc_pix=5.0)
    assert (interrupted / "config.json").read_bytes() == before
    other.config.save(interrupted / "config.json")
    with pytest.raises(ModelFolderError, match=r"other n2v_perc_pix in training_state\.npz"):
        load_model(interrupted)


@pytest.mark.filterwarnings("ignore:There is a model in")
def test_more_that_cannot_be_gone_on_with(noisy, tmp_path, interrupted):
    model, data = n2v(noisy, tmp_path)
    with pytest.raises(ModelFolderError, match="with validation images if it was begun with"):
        model.train(data[0], verbose=0, resume=True)
    loaded = load_model(interrupted)
    others = data[0].copy()
    others[2] += 1
    with pytest.raises(ModelFolderError, match="other images"):
        loaded.train(others, data[1], verbose=0, resume=True)
    model, data = n2v(noisy, tmp_path)
    model._take_up(True)
    model._take_up = lambda resume: None
    os.utime(interrupted / STATE_FILE)
    with pytest.raises(FolderInUseError, match="meanwhile"):
        model.train(*data, verbose=0, resume=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:There is a model in")
def test_a_state_of_a_version_that_knew_fewer_settings(noisy, tmp_path, interrupted):
    state = TrainingState.load(interrupted, 10**7)
    del state.settings["train_ramps"]
    state.save(interrupted)
    model, data = n2v(noisy, tmp_path)
    assert model.train(*data, verbose=0, resume=True).epoch == [0, 1, 2, 3]


def test_an_interruption_while_files_are_written(noisy, tmp_path, monkeypatch):
    """The epoch that ended counts."""
    model, data = n2v(noisy, tmp_path)
    saved = TrainingState.save

    def interrupted_once(self, folder):
        if self.epochs == 2:
            monkeypatch.setattr(TrainingState, "save", saved)
            raise KeyboardInterrupt
        saved(self, folder)

    monkeypatch.setattr(TrainingState, "save", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        model.train(*data, verbose=0)
    assert TrainingState.load(model.logdir, 10**7).epochs == 2
    in_memory = model.keras_model.get_weights()
    for a, b in zip(in_memory, load_model(model.logdir).keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:There is a model in")
def test_a_training_that_a_callback_ended_goes_on(noisy, tmp_path):
    class Enough(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    model, data = n2v(noisy, tmp_path)
    model.prepare_for_training()
    model.callbacks.append(Enough())
    assert model.train(*data, verbose=0).epoch == [0]
    model.callbacks.pop()
    assert model.train(*data, epochs=2, verbose=0, resume=True).epoch == [0, 1]
