"""Disks that are full, read-only, slow or gone."""

import os
import shutil
import subprocess
import time

import keras
import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig, load_model
from n2v_tk.config import files
from n2v_tk.config.files import STATE_FILE
from n2v_tk.errors import ModelFolderError, N2VTKError
from n2v_tk.training import checkpoints
from n2v_tk.training.state import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore:There is a model in")


@pytest.fixture(scope="module")
def noisy():
    return np.random.default_rng(0).normal(100, 10, (3, 48, 48, 1)).astype(np.float32)


def make(noisy, folder, **settings):
    config = N2VConfig(
        noisy, unet_n_first=4, unet_kern_size=3, unet_n_depth=1, n2v_patch_shape=(32, 32),
        train_epochs=3, train_steps_per_epoch=2, train_batch_size=2, train_seed=5, **settings,
    )  # fmt: skip
    return N2V(config, "model", folder)


class AtEpoch(keras.callbacks.Callback):
    def __init__(self, epoch, what):
        super().__init__()
        self.epoch, self.what = epoch, what

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.what()


def broken_at_second_epoch(noisy, folder, what):
    """A model whose disk breaks after the first epoch of its training, and the error."""
    model = make(noisy, folder)
    model.prepare_for_training()
    model.callbacks.append(AtEpoch(1, what))
    with pytest.raises(ModelFolderError) as caught:
        model.train(noisy, verbose=0)
    return model, str(caught.value)


def no_temporary_files(folder):
    return not [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.slow
def test_no_room_for_a_file(noisy, tmp_path):
    """As on a full disk, the system refuses to write on; what was written stays, and goes on."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        model, message = broken_at_second_epoch(
            noisy, tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "What was written there before is as it was" in message
    assert "--resume" in message
    assert no_temporary_files(model.logdir)
    assert TrainingState.load(model.logdir, 10**6).epochs == 1
    assert np.isfinite(load_model(model.logdir).predict(noisy[0, ..., 0], "YX")).all()
    assert make(noisy, tmp_path).train(noisy, verbose=0, resume=True).epoch == [0, 1, 2]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only the administrator can mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk(noisy, small_disk):
    model, message = broken_at_second_epoch(
        noisy, small_disk, lambda: fill(small_disk / "film.avi")
    )
    assert "No space left" in message
    assert no_temporary_files(model.logdir)
    assert np.isfinite(load_model(model.logdir).predict(noisy[0, ..., 0], "YX")).all()
    (small_disk / "film.avi").unlink()
    assert make(noisy, small_disk).train(noisy, verbose=0, resume=True).epoch == [0, 1, 2]


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@pytest.mark.slow
def test_a_folder_that_is_removed(noisy, tmp_path):
    model, message = broken_at_second_epoch(
        noisy, tmp_path, lambda: shutil.rmtree(tmp_path / "model")
    )
    assert "the model in memory has its weights" in message
    assert model.trained
    model.save(tmp_path / "rescued")
    np.testing.assert_array_equal(
        load_model(tmp_path / "rescued").predict(noisy[0, ..., 0], "YX"),
        model.predict(noisy[0, ..., 0], "YX"),
    )


@pytest.fixture
def read_only(tmp_path):
    """A folder in which nothing can be written, even by the administrator where there is one."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    command = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("nothing keeps this administrator from writing")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_folder_is_refused_before_work(noisy, read_only):
    with pytest.raises(ModelFolderError, match=r"cannot be written.*basedir=None"):
        make(noisy, read_only)


@pytest.mark.slow
def test_a_slow_disk_only_takes_time(noisy, tmp_path, monkeypatch):
    """While a file is being written, what is there is whole."""
    model = make(noisy, tmp_path)
    seen = []

    def slow(number):
        if (model.logdir / STATE_FILE).exists():
            seen.append(TrainingState.load(model.logdir, 10**6).epochs)
        time.sleep(0.02)

    monkeypatch.setattr(files.os, "fsync", slow)
    model.train(noisy, verbose=0)
    assert set(seen) == {1, 2, 3}
    assert no_temporary_files(model.logdir)


def test_every_error_of_the_disk_is_one_of_ours(tmp_path):
    with pytest.raises(N2VTKError), checkpoints.replacing(tmp_path / "gone" / "x.h5") as path:
        path.write_bytes(b"")
    with pytest.raises(N2VTKError), checkpoints.replacing(tmp_path / "x.h5"):
        raise RuntimeError("Can't decrement id ref count")
    assert not list(tmp_path.iterdir())


def test_a_name_that_another_file_system_object_has(noisy, tmp_path):
    (tmp_path / "model").write_bytes(b"")
    with pytest.raises(ModelFolderError, match="cannot be written"):
        make(noisy, tmp_path)
