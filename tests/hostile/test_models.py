"""Models from strangers: nothing is run, nothing outside is read or written, memory is bounded."""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile

import h5py
import numpy as np
import pytest

import n2v_tk
from n2v_tk import archives
from n2v_tk.archives import read_arrays
from n2v_tk.config.files import write_config
from n2v_tk.errors import ConfigError, ModelFolderError

WEIGHTS = "model.weights.h5"


@pytest.fixture
def folder(kept, tmp_path):
    shutil.copytree(kept / "model", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def weights(folder):
    """The weights that are loaded, open for changes; then `load`."""
    (folder / "weights_last.h5").unlink()
    return folder / "weights_best.h5"


def rewritten(kept, path, changes=(), **options):
    """The .keras file with members changed, added, or (None) left out."""
    changes = dict(changes)
    with zipfile.ZipFile(kept / "model.keras") as source, zipfile.ZipFile(path, "w") as target:
        members = {name: source.read(name) for name in source.namelist()} | changes
        for name, content in members.items():
            if content is not None:
                target.writestr(name, content, **(options if name in changes else {}))
    return path


class Touch:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", [WEIGHTS, "n2v_tk.json"])
def test_members_that_grow_are_not_unpacked(kept, tmp_path, member):
    path = rewritten(
        kept, tmp_path / "x.keras", {member: bytes(2**25)}, compress_type=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 2**18
    with pytest.raises(ModelFolderError, match=r"too large.*33.6 MB.*fill the memory"):
        n2v_tk.load_model(path)


def test_a_size_that_is_told_small_is_held_to(kept, tmp_path):
    """What comes out beyond the size in the list is not written."""
    path = rewritten(
        kept, tmp_path / "x.keras", {WEIGHTS: bytes(2**25)}, compress_type=zipfile.ZIP_DEFLATED
    )
    content = path.read_bytes().replace(struct.pack("<I", 2**25), struct.pack("<I", 1000))
    path.write_bytes(content)
    with pytest.raises(ModelFolderError, match="damaged"):
        n2v_tk.load_model(path)


@pytest.mark.parametrize("options", [{"compress_type": zipfile.ZIP_LZMA}, "encrypted"])
def test_unusual_members(kept, tmp_path, options):
    encrypted = options == "encrypted"
    path = rewritten(
        kept, tmp_path / "x.keras", {"n2v_tk.json": b"{}"}, **({} if encrypted else options)
    )
    if encrypted:
        with zipfile.ZipFile(path) as file:
            entry = file.start_dir
        content = bytearray(path.read_bytes())
        while content[entry : entry + 4] == b"PK\1\2":
            content[entry + 8] |= 1
            lengths = struct.unpack("<HHH", content[entry + 28 : entry + 34])
            entry += 46 + sum(lengths)
        path.write_bytes(content)
    with pytest.raises(ModelFolderError, match="encrypted or compressed in an unusual way"):
        n2v_tk.load_model(path)


def test_a_long_list_of_members_is_not_read(kept, tmp_path, monkeypatch):
    extra = {f"{i:0200}": b"" for i in range(100)}
    path = rewritten(kept, tmp_path / "x.keras", extra)
    assert n2v_tk.load_model(path).loaded
    monkeypatch.setattr(archives, "_LARGEST_LIST", 10_000)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(ModelFolderError, match="lists its members in"):
        n2v_tk.load_model(path)


def test_the_long_list_of_a_large_archive_is_found(tmp_path, monkeypatch):
    """Zip64 keeps its size in another place."""
    path = tmp_path / "x.keras"
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**30, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, 0, 1)
    path.write_bytes(record + locator + b"PK\5\6" + bytes(18))
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(ModelFolderError, match="lists its members in"):
        n2v_tk.load_model(path)


def test_a_large_network_without_its_weights_is_not_made(kept, tmp_path, monkeypatch):
    import keras

    with zipfile.ZipFile(kept / "model.keras") as file:
        settings = json.loads(file.read("n2v_tk.json")) | {"unet_n_first": 2000}
    path = rewritten(kept, tmp_path / "x.keras", {"n2v_tk.json": json.dumps(settings)})
    monkeypatch.setattr(keras, "Input", None)
    with pytest.raises(ModelFolderError, match="fewer weights than the network"):
        n2v_tk.load_model(path)


def test_names_in_a_package_lead_nowhere(kept, tmp_path):
    place = tmp_path / "deep" / "place"
    place.mkdir(parents=True)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(place / "p.zip", "w") as file:
        file.writestr("../escaped", b"x")
        file.writestr(f"{tmp_path}/absolute", b"x")
        file.writestr("..\\escaped", b"x")
        file.writestr(link, "/etc/passwd")
        file.write(kept / "model.keras", "weights.keras")
    before = set(tmp_path.rglob("*"))
    assert n2v_tk.load_model(place / "p.zip").loaded
    assert set(tmp_path.rglob("*")) == before


def test_a_package_of_n2v_with_other_weights(tmp_path):
    """Shapes are compared before values are read."""
    from pathlib import Path

    legacy = Path(__file__).parents[1] / "data/legacy/n2v2d_plain/n2v2d_plain.bioimage.io.zip"
    with (
        zipfile.ZipFile(legacy) as source,
        zipfile.ZipFile(tmp_path / "p.zip", "w") as target,
    ):
        for name in ("config.json", "tf_model.zip"):
            content = source.read(name)
            if name == "config.json":
                content = json.dumps(json.loads(content) | {"unet_n_first": 3}).encode()
            target.writestr(name, content)
    with pytest.raises(ModelFolderError, match=r"do not fit.*has shape \[.*, not \("):
        n2v_tk.load_model(tmp_path / "p.zip")


# weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(x=h5py.ExternalLink("/etc/passwd", "/")), "a link 'x'"),
        (lambda f: f.update(x=h5py.SoftLink("/")), "a link 'x'"),
        (
            lambda f: f.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
            "must be in the file itself",
        ),
        (
            lambda f: f.create_virtual_dataset("x", h5py.VirtualLayout((4,), "f4")),
            "must be in the file itself",
        ),
        (lambda f: f.create_dataset("x", (2**50,), "f4", chunks=(2**20,)), "more weights"),
        (lambda f: f.create_dataset("x", (2,), h5py.string_dtype()), "must be numbers"),
    ],
)
def test_files_of_weights(folder, weights, change, message):
    with h5py.File(weights, "a") as file:
        change(_Updatable(file))
    with pytest.raises(ModelFolderError, match=message):
        n2v_tk.load_model(folder)


class _Updatable:
    def __init__(self, file):
        self.file = file
        self.create_dataset = file.create_dataset
        self.create_virtual_dataset = file.create_virtual_dataset

    def update(self, **links):
        for name, link in links.items():
            self.file[name] = link


def test_groups_in_a_circle(folder, weights):
    with h5py.File(weights, "a") as file:
        file["x"] = file["/"]
    assert n2v_tk.load_model(folder).loaded


def test_names_that_are_all_one_large_text(folder, weights, monkeypatch):
    """Texts of any length in a list can be one text many times over."""
    monkeypatch.setattr("n2v_tk.io.hdf5.memory_available", lambda: 2**20)
    with h5py.File(weights, "a") as file:
        file.attrs["ok"] = ["a", "b"]
    assert n2v_tk.load_model(folder).loaded
    with h5py.File(weights, "a") as file:
        file.attrs.create("names", ["x"] * 3000, dtype=h5py.string_dtype())
        file.create_group("large").attrs["text"] = "x" * 60_000
        for i in range(8):
            file.create_group(f"large{i}").attrs["text"] = "x" * 60_000
    with pytest.raises(ModelFolderError, match="names in the file of weights may take"):
        n2v_tk.load_model(folder)


# folders -------------------------------------------------------------------------------------


def test_settings_are_refused_before_a_network_is_made(folder, monkeypatch):
    import keras

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"unet_n_first": 10**6}))
    monkeypatch.setattr(keras, "Input", None)
    with pytest.raises(ConfigError, match=r"takes? .*of memory.*unet_n_first=1000000"):
        n2v_tk.load_model(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_is_not_waited_for(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(ModelFolderError, match="not a regular file"):
        n2v_tk.load_model(folder)


def test_a_large_record_is_left_out(folder):
    with open(folder / "training.json", "wb") as file:
        file.truncate(2**30)
    with pytest.warns(UserWarning, match="1073741824 bytes"):
        assert n2v_tk.load_model(folder).record.runs == []


@pytest.mark.parametrize("loss", [5, {"a": 1}, ["text"], [[1]], [True]])
def test_a_record_of_no_numbers_is_left_out(folder, loss):
    (folder / "training.json").write_text(json.dumps({"runs": [{"history": {"loss": loss}}]}))
    with pytest.warns(UserWarning, match="record of the training is damaged"):
        assert n2v_tk.load_model(folder).record.curves() == {}


@pytest.mark.parametrize(
    "arrays",
    [{"x": np.zeros(2**22)}, {"x": np.zeros(3)}, {"fingerprint": np.array([{}], dtype=object)}],
)
def test_states_of_fits(tmp_path, arrays):
    from n2v_tk.config import DIPConfig
    from n2v_tk.models.dip_folder import DIPFolder

    DIPConfig().save(tmp_path / "config.json")
    np.savez_compressed(tmp_path / "state.npz", **arrays)
    with pytest.raises(ModelFolderError, match=r"state cannot be read.*Delete it to start anew"):
        DIPFolder(tmp_path, "fingerprint").read(DIPConfig(), resume=True)


def test_a_link_in_the_way_of_writing_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f".config.json.{os.getpid()}.tmp").symlink_to(precious)
    write_config(tmp_path / "config.json", {"a": 1})
    assert precious.read_text() == "mine"
    assert json.loads((tmp_path / "config.json").read_text()) == {"a": 1}


# arrays --------------------------------------------------------------------------------------


def test_arrays_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(5), name=np.array("text"))
    arrays = read_arrays(tmp_path / "a.npz")
    assert arrays["x"].tolist() == [0, 1, 2, 3, 4]
    assert str(arrays["name"]) == "text"


def test_arrays_are_read_without_pickle(tmp_path):
    objects = np.array([Touch(tmp_path / "ran")], dtype=object)
    np.savez(tmp_path / "a.npz", objects)
    with pytest.raises(ModelFolderError, match="damaged"):
        read_arrays(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(objects))
    with pytest.raises(ModelFolderError, match="damaged"):
        read_arrays(tmp_path / "b.npz")
    assert not (tmp_path / "ran").exists()
    pickle.loads((tmp_path / "b.npz").read_bytes())
    assert (tmp_path / "ran").exists()


def test_arrays_that_fill_the_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(2**22))
    with pytest.raises(ModelFolderError, match="too large"):
        read_arrays(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros(2**10))
    monkeypatch.setattr(archives, "memory_available", lambda: 2**12)
    with pytest.raises(ModelFolderError, match=r"8.32 kB .*with 4.1 kB left"):
        read_arrays(tmp_path / "b.npz")


@pytest.mark.parametrize("content", [b"", b"no zip", "text member"])
def test_damaged_arrays(tmp_path, content):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        file.writestr("x", b"no array")
    (tmp_path / "a.npz").write_bytes(memory.getvalue() if isinstance(content, str) else content)
    with pytest.raises(ModelFolderError, match="damaged"):
        read_arrays(tmp_path / "a.npz")
