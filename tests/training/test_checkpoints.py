import h5py
import keras
import numpy as np
import pytest

from n2v_tk.errors import ModelFolderError
from n2v_tk.nets.unet import build_unet
from n2v_tk.training.checkpoints import load_weights, save_weights


def test_there_and_back(tmp_path, rng):
    net = build_unet((None, None, 2), "linear", 2, 4, (3, 3), batch_norm=True, blurpool=True)
    net.set_weights([rng.normal(size=w.shape) for w in net.get_weights()])
    save_weights(net, tmp_path / "w.h5")
    other = build_unet((None, None, 2), "linear", 2, 4, (3, 3), batch_norm=True, blurpool=True)
    load_weights(other, tmp_path / "w.h5")
    for a, b in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layout_of_keras_2(tmp_path):
    net = build_unet((None, None, 1), "linear", 1, 2, (3, 3), batch_norm=True)
    save_weights(net, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert set(file.attrs) == {"backend", "keras_version", "layer_names"}
        assert [n.decode() for n in file.attrs["layer_names"]] == [i.name for i in net.layers]
        norm = file["down_0_0_norm"]
        names = [n.decode() for n in norm.attrs["weight_names"]]
        assert [n.split("/")[1] for n in names] == [
            "gamma:0", "beta:0", "moving_mean:0", "moving_variance:0",
        ]  # fmt: skip
        assert norm[names[0]].shape == (2,)


def test_more_names_than_an_attribute_holds(tmp_path):
    names = [f"{'long' * 400}_{i}" for i in range(50)]
    net = keras.Sequential([keras.Input((1,)), *(keras.layers.Dense(1, name=n) for n in names)])
    save_weights(net, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names0" in file.attrs
    before = net.get_weights()
    net.set_weights([w * 0 for w in before])
    load_weights(net, tmp_path / "w.h5")
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_failures_leave_what_was_there(tmp_path):
    net = build_unet((None, None, 1), "linear", 1, 2, (3, 3))
    path = tmp_path / "w.h5"
    save_weights(net, path)
    before = path.read_bytes()
    with pytest.raises(StopIteration):
        save_weights(net, path, net.get_weights()[:-1])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.h5"]
    with pytest.raises(ModelFolderError, match="Received"):
        save_weights(net, tmp_path / "missing" / "w.h5")


def test_wrong_files(tmp_path):
    net = build_unet((None, None, 1), "linear", 1, 2, (3, 3))
    with pytest.raises(ModelFolderError, match=r"no such weight file.*Weights there are: none"):
        load_weights(net, tmp_path / "w.h5")
    save_weights(build_unet((None, None, 1), "linear", 1, 3, (3, 3)), tmp_path / "w.h5")
    with pytest.raises(ModelFolderError, match="do not fit"):
        load_weights(net, tmp_path / "w.h5")
    (tmp_path / "w.h5").write_bytes(b"not hdf5")
    with pytest.raises(ModelFolderError, match="damaged"):
        load_weights(net, tmp_path / "w.h5")
