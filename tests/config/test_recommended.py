import pytest

from n2v_tk.config import N2VConfig
from n2v_tk.errors import ImageError


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
    assert replaced_by(volume) == ("uniform_withCP", 5, 0.0)
    assert volume.batch_norm


def test_a_mask_of_lines_has_the_settings_of_structn2v_whoever_gives_it(X):
    struct = N2VConfig.recommended(X, "structn2v", axis="X", length=5)
    assert replaced_by(struct) == ("uniform_withCP", 5, 0.0)
    assert struct.n2v_perc_pix == 1.0
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
