"""A training that is killed at any moment leaves a model, and goes on to the same end."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from n2v_tk import load_model
from n2v_tk.errors import ModelFolderError

SCRIPT = Path(__file__).parents[1] / "helpers" / "train_slowly.py"
KILLS = 5


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path):
    spec = importlib.util.spec_from_file_location("train_slowly", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.train(tmp_path / "whole")
    expected = load_model(tmp_path / "whole" / "model").keras_model.get_weights()

    rng = np.random.default_rng(0)
    folder = tmp_path / "killed"
    image = script.images()[0, ..., 0]
    with_model = 0
    for _ in range(KILLS):
        command = [sys.executable, str(SCRIPT), str(folder), "0.3"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begins\n"
        # until the first files of this run, then anywhere
        state = folder / "model" / "training_state.npz"
        before = state.stat().st_mtime_ns if state.exists() else None
        while (state.stat().st_mtime_ns if state.exists() else None) == before:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        try:
            result = load_model(folder / "model").predict(image, "YX")
        except ModelFolderError:
            # nothing was trained yet
            assert not state.exists()
            continue
        with_model += 1
        assert np.isfinite(result).all()
    assert with_model == KILLS
    script.train(folder)
    for a, b in zip(expected, load_model(folder / "model").keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
