"""Model folders of the genuine n2v 0.3.3 and csbdeep 0.7.4 (tests/data/legacy)."""

import json
import shutil
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import n2v_tk
from n2v_tk import CARE, N2V, N2VConfig
from n2v_tk.config.reading import load_config
from n2v_tk.errors import CompatibilityWarning, ConfigError, ModelFolderError
from n2v_tk.models.one_call import go_on_with

FOLDERS = Path(__file__).parents[1] / "data" / "legacy"
AT_HAND = Path(__file__).parents[3] / "shared" / "fixtures" / "legacy"
NAMES = (
    "n2v2", "n2v2d_depth3", "n2v2d_nobn", "n2v2d_plain", "n2v2d_residual", "n2v3d", "rgb_joint",
    "rgb_single", "structn2v",
)  # fmt: skip
# of n2v 0.3.1, whose network is csbdeep's
OLDER = ("older_joint", "older_single")
pytestmark = pytest.mark.filterwarnings("ignore:THIS MODEL NEVER SAW")


def near(result, expected):
    """Within 1e-4 of the standard deviation."""
    return np.abs(result - expected).max() < 1e-4 * expected.std()


def copy(name, tmp_path, **changes):
    """A copy of a folder with changed settings; a value of ... takes a setting out."""
    shutil.copytree(FOLDERS / name, tmp_path / name)
    path = tmp_path / name / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))
    return tmp_path / name


@pytest.mark.parametrize("name", NAMES + OLDER)
def test_a_folder_of_n2v_gives_its_results(name):
    model = N2V(None, name, FOLDERS)
    expected = np.load(FOLDERS / name / "results.npz")
    image, axes = expected["input"], str(expected["axes"])
    result = model.predict(image, axes)
    assert near(result, expected["best"])
    tiles = tuple(2 if axis in "YX" else 1 for axis in axes)
    assert near(model.predict(image, axes, n_tiles=tiles), result)
    if "tta" in expected:
        assert near(model.predict(image, axes, tta=True), expected["tta"])
    if "last" in expected:
        model.load_weights("weights_last.h5")
        assert near(model.predict(image, axes), expected["last"])
    assert model.config.made_with == "n2v"


@pytest.mark.skipif(not AT_HAND.exists(), reason="the whole folders are not at hand")
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_folder_of_n2v_gives_its_results(name):
    model = N2V(None, name, AT_HAND)
    info = json.loads((AT_HAND / name / "info.json").read_text())
    cases = {"output": {}, "output_odd": {}}
    if name != "n2v2":
        # there n2v's own tiles do not overlap by what its network sees
        cases["output_tiled"] = {"n_tiles": info["n_tiles"]}
    if (AT_HAND / name / "output_tta.npy").exists():
        cases["output_tta"] = {"tta": True}
    for case, options in cases.items():
        image = np.load(AT_HAND / name / f"input{'_odd' * case.endswith('odd')}.npy")
        result = model.predict(image, info["axes"], **options)
        assert near(result, np.load(AT_HAND / name / f"{case}.npy")), case


def test_a_probabilistic_folder_of_csbdeep_gives_its_results():
    model = CARE(None, "care_probabilistic", FOLDERS)
    expected = np.load(FOLDERS / "care_probabilistic" / "results.npz")
    prediction = model.predict_probabilistic(expected["input"], "YX")
    assert near(prediction.mean(), expected["mean"])
    assert near(prediction.scale(), expected["scale"])
    assert near(model.predict(expected["input"], "YX"), expected["mean"])
    assert model.config.made_with == "csbdeep"


def test_an_early_folder_of_csbdeep(tmp_path):
    """Before csbdeep 0.4 and Keras 2.1.6."""
    reduce = {"factor": 0.5, "patience": 10, "epsilon": 0}
    folder = copy("care_probabilistic", tmp_path, train_checkpoint_last=...,
                  train_checkpoint_epoch=..., train_reduce_lr=reduce)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = n2v_tk.load_model(folder)
    assert type(model) is CARE
    assert model.config.train_reduce_lr["min_delta"] == 0
    expected = np.load(folder / "results.npz")
    assert near(model.predict(expected["input"], "YX"), expected["mean"])


def test_every_network_of_an_old_rgb_model_reads_the_last_channel():
    with pytest.warns(UserWarning, match="NEVER SAW MOST CHANNELS"):
        model = N2V(None, "rgb_single", FOLDERS)
    image = np.load(FOLDERS / "rgb_single" / "results.npz")["input"]
    other = image.copy()
    other[..., :2] += 100
    assert np.array_equal(model.predict(image, "YXC"), model.predict(other, "YXC"))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = N2V(None, "rgb_single", FOLDERS, channel_wiring="own")
    changed = right.predict(image, "YXC") != right.predict(other, "YXC")
    assert changed[..., :2].mean() > 0.9
    assert not changed[..., 2].any()


def test_the_wiring_stays_when_a_model_is_copied(tmp_path):
    model = N2V(None, "rgb_single", FOLDERS)
    model.save(tmp_path / "copy")
    with pytest.warns(UserWarning, match="NEVER SAW MOST CHANNELS"):
        again = N2V(None, "copy", tmp_path)
    image = np.load(FOLDERS / "rgb_single" / "results.npz")["input"]
    assert np.array_equal(again.predict(image, "YXC"), model.predict(image, "YXC"))


def test_older_folders_lack_keys(tmp_path):
    """Without single_net_per_channel, which came late, there was one network for all channels."""
    late = dict.fromkeys(("single_net_per_channel", "structN2Vmask", "probabilistic"), ...)
    folder = copy("older_joint", tmp_path, **late, patch_shape=[32, 32])
    expected = np.load(folder / "results.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = N2V(None, folder.name, tmp_path)
    assert not model.config.single_net_per_channel
    assert near(model.predict(expected["input"], str(expected["axes"])), expected["best"])


@pytest.mark.parametrize("name", OLDER)
def test_networks_before_0_3_2_are_wider_on_the_way_up(name, tmp_path):
    model = N2V(None, name, FOLDERS)
    assert model.config.unet_wide_decoder
    # n2v 0.3.3 has another network
    with pytest.warns(CompatibilityWarning, match="unet_wide_decoder, of n2v before 0.3.2"):
        model.save(tmp_path / "copy")
    again = N2V(None, "copy", tmp_path)
    assert again.config == model.config
    image = np.load(FOLDERS / name / "results.npz")
    expected = model.predict(image["input"], str(image["axes"]))
    assert np.array_equal(again.predict(image["input"], str(image["axes"])), expected)
    for young in NAMES:
        assert not N2VConfig.load(FOLDERS / young / "config.json").unet_wide_decoder


def test_what_goes_on_with_an_older_model_has_its_network():
    old = N2V(None, "older_single", FOLDERS)
    image = np.load(FOLDERS / "older_single" / "results.npz")["input"]
    new = go_on_with(old, [np.tile(image, (2, 2, 1))[None]], None)
    for a, b in zip(old.keras_model.get_weights(), new.keras_model.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("version", "wiring"),
    [
        (b"2.2.4", "own"), (b"2.3.1", "own"), (b"2.2.4-tf", "last"), (b"2.4.0", "last"),
        (b"2.2.4\xff", "last"),
    ],
)  # fmt: skip
def test_keras_of_its_own_wired_channels_rightly(tmp_path, version, wiring):
    """Up to 2.3 it made its graph once, while each of n2v's networks was at its channel."""
    folder = copy("older_single", tmp_path)
    with h5py.File(folder / "weights_best.h5", "a") as file:
        file.attrs["keras_version"] = np.bytes_(version)
    assert N2VConfig.load(folder / "config.json").channel_wiring == wiring
    assert load_config(folder).channel_wiring == wiring


def test_the_first_releases_had_one_mean(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path, means=..., stds=..., mean="100.5", std="3.25")
    config = N2VConfig.load(folder / "config.json")
    assert (config.means, config.stds) == (["100.5"], ["3.25"])


def test_unknown_keys_are_kept_and_named_once(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path, shoe_size=44)
    with pytest.warns(UserWarning, match="shoe_size") as warned:
        model = n2v_tk.load_model(folder)
    assert len(warned) == 1
    model.save(tmp_path / "new")
    assert json.loads((tmp_path / "new" / "config.json").read_text())["shoe_size"] == 44


def test_a_radius_of_0_replaced_nothing(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path, n2v_manipulator="uniform_withCP",
                  n2v_neighborhood_radius=0)  # fmt: skip
    assert N2VConfig.load(folder / "config.json").n2v_manipulator == "identity"


def test_the_radius_of_normal_additive_was_its_sigma(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path, n2v_manipulator="normal_additive",
                  n2v_neighborhood_radius=3)  # fmt: skip
    assert N2VConfig.load(folder / "config.json").n2v_additive_sigma == 3


def test_what_n2v_did_is_what_its_folders_mean():
    config = N2VConfig.load(FOLDERS / "structn2v" / "config.json")
    assert config.structN2V_fill == (-2, 2)
    assert config.legacy_density
    assert config.legacy_tta
    assert not config.train_augment


@pytest.mark.parametrize(
    "hostile",
    [
        {"n2v_manipulator": "uniform_withCP(5) or __import__('os').system('touch hacked')"},
        {"train_loss": "mse() or __import__('os').system('touch hacked')"},
        {"train_checkpoint": "../../x.h5"},
        {"train_checkpoint": "/tmp/x.h5"},
        {"train_checkpoint": "..\\x.h5"},
        {"train_reduce_lr": {"factor": 0.5, "__class__": "os.system"}},
        {"unet_last_activation": "__import__('os')"},
        {"structN2Vmask": "__import__('os')"},
        {"unet_n_depth": 10**6},
        {"means": ["nan"]},
    ],
)
def test_hostile_settings_are_refused(tmp_path, monkeypatch, hostile):
    monkeypatch.chdir(tmp_path)
    folder = copy("n2v2d_nobn", tmp_path, **hostile)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError):
        n2v_tk.load_model(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_weights_of_a_name_like_best_are_not_taken(tmp_path):
    """n2v opens the newest file with 'best' in its name."""
    folder = copy("n2v2d_nobn", tmp_path)
    (folder / "my_bestiary_backup.h5").write_bytes(b"newer, and no weights")
    assert N2V(None, folder.name, tmp_path).loaded


def test_the_only_weights_may_have_any_name(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path)
    expected = np.load(folder / "results.npz")
    (folder / "._weights_best.h5").write_bytes(b"of macOS")
    (folder / "weights_last.h5").unlink(missing_ok=True)
    (folder / "weights_best.h5").rename(folder / "weights_best_v2.h5")
    with pytest.warns(UserWarning, match=r"no weights_best\.h5.*weights_best_v2\.h5"):
        model = n2v_tk.load_model(folder)
    assert model.loaded
    assert near(model.predict(expected["input"], "YX"), expected["best"])
    with pytest.raises(ModelFolderError, match=r"no such weight file.*: weights_best_v2\.h5\."):
        n2v_tk.load_model(folder, weights="typo.h5")


def test_of_several_weights_of_other_names_one_must_be_named(tmp_path):
    folder = copy("n2v2d_nobn", tmp_path)
    expected = np.load(folder / "results.npz")
    (folder / "weights_last.h5").unlink(missing_ok=True)
    (folder / "weights_best.h5").rename(folder / "b.hdf5")
    (folder / "a.h5").write_bytes(b"other")
    with pytest.raises(ModelFolderError, match=r"a\.h5, b\.hdf5 in .*load_model\(folder, weights="):
        n2v_tk.load_model(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = n2v_tk.load_model(folder, weights="b.hdf5")
        chosen = n2v_tk.load_model(folder, train_checkpoint="b.hdf5")
    for model in (named, chosen):
        assert model.loaded
        assert near(model.predict(expected["input"], "YX"), expected["best"])
    assert named.config.train_checkpoint == "weights_best.h5"
    named.save(tmp_path / "m.keras")
    with pytest.raises(ModelFolderError, match=r"several files of weights.*'b\.hdf5'"):
        n2v_tk.load_model(tmp_path / "m.keras", weights="b.hdf5")
    with pytest.raises(ConfigError, match="together with a config"):
        N2V(named.config, basedir=None, weights="b.hdf5")


@pytest.mark.parametrize("name", ["n2v2d_nobn", "care_probabilistic"])
def test_checkpoints_with_the_long_suffix(name, tmp_path):
    """Keras wrote HDF5 for either."""
    folder = copy(name, tmp_path, train_checkpoint="weights.hdf5")
    expected = np.load(folder / "results.npz")
    for old in folder.glob("weights_last.h5"):
        old.unlink()
    (folder / "weights_best.h5").rename(folder / "weights.hdf5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = n2v_tk.load_model(folder)
    best = expected["best" if name == "n2v2d_nobn" else "mean"]
    assert near(model.predict(expected["input"], "YX"), best)
    with pytest.warns(UserWarning, match="There is a model in"):
        type(model)(model.config, name, tmp_path)


@pytest.mark.parametrize(("side", "radius"), [(11, 5), (5, 2), (13, 5)])
def test_a_mask_over_the_whole_window(side, radius, tmp_path):
    """n2v replaces blind spots by hidden pixels too, and so goes on with such models."""
    folder = copy("structn2v", tmp_path, structN2Vmask=np.ones((side, side)).tolist(),
                  n2v_neighborhood_radius=radius)  # fmt: skip
    model = n2v_tk.load_model(folder)
    expected = np.load(folder / "results.npz")
    assert near(model.predict(expected["input"], "YX"), expected["best"])
    image = expected["input"][None, ..., None]
    model.train(image, image, epochs=1, steps_per_epoch=1, verbose=0)
    n2v_tk.load_model(folder)


def test_going_on_with_an_old_model(tmp_path):
    """Training starts from its weights, and its folder stays one of n2v."""
    folder = copy("n2v2d_plain", tmp_path, train_epochs=1, train_steps_per_epoch=2)
    model = N2V(None, folder.name, tmp_path)
    before = model.keras_model.get_weights()
    image = np.load(folder / "results.npz")["input"][None, ..., None]
    keras.utils.set_random_seed(0)
    model.prepare_for_training(keras.optimizers.SGD(0.0))
    model.train(image, image, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in
               zip(before, model.keras_model.get_weights(), strict=True)]  # fmt: skip
    # with a learning rate of 0 only the moving statistics of batch normalisation move
    assert 0 < sum(changed) <= len(changed) // 3
    again = json.loads((folder / "config.json").read_text())
    assert again["n2v_tk_version"] == n2v_tk.__version__
    assert again["legacy_density"]


def test_a_model_of_another_method_is_named(tmp_path):
    with pytest.raises(ModelFolderError, match="a 'care' model"):
        N2V(None, "care_probabilistic", FOLDERS)
    with pytest.raises(ModelFolderError, match="a 'n2v' model"):
        CARE(None, "n2v2", FOLDERS)
    folder = copy("n2v2", tmp_path, n2v_tk_method="magic")
    with pytest.raises(ModelFolderError, match=r"does not know.*'magic'"):
        n2v_tk.load_model(folder)


def test_settings_are_changed_by_name_only_when_loading():
    with pytest.raises(ConfigError, match="Received: channel_wiring"):
        N2V(N2VConfig(), basedir=None, channel_wiring="own")
