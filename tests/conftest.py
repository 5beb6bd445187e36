"""What all tests share."""

import os
import sys

# before any backend is imported; one thread of nothing but the CPU gives the same result again
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

SMALL = {
    "unet_n_first": 4,
    "unet_kern_size": 3,
    "train_epochs": 2,
    "train_steps_per_epoch": 3,
    "train_batch_size": 4,
    "train_seed": 1,
    "train_precision": "float32",
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="module")
def _forget_networks():
    """What networks of one module leave in Keras' and TensorFlow's global state slows the next."""
    yield
    import gc

    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()
        gc.collect()


@pytest.fixture(autouse=True)
def _no_tensorboard(monkeypatch):
    """Where it is installed, every training would write logs and predict pictures."""
    from n2v_tk.training import board

    monkeypatch.setattr(board, "has_tensorboard", lambda: False)


@pytest.fixture(autouse=True)
def _metrics_of_n2v_tk(monkeypatch):
    """What one test module imports of n2v_tk.legacy would count for the tests of all."""
    from n2v_tk import N2V

    monkeypatch.setattr(N2V, "default_metrics", ())


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `n2v-tk ARGUMENTS` here: exit code and everything it printed."""
    from n2v_tk import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["n2v-tk", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return run


@pytest.fixture
def small():
    """Settings of a network that trains in a second."""
    return dict(SMALL)


@pytest.fixture(scope="session")
def noisy_cell():
    """A real micrograph (skimage.data.cell), clean and with shot and read noise: (Y, X)."""
    from skimage.data import cell

    from n2v_tk.data.noise import poisson_gaussian

    clean = cell()[230:390, 300:460].astype(np.float32)
    return clean, poisson_gaussian(clean, gain=2.0, read_noise=15.0, seed=0)


@pytest.fixture
def noisy_stack(rng):
    """Two noisy pictures 'SYXC' of a smooth pattern."""
    y, x = np.mgrid[:80, :96]
    clean = 100 + 40 * np.sin(y / 9) * np.cos(x / 11)
    return (clean + rng.normal(0, 10, (2, 80, 96)))[..., None].astype(np.float32)
