"""Recorrupted-to-Recorrupted: pairs of single noisy images."""

from functools import partial

import numpy as np
import pytest

import n2v_tk
from n2v_tk import R2R, R2RConfig, estimate_noise, load_model
from n2v_tk.data.noise import poisson_gaussian
from n2v_tk.data.patches import hold_out
from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.models.one_call import new_model
from n2v_tk.models.r2r import noise_of_channels

FAST = {"unet_n_first": 8, "train_seed": 1, "train_epochs": 2, "train_steps_per_epoch": 60,
        "train_precision": "float32"}  # fmt: skip


def error(a, b):
    return float(np.mean((np.asarray(a, float) - b) ** 2))


def smooth(n=4, side=96, channels=1):
    y, x = np.mgrid[:side, :side] / side
    phase = np.random.default_rng(0).uniform(0, 6, (n, 1, 1, channels))
    waves = np.sin(8 * x[None, ..., None] + phase) * np.cos(7 * y[None, ..., None] - phase)
    return (100 + 60 * waves).astype("float32")


@pytest.mark.parametrize("level", [None, 20.0])
def test_noise_goes(level, rng, tmp_path):
    clean = smooth()
    X = clean + rng.normal(0, 20, clean.shape)
    model = R2R(R2RConfig(X, noise_level=level, **FAST), "m", tmp_path)
    history = model.train(X, X[:1], verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()
    denoised = model.predict(X[0], "YXC")
    assert error(denoised, clean[0]) < error(X[0], clean[0]) / 5
    again = load_model(tmp_path / "m")
    assert type(again) is R2R
    assert again.config == model.config
    np.testing.assert_array_equal(again.predict(X[0], "YXC"), denoised)


def test_noise_of_a_camera_goes(rng):
    clean = smooth(side=128, channels=2)
    X = poisson_gaussian(clean, 1.0, 5.0)
    model = R2R(R2RConfig(X, noise_level=(1.0, 0.0, 5.0), **FAST), basedir=None)
    model.train(X, verbose=0)
    denoised = np.stack([model.predict(x, "YXC") for x in X])
    assert error(denoised, clean) < error(X, clean) / 5
    assert abs(np.mean(denoised - clean)) < 3


def test_a_volume(rng):
    clean = np.repeat(smooth(1, 48)[:, None], 16, axis=1)
    X = clean + rng.normal(0, 20, clean.shape)
    settings = FAST | {"train_learning_rate": 2e-3, "train_steps_per_epoch": 40}
    config = R2RConfig(X, noise_level=20.0, train_patch_shape=(8, 32, 32), **settings)
    model = R2R(config, basedir=None)
    model.train(X, verbose=0)
    assert error(model.predict(X[0, ..., 0], "ZYX"), clean[0, ..., 0]) < 400 / 3


def test_too_little_noise_said_leaves_noise_and_the_posterior_takes_the_level_of_the_config(rng):
    """The level counts: what is beyond it stays."""
    clean = smooth()
    X = clean + rng.normal(0, 20, clean.shape)
    errors, kept = [], []
    for level in (20.0, 8.0):
        model = R2R(R2RConfig(X, noise_level=level, **FAST), basedir=None)
        model.train(X, verbose=0)
        errors.append(error(model.predict(X[0], "YXC"), clean[0]))
        told = model.predict(X[0], "YXC", output="posterior", noise=level)
        np.testing.assert_array_equal(model.predict(X[0], "YXC", output="posterior"), told)
        kept.append(np.abs(told - model.predict(X[0], "YXC", output="posterior", noise=12.0)).max())
    assert errors[0] < 0.7 * errors[1]
    assert min(kept) > 0


def variance_at(model, images, signal):
    channels = images[0].shape[-1]
    found = model._moments(images).variance(np.full((1, 4, 4, channels), signal, np.float32))
    return np.broadcast_to(found, (1, 4, 4, channels))[0, 0, 0]


def test_the_level_is_that_of_all_training_images_of_any_size(rng):
    images = [rng.normal(50, 10, s) * [1.0, 3.0] for s in ((3, 300, 80, 2), (1, 90, 1500, 2))]
    # narrow ones tell nothing and do no harm
    images += [rng.normal(50, 10, (1, 200, n, 2)) * [1.0, 3.0] for n in (2, 9, 40)]
    model = R2R(R2RConfig(images[:2], **FAST), basedir=None)
    assert variance_at(model, images, 50) == pytest.approx([100, 900], rel=0.1)
    # of a validation image that is too small to tell it
    model.train(images[:2], images[0][:1, :64, :64], epochs=1, steps_per_epoch=1, verbose=0)


def test_a_camera_is_told_from_the_parts_that_validation_leaves(rng):
    clean = 200 + 150 * np.sin(np.mgrid[:384, :384][0] / 40)
    X = poisson_gaussian(clean[None, ..., None].astype(np.float32), 2.0, 5.0)
    training, validation = hold_out([X], (64, 64), 0.1, 3)
    assert validation
    assert len(training) > 1
    model = R2R(R2RConfig(training, **FAST), basedir=None)
    for signal in (100, 300):
        expected = 2.0 * signal + 25
        assert variance_at(model, training, signal)[0] == pytest.approx(expected, rel=0.1)


def test_what_tells_no_noise_is_refused_before_work(rng, tmp_path):
    X = rng.normal(50, 10, (1, 40, 40, 1))
    model = R2R(R2RConfig(X, **FAST), "m", tmp_path)
    with pytest.raises(ImageError, match=r"40, 40.*noise_level"):
        model.train(X, verbose=0)
    assert not list(tmp_path.rglob("*.h5"))
    with pytest.raises(ImageError, match=r"40, 40.*noise_level"):
        new_model([X], "r2r", tmp_path / "new", **FAST)
    assert not (tmp_path / "new").exists()
    # which one that is given does without
    result = n2v_tk.denoise(
        X[0, ..., 0], method="r2r", noise_level=10.0, posterior=True, verbose=0, unet_n_first=4,
        train_epochs=1, train_steps_per_epoch=2,
    )  # fmt: skip
    assert result.shape == (40, 40)


def test_images_without_noise_are_refused(rng, tmp_path):
    X = rng.normal(50, 10, (1, 96, 96, 2))
    X[..., 1] = 0
    X[0, 10:90:20, 10:90:20, 1] = 50
    with pytest.raises(ImageError, match=r"channel 1.*noise_level"):
        new_model([X], "r2r", tmp_path / "m", **FAST)
    assert not (tmp_path / "m").exists()


def test_what_is_held_out_tells_of_the_noise_too(rng):
    """Of a small image neither part would be enough."""
    X = smooth(1, 140)[0, :100, :, 0] + rng.normal(0, 20, (100, 140))
    result, model = n2v_tk.denoise(X, method="r2r", return_model=True, verbose=0, **FAST)
    training, validation = hold_out([X[None, ..., None]], (64, 64), 0.1, 1)
    assert validation
    with pytest.raises(ImageError, match="Too few pixels"):
        noise_of_channels(training)
    assert variance_at(model, [X[None, ..., None]], 100)[0] == pytest.approx(400, rel=0.2)
    assert error(result, smooth(1, 140)[0, :100, :, 0]) < 400 / 2


def test_settings_that_do_not_fit(rng):
    X = rng.normal(50, 10, (1, 64, 80, 1))
    for level in (0.0, -3.0, (1.0, 0.0, -1.0), (0.0, 0.0, 3.0), float("nan"), (1.0, np.inf, 2.0)):
        with pytest.raises(ConfigError, match="noise_level"):
            R2RConfig(X, noise_level=level)
    with pytest.raises(ConfigError, match="not distributions"):
        R2RConfig(X, probabilistic=True)
    with pytest.raises(ConfigError, match="train_loss"):
        R2RConfig(X, train_loss="mae")
    with pytest.raises(ConfigError, match="r2r_alpha"):
        R2RConfig(X, r2r_alpha=0)
    with pytest.raises(ConfigError, match=r"divisible by 4.*\(30, 64\)"):
        R2RConfig(X, train_patch_shape=(30, 64))
    with pytest.raises(ConfigError, match=r"unet_input_shape.*\(32, 32, 1\) and \(64, 64\)"):
        R2RConfig(X, unet_input_shape=(32, 32, 1))
    with pytest.raises(ConfigError, match="has the channels"):
        R2RConfig(X, n_channel_out=2)
    with pytest.raises(ImageError, match="at least 4 pixels"):
        R2RConfig(X[:, :3])


def test_defaults_fit_the_images_and_are_those_of_noise2void(rng):
    from n2v_tk import N2VConfig

    X = rng.normal(50, 10, (1, 50, 200, 1))
    ours, theirs = R2RConfig(X), N2VConfig.recommended(X)
    assert ours.train_patch_shape == theirs.n2v_patch_shape == (48, 64)
    for name in (
        "unet_kern_size", "unet_n_first", "batch_norm", "train_schedule", "train_ramps",
        "train_learning_rate", "train_batch_size", "train_epochs", "train_steps_per_epoch",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    volume = rng.normal(50, 10, (1, 14, 100, 50, 1))
    ours, theirs = R2RConfig(volume), N2VConfig.recommended(volume)
    assert ours.train_patch_shape == theirs.n2v_patch_shape == (12, 64, 48)
    for name in ("train_learning_rate", "train_steps_per_epoch", "train_batch_size"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert R2RConfig(n_dim=3).train_patch_shape == (16, 64, 64)
    assert R2RConfig().train_patch_shape == (64, 64)


def test_the_estimate_is_what_estimate_noise_says(rng):
    X = rng.normal(50, 10, (2, 128, 128, 1))
    told = estimate_noise(X[..., 0]).sigma ** 2
    model = R2R(R2RConfig(X), basedir=None)
    assert variance_at(model, [X], 50)[0] == pytest.approx(told, rel=0.02)


@pytest.mark.parametrize("level", [None, (12.0, 0.0, 0.0)])
def test_noise_of_few_photons_goes(level, rng):
    """Better than with the same variance alone, which takes the noise for normal."""
    clean = smooth()
    X = 12.0 * rng.poisson(clean / 12.0)
    errors = []
    for as_normal in (False, True):
        model = R2R(R2RConfig(X, noise_level=level, **FAST), basedir=None)
        if as_normal:
            model._moments = partial(without_third, model._moments)
        model.train(X, epochs=6, verbose=0)
        errors.append(
            np.mean([error(model.predict(x, "YXC"), c) for x, c in zip(X, clean, strict=True)])
        )
    assert errors[0] < 0.7 * errors[1]
    assert errors[0] < error(X, clean) / 8


def without_third(moments_of, images):
    moments = moments_of(images)
    moments.photon = np.zeros_like
    return moments


def test_other_noise_than_normal_and_of_photons_is_warned_of(rng):
    clean = smooth(2)
    exponential = clean + 20 * rng.exponential(1, clean.shape)
    photons = 20.0 * rng.poisson(clean / 20.0)
    few = 60.0 * rng.poisson(smooth(2, 384) / 60.0)
    for X, level, what in (
        (exponential, None, "level has 0"), (exponential, 20.0, "level has 0"),
        (photons, 45.0, "level has 0"), (few, None, "fewer than four photons"),
    ):  # fmt: skip
        model = R2R(R2RConfig(X, noise_level=level, **FAST), basedir=None)
        with pytest.warns(
            UserWarning,
            match=rf"normal or that of enough photons.*skewness of \d.*{what}.*method 'n2v'",
        ):
            model.train(X, epochs=1, steps_per_epoch=1, verbose=0)
    # of a camera that counts them no number is too small, nor is any channel's
    model = R2R(R2RConfig(few, noise_level=(60.0, 0.0, 0.0), **FAST), basedir=None)
    model.train(few, epochs=1, steps_per_epoch=1, verbose=0)
    X = np.concatenate([rng.normal(clean, 20), exponential], axis=-1)
    with pytest.warns(UserWarning, match="not seem to be normal"):
        R2R(R2RConfig(X, **FAST), basedir=None).train(X, epochs=1, steps_per_epoch=1, verbose=0)
