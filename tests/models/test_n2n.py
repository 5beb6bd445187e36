"""Noise2Noise: pairs, repeated frames, clean images with noise."""

import numpy as np
import pytest

from n2v_tk import N2N, N2NConfig, load_model
from n2v_tk.data.noise import Bernoulli, Gaussian, Impulse
from n2v_tk.data.pairs import FrameDataWrapper, NoisyDataWrapper, PairDataWrapper
from n2v_tk.data.structured_noise import MissingFrequencies
from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.losses import N2N_LOSSES, mse
from n2v_tk.nets.blindspot import build_n2n

FAST = {"net_width": 6, "train_batch_size": 4, "train_seed": 1, "train_learning_rate": 2e-3,
        "train_epochs": 2, "train_steps_per_epoch": 40, "train_precision": "float32"}  # fmt: skip


def smooth(n=6, side=64, channels=1):
    y, x = np.mgrid[:side, :side] / side
    phase = np.random.default_rng(0).uniform(0, 6, (n, 1, 1, channels))
    waves = np.sin(8 * x[None, ..., None] + phase) * np.cos(7 * y[None, ..., None] - phase)
    return (100 + 60 * waves).astype("float32")


def gain(model, clean, noisy):
    axes = model.config.axes
    return np.mean((noisy - clean) ** 2) / np.mean((model.predict(noisy, axes) - clean) ** 2)


@pytest.mark.parametrize(("channels", "count"), [(3, 991_203), (1, 988_609)])
def test_the_published_sizes(channels, count):
    assert build_n2n((None, None, channels), channels).count_params() == count


@pytest.mark.parametrize("network", ["n2n", pytest.param("unet", marks=pytest.mark.slow)])
def test_pairs_teach_what_clean_images_would(network, rng, tmp_path):
    clean = smooth()
    X, Y = (Gaussian(30.0)(clean, rng) for _ in range(2))
    small = {"network": network, "unet_n_first": 6}
    gains = []
    for target in (Y, clean):
        model = N2N(N2NConfig(X, **FAST, **small), "m", tmp_path / str(len(gains)))
        history = model.train(X, target, validation_data=(X[:2], clean[:2]), verbose=0)
        assert np.isfinite(history.history["val_loss"]).all()
        gains.append(gain(model, clean[0], X[0]))
    assert min(gains) > 2
    assert gains[0] > 0.6 * gains[1]
    again = load_model(tmp_path / "0" / "m")
    assert type(again) is N2N
    assert gain(again, clean[0], X[0]) == pytest.approx(gains[0], rel=1e-5)


def test_repeated_frames(rng):
    clean = smooth(2)
    frames = [np.concatenate([Gaussian(30.0)(c[None], rng) for _ in range(5)]) for c in clean]
    model = N2N(N2NConfig(frames, **FAST), basedir=None)
    history = model.train_on_frames(frames, frames, verbose=0)
    assert history.history["val_loss"][-1] < history.history["loss"][-1]
    assert gain(model, clean[0], frames[0][0]) > 2


def test_clean_images_and_a_noise_model(rng):
    clean = smooth(3, channels=2)
    model = N2N(N2NConfig(clean, **FAST), basedir=None)
    model.train_on_clean(clean, Gaussian((10.0, 40.0)), verbose=0)
    assert gain(model, clean[0], Gaussian(30.0)(clean[:1], rng)[0]) > 2


@pytest.mark.parametrize(
    ("loss", "noise", "settings"),
    [
        pytest.param("mae", Impulse(0.2, 0.0, 255.0), {}, marks=pytest.mark.slow),
        ("l0", Impulse(0.3, 0.0, 255.0), {}),
        ("masked_mse", Bernoulli(0.4), {}),
        pytest.param("hdr", Gaussian(20.0), {"normalization": "none"}, marks=pytest.mark.slow),
    ],
)
def test_losses_train(loss, noise, settings):
    clean = smooth(3)
    config = N2NConfig(clean, train_loss=loss, **{**FAST, "train_learning_rate": 1e-3}, **settings)
    model = N2N(config, basedir=None)
    rng = np.random.default_rng(2)
    validation = (noise(clean, rng), clean)
    history = model.train_on_clean(clean, noise, validation, verbose=0)
    assert np.isfinite(history.history["loss"] + history.history["val_loss"]).all()
    if loss != "hdr":
        assert gain(model, clean[0], noise(clean[:1], rng)[0]) > 1.2


def test_what_losses_have_their_minimum_at():
    """Mean, median, most frequent value of targets (0.2 mostly, some up to 1)."""
    rng = np.random.default_rng(0)
    targets = np.where(rng.random(20000) < 0.7, rng.normal(0.2, 0.005, 20000), rng.random(20000))
    targets = targets.astype("float32")[:, None]
    grid = np.linspace(0.1, 0.5, 401).astype("float32")

    def minimum(loss, extra=None):
        y = targets if extra is None else np.concatenate([targets, np.full_like(targets, extra)], 1)
        return grid[np.argmin([float(loss(y, np.full_like(targets, g))) for g in grid])]

    assert minimum(N2N_LOSSES["mse"]) == pytest.approx(targets.mean(), abs=2e-3)
    assert minimum(N2N_LOSSES["mae"]) == pytest.approx(np.median(targets), abs=2e-3)
    assert minimum(N2N_LOSSES["l0"], 2.0) == pytest.approx(targets.mean(), abs=2e-3)
    assert minimum(N2N_LOSSES["l0"], 0.1) == pytest.approx(0.2, abs=0.01)


def test_the_loss_of_noisy_targets_is_that_of_clean_ones_and_their_variance(rng):
    clean, predicted = rng.random((2, 400, 400)).astype("float32")
    noisy = clean + rng.normal(0, 0.3, clean.shape).astype("float32")
    assert float(mse(noisy, predicted)) == pytest.approx(float(mse(clean, predicted)) + 0.09,
                                                         rel=1e-2)  # fmt: skip


def test_the_relative_loss_does_not_depend_on_brightness(rng):
    target, predicted = 100 + rng.random((2, 50)).astype("float32")
    loss = N2N_LOSSES["hdr"]
    assert float(loss(3 * target, 3 * predicted)) == pytest.approx(float(loss(target, predicted)),
                                                                   rel=1e-3)  # fmt: skip


def test_lost_pixels_do_not_count(rng):
    target, predicted = rng.random((2, 2, 8, 8, 1)).astype("float32")
    mask = (rng.random((2, 8, 8, 1)) < 0.5).astype("float32")
    y = np.concatenate([target, mask], -1)
    loss = N2N_LOSSES["masked_mse"]
    changed = np.where(mask > 0, predicted, 99.0)
    assert float(loss(y, predicted)) == float(loss(y, changed))


def test_gamma_falls_from_2_to_0():
    images = np.zeros((1, 32, 32, 1), "float32")
    data = PairDataWrapper(images, images, 2, 5, (32, 32), anneal_over=10)
    gammas = []
    for epoch in range(2):
        data.epoch = epoch
        gammas += [float(data[i][1][..., -1].max()) for i in range(5)]
    assert np.allclose(gammas, np.linspace(2, 0, 10), atol=1e-6)
    loss = float(N2N_LOSSES["l0"](data[4][1], images[:1] * np.ones((2, 1, 1, 1), "float32")))
    assert np.isfinite(loss)


def test_frames_are_never_paired_with_themselves():
    frames = np.arange(4, dtype="float32")[:, None, None, None] * np.ones((4, 32, 32, 1), "float32")
    data = FrameDataWrapper([frames], 16, 20, (32, 32))
    seen = set()
    for i in range(20):
        x, y = (batch[:, 0, 0, 0] for batch in data[i])
        seen |= set(zip(x.tolist(), y.tolist(), strict=True))
    assert seen == {(a, b) for a in range(4) for b in range(4) if a != b}


def test_noise_of_input_and_target_is_independent():
    clean = np.full((1, 64, 64, 1), 10.0, "float32")
    x, y = NoisyDataWrapper(clean, Gaussian((0.0, 5.0)), 64, 1, (64, 64))[0]
    assert abs(np.corrcoef((x - 10).ravel(), (y - 10).ravel())[0, 1]) < 4 / np.sqrt(x.size)
    assert not np.allclose(x.std(axis=(1, 2, 3)), y.std(axis=(1, 2, 3)), rtol=0.05)


def test_frequencies_are_taken_from_whole_images():
    clean = np.random.default_rng(0).random((1, 63, 63, 1)).astype("float32")
    x, y = NoisyDataWrapper(clean, MissingFrequencies(0.1), 2, 1, (32, 32))[0]
    assert x.shape == y.shape == (2, 32, 32, 1)
    assert not np.array_equal(x, y)


def test_bad_pairs(rng):
    clean = smooth(2)
    X, Y = (Gaussian(10.0)(clean, rng) for _ in range(2))
    model = N2N(N2NConfig(X, **{**FAST, "train_epochs": 1, "train_steps_per_epoch": 1}),
                basedir=None)  # fmt: skip
    with pytest.warns(UserWarning, match="are identical"):
        model.train(X, X, verbose=0)
    with pytest.warns(UserWarning, match=r"shifted against each other by \(0, 7\)"):
        model.train(X, np.roll(Y, 7, axis=2), verbose=0)
    with pytest.raises(ImageError, match="target of the same size"):
        model.train(X, Y[:1], verbose=0)
    with pytest.raises(ImageError, match="two frames at least"):
        model.train_on_frames([X[:1]], verbose=0)
    with pytest.raises(ConfigError, match=r"pair \(X, Y\)"):
        model.train(X, Y, validation_data=X, verbose=0)
    with pytest.raises(ImageError, match="not finite"):
        model.train(X, Y * np.nan, verbose=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_patch_shape": (40, 64)}, "divisible by 32"),
        ({"train_loss": "hdr"}, "normalization='none'"),
        ({"train_loss": "l7"}, "train_loss"),
        ({"probabilistic": True}, "not distributions|train_loss"),
        ({"n_dim": 3, "axes": "ZYXC", "network": "n2n", "train_patch_shape": (32, 32, 32)},
         "for planes"),
        ({"net_widht": 3}, "net_width"),
    ],
)  # fmt: skip
def test_bad_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        N2NConfig(**settings)


def test_masks_are_asked_for():
    clean = smooth(2)
    model = N2N(N2NConfig(clean, train_loss="masked_mse", **FAST), basedir=None)
    with pytest.raises(ConfigError, match="says which"):
        model.train_on_clean(clean, Gaussian(1.0), verbose=0)
    with pytest.raises(ConfigError, match="without masks"):
        model.train(clean, clean + 1, verbose=0)


def test_3d(rng):
    X, Y = rng.normal(100, 10, (2, 1, 8, 32, 32, 1)).astype("float32")
    config = N2NConfig(X, unet_n_first=4, train_epochs=1, train_steps_per_epoch=2)
    assert (config.network, config.train_patch_shape) == ("unet", (8, 32, 32))
    model = N2N(config, basedir=None)
    model.train(X, Y, verbose=0)
    assert model.predict(X[0, ..., 0], "ZYX").shape == (8, 32, 32)
