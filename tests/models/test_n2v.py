import json
import os
import warnings

import keras
import numpy as np
import pytest
from sources import InMemory

from n2v_tk import N2V, N2VConfig, estimate_noise
from n2v_tk.errors import (
    AxesError,
    CompatibilityWarning,
    ConfigError,
    ExportError,
    ImageError,
    ModelFolderError,
)
from n2v_tk.lazy import LazyArray
from n2v_tk.prediction.posterior import own_share, posterior_mean

# some variants are unknown to n2v, which saving says
pytestmark = pytest.mark.filterwarnings("ignore:Only n2v_tk opens")

VARIANTS = {
    "n2v": {},
    "n2v2": {"blurpool": True, "skip_skipone": True, "n2v_manipulator": "median"},
    "structN2V": {"structN2Vmask": [[1, 1, 0, 1, 1]]},
    "structN2V2": {
        "structN2Vmask": [[1, 1, 0, 1, 1]],
        "blurpool": True,
        "skip_skipone": True,
        "n2v_manipulator": "mean",
    },
    "residual": {"unet_residual": True},
    "probabilistic": {"probabilistic": True},
    "joint": {"single_net_per_channel": False, "unet_residual": True},
    "no norm": {"batch_norm": False, "unet_dropout": 0.1},
    "kernel 9": {"unet_kern_size": 9},
    "bfloat16": {"train_precision": "mixed_bfloat16"},
    "ema and cosine": {"train_ema": 0.9, "train_schedule": "cosine"},
}


def volume(rng, channels=1):
    return rng.normal(100, 10, (1, 8, 32, 40, channels)).astype(np.float32)


@pytest.mark.parametrize(
    ("variant", "channels", "n_dim"),
    [
        *((variant, 1, 2) for variant in VARIANTS),
        *((variant, 2, 2) for variant in ("structN2V", "residual", "probabilistic", "joint")),
        *((variant, 1, 3) for variant in ("structN2V2", "probabilistic")),
        ("n2v2", 2, 3),
    ],
)
def test_train_save_load_predict(variant, channels, n_dim, small, rng, tmp_path):
    settings = {**small, "train_epochs": 1, "train_steps_per_epoch": 1, **VARIANTS[variant]}
    if n_dim == 3 and "structN2Vmask" in settings:
        settings["structN2Vmask"] = [settings["structN2Vmask"]]
    if n_dim == 2:
        X = rng.normal(100, 10, (2, 48, 64, channels)).astype(np.float32)
    else:
        X = volume(rng, channels)
    patch = (32, 32) if n_dim == 2 else (8, 16, 16)
    model = N2V(N2VConfig(X, n2v_patch_shape=patch, **settings), "m", tmp_path)
    history = model.train(X, X, verbose=0)
    assert np.isfinite(history.history["loss"] + history.history["val_loss"]).all()
    axes = "YXC" if n_dim == 2 else "ZYXC"
    result = model.predict(X[0], axes)
    assert result.shape == X[0].shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    again = N2V(None, "m", tmp_path)
    assert again.config == model.config
    np.testing.assert_array_equal(again.predict(X[0], axes), result)
    if variant == "probabilistic":
        distribution = again.predict_probabilistic(X[0], axes)
        np.testing.assert_array_equal(distribution.mean(), result)
        assert distribution.scale().shape == X[0].shape
        assert (distribution.scale() > 0).all()


@pytest.fixture
def model(noisy_stack, small):
    return N2V(N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small), basedir=None)


def test_prediction_in_any_axes(model, rng):
    image = rng.normal(100, 10, (3, 40, 52)).astype(np.float32)
    single = np.stack([model.predict(i, "YX") for i in image])
    close = {"rtol": 0, "atol": 1e-4}
    for axes in ("SYX", "TYX", "ZYX"):
        np.testing.assert_allclose(model.predict(image, axes), single, **close)
    np.testing.assert_allclose(model.predict(image.T, "XYT"), single.T, **close)
    many = np.stack([image, image + 1])[..., None]
    result = model.predict(many, "TZYXC")
    assert result.shape == many.shape
    np.testing.assert_allclose(result[0, ..., 0], single, **close)


def test_the_pixel_itself_is_brought_back(model, rng):
    image = rng.normal(100, 10, (2, 64, 64, 1)).astype(np.float32)
    prior = model.predict(image, "SYXC")
    np.testing.assert_array_equal(model.predict(image, "SYXC", output="prior"), prior)
    result = model.predict(image, "SYXC", output="posterior", noise=10.0, dtype=np.float64)
    assert result.dtype == np.float64
    variance = np.float32(100)
    own = own_share(lambda i: model.predict(i, "SYXC"), image, np.asarray(prior), variance)
    assert np.abs(own).max() > 0.01
    expected = posterior_mean(image, np.asarray(prior), variance, own)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert np.abs(expected - prior).max() > 0.5
    # in any axes, and with what is estimated from the image, over all samples
    turned = model.predict(image[..., 0].T, "XYS", output="posterior", noise=10.0)
    np.testing.assert_allclose(turned, result[..., 0].T, rtol=1e-4)
    estimate = estimate_noise(image[..., 0])
    np.testing.assert_allclose(
        model.predict(image, "SYXC", output="posterior"),
        model.predict(image, "SYXC", output="posterior", noise=estimate),
        rtol=1e-5,
    )


def test_posteriors_that_cannot_be(model, noisy_stack, small, rng):
    image = rng.normal(100, 10, (64, 64))
    with pytest.raises(ConfigError, match=r"'prior' or 'posterior'.*'mean'"):
        model.predict(image, "YX", output="mean")
    with pytest.raises(ConfigError, match=r"noise must be.*-3"):
        model.predict(image, "YX", output="posterior", noise=-3)
    with pytest.raises(ImageError, match=r"Too few pixels.*\(1, 32, 32\)"):
        model.predict(image[:32, :32], "YX", output="posterior")
    lines = {"structN2Vmask": [[1, 0, 1]], "n2v_patch_shape": (32, 32)}
    struct = N2V(N2VConfig(noisy_stack, **lines, **small), basedir=None)
    with pytest.raises(ConfigError, match=r"correlated noise.*structN2Vmask"):
        struct.predict(image, "YX", output="posterior")
    assert struct.predict(image, "YX", output="posterior", noise=10.0).shape == (64, 64)


def test_tiles_do_not_change_the_result(model, rng):
    image = rng.normal(100, 10, (203, 170)).astype(np.float32)
    whole = model.predict(image, "YX")
    for n_tiles in ((2, 2), (1, 3)):
        tiled = model.predict(image, "YX", n_tiles=n_tiles)
        assert np.abs(tiled - whole).max() < 1e-5 * np.ptp(image)


def test_deep_networks_with_wide_kernels_predict(noisy_stack, small):
    """n2v trains them and then has no tile overlap for them."""
    X = np.tile(noisy_stack, (1, 2, 2, 1))
    small |= {"unet_n_depth": 6, "unet_n_first": 1}
    model = N2V(N2VConfig(X, n2v_patch_shape=(64, 64), **small), basedir=None)
    assert model.predict(X[0, ..., 0], "YX").shape == X.shape[1:3]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_dtypes_in_and_out(model, rng, dtype):
    image = rng.normal(100, 10, (32, 32)).astype(dtype)
    result = model.predict(image, "YX")
    assert result.dtype == np.float32
    same = model.predict(image, "YX", dtype="same")
    assert same.dtype == dtype
    expected = np.rint(result) if np.dtype(dtype).kind in "ui" else result
    expected = np.clip(expected, 0, 255) if dtype == "uint8" else expected
    np.testing.assert_allclose(same, expected)
    assert model.predict(image, "YX", dtype=np.uint16).dtype == np.uint16


def test_bright_pixels_are_clipped_not_wrapped(model):
    model.keras_model.set_weights([w * 0 for w in model.keras_model.get_weights()])
    head = model.keras_model.get_layer("channel_0_head")
    head.set_weights([head.get_weights()[0], np.array([1e6], np.float32)])
    result = model.predict(np.zeros((16, 16), np.uint16), "YX", dtype="same")
    assert (result == 65535).all()


@pytest.mark.parametrize("normalization", ["image", "percentile", "none", "dataset"])
def test_normalizations(noisy_stack, small, normalization):
    # a net that returns its input shows that normalising and back is the identity
    X = noisy_stack if normalization != "none" else (noisy_stack - 100) / 30
    config = N2VConfig(
        X, n2v_patch_shape=(32, 32), normalization=normalization, unet_residual=True, **small
    )
    model = N2V(config, basedir=None)
    model.keras_model.set_weights([w * 0 for w in model.keras_model.get_weights()])
    image = X[0, ..., 0]
    np.testing.assert_allclose(model.predict(image, "YX"), image, atol=1e-3)
    history = N2V(config, basedir=None).train(X, X, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()
    if normalization in ("image", "percentile"):
        plain, scaled = (
            N2V(config, basedir=None)._training_data([i], 1)[0] for i in (X, 37 * X + 1000)
        )
        np.testing.assert_allclose(plain[0], scaled[0], atol=1e-4)


def test_struct_fill_follows_the_scale_of_the_data(noisy_stack, small):
    small |= {
        "n2v_patch_shape": (32, 32),
        "structN2Vmask": [[1, 1, 0, 1, 1]],
        "structN2V_fill": (-2, 2),
    }
    config = N2VConfig(noisy_stack, normalization="none", **small)
    x, y = N2V(config, basedir=None)._training_data([noisy_stack], 1)[0]
    target, mask = y[..., :1], y[..., 1:]
    hidden = x[(x != target) & (mask == 0)]
    std = noisy_stack.std()
    assert hidden.std() == pytest.approx(4 * std / np.sqrt(12), rel=0.2)
    assert hidden.mean() == pytest.approx(noisy_stack.mean(), abs=float(std))


def test_validation_blind_spots_are_drawn_once(model, noisy_stack):
    first, second = (model._validation_data([noisy_stack]) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[1][..., 1].sum() > 0
    assert first[0].shape[1:] == (32, 32, 1)


def test_two_trainings_with_one_seed_are_the_same(noisy_stack, small):
    results = []
    for seed in (3, 3, 4):
        small["train_seed"] = seed
        config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
        model = N2V(config, basedir=None)
        model.train(noisy_stack, noisy_stack, verbose=0)
        results.append(model.predict(noisy_stack[0, ..., 0], "YX"))
    np.testing.assert_allclose(results[0], results[1], atol=1e-3)
    assert np.abs(results[0] - results[2]).max() > 0.1


def test_arguments_of_train_replace_the_config(model, noisy_stack):
    seen = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    model.prepare_for_training(metrics=())
    model.callbacks.append(Count())
    history = model.train(noisy_stack, noisy_stack, epochs=3, steps_per_epoch=2, verbose=0)
    assert len(history.epoch) == 3
    assert seen == [0, 1] * 3


def test_a_given_optimizer_is_used(model, noisy_stack):
    model.prepare_for_training(optimizer=keras.optimizers.SGD(0.0))
    before = model.keras_model.trainable_variables[0].numpy()
    model.train(noisy_stack, verbose=0)
    np.testing.assert_array_equal(model.keras_model.trainable_variables[0].numpy(), before)


def test_keras_model_is_stock_and_follows_training(model, noisy_stack, tmp_path):
    before = model.keras_model.get_weights()
    model.train(noisy_stack, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.keras_model.get_weights(), strict=True))
    model.keras_model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    x = np.ones((1, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(again.predict_on_batch(x), model.keras_model.predict_on_batch(x))
    assert all(type(i).__module__.startswith("keras.") for i in model.keras_model.operations)


def test_prediction_follows_changed_weights(model, rng):
    image = rng.normal(100, 10, (32, 32))
    first = model.predict(image, "YX")
    model.keras_model.set_weights([w * 0.5 for w in model.keras_model.get_weights()])
    assert np.abs(model.predict(image, "YX") - first).max() > 1e-3


def test_precision_of_prediction(model, rng):
    image = rng.normal(100, 10, (64, 64)).astype(np.float32)
    exact = model.predict(image, "YX")
    np.testing.assert_array_equal(model.predict(image, "YX", precision="float32"), exact)
    half = model.predict(image, "YX", precision="mixed_bfloat16")
    assert 0 < np.abs(half - exact).max() < 0.05 * np.ptp(image)


def test_precision_is_decided_and_stored(noisy_stack, small, tmp_path):
    small["train_precision"] = "auto"
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    model = N2V(config, "m", tmp_path)
    model.train(noisy_stack, verbose=0)
    stored = json.loads((tmp_path / "m" / "config.json").read_text())["train_precision"]
    assert stored in ("float32", "mixed_bfloat16")
    assert stored == model.config.train_precision


# images that do not fit -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes", "error", "message"),
    [
        ((32, 32, 3), "YXC", AxesError, r"trained on 1 channel.*Received: 3 channel"),
        ((32, 32, 3), "YX", AxesError, "name every dimension"),
        ((32, 32), None, AxesError, "must be given"),
        ((32, 32), "YXQ", AxesError, "'YXQ'"),
    ],
)
def test_images_that_do_not_fit_the_model(model, shape, axes, error, message):
    with pytest.raises(error, match=message):
        model.predict(np.zeros(shape), axes)


def test_bad_pixels_and_tiles(model):
    image = np.zeros((32, 32))
    image[3, 4] = np.nan
    with pytest.raises(ImageError, match=r"1 of 1024.*\(3, 4\)"):
        model.predict(image, "YX")
    with pytest.raises(ImageError, match="complex"):
        model.predict(np.zeros((32, 32), complex), "YX")
    with pytest.raises(ConfigError, match="n_tiles"):
        model.predict(np.zeros((32, 32)), "YX", n_tiles=(1, 2, 2))
    with pytest.raises(ConfigError, match="along Z must be 1"):
        model.predict(np.zeros((2, 32, 32)), "ZYX", n_tiles=(2, 1, 1))
    with pytest.raises(ConfigError, match="probabilistic=True"):
        model.predict_probabilistic(np.zeros((32, 32)), "YX")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: np.concatenate([X] * 3, axis=-1), "1 channel.*Received: 3"),
        (lambda X: X[:, :20, :20], r"images of \(20, 20\).*n2v_patch_shape=\(20, 20\)"),
        (lambda X: X[0], "do not fit a model of axes SYXC"),
        (lambda X: X * np.nan, "not finite"),
        (lambda X: X.astype(object), "real numbers"),
    ],
)
@pytest.mark.parametrize("which", ["training", "validation"])
def test_images_that_cannot_be_trained_on(noisy_stack, small, tmp_path, which, change, message):
    """n2v checks the training images only, and finds out at the end of the first epoch."""
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    model = N2V(config, "m", tmp_path)
    bad = change(noisy_stack)
    arguments = (bad, noisy_stack) if which == "training" else (noisy_stack, bad)
    with pytest.raises(ImageError, match=message):
        model.train(*arguments, verbose=0)
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["config.json"]


@pytest.mark.parametrize("argument", ["epochs", "steps_per_epoch"])
def test_training_for_nothing_is_refused(model, noisy_stack, argument):
    with pytest.raises(ConfigError, match=f"{argument} must be at least 1. Received: 0"):
        model.train(noisy_stack, verbose=0, **{argument: 0})


# folders ----------------------------------------------------------------------------------------


def test_the_folder_holds_what_n2v_wrote(noisy_stack, small, tmp_path):
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    model = N2V(config, "m", tmp_path)
    model.train(noisy_stack, noisy_stack, verbose=0)
    names = {p.name for p in model.logdir.iterdir()} - {"logs"}
    # and what is known of the training, which n2v does not mind
    weights = {"weights_best.h5", "weights_last.h5"}
    others = {"config.json", "training.json", "training_state.npz", ".training.lock"}
    assert names == weights | others
    model.load_weights("weights_last.h5")
    model.load_weights()


def test_a_model_with_loaded_weights_counts_as_trained(noisy_stack, small, tmp_path):
    """As in scripts that make the model from its settings once more."""
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    N2V(config, basedir=None).save(tmp_path / "m")
    with pytest.warns(UserWarning, match="There is a model in"):
        model = N2V(config, "m", tmp_path)
    with pytest.raises(ExportError, match="no trained weights"):
        model.export("keras", tmp_path / "m.keras")
    model.load_weights("weights_last.h5")
    assert model.trained
    assert model.export("keras", tmp_path / "m.keras").exists()


def test_weights_are_found_by_name(noisy_stack, small, tmp_path):
    """n2v loads the newest file with 'best' in its name."""
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    model = N2V(config, "m", tmp_path)
    model.train(noisy_stack, noisy_stack, verbose=0)
    expected = model.predict(noisy_stack[0], "YXC")
    decoy = model.logdir / "my_bestiary_backup.h5"
    decoy.write_bytes(b"nonsense")
    os.utime(decoy, (2**31, 2**31))
    np.testing.assert_array_equal(N2V(None, "m", tmp_path).predict(noisy_stack[0], "YXC"), expected)


def test_a_folder_without_weights_is_refused(noisy_stack, small, tmp_path):
    """n2v warns and goes on with random weights."""
    N2V(N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small), "m", tmp_path)
    with pytest.raises(ModelFolderError, match="holds no weights"):
        N2V(None, "m", tmp_path)
    with pytest.raises(ModelFolderError, match=r"no config\.json"):
        N2V(None, "missing", tmp_path)


def test_a_model_that_is_there_stays_until_the_new_one_trains(noisy_stack, small, tmp_path):
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    N2V(config, "m", tmp_path).train(noisy_stack, verbose=0)
    before = {p.name: p.read_bytes() for p in (tmp_path / "m").glob("*.*")}
    small["unet_n_first"] = 2
    other = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    with pytest.warns(UserWarning, match="stays as it is until"):
        model = N2V(other, "m", tmp_path)
    assert {p.name: p.read_bytes() for p in (tmp_path / "m").glob("*.*")} == before

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    model.prepare_for_training()
    model.callbacks.append(Stop())
    with pytest.raises(KeyboardInterrupt):
        model.train(noisy_stack, verbose=0)
    assert {p.name: p.read_bytes() for p in (tmp_path / "m").glob("*.*")} == before
    model.callbacks.pop()
    model.train(noisy_stack, verbose=0)
    assert N2V(None, "m", tmp_path).config.unet_n_first == 2


def test_without_a_name_and_without_a_folder(noisy_stack, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    model = N2V(config)
    assert (tmp_path / model.name / "config.json").exists()
    memory = N2V(config, basedir=None)
    memory.train(noisy_stack, noisy_stack, verbose=0)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ModelFolderError, match="basedir=None"):
        memory.load_weights()
    for arguments in ({"name": None}, {"name": "m", "basedir": None}):
        with pytest.raises(ConfigError, match="needs name and basedir"):
            N2V(None, **arguments)
    memory.config.train_keep = "last"
    memory.save(tmp_path / "kept")
    again = N2V(None, "kept", tmp_path)
    np.testing.assert_array_equal(
        again.predict(noisy_stack[0], "YXC"), memory.predict(noisy_stack[0], "YXC")
    )


def test_a_folder_that_cannot_be_made(noisy_stack, small, tmp_path):
    (tmp_path / "file").write_text("")
    config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
    with pytest.raises(ModelFolderError, match="cannot be written"):
        N2V(config, "m", tmp_path / "file")


def test_the_config_of_the_caller_stays_his(noisy_stack, small):
    config = N2VConfig(
        noisy_stack, n2v_patch_shape=(32, 32), **{**small, "train_precision": "auto"}
    )
    before = config.model_dump_json()
    N2V(config, basedir=None).train(noisy_stack, verbose=0)
    assert config.model_dump_json() == before


def test_training_without_validation_and_without_statistics(noisy_stack, small):
    config = N2VConfig(n2v_patch_shape=(32, 32), **small)
    model = N2V(config, basedir=None)
    with pytest.raises(ConfigError, match="not trained yet"):
        model.predict(noisy_stack[0], "YXC")
    model.train(noisy_stack, verbose=0)
    assert float(model.config.means[0]) == pytest.approx(noisy_stack.mean(), rel=1e-5)


def test_no_warnings_on_the_way(noisy_stack, small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation")
        config = N2VConfig(noisy_stack, n2v_patch_shape=(32, 32), **small)
        N2V(config, basedir=None).train(noisy_stack, noisy_stack, verbose=0)


def test_large_data_is_not_copied(small, tmp_path):
    """n2v makes a copy of all images with a mask channel: 843 MB for 256 MB."""
    import tracemalloc

    X = np.random.default_rng(0).normal(size=(64, 256, 256, 1)).astype(np.float32)  # 16 MB
    config = N2VConfig(X, n2v_patch_shape=(32, 32), **small)
    model = N2V(config, basedir=None)
    tracemalloc.start()
    data = model._training_data([X], 3)
    data[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 4


def test_dropout_is_seeded_too(noisy_stack, small):
    small |= {"unet_dropout": 0.3, "n2v_patch_shape": (32, 32), "batch_norm": False}
    results = []
    for _ in range(2):
        model = N2V(N2VConfig(noisy_stack, **small), basedir=None)
        model.train(noisy_stack, verbose=0)
        results.append(model.predict(noisy_stack[0], "YXC"))
    np.testing.assert_allclose(results[0], results[1], atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "channels", "n_dim", "reason"),
    [
        ({"probabilistic": True}, 1, 2, "probabilistic=True"),
        ({"blurpool": True, "n2v_patch_shape": (8, 16, 16)}, 1, 3, "blurpool in 3D"),
        ({}, 3, 2, "each reading its own channel"),
        ({"unet_residual": True, "single_net_per_channel": False}, 2, 2, "unet_residual"),
        ({"normalization": "image"}, 1, 2, "normalization='image'"),
        ({"unet_kern_size": 9}, 1, 2, "unet_kern_size"),
    ],
)
def test_saving_says_what_n2v_cannot_do(settings, channels, n_dim, reason, small, rng, tmp_path):
    X = rng.normal(size=(1, *(8, 32, 32)[-n_dim:], channels)).astype(np.float32)
    model = N2V(N2VConfig(X, **{**small, **settings}), basedir=None)
    with pytest.warns(CompatibilityWarning, match=reason):
        model.save(tmp_path / "m")


@pytest.mark.parametrize(
    ("settings", "channels", "n_dim"),
    [
        ({}, 1, 2),
        ({"blurpool": True, "skip_skipone": True}, 1, 2),
        ({"single_net_per_channel": False}, 3, 2),
        ({"unet_residual": True}, 1, 2),
        ({"n2v_patch_shape": (8, 16, 16)}, 1, 3),
    ],
)
def test_saving_is_silent_about_what_n2v_can_do(settings, channels, n_dim, small, rng, tmp_path):
    X = rng.normal(size=(1, *(8, 32, 32)[-n_dim:], channels)).astype(np.float32)
    model = N2V(N2VConfig(X, **{**small, **settings}), basedir=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save(tmp_path / "m")


def test_predict_bioimageio(small, rng):
    """Its normalisation adds eps to the deviation; its scaling back does not."""
    X = rng.normal(100, 10, (1, 32, 32, 1)).astype(np.float32)
    model = N2V(N2VConfig(X, **small), basedir=None)
    mean, std = float(model.config.means[0]), float(model.config.stds[0])
    image = X[0, ..., 0]
    network = model.keras_model.predict_on_batch(((X - mean) / (std + 5)).astype(np.float32))
    result = model.predict_bioimageio(X[0], "YXC", eps=5)
    assert result.dtype == np.float64
    assert np.allclose(result, network[0] * std + mean, rtol=1e-4)
    assert model.predict_bioimageio(image[None, ..., None], "byxc").shape == (1, 32, 32, 1)
    assert np.allclose(model.predict_bioimageio(image, "YX"), model.predict(image, "YX"), rtol=1e-4)


def test_metrics_by_name(small, rng):
    X = rng.normal(100, 10, (1, 32, 32, 1)).astype(np.float32)
    settings = {**small, "train_loss": "mse", "n2v_patch_shape": (32, 32)}
    model = N2V(N2VConfig(X, **settings), basedir=None)
    model.prepare_for_training(metrics=("mse", "mae"))
    history = model.train(X, X, epochs=1, steps_per_epoch=2, verbose=0).history
    assert history["n2v_mse"] == pytest.approx(history["loss"], rel=1e-3)
    assert {"n2v_abs", "val_n2v_mse", "val_n2v_abs"} < history.keys()


@pytest.mark.parametrize("channels", [1, 2])
def test_metrics_of_probabilistic_models_are_those_of_the_mean(channels, small, rng):
    X = rng.normal(100, 10, (2, 48, 64, channels)).astype(np.float32)
    model = N2V(N2VConfig(X, **{**small, "probabilistic": True}), basedir=None)
    y = rng.normal(size=(3, 16, 16, 2 * channels)).astype(np.float32)
    target, mask = y[..., :channels], y[..., channels:]
    mask[...] = mask > 1
    f = rng.uniform(5, 9, (3, 16, 16, 2 * channels)).astype(np.float32)
    errors = (target - f[..., :channels])[mask == 1]
    for name, expected in (("mse", np.mean(errors**2)), ("mae", np.mean(np.abs(errors)))):
        metric = model._metric(name)
        metric.update_state(y, f)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-4)


def test_validation_goes_batch_by_batch(model, noisy_stack):
    """In batches of the training, which memory has room for; Keras would take 32."""
    seen = []

    class Count(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)

    model.prepare_for_training()
    model.callbacks.append(Count())
    model.train(noisy_stack, noisy_stack, epochs=1, steps_per_epoch=1, verbose=0)
    # two images of 2 x 3 patches, four in a batch
    assert seen == [0, 1, 2]


def test_a_memory_target_reckons_with_what_is_held_of_an_image(model):
    image = np.zeros((1000, 1000), np.float32)
    # normalised, padded and the result, four million bytes each; turns hold two more results
    for tta, held in ((False, 12), (True, 20)):
        with pytest.raises(ConfigError, match=rf"image and result {held} MB"):
            model.predict(image, "YX", tta=tta, max_memory="50MB")
    # all results, where there are several
    with pytest.raises(ConfigError, match="image and result 20 MB"):
        model.predict(np.stack([image] * 2), "TYX", max_memory="50MB")


def test_the_posterior_of_what_is_read_when_needed(model, rng):
    image = rng.normal(100, 10, (2, 48, 64)).astype(np.float32)
    options = {"output": "posterior", "noise": 10.0}
    expected = model.predict(image, "SYX", **options)
    lazily = model.predict(LazyArray(InMemory(image)), "SYX", **options)
    np.testing.assert_array_equal(lazily, expected)


@pytest.mark.parametrize(("channels", "probabilistic"), [(2, False), (1, True)])
def test_the_loss_has_the_weight_for_means(channels, probabilistic, small, rng):
    X = rng.normal(100, 10, (2, 48, 64, channels)).astype(np.float32)
    y = rng.normal(size=(1, 32, 32, 2 * channels)).astype(np.float32)
    y[..., channels:] = y[..., channels:] > 1
    f = rng.uniform(0.5, 2, (1, 32, 32, channels * (1 + probabilistic))).astype(np.float32)
    residual = y[..., :channels] - f[..., :channels]
    means = residual.reshape(1, 2, 16, 2, 16, channels).mean(axis=(2, 4))
    losses = []
    for weight in (0.0, 0.5):
        more = {"probabilistic": probabilistic, "n2v_mean_weight": weight}
        model = N2V(N2VConfig(X, **{**small, **more}), basedir=None)
        losses.append(float(keras.ops.convert_to_numpy(model._loss()(y, f))))
    assert losses[1] - losses[0] == pytest.approx(0.5 * np.mean(means**2), rel=1e-3)
