import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from n2v_tk import load_model
from n2v_tk.config.files import STATE_FILE
from n2v_tk.training.state import TrainingState

SMALL = ["--epochs", "3", "--steps", "2", "--patch", "32,32", "--device", "cpu"]


@pytest.fixture
def noisy(rng, tmp_path):
    path = tmp_path / "noisy.tif"
    tifffile.imwrite(path, rng.normal(1000, 100, (80, 80)).astype(np.float32))
    return path


def interrupted(run, noisy, folder, monkeypatch, *arguments):
    """A training that Ctrl-C stopped in its third epoch."""
    from n2v_tk.cli.progress import TrainingProgress

    def stop(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "on_epoch_begin", stop)
        patch.setattr(TrainingProgress, "on_train_batch_end", lambda *a, **k: None)
        code, text = run("train", noisy, "-o", folder, *SMALL, *arguments)
    assert code == 130, text
    assert f"n2v-tk train IN... -o {folder} --resume" in text
    return folder


def test_a_training_goes_on(run, noisy, tmp_path, monkeypatch):
    """To the same weights, with the settings of the folder; then there is nothing left to do."""
    code, text = run("train", noisy, "-o", tmp_path / "whole", "--seed", "4", *SMALL)
    assert code == 0, text
    folder = interrupted(run, noisy, tmp_path / "m", monkeypatch, "--seed", "4")
    code, text = run("train", noisy, "-o", folder, "--resume")
    assert code == 0, text
    assert "epoch 3/3" in text
    assert "epoch 2/3" not in text
    whole, resumed = (load_model(f).keras_model.get_weights() for f in (tmp_path / "whole", folder))
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    code, text = run("train", noisy, "-o", folder, "--resume")
    assert code == 0, text
    assert "Training had ended already" in text


def test_what_resume_refuses(run, noisy, tmp_path, monkeypatch):
    folder = interrupted(run, noisy, tmp_path / "m", monkeypatch)
    before = (folder / STATE_FILE).read_bytes()
    for arguments, message in (
        (["--resume", "--overwrite"], "Leave one of them out"),
        (["--resume", "--method", "hqssl"], "goes on with its method"),
        (["--resume", "--patch", "16,16"], "other n2v_patch_shape than in"),
        ([], "There is a model in the folder already"),
    ):
        code, text = run("train", noisy, "-o", folder, *arguments)
        assert code == 1
        assert message in text
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, tifffile.imread(noisy) * 2)
    code, text = run("train", other, "-o", folder, "--resume")
    assert code == 1
    assert "other images" in text
    assert (folder / STATE_FILE).read_bytes() == before


def test_settings_by_name_when_a_training_goes_on(run, noisy, tmp_path, monkeypatch):
    """The same again, and what has no part in the result; others before a network is made."""
    from n2v_tk import N2V

    named = ["--set", "train_batch_size=2", "--set", "unet_n_first=4"]
    folder = interrupted(run, noisy, tmp_path / "m", monkeypatch, *named)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(N2V, "_build", lambda self: pytest.fail("a network was made"))
        for pair, message in (
            ("n2v_perc_pix=9", "other n2v_perc_pix than in"),
            ("unet_n_first=8", "other unet_n_first than in"),
            ("train_precision=mixed_float16", "other train_precision than in"),
            ("net_width=8", "Unknown setting. Received: 'net_width'"),
            ("train_batchsize=2", "Did you mean 'train_batch_size'?"),
        ):
            code, text = run("train", noisy, "-o", folder, "--resume", "--set", pair)
            assert code == 1
            assert message in text
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    allowed = [*named, "--set", "train_keep=last", "--set", "train_epochs=4"]
    code, text = run("train", noisy, "-o", folder, "--resume", *allowed)
    assert code == 0, text
    assert "epoch 4/4" in text
    assert "epoch 2/4" not in text
    config = load_model(folder).config
    assert (config.train_keep, config.train_batch_size, config.unet_n_first) == ("last", 2, 4)


def test_resume_in_a_new_folder_starts(run, noisy, tmp_path):
    code, text = run("train", noisy, "-o", tmp_path / "new", "--resume", *SMALL)
    assert code == 0, text
    assert TrainingState.load(tmp_path / "new", 10**8).epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_command_in_order(noisy, tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", "from n2v_tk.cli import main; main()", "train", str(noisy), "-o",
         "m", *SMALL, "--epochs", "1000"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(getattr(signal, name))
    rest = process.communicate(timeout=300)[1]
    assert process.returncode == 128 + getattr(signal, name)
    assert "--resume" in rest
    assert "Traceback" not in rest
    assert TrainingState.load(tmp_path / "m", 10**8).epochs >= 1
