import numpy as np
import pytest

import n2v_tk
from n2v_tk.data.noise import poisson_gaussian
from n2v_tk.errors import AxesError, ConfigError, ImageError
from n2v_tk.models.one_call import choose_n_dim, go_on_with, make_config

QUICK = {
    "unet_n_first": 16,
    "train_epochs": 3,
    "train_steps_per_epoch": 40,
    "train_batch_size": 16,
    "train_precision": "float32",
    "batch_norm": False,  # its moving averages need more steps than these
    "seed": 0,
    "verbose": 0,
}


def error(a, b):
    return np.mean((np.asarray(a, float) - b) ** 2)


@pytest.mark.parametrize(
    ("method", "dtype", "steps"),
    [
        pytest.param("n2v", "float32", 40, marks=pytest.mark.slow),
        ("n2v", "uint16", 40),
        pytest.param("n2v2", "float32", 120, marks=pytest.mark.slow),
    ],
)
def test_a_micrograph_gets_better(noisy_cell, method, dtype, steps):
    clean, noisy = noisy_cell
    image = noisy if dtype == "float32" else np.clip(np.rint(noisy + 100), 0, None).astype(dtype)
    truth = clean if dtype == "float32" else clean + 100
    settings = {**QUICK, "train_steps_per_epoch": steps}
    result, model = n2v_tk.denoise(
        image, method=method, dtype="same", return_model=True, **settings
    )
    assert result.dtype == dtype
    # at least 5 dB
    assert error(result, truth) < error(image, truth) / 3
    # so little training leaves much to the pixels themselves
    posterior = model.predict(image, "YX", output="posterior")
    assert error(posterior, truth) < 0.95 * error(result, truth)


@pytest.mark.slow
def test_channels_and_time_get_better(noisy_cell):
    clean, _ = noisy_cell
    truth = np.stack([clean, clean[::-1]], axis=-1)[None].repeat(2, axis=0)
    noisy = poisson_gaussian(truth, 2.0, 15.0)
    result = n2v_tk.denoise(noisy, "TYXC", **QUICK)
    for channel in range(2):
        assert error(result[..., channel], truth[..., channel]) < (
            error(noisy[..., channel], truth[..., channel]) / 3
        )


@pytest.mark.slow
def test_a_volume_gets_better(noisy_cell):
    clean, _ = noisy_cell
    truth = np.repeat(clean[None, 40:104, 40:104], 8, axis=0)
    noisy = poisson_gaussian(truth, 2.0, 15.0)
    settings = {**QUICK, "unet_n_first": 8, "train_epochs": 2}
    result, model = n2v_tk.denoise(noisy, "ZYX", return_model=True, **settings)
    assert model.config.n_dim == 3
    assert error(result, truth) < error(noisy, truth) / 3


@pytest.mark.slow
def test_lines_are_removed_by_structn2v_only(noisy_cell):
    """Noise correlated along x with a known clean image."""
    clean, _ = noisy_cell
    rng = np.random.default_rng(0)
    white = rng.normal(0, 20, (160, 166))
    lines = sum(white[:, i : i + 160] for i in range(7)) / np.sqrt(7)
    noisy = clean + lines
    plain = n2v_tk.denoise(noisy, **QUICK)
    struct = n2v_tk.denoise(noisy, method="structn2v", axis="X", length=13, **QUICK)
    assert error(struct, clean) < 0.7 * error(plain, clean)
    assert error(struct, clean) < 0.5 * error(noisy, clean)


def test_settings_that_fit_the_image(rng):
    config = make_config([rng.normal(size=(1, 50, 200, 1))])
    assert config.n2v_patch_shape == (48, 64)
    config = make_config([rng.normal(size=(1, 10, 200, 200, 1))], unet_n_depth=1)
    assert config.n2v_patch_shape == (10, 64, 64)
    config = make_config([rng.normal(size=(1, 64, 64, 1))], "structn2v", structN2Vmask=[[1, 0, 1]])
    assert config.structN2Vmask == [[1, 0, 1]]
    with pytest.raises(ConfigError, match="method must be one of n2v, n2v2, structn2v"):
        make_config([rng.normal(size=(1, 64, 64, 1))], "bm3d")
    with pytest.raises(ImageError, match="at least 4 pixels"):
        make_config([rng.normal(size=(1, 3, 64, 1))])


@pytest.mark.parametrize("method", ["structn2v", "n2n"])
def test_methods_without_a_posterior_say_so(rng, method):
    with pytest.raises(ConfigError, match=rf"n2v, n2v2, r2r, hqssl only.*{method}"):
        n2v_tk.denoise(rng.normal(size=(2, 64, 64)), "TYX", method, posterior=True)


def test_noise_that_cannot_be_told_is_found_before_the_training(rng, monkeypatch):
    def no_work(*arguments, **options):
        raise AssertionError("work was done")

    monkeypatch.setattr("n2v_tk.models.one_call.train_with_validation", no_work)
    with pytest.raises(ImageError, match="Too few pixels"):
        n2v_tk.denoise(rng.normal(size=(48, 48)), posterior=True)


def test_dimensions():
    assert choose_n_dim([((64, 64), "YX"), ((20, 64, 64), "TYX")]) == 2
    assert choose_n_dim([((20, 64, 64), "ZYX")]) == 3
    assert choose_n_dim([((20, 64, 64), "ZYX"), ((7, 64, 64), "ZYX")]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "unit8"}, "dtype of the result"),
        ({"n_dim": 4}, "n_dim must be 2 or 3"),
        ({"n2v_patch_shape": (16, 64, 64)}, "one side per spatial axis"),
        ({"n2v_patch_shape": (128, 128)}, r"images of \(64, 64\)"),
        ({"unet_n_depth": 0}, "unet_n_depth"),
    ],
    ids=str,
)
def test_bad_options_are_refused_before_any_work(rng, options, message, monkeypatch):
    monkeypatch.setattr("n2v_tk.models.one_call.train_with_validation", None)
    with pytest.raises((ConfigError, ImageError), match=message):
        n2v_tk.denoise(rng.normal(size=(64, 64)), **options)


def test_bad_pixels_are_named_in_the_image_of_the_caller(rng):
    image = rng.normal(size=(64, 70))
    image[3, 9] = np.nan
    with pytest.raises(ImageError, match=r"index \(3, 9\)"):
        n2v_tk.denoise(image, "XY")


def test_axes_are_asked_for(rng):
    with pytest.raises(AxesError, match="3 dimensions must be given"):
        n2v_tk.denoise(rng.normal(size=(3, 64, 64)))


def test_small_images_are_validated_on_as_a_whole(rng):
    settings = {**QUICK, "train_epochs": 1, "train_steps_per_epoch": 1, "unet_n_first": 2}
    assert n2v_tk.denoise(rng.normal(size=(70, 70)), **settings).shape == (70, 70)


@pytest.mark.parametrize(
    "settings",
    [
        {"n2v_manipulator": "mean", "n2v_neighborhood_radius": 5},
        {"n2v_manipulator": "uniform_withCP", "n2v_mean_weight": 1.0},
        {"n2v_manipulator": "mean", "n2v_neighborhood_radius": 1, "n2v_mean_weight": 0.3},
        {"n2v_manipulator": "median", "train_loss": "mae"},
    ],
)
def test_models_are_trained_further_with_the_loss_they_had(rng, settings):
    images = rng.normal(100, 10, (1, 64, 64, 1)).astype(np.float32)
    config = n2v_tk.N2VConfig(images, unet_n_first=2, unet_n_depth=1, unet_kern_size=3, **settings)
    old = n2v_tk.N2V(config, basedir=None)
    new = go_on_with(old, images, None).config
    for name in ("n2v_manipulator", "n2v_neighborhood_radius", "n2v_mean_weight", "train_loss"):
        assert getattr(new, name) == getattr(old.config, name)
