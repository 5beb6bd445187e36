import numpy as np
import pytest

from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.plot import history, residual, spectrum
from n2v_tk.training.record import TrainingRecord


def test_the_residual_and_its_autocorrelation(rng):
    noise = rng.normal(0, 5, (96, 96))
    lines = np.cumsum(rng.normal(0, 1, (96, 96)), axis=1)
    for taken, correlated in ((noise, False), (lines, True)):
        figure = residual(100 + taken, np.full((96, 96), 100.0))
        shown, found = (np.asarray(a.images[0].get_array()) for a in figure.axes[:2])
        np.testing.assert_allclose(shown, taken, atol=1e-4)
        neighbour = found[found.shape[0] // 2, found.shape[1] // 2 + 1]
        assert (abs(neighbour) > 0.5) == correlated
    with pytest.raises(ImageError, match=r"\(96, 96\) and \(96, 95\)"):
        residual(noise, noise[:, 1:])


def test_the_spectrum_of_white_noise_is_its_variance(rng):
    figure = spectrum({"noise": rng.normal(0, 5, (256, 256))})
    power = figure.axes[0].lines[0].get_ydata()
    assert abs(power[5:].mean() / 25 - 1) < 0.05
    assert figure.axes[0].lines[0].get_xdata().max() <= 0.5


def test_history_of_anything_that_tells_of_a_training(tmp_path):
    curves = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0], "learning_rate": [1, 1, 0.5]}
    TrainingRecord([{"history": curves}]).save(tmp_path)
    for training in (curves, tmp_path, TrainingRecord.load(tmp_path).curves()):
        figure = history(training)
        assert "best: epoch 2" in [t.get_text() for t in figure.axes[0].texts]
        assert figure.axes[1].get_ylabel() == "learning rate"
    assert len(history({"loss": [1.0]}).axes) == 1
    with pytest.raises(ConfigError, match="without losses"):
        history(tmp_path / "nothing")
