"""HQ-SSL: the blind spot is exact, and the noisy pixel comes back by Bayes' rule."""

import keras
import numpy as np
import pytest

from n2v_tk import HQSSL, HQSSLConfig, load_model
from n2v_tk.data.noise import Gaussian, Impulse, Poisson
from n2v_tk.errors import AxesError, ConfigError, ExportError, ImageError
from n2v_tk.layers import rotations
from n2v_tk.nets.blindspot import build_blindspot, build_twin
from n2v_tk.nets.initialize import initialize

SMALL = {"net_width": 4, "train_patch_shape": (32, 32), "train_batch_size": 2, "train_seed": 1,
         "train_epochs": 1, "train_steps_per_epoch": 2}  # fmt: skip


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("channels", "n_out", "count"),
    [(3, 9, 1_269_129), (3, 6, 1_268_838), (3, 3, 1_268_547), (1, 2, 1_265_858),
     (1, 1, 1_265_761)],
)  # fmt: skip
def test_the_published_sizes(channels, n_out, count):
    assert build_blindspot((None, None, channels), n_out).count_params() == count


def test_the_published_sizes_of_the_twin():
    assert build_twin((None, None, 3), 3).count_params() == 1_102_371
    assert build_twin((None, None, 3), 1, zero=True).count_params() == 1_102_177


def leaks(network, channels, rng, batch=2, sides=(32, 64)):
    """Largest change of a pixel's own output when that pixel changes, and of others."""
    x = rng.normal(size=(batch, *sides, channels)).astype("float32")
    before = network.predict_on_batch(x)
    own = others = 0.0
    for _ in range(12):
        y, column = (int(rng.integers(0, side)) for side in sides)
        y, column = rng.choice([(y, column), (0, 0), (sides[0] - 1, sides[1] - 1), (0, column)])
        changed = x.copy()
        changed[0, y, column] += rng.normal(0, 3, channels)
        difference = np.abs(network.predict_on_batch(changed) - before)
        own = max(own, difference[0, y, column].max())
        others = max(others, difference[0].max())
        assert difference[1:].max() == 0
    return own, others


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_blind_spot_is_exact(channels, rng):
    network = build_blindspot((None, None, channels), 2 * channels, width=4)
    initialize(network, 0)
    own, others = leaks(network, channels, rng)
    assert own == 0
    assert others > 1e-3


@pytest.mark.parametrize("broken", ["ShiftedConv2D", "ShiftedMaxPool2D", "ShiftDown"])
def test_without_any_of_the_shifts_it_is_not(broken, monkeypatch, rng):
    """Control: the test above can fail."""
    from n2v_tk.nets import blindspot

    plain = {
        "ShiftedConv2D": lambda filters, size, **kw: keras.layers.Conv2D(
            filters, size, padding="same", **kw
        ),
        "ShiftedMaxPool2D": lambda **kw: keras.layers.MaxPooling2D(2, **kw),
        "ShiftDown": lambda **kw: keras.layers.Identity(**kw),
    }
    monkeypatch.setattr(blindspot, broken, plain[broken])
    network = build_blindspot((None, None, 1), 2, width=4)
    initialize(network, 0)
    assert leaks(network, 1, rng)[0] > 1e-6


def test_turned_images_permute_the_groups(rng):
    network = build_blindspot((None, None, 1), 2, width=4)
    initialize(network, 0)
    groups = keras.Model(network.input, network.get_layer("join").output)
    x = rng.normal(size=(1, 32, 32, 1)).astype("float32")
    straight = np.split(groups.predict_on_batch(x), 4, axis=-1)
    turned = np.split(groups.predict_on_batch(np.rot90(x, 1, (1, 2)).copy()), 4, axis=-1)
    for k in range(4):
        wanted = np.rot90(straight[(k + 1) % 4], 1, (1, 2))
        assert np.allclose(turned[k], wanted, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [rotations.ShiftedConv2D(3, 3), rotations.ShiftDown(), rotations.ShiftedMaxPool2D(),
     rotations.RotateToBatch((1, 3))],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_layers_serialise(layer, tmp_path, rng):
    x = rng.normal(size=(2, 8, 12, 2)).astype("float32")
    inputs = keras.Input((None, None, 2))
    network = keras.Model(inputs, layer(inputs))
    network.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    result = network.predict_on_batch(x)
    assert np.array_equal(again.predict_on_batch(x), result)
    assert layer.compute_output_shape((2, 8, 12, 2))[1:] == result.shape[1:]


def smooth(rng, n=6, side=96, channels=1):
    y, x = np.mgrid[:side, :side] / side
    phase = rng.uniform(0, 6, (n, 1, 1, channels))
    waves = np.sin(8 * x[None, ..., None] + phase) * np.cos(7 * y[None, ..., None] - phase)
    return (100 + 60 * waves).astype("float32")


@pytest.mark.parametrize(
    ("kind", "noise", "level", "channels"),
    [
        ("gaussian", Gaussian(25.0), None, 1),
        slow("gaussian", Gaussian(25.0), 25.0, 3),
        slow("poisson", Poisson(0.1), 10.0, 1),
        slow("impulse", Impulse(0.3, 0.0, 255.0), 0.3, 3),
        slow("camera", Poisson(0.1), (10.0, 0.0, 1.0), 1),
    ],
)
def test_it_denoises(kind, noise, level, channels, rng):
    clean = smooth(rng, side=64, channels=channels)
    noisy = noise(clean, rng)
    settings = {"impulse_range": (0.0, 255.0)} if kind == "impulse" else {}
    config = HQSSLConfig(
        noisy, noise_model=kind, noise_level=level, net_width=8, train_patch_shape=(64, 64),
        train_batch_size=2, train_epochs=2, train_steps_per_epoch=120, train_seed=1,
        train_learning_rate=1e-3, train_precision="float32", **settings,
    )  # fmt: skip
    model = HQSSL(config, basedir=None)
    model.train(noisy, verbose=0)
    found = model.predict(noisy[0], "YXC", output="all")
    errors = {k: np.mean((v - clean[0]) ** 2) for k, v in found.items() if k.endswith("mean")}
    assert errors["posterior_mean"] < 0.5 * np.mean((noisy[0] - clean[0]) ** 2)
    if kind != "impulse":
        assert np.all(found["posterior_variance"] <= found["prior_variance"] * 1.01 + 1e-3)
    if level is None:
        assert model.noise_level()["sigma"] == pytest.approx(25, rel=0.15)


def test_outputs_and_folders(tmp_path, rng):
    X = rng.normal(100, 10, (2, 64, 96, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_level=10.0, **SMALL), "m", tmp_path)
    model.train(X, X, verbose=0)
    image = rng.normal(100, 10, (3, 45, 70)).astype("uint16")
    found = model.predict(image, "TYX", output="all", dtype="same")
    assert set(found) == {"posterior_mean", "posterior_variance", "prior_mean", "prior_variance"}
    assert all(v.shape == image.shape for v in found.values())
    assert found["prior_mean"].dtype == np.uint16
    assert found["prior_variance"].dtype == np.float32
    again = load_model(tmp_path / "m")
    assert type(again) is HQSSL
    for output, key in (("posterior", "posterior_mean"), ("prior", "prior_mean")):
        result = again.predict(image, "TYX", output=output, dtype="same")
        assert np.array_equal(result, found[key])


def test_tiles_keep_the_blind_spot_and_the_result(rng):
    X = rng.normal(100, 10, (1, 96, 1000, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_level=10.0, **SMALL), basedir=None)
    image = X[0, ..., 0]
    whole = model.predict(image, "YX", output="prior", precision="float32")
    tiled = model.predict(image, "YX", output="prior", n_tiles=(1, 3), precision="float32")
    assert np.allclose(whole, tiled, atol=1e-3)
    for column in (0, 333, 334, 700, 999):
        changed = image.copy()
        changed[40, column] += 50
        again = model.predict(changed, "YX", output="prior", n_tiles=(1, 3), precision="float32")
        assert again[40, column] == tiled[40, column]
        assert not np.array_equal(again, tiled)


def test_turns_and_flips_are_averaged(rng):
    X = rng.normal(100, 10, (1, 64, 96, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_level=10.0, **SMALL), basedir=None)
    image = X[0, :50, :, 0]
    expected = {}
    for turns in range(4):
        for turned in (image, image[:, ::-1]):
            found = model.predict(np.rot90(turned, turns), "YX", output="all", precision="float32")
            for name, values in found.items():
                back = np.rot90(values, -turns) / 8
                back = back if turned is image else back[:, ::-1]
                expected[name] = expected.get(name, 0) + back
    for n_tiles in (None, (1, 3)):
        options = {"n_tiles": n_tiles, "tta": True, "precision": "float32"}
        found = model.predict(image, "YX", output="all", **options)
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-4)
    whole = model.predict(image, "YX", output="all", precision="float32")
    assert np.abs(whole["prior_mean"] - found["prior_mean"]).max() > 0.01
    changed = image.copy()
    changed[20, 30] += 50
    again = model.predict(changed, "YX", output="prior", tta=True, precision="float32")
    assert again[20, 30] == pytest.approx(found["prior_mean"][20, 30], abs=1e-4)
    assert np.abs(again - found["prior_mean"]).max() > 0.1


def test_the_posterior_sees_the_pixel_by_what_the_prior_leaves_open(rng):
    X = rng.normal(100, 10, (1, 64, 64, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_level=10.0, **SMALL), basedir=None)
    image = X[0, ..., 0]
    before = model.predict(image, "YX", output="all", precision="float32")
    changed = image.copy()
    changed[20, 30] += 5
    after = model.predict(changed, "YX", precision="float32")
    share = before["prior_variance"][20, 30] / (before["prior_variance"][20, 30] + 100)
    moved = after[20, 30] - before["posterior_mean"][20, 30]
    assert moved == pytest.approx(5 * share, rel=1e-2)


@pytest.mark.slow
def test_a_level_for_every_image(rng):
    X = rng.normal(100, 10, (2, 64, 64, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_scope="image", **SMALL), basedir=None)
    # softplus(-4) + 0.001 at the start, of the typical deviation
    start = model.noise_level(X[0], "YXC")["sigma"]
    assert start == pytest.approx(0.01915 * float(model.config.stds[0]), rel=1e-2)
    model.train(X, verbose=0)
    assert model.predict(X[0], "YXC").shape == X[0].shape
    with pytest.raises(ConfigError, match="every image has its level"):
        model.noise_level()


def test_levels_of_images_begin_where_the_images_are(rng):
    smooth = 300 + 200 * np.sin(np.arange(128) / 20)[:, None] * np.cos(np.arange(128) / 30)
    X = (smooth + rng.normal(0, 1, (2, 128, 128)) * [[[10]], [[14]]]).astype("float32")[..., None]
    model = HQSSL(HQSSLConfig(X, noise_scope="image", **SMALL), basedir=None)
    model._training_data([X], 1)
    assert model.noise_level(X[0], "YXC")["sigma"] == pytest.approx(14, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise_level": 0.0}, "a number above 0"),
        ({"noise_level": -5.0}, "a number above 0"),
        ({"noise_model": "impulse", "noise_level": 1.5}, "below 1"),
        ({"noise_model": "camera", "noise_level": 3.0}, "gain, offset, read noise"),
        ({"noise_model": "camera", "noise_level": (0.0, 0.0, 1.0)}, "gain above 0"),
        ({"noise_model": "salt"}, "noise_model"),
        ({"train_patch_shape": (40, 64)}, "divisible by 32"),
        ({"n_dim": 3}, "planes only"),
        ({"noise_levle": 3.0}, "noise_level"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        HQSSLConfig(**settings)


def test_bad_images(rng):
    volume = rng.normal(size=(1, 8, 64, 64, 1))
    with pytest.raises(ImageError, match="denoises planes"):
        HQSSLConfig(volume)
    flat = volume[:, 0]
    with pytest.raises(ImageError, match="no negative values"):
        HQSSLConfig(flat, noise_model="poisson")
    with pytest.raises(ImageError, match="stays within impulse_range"):
        HQSSLConfig(flat, noise_model="impulse", impulse_range=(0.0, 1.0))
    with pytest.raises(ImageError, match="at least 32 pixels"):
        HQSSLConfig(flat[:, :20])
    model = HQSSL(HQSSLConfig(flat, noise_level=1.0, **SMALL), basedir=None)
    with pytest.raises(ConfigError, match="output must be one of"):
        model.predict(flat[0], "YXC", output="median")
    with pytest.raises(AxesError, match="trained on 1 channel"):
        model.predict(np.zeros((32, 32, 3)), "YXC")
    with pytest.raises(ConfigError, match="output='all'"):
        model.predict_probabilistic(flat[0], "YXC")
    with pytest.raises(ConfigError, match="was given"):
        model.noise_level()


def test_formats_that_cannot_hold_it(rng, tmp_path):
    X = rng.normal(100, 10, (1, 64, 64, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, noise_level=10.0, **SMALL), basedir=None)
    model.loaded = True
    for kind, name in (("fiji", "m.zip"), ("fiji-n2v", "m.zip"), ("bioimageio", "m.zip"),
                       ("keras", "m.keras")):  # fmt: skip
        with pytest.raises(ExportError, match="serving or onnx"):
            model.export(kind, tmp_path / name)


@pytest.mark.parametrize(
    "settings",
    [{"noise_level": 10.0}, pytest.param({"noise_scope": "image"}, marks=pytest.mark.slow)],
)
def test_serving_gives_the_posterior(settings, rng, tmp_path):
    tf = pytest.importorskip("tensorflow")
    X = rng.normal(100, 10, (1, 64, 64, 1)).astype("float32")
    model = HQSSL(HQSSLConfig(X, **settings, **SMALL), basedir=None)
    model.train(X, verbose=0)
    folder = model.export("serving", tmp_path / "m", warm_up=False)
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    image = X[0, :45, :50]
    result = serve(input=tf.constant(image[None]))
    wanted = model.predict(image, "YXC", precision="float32")
    assert np.abs(result["output"].numpy()[0] - wanted).max() < 1e-4 * np.ptp(wanted)
