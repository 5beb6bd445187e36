"""A training killed at random moments, many times over, also while it writes."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from n2v_tk import load_model
from n2v_tk.errors import ModelFolderError

from ..work import train_slowly

HEADER = ["what", "count"]
# what the disk takes for a file, so that some kills come while one is written
PAUSE = 0.3


class Kills(NamedTuple):
    """What became of a training that was killed and gone on with."""

    kills: int
    opened: int  # a model that predicts was there
    untrained: int  # killed before the first epoch ended: nothing to open yet, and it says so
    writing: int  # a file was half written
    trainings: int  # brought to their end
    identical: int  # of them, with the weights of one that was never killed


def kill_many(kills: int, folder: Path, seed: int = 0) -> Kills:
    """Kill a training with SIGKILL, look at what it left, go on; and again.

    Raises
    ------
    n2v_tk.errors.N2VTKError, AssertionError
        Where a kill left no model.
    """
    rng = np.random.default_rng(seed)
    train_slowly.train(folder / "whole")
    expected = _weights(folder / "whole")
    image = train_slowly.images()[0, ..., 0]
    opened = untrained = writing = trainings = identical = done = 0
    while done < kills:
        trainings += 1
        place = folder / f"killed_{trainings}"
        while done < kills:
            if not _kill(place, rng):
                break
            done += 1
            model = place / "model"
            writing += any(model.glob(".*.tmp"))
            try:
                result = load_model(model).predict(image, "YX")
            except ModelFolderError:
                assert not (model / "training_state.npz").exists()
                untrained += 1
                continue
            assert np.isfinite(result).all()
            opened += 1
        train_slowly.train(place)
        same = [(a == b).all() for a, b in zip(expected, _weights(place), strict=True)]
        identical += all(same)
        assert not list((place / "model").glob(".*.tmp"))
    return Kills(done, opened, untrained, writing, trainings, identical)


def _weights(folder):
    return load_model(folder / "model").keras_model.get_weights()


def _kill(folder, rng):
    """Start or go on with a training and kill it; False if it ended before."""
    command = [sys.executable, "-m", "benchmarks.work.train_slowly", str(folder), str(PAUSE)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "begins\n"
        # now and then before anything is written, else somewhere in the epochs that follow
        waits = rng.random() < 0.9
        while waits and process.poll() is None and not _at_work(folder / "model"):
            time.sleep(0.01)
        try:
            process.wait(timeout=rng.uniform(0, 4))
            return False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return True
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _at_work(model):
    """Whether an epoch of the process that runs now has ended."""
    try:
        began = (model / ".training.owner.json").stat().st_mtime_ns
        return (model / "training_state.npz").stat().st_mtime_ns > began
    except FileNotFoundError:
        return False


def run(options):
    """Counts of what the kills left."""
    with tempfile.TemporaryDirectory() as folder:
        found = kill_many(options.kills, Path(folder))
    rows = [
        ("kills", found.kills),
        ("of them while a file was written", found.writing),
        ("after which there was a model that predicts", found.opened),
        ("before the first epoch ended, which is what the error says", found.untrained),
        ("trainings brought to their end", found.trainings),
        ("of them with the weights of an uninterrupted one, to the bit", found.identical),
    ]
    good = found.identical == found.trainings and found.opened + found.untrained == found.kills
    return f"{found.kills} kills", HEADER, rows, good
