import json

import numpy as np
import pytest

from n2v_tk.config import N2VConfig
from n2v_tk.errors import ConfigError, ImageError, ModelFolderError


@pytest.fixture
def X(rng):
    return rng.normal(50, 5, (2, 64, 80, 1))


def test_defaults_are_those_of_n2v(X):
    config = N2VConfig(X)
    expected = {
        "n_dim": 2, "axes": "YXC", "n_channel_in": 1, "n_channel_out": 1, "unet_residual": False,
        "unet_n_depth": 2, "unet_kern_size": 5, "unet_n_first": 32,
        "unet_last_activation": "linear", "unet_input_shape": (None, None, 1),
        "train_loss": "mae", "train_epochs": 100, "train_steps_per_epoch": 400,
        "train_learning_rate": 0.0004, "train_batch_size": 16, "train_tensorboard": True,
        "train_checkpoint": "weights_best.h5", "train_reduce_lr": {"factor": 0.5, "patience": 10},
        "batch_norm": True, "n2v_perc_pix": 1.5, "n2v_patch_shape": (64, 64),
        "n2v_manipulator": "uniform_withCP", "n2v_neighborhood_radius": 5,
        "single_net_per_channel": True, "blurpool": False, "skip_skipone": False,
        "structN2Vmask": None, "probabilistic": False,
    }  # fmt: skip
    assert {name: getattr(config, name) for name in expected} == expected
    assert float(config.means[0]) == pytest.approx(X.mean())
    assert float(config.stds[0]) == pytest.approx(X.std())


def test_defaults_in_3d_and_with_channels(rng):
    config = N2VConfig(rng.normal(size=(1, 64, 64, 64, 3)) * [1, 2, 3])
    assert (config.n_dim, config.axes, config.n_channel_in) == (3, "ZYXC", 3)
    assert config.unet_kern_size == 3
    assert config.n2v_patch_shape == (64, 64, 64)
    assert [round(float(s)) for s in config.stds] == [1, 2, 3]
    assert config.unet_input_shape == (None, None, None, 3)


def test_images_of_different_size(rng):
    images = [rng.normal(3, 1, (1, 64, 64, 1)), rng.normal(9, 1, (2, 70, 90, 1))]
    means = np.concatenate([i.ravel() for i in images]).mean()
    assert float(N2VConfig(images).means[0]) == pytest.approx(means)


def test_statistics_of_half_precision(rng):
    """Squares of such values, and sums of few, are infinite in float16."""
    X = (1000 * rng.normal(30, 5, (2, 64, 80, 1))).astype("float16")
    config = N2VConfig(X)
    assert float(config.means[0]) == pytest.approx(30e3, rel=0.01)
    assert float(config.stds[0]) == pytest.approx(5e3, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n2v_perc_pixel": 2}, "Did you mean 'n2v_perc_pix'"),
        ({"unet_n_dept": 2}, "Did you mean 'unet_n_depth'"),
        ({"unet_kern_size": 4}, "unet_kern_size must be odd.*Received: 4"),
        ({"unet_n_depth": 0}, "unet_n_depth.*Received: 0"),
        ({"train_epochs": 0}, "train_epochs.*Received: 0"),
        ({"train_epochs": "many"}, "train_epochs.*Received: 'many'"),
        ({"train_learning_rate": float("nan")}, "train_learning_rate"),
        ({"train_loss": "huber"}, "train_loss.*Received: 'huber'"),
        ({"train_loss": "laplace"}, "train_loss must be 'laplace' for a probabilistic"),
        ({"probabilistic": True, "train_loss": "mse"}, "train_loss must be 'laplace'"),
        ({"n2v_patch_shape": (66, 64)}, r"divisible by 4 \(2\*\*unet_n_depth\).*\(66, 64\)"),
        ({"n2v_patch_shape": (64,)}, "one side per spatial axis"),
        ({"n2v_perc_pix": 0}, "n2v_perc_pix"),
        ({"n2v_perc_pix": 101}, "n2v_perc_pix"),
        ({"n2v_manipulator": "medain"}, "Did you mean 'median'"),
        ({"n2v_neighborhood_radius": 0}, "radius must be at least 1"),
        ({"structN2Vmask": [[1, 1]]}, "odd sides"),
        ({"structN2Vmask": [1, 0, 1]}, "must have 2 axes"),
        ({"structN2V_fill": (2, -2)}, "must be 'neighbours' or"),
        ({"unet_residual": True, "skip_skipone": True}, "unet_residual must be False"),
        ({"train_checkpoint": "../../x.h5"}, "without any folder"),
        ({"train_checkpoint": "..\\x.h5"}, "without any folder"),
        ({"train_checkpoint": "best.keras"}, "must end in '.h5'"),
        ({"axes": "ZYXC"}, "axes must be 'YXC' in 2D"),
        ({"means": ["1", "2"]}, "one number per channel"),
        ({"stds": ["inf"]}, "finite numbers"),
        ({"means": ["1"], "stds": None}, "belong together"),
        ({"train_reduce_lr": {"factr": 1}}, "ReduceLROnPlateau.*factr"),
        ({"structN2V_fill": (float("nan"), 1)}, "structN2V_fill"),
        ({"unet_input_shape": (32, 32, 1)}, "sides of n2v_patch_shape"),
        ({"n2v_patch_shape": 64}, "n2v_patch_shape"),
        ({"n_channel_out": 3}, "must be equal"),
        ({"unet_input_shape": (None, None, 3)}, "unet_input_shape"),
        ({"unet_input_shape": (68, None, 1)}, "sides of n2v_patch_shape"),
        ({"unet_input_shape": (66, None, 1)}, "divisible by 4"),
        ({"unet_input_shape": (None, 1)}, "unet_input_shape must be"),
    ],
    ids=str,
)
def test_invalid_settings(X, settings, message):
    with pytest.raises(ConfigError, match=message):
        N2VConfig(X, **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X * 0 + 5, "constant"),
        (lambda X: X[0], "'SYXC'"),
        (lambda X: X.astype(complex), "real numbers"),
        (lambda X: np.where(X.max() == X, np.nan, X), "1 of .* pixels are NaN"),
        (lambda X: [], "'SYXC'"),
    ],
)
def test_images_that_cannot_be_trained_on(X, change, message):
    with pytest.raises((ConfigError, ImageError), match=message):
        N2VConfig(change(X))


def test_numpy_values_are_as_good(X):
    mask = np.array([[1, 1, 0, 1, 1]])
    config = N2VConfig(
        X, train_epochs=np.int64(3), n2v_patch_shape=np.array([32, 32]), structN2Vmask=mask,
        n2v_perc_pix=np.float32(2), unet_residual=np.bool_(True),
    )  # fmt: skip
    assert config.structN2Vmask == [[1, 1, 0, 1, 1]]
    assert config.n2v_patch_shape == (32, 32)
    np.testing.assert_array_equal(mask, [[1, 1, 0, 1, 1]])


def test_assignments_are_checked(X):
    config = N2VConfig(X)
    config.train_epochs = 7
    assert config.train_epochs == 7
    with pytest.raises(ConfigError, match="unet_n_depth"):
        config.unet_n_depth = 7  # 64 is not divisible by 128
    with pytest.raises(ConfigError, match="Did you mean"):
        config.train_epoch = 3
    assert (config.train_epochs, config.unet_n_depth) == (7, 2)


def test_settings_that_hang_together(X):
    config = N2VConfig(X)
    config.update_parameters(unet_n_depth=3, n2v_patch_shape=(72, 72))
    assert (config.unet_n_depth, config.n2v_patch_shape) == (3, (72, 72))
    with pytest.raises(ConfigError):
        config.update_parameters(train_epochs=5, n2v_patch_shape=(7, 7))
    assert config.train_epochs == 100
    assert config.is_valid()
    assert config.is_valid(return_invalid=True) == (True, ())


def test_shortcuts(X, rng):
    n2v2 = N2VConfig.n2v2(X, n2v_manipulator="mean")
    assert (n2v2.blurpool, n2v2.skip_skipone, n2v2.n2v_manipulator) == (True, True, "mean")
    with pytest.raises(ConfigError, match="unet_residual"):
        N2VConfig.n2v2(X, unet_residual=True)
    struct = N2VConfig.struct(X, axis="Y", length=5)
    assert struct.structN2Vmask == [[1], [1], [0], [1], [1]]
    volume = N2VConfig.struct(rng.normal(size=(1, 64, 64, 64, 1)), axis="Z", length=3)
    assert np.shape(volume.structN2Vmask) == (3, 1, 1)
    with pytest.raises(ConfigError, match="length must be odd"):
        N2VConfig.struct(X, length=4)
    assert N2VConfig(X, probabilistic=True).train_loss == "laplace"


def test_there_and_back_through_json(X, tmp_path):
    config = N2VConfig.struct(X, axis="X", length=5, train_ema=0.99, train_seed=3)
    config.save(tmp_path / "config.json")
    assert N2VConfig.load(tmp_path / "config.json") == config
    data = json.loads((tmp_path / "config.json").read_text())
    assert data["means"] == config.means
    assert all(isinstance(m, str) for m in data["means"])
    assert "n2v_tk_version" in data
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_old_files_get_the_meaning_they_had(X, tmp_path):
    """n2v 0.1 lacked single_net_per_channel and built one joint network."""
    path = tmp_path / "config.json"
    old = json.loads(N2VConfig(X).model_dump_json())
    newer = ("legacy_density", "train_augment", "structN2V_fill")
    for name in ("single_net_per_channel", "structN2Vmask", "blurpool", "skip_skipone", *newer):
        del old[name]
    path.write_text(json.dumps({**old, "patch_shape": [64, 64]}))
    config = N2VConfig.load(path)
    assert config.single_net_per_channel is False
    assert config.legacy_density is True
    assert config.train_augment is False
    assert config.structN2V_fill == (-2, 2)
    assert config.blurpool is False


def test_unknown_keys_are_kept_and_named_once(X, tmp_path):
    path = tmp_path / "config.json"
    data = {**json.loads(N2VConfig(X).model_dump_json()), "my_note": "abc"}
    path.write_text(json.dumps(data))
    with pytest.warns(UserWarning, match="my_note"):
        config = N2VConfig.load(path)
    config.save(path)
    assert json.loads(path.read_text())["my_note"] == "abc"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"unet_n_depth": -1}'])
def test_broken_files(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises((ModelFolderError, ConfigError), match="Received"):
        N2VConfig.load(tmp_path / "config.json")
    with pytest.raises(ModelFolderError, match=r"no config.json.*Received"):
        N2VConfig.load(tmp_path / "missing" / "config.json")
