"""What blind-spot training must and must not learn."""

import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig

TINY = {
    "unet_n_first": 8,
    "unet_n_depth": 1,
    "unet_kern_size": 3,
    "n2v_patch_shape": (32, 32),
    "train_batch_size": 16,
    "train_loss": "mse",
    "train_learning_rate": 3e-3,
    "train_schedule": "cosine",
    "train_seed": 0,
    "n2v_perc_pix": 5,
    "n2v_neighborhood_radius": 2,
    "batch_norm": False,
    "train_precision": "float32",
}


def final_loss(X, validation, **settings):
    config = N2VConfig(X, train_epochs=6, train_steps_per_epoch=40, **{**TINY, **settings})
    model = N2V(config, basedir=None)
    history = model.train(X, validation, verbose=0)
    return history.history["val_loss"][-1]


def test_without_blind_spots_the_identity_is_learned():
    rng = np.random.default_rng(0)
    X, validation = rng.normal(size=(2, 8, 96, 96, 1))
    assert final_loss(X, validation, n2v_manipulator="identity", unet_residual=True) < 0.02


@pytest.mark.parametrize("manipulator", ["uniform_withoutCP", "median"])
def test_pure_noise_cannot_be_predicted(manipulator):
    rng = np.random.default_rng(0)
    X, validation = rng.normal(size=(2, 8, 96, 96, 1))
    loss = final_loss(X, validation, n2v_manipulator=manipulator)
    assert loss == pytest.approx(1, abs=0.03)


@pytest.mark.slow
def test_lines_are_learned_unless_they_are_hidden():
    """Noise that is the same along a row is copied by N2V and removed by structN2V."""
    rng = np.random.default_rng(0)
    lines = np.repeat(rng.normal(size=(2, 8, 96, 12, 1)), 8, axis=3)
    X, validation = lines + 0.1 * rng.normal(size=lines.shape)
    settings = {"n2v_manipulator": "uniform_withoutCP"}
    plain = final_loss(X, validation, **settings)
    mask = [[1] * 8 + [0] + [1] * 8]
    hidden = final_loss(X, validation, structN2Vmask=mask, n2v_neighborhood_radius=4, **settings)
    assert plain < 0.6
    assert hidden > 0.9
