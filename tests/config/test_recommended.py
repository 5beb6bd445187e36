from functools import partial

import pytest

from n2v_tk.config import N2NConfig, N2VConfig, R2RConfig
from n2v_tk.errors import ConfigError, ImageError


@pytest.fixture
def X(rng):
    return rng.normal(50, 5, (2, 64, 80, 1))


def replaced_by(config):
    return config.n2v_manipulator, config.n2v_neighborhood_radius, config.n2v_mean_weight


def test_what_is_recommended_fits_the_method(X, rng):
    near = ("mean", 1, 1.0)
    assert replaced_by(N2VConfig.recommended(X)) == near
    assert replaced_by(N2VConfig.recommended(X, n2v_neighborhood_radius=2)) == ("mean", 2, 1.0)
    assert replaced_by(N2VConfig.recommended(X, n2v_manipulator="mean")) == near
    # a window of one pixel around is for means only
    for name in ("uniform_withCP", "median"):
        assert replaced_by(N2VConfig.recommended(X, n2v_manipulator=name)) == (name, 5, 0.0)
    # squares in the loss go with squares only
    assert replaced_by(N2VConfig.recommended(X, train_loss="mae")) == ("uniform_withCP", 5, 0.0)
    probabilistic = N2VConfig.recommended(X, probabilistic=True)
    assert (probabilistic.train_loss, probabilistic.n2v_mean_weight) == ("laplace", 0.0)
    n2v2 = N2VConfig.recommended(X, "n2v2")
    assert (n2v2.n2v_manipulator, n2v2.batch_norm, n2v2.train_keep) == ("median", False, "last")
    volume = N2VConfig.recommended(rng.normal(50, 5, (1, 16, 64, 64, 1)))
    assert replaced_by(volume) == near
    assert (volume.batch_norm, volume.train_steps_per_epoch) == (False, 40)


def test_a_mask_of_lines_has_the_settings_of_structn2v_whoever_gives_it(X):
    struct = N2VConfig.recommended(X, "structn2v", axis="X", length=5)
    assert replaced_by(struct) == ("uniform_withCP", 5, 0.0)
    assert (struct.n2v_perc_pix, struct.train_learning_rate) == (1.0, 1e-3)
    assert (struct.batch_norm, struct.train_schedule) == (False, "ramps")
    mask = struct.structN2Vmask
    for method in ("n2v", "structn2v"):
        assert N2VConfig.recommended(X, method, structN2Vmask=mask) == struct


def test_patches_fit_the_smallest_image_and_the_network(rng):
    images = [rng.normal(50, 5, (1, *shape, 1)) for shape in ((200, 50), (90, 90))]
    assert N2VConfig.recommended(images).n2v_patch_shape == (64, 48)
    assert N2VConfig.recommended(images, unet_n_depth=4).n2v_patch_shape == (64, 48)
    assert N2VConfig.recommended(images, unet_n_depth=5).n2v_patch_shape == (64, 32)
    volume = rng.normal(50, 5, (1, 10, 80, 80, 1))
    assert N2VConfig.recommended(volume).n2v_patch_shape == (8, 64, 64)
    with pytest.raises(ImageError, match="at least 16 pixels"):
        N2VConfig.recommended(volume, unet_n_depth=4)


@pytest.mark.parametrize("depth", ["many", -3, 10**6])
@pytest.mark.parametrize(
    "make",
    [N2VConfig.recommended, N2NConfig.recommended, partial(N2NConfig, network="unet"), R2RConfig],
)
def test_a_depth_that_is_none_is_refused(X, make, depth):
    with pytest.raises(ConfigError, match="unet_n_depth"):
        make(X, unet_n_depth=depth)


def test_noise2noise_has_the_network_of_noise2void(X, rng):
    ours, theirs = N2NConfig.recommended(X), N2VConfig.recommended(X)
    for name in (
        "unet_kern_size", "unet_n_first", "batch_norm", "train_schedule", "train_ramps",
        "train_learning_rate", "train_batch_size", "train_epochs", "train_steps_per_epoch",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.network == "unet"
    assert ours.train_patch_shape == theirs.n2v_patch_shape
    volume = rng.normal(50, 5, (1, 14, 100, 50, 1))
    assert N2NConfig.recommended(volume).train_patch_shape == (12, 64, 48)
    assert not N2NConfig.recommended(volume).batch_norm
    assert not N2NConfig(volume).batch_norm
    deep = N2NConfig.recommended(volume, unet_n_depth=1)
    assert deep.train_patch_shape == (14, 64, 50)
    assert N2NConfig.recommended().train_patch_shape == (64, 64)
    assert N2NConfig.recommended(n_dim=3).train_patch_shape == (16, 64, 64)
    chosen = N2NConfig.recommended(X, network="n2n", train_epochs=7)
    assert (chosen.network, chosen.train_epochs, chosen.train_batch_size) == ("n2n", 7, 2)
    assert N2NConfig.recommended(X, train_patch_shape=(32, 32)).train_patch_shape == (32, 32)


def test_images_too_small_for_noise2noise(rng):
    with pytest.raises(ImageError, match="at least 4 pixels"):
        N2NConfig.recommended(rng.normal(size=(1, 3, 64, 1)))
