"""Supervised restoration."""

import zipfile

import numpy as np
import pytest

from n2v_tk import CARE, CAREConfig, load_model
from n2v_tk.errors import ConfigError, ExportError, ImageError

FAST = {"unet_n_first": 8, "unet_kern_size": 3, "train_batch_size": 8, "train_seed": 1}


def pairs(n=24, side=32, noise=0.3, channels=1):
    """Smooth images with and without noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    phase = rng.uniform(0, 6, (n, 1, 1, channels))
    clean = np.sin(7 * x[None, ..., None] + phase) * np.cos(9 * y[None, ..., None] - phase)
    noisy = clean + rng.normal(0, noise, clean.shape)
    return noisy.astype(np.float32), clean.astype(np.float32)


@pytest.mark.parametrize("probabilistic", [False, True])
def test_it_learns_to_restore(tmp_path, probabilistic):
    X, Y = pairs()
    config = CAREConfig(X[4:], Y[4:], probabilistic=probabilistic, train_epochs=4,
                        train_steps_per_epoch=30, train_learning_rate=2e-3, **FAST)  # fmt: skip
    model = CARE(config, "m", tmp_path)
    history = model.train(X[4:], Y[4:], validation_data=(X[:4], Y[:4]), verbose=0)
    assert history.history["val_loss"][-1] < history.history["val_loss"][0]
    noisy, clean = X[0, ..., 0], Y[0, ..., 0]
    restored = model.predict(noisy, "YX", normalizer=None)
    assert np.mean((restored - clean) ** 2) < 0.3 * np.mean((noisy - clean) ** 2)
    again = load_model(tmp_path / "m")
    assert np.array_equal(again.predict(noisy, "YX", normalizer=None), restored)
    if probabilistic:
        prediction = again.predict_probabilistic(noisy, "YX", normalizer=None)
        assert np.allclose(prediction.mean(), restored)
        # a Laplace distribution of the right width has its scale as mean absolute error
        error = np.mean(np.abs(restored - clean))
        assert 0.4 < np.mean(prediction.scale()) / error < 2.5
    else:
        with pytest.raises(ConfigError, match="probabilistic=True"):
            model.predict_probabilistic(noisy, "YX")


@pytest.mark.parametrize("probabilistic", [False, True])
def test_metrics_of_csbdeep_are_those_of_the_mean(probabilistic):
    X, Y = pairs(12, channels=2)
    config = CAREConfig(X, Y, probabilistic=probabilistic, train_epochs=1,
                        train_steps_per_epoch=2, train_precision="float32", **FAST)  # fmt: skip
    model = CARE(config, basedir=None)
    # nine images to validate on, in batches of eight and one
    history = model.train(X, Y, validation_data=(X[:9], Y[:9]), verbose=0).history
    mean = model.keras_model.predict(X[:9], verbose=0)[..., :2]
    assert history["val_mse"][0] == pytest.approx(np.mean((mean - Y[:9]) ** 2), rel=1e-3)
    assert history["val_mae"][0] == pytest.approx(np.mean(np.abs(mean - Y[:9])), rel=1e-3)
    if not probabilistic:
        assert history["mae"] == pytest.approx(history["loss"], rel=1e-3)
    model.prepare_for_training(metrics=())
    assert "mse" not in model.train(X, Y, verbose=0).history


def test_export_tf_with_the_argument_of_csbdeep(tmp_path):
    X, Y = pairs(4)
    model = CARE(CAREConfig(X, Y, **FAST), "m", tmp_path)
    model.save(tmp_path / "m")
    model.load_weights()
    path = model.export_TF()
    assert path == tmp_path / "m" / "TF_SavedModel.zip"
    assert model.export_TF(str(tmp_path / "other")) == tmp_path / "other.zip"
    path.write_text("older")
    model.export_TF()
    with zipfile.ZipFile(path) as bundle:
        assert {"saved_model.pb", "meta.json"} <= set(bundle.namelist())
    model = CARE(CAREConfig(X, Y, **FAST), basedir=None)
    with pytest.raises(ExportError, match="no folder to export to"):
        model.export_TF()


def test_normalizers_of_csbdeep():
    from csbdeep.data import NoNormalizer, NoResizer, PadAndCropResizer, PercentileNormalizer

    X, Y = pairs(8)
    model = CARE(CAREConfig(X, Y, **FAST), basedir=None)
    image = 100 + 50 * X[0, ..., 0]
    default = model.predict(image, "YX")
    assert np.array_equal(default, model.predict(image, "YX", PercentileNormalizer(2, 99.8)))
    assert not np.allclose(default, model.predict(image, "YX", PercentileNormalizer(10, 90)))
    low, high = np.percentile(image, (2, 99.8)).astype(np.float32)
    scaled = (image - low) / (high - low)
    raw = model.predict(scaled, "YX", NoNormalizer(), PadAndCropResizer())
    assert np.allclose(raw * (high - low) + low, default, rtol=1e-4)
    kept = model.predict(image, "YX", PercentileNormalizer(2, 99.8, do_after=False), NoResizer())
    assert np.allclose(kept, raw, atol=1e-5)


def test_every_image_of_a_stack_has_its_own_percentiles():
    X, Y = pairs(8)
    model = CARE(CAREConfig(X, Y, **FAST), basedir=None)
    stack = np.stack([X[0, ..., 0], 1000 + 300 * X[1, ..., 0]])
    together = model.predict(stack, "TYX")
    for image, result in zip(stack, together, strict=True):
        assert np.allclose(model.predict(image, "YX"), result, rtol=1e-4, atol=1e-4)


def test_channels_may_differ():
    X, Y = pairs(8)[0], pairs(8, channels=2)[1]
    config = CAREConfig(X, Y, train_epochs=1, train_steps_per_epoch=2, **FAST)
    assert (config.n_channel_in, config.n_channel_out, config.unet_residual) == (1, 2, False)
    model = CARE(config, basedir=None)
    model.train(X, Y, verbose=0)
    assert model.predict(X[0, ..., 0], "YX").shape == (32, 32, 2)


def test_3d():
    X = np.random.default_rng(0).normal(size=(4, 8, 16, 16, 1)).astype(np.float32)
    config = CAREConfig(X, X, train_epochs=1, train_steps_per_epoch=2, **FAST)
    assert (config.axes, config.unet_kern_size) == ("ZYXC", 3)
    model = CARE(config, basedir=None)
    model.train(X, X, verbose=0)
    assert model.predict(X[0, ..., 0], "ZYX").shape == (8, 16, 16)


def test_random_patches_and_an_augmenter():
    X, Y = pairs(4, side=48)
    config = CAREConfig(X, Y, train_patch_shape=(16, 32), train_augment=True, train_epochs=1,
                        train_steps_per_epoch=2, **FAST)  # fmt: skip
    seen = []

    def augmenter(x, y):
        seen.append((x.shape, y.shape))
        return x, y

    CARE(config, basedir=None).train(X, Y, augmenter=augmenter, verbose=0)
    assert set(seen) == {((8, 16, 32, 1), (8, 16, 32, 1))}


def test_training_data_of_csbdeep(tmp_path):
    from csbdeep.io import load_training_data, save_training_data

    X, Y = pairs(10)
    save_training_data(tmp_path / "data.npz", X, Y, "SYXC")
    (X, Y), validation, axes = load_training_data(tmp_path / "data.npz", validation_split=0.2)
    config = CAREConfig(axes=axes, train_epochs=1, train_steps_per_epoch=2, **FAST)
    history = CARE(config, basedir=None).train(X, Y, validation, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_patch_shape": (30, 32)}, "divisible by 4"),
        ({"train_patch_shape": (32,)}, "needs 2 sides"),
        ({"n_channel_out": 2, "unet_residual": True}, "as many channels"),
        ({"normalization": "dataset"}, "normalization"),
        ({"unet_n_fist": 8}, "unet_n_first"),
    ],
)
def test_invalid_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        CAREConfig(axes="YXC", **settings)


def test_pairs_that_do_not_fit():
    X, Y = pairs(4)
    model = CARE(CAREConfig(X, Y, **FAST), basedir=None)
    with pytest.raises(ImageError, match="target of the same size"):
        model.train(X, Y[:, :16], verbose=0)
    with pytest.raises(ImageError, match=r"1 channel\(s\) and their targets 1"):
        model.train(X, np.concatenate([Y, Y], -1), verbose=0)
    with pytest.raises(ImageError, match="divisible by 4"):
        model.train(X[:, :30], Y[:, :30], verbose=0)
    with pytest.raises(ImageError, match="train_patch_shape"):
        model.train([X, X[:, :16]], [Y, Y[:, :16]], verbose=0)
    with pytest.raises(ConfigError, match=r"pair \(X, Y\)"):
        model.train(X, Y, validation_data=X, verbose=0)
    with pytest.raises(ImageError, match="not finite"):
        model.train(X, Y * np.nan, verbose=0)
