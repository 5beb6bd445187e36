import numpy as np
import pytest

from n2v_tk import MaskedDenoiser, MaskedDenoiserConfig, load_model
from n2v_tk.data.noise import Gaussian, Poisson
from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.evaluation.metrics import psnr

TINY = {
    "net_width": 12, "net_heads": 2, "net_depths": (2,), "net_window": 4,
    "train_patch_shape": (16, 16), "train_batch_size": 8, "train_epochs": 1,
    "train_steps_per_epoch": 3, "train_seed": 1, "train_precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def clean():
    """Smooth pictures of 8 bit (S, Y, X, 1)."""
    y, x = np.mgrid[:48, :40] / 40
    phases = np.linspace(0, 3, 6)[:, None, None]
    return (127 + 90 * np.sin(9 * x + phases) * np.cos(7 * y - phases)).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def model(clean):
    model = MaskedDenoiser(MaskedDenoiserConfig(clean, **TINY), basedir=None)
    model.train(clean, verbose=0)
    return model


@pytest.mark.slow
def test_learns_to_denoise(clean, rng):
    settings = {**TINY, "train_learning_rate": 3e-3, "train_ema": None, "net_depths": (2, 2),
                "input_mask": (0.2, 0.3), "attention_mask": 0.25}  # fmt: skip
    model = MaskedDenoiser(MaskedDenoiserConfig(clean, **settings, noise_sigma=40.0), basedir=None)
    model.train(clean, epochs=2, steps_per_epoch=150, verbose=0)
    noisy = np.clip(Gaussian(40.0)(clean[:1], rng), 0, 255)[0, ..., 0]
    result = model.predict(noisy, "YX")
    assert psnr(clean[0, ..., 0], result, 255.0) > psnr(clean[0, ..., 0], noisy, 255.0) + 3


def test_batches_are_noisy_and_clean(clean):
    model = MaskedDenoiser(MaskedDenoiserConfig(clean, **TINY, noise_sigma=60.0), basedir=None)
    seen = {}
    model._fit = lambda data, validation, *_: seen.update(data=data, validation=validation)
    model.train(clean, clean)
    for x, y in (seen["data"][0], seen["validation"]):
        assert x.shape == y.shape
        assert (x.min(), x.max()) == (0, 1)  # clipped
        assert 0.1 < y.min() < y.max() < 0.9
        inner = (y > 0.35) & (y < 0.65)
        assert abs((x - y)[inner].std() - 60 / 255) < 0.05


def test_any_size_any_axes(model, rng):
    for axes, shape in (("YX", (21, 30)), ("TYX", (2, 16, 17)), ("YXC", (16, 20, 1))):
        image = (rng.random(shape) * 255).astype(np.uint8)
        assert model.predict(image, axes).shape == shape
        assert model.predict(image, axes, dtype="same").dtype == np.uint8


def test_the_published_way_of_testing(model, rng):
    image = rng.uniform(0, 255, (16, 16))
    plain = model.predict(image, "YX")
    np.testing.assert_array_equal(plain, model.predict(image, "YX"))
    one, two = (model.predict(image, "YX", n_average=1) for _ in range(2))
    assert (one != plain).any()
    assert (one != two).any()
    many = [model.predict(image, "YX", n_average=32) for _ in range(2)]
    assert np.abs(many[0] - many[1]).mean() < 0.5 * np.abs(one - two).mean()
    assert many[0].dtype == np.float32


def test_brightness_is_that_of_the_image(clean):
    """Even if the network makes everything too bright."""
    image = clean[0, ..., 0]
    means = {}
    for local_means in (6.0, None):
        config = MaskedDenoiserConfig(clean, **TINY, local_means=local_means)
        model = MaskedDenoiser(config, basedir=None)
        head = model.keras_model.get_layer("head")
        head.bias.assign(head.bias + 0.4)
        means[local_means] = model.predict(image, "YX").mean()
    assert abs(means[6.0] - image.mean()) < 2
    assert abs(means[None] - image.mean()) > 80


def test_saved_and_opened(model, tmp_path, rng):
    image = rng.uniform(0, 255, (16, 20))
    for path in (tmp_path / "folder", tmp_path / "file.keras"):
        model.save(path)
        again = load_model(path)
        assert type(again) is MaskedDenoiser
        np.testing.assert_allclose(
            again.predict(image, "YX"), model.predict(image, "YX"), atol=1e-3
        )


def test_exports_to_a_saved_model(model, tmp_path, rng):
    import tensorflow as tf

    folder = model.export("serving", tmp_path / "served", warm_up=False)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    image = rng.uniform(0, 255, (1, 16, 20, 1)).astype("f4")
    (result,) = served(tf.constant(image)).values()
    wanted = model.predict(image[0, ..., 0], "YX")
    np.testing.assert_allclose(result.numpy()[0, ..., 0], wanted, atol=1e-2)


def test_exports_to_onnx(model, tmp_path, rng):
    """Whose operators lack one that TensorFlow's GELU is made of."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model.export("onnx", tmp_path / "model.onnx")))
    image = rng.uniform(0, 255, (1, 16, 20, 1)).astype("f4")
    (result,) = session.run(None, {"input": image})
    wanted = model.predict(image[0, ..., 0], "YX")
    np.testing.assert_allclose(result[0, ..., 0], wanted, atol=1e-2)


def test_tiles_hardly_show(model, rng):
    """What lies farther than the overlap hardly counts."""
    image = rng.uniform(0, 255, (200, 40))
    whole = model.predict(image, "YX", n_tiles=(1, 1))
    tiled = model.predict(image, "YX", n_tiles=(4, 1))
    assert np.abs(whole - tiled).max() < 1e-3 * whole.std() + 1e-3


def test_published_settings():
    config = MaskedDenoiserConfig.published()
    assert config.training_steps == 200_000
    assert (config.train_batch_size, config.train_ema) == (64, 0.999)
    assert (config.input_mask, config.local_means) == ((0.8, 0.9), None)
    baseline = MaskedDenoiserConfig.unmasked()
    assert (baseline.input_mask, baseline.attention_mask) == (None, 0)
    assert baseline.local_means is None


def test_learning_rate_halves_at_milestones(clean):
    settings = {**TINY, "train_schedule": "milestones", "train_milestones": (2, 4)}
    model = MaskedDenoiser(MaskedDenoiserConfig(clean, **settings), basedir=None)
    model.train(clean, epochs=2, verbose=0)
    rate = float(model._trainer.form.optimizer.learning_rate)
    assert rate == pytest.approx(1e-4 / 4)


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"net_width": 10, "net_heads": 3}, ConfigError, "divisible by net_heads=3"),
    ({"train_patch_shape": (18, 16)}, ConfigError, "divisible by net_window=4"),
    ({"input_mask": (0.9, 0.8)}, ConfigError, "input_mask must be"),
    ({"local_means": 0.0}, ConfigError, "local_means"),
    ({"value_range": (1, 0)}, ConfigError, "value_range must be"),
    ({"train_schedule": "milestones", "train_milestones": (4, 2)}, ConfigError, "must rise"),
    ({"train_patch_shape": (64, 64)}, ImageError, "64"),
    ({"train_schedule": "milestones"}, ConfigError, "needs train_milestones"),
    ({"attention_mask": 0.0, "n_average": 3}, ConfigError, "random attention masks"),
])  # fmt: skip
def test_bad_settings_are_named(clean, settings, error, message):
    n_average = settings.pop("n_average", None)

    def use():
        model = MaskedDenoiser(MaskedDenoiserConfig(clean, **{**TINY, **settings}), basedir=None)
        if n_average:
            model.predict(clean[0, ..., 0], "YX", n_average=n_average)
        model.train(clean, verbose=0)

    with pytest.raises(error, match=message):
        use()


def test_images_far_outside_the_range_are_refused(clean):
    model = MaskedDenoiser(MaskedDenoiserConfig(**TINY), basedir=None)
    with pytest.raises(ConfigError, match=r"outside value_range=\(0, 1\)"):
        model.train(clean, verbose=0)


def test_noise_of_whole_images_also_for_validation(clean, rng):
    from n2v_tk.data.structured_noise import MissingFrequencies

    odd = np.ascontiguousarray(clean[:, :45, :39])
    model = MaskedDenoiser(MaskedDenoiserConfig(odd, **TINY), basedir=None)
    history = model.train(odd, odd, noise_model=MissingFrequencies(), verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()


def test_volumes_are_refused():
    with pytest.raises(ImageError, match="Masked training denoises planes"):
        MaskedDenoiserConfig(np.zeros((1, 8, 16, 16, 1)))


def test_noise_that_does_not_fit_is_refused(clean):
    model = MaskedDenoiser(MaskedDenoiserConfig(clean, **TINY), basedir=None)
    with pytest.raises(ConfigError, match="without negative values"):
        model.train(clean.astype(np.float32) - 100, noise_model=Poisson(1.0), verbose=0)
    with pytest.raises(ConfigError, match="finite images of the same shape"):
        model.train(clean, noise_model=lambda x, rng: x * np.nan, verbose=0)
