"""Images in stores, HDF5, large TIFFs and files of microscopes, read as they are needed."""

import gc
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from n2v_tk import read_image, read_stacks, write_image
from n2v_tk.errors import AxesError, ExtraMissingError, ImageFileError
from n2v_tk.io import Image
from n2v_tk.io import tiff as tiff_module
from n2v_tk.io.chunks import CachedChunks
from n2v_tk.io.ome_zarr import (
    Level,
    OMEZarr,
    axes_metadata,
    create_ome_zarr,
    finish_ome_zarr,
    open_ome_zarr,
)
from n2v_tk.lazy import LazyArray


@pytest.fixture
def data(rng):
    return rng.integers(0, 60000, (2, 3, 4, 33, 47)).astype("uint16")


def store(path, data, version, axes="TCZYX", n_levels=2, unit="µm", **sizes):
    """An OME-Zarr image."""
    image = Image(data, axes, {"Y": 0.2, "X": 0.2, **sizes}, unit)
    metadata, scale = axes_metadata(image)
    shapes = [data.shape[:-2] + tuple(n // 2**i for n in data.shape[-2:]) for i in range(n_levels)]
    chunks = [1] * (data.ndim - 2) + [16, 16]
    arrays = create_ome_zarr(path, version, metadata, shapes, chunks, data.dtype)
    arrays[0][:] = data
    levels = [Level(str(i), a, scale, [0.0] * data.ndim) for i, a in enumerate(arrays)]
    finish_ome_zarr(path, OMEZarr(path, version, metadata, levels, "cells"))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_goes_around(data, tmp_path, version):
    from ome_zarr_models import open_ome_zarr as validate

    path = store(tmp_path / "a.zarr", data, version, Z=0.5, T=30.0)
    image = read_image(path)
    assert isinstance(image.data, LazyArray)
    assert (image.axes, image.unit, image.kind) == ("TCZYX", "µm", "zarr")
    assert image.pixel_sizes == {"T": 30.0, "Z": 0.5, "Y": 0.2, "X": 0.2}
    assert image.data.chunks == (1, 1, 1, 16, 16)
    np.testing.assert_array_equal(np.asarray(image.data[1, :, 2:, 5:20, 30:]),
                                  data[1, :, 2:, 5:20, 30:])  # fmt: skip
    opened = open_ome_zarr(path)
    assert (opened.version, opened.name, len(opened.levels)) == (version, "cells", 2)
    found = validate(zarr.open(str(path)))
    assert type(found).__module__ == f"ome_zarr_models.v{version.replace('.', '')}.image"


def test_arrays_and_groups_in_a_store(data, tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("raw", data=data[0, 0], chunks=(1, 16, 16))
    group.create_array("named", data=data[0, 0], dimension_names=["z", "y", "x"])
    store(tmp_path / "a.zarr" / "0", data, "0.5")
    assert read_image(tmp_path / "a.zarr" / "raw", "ZYX").data.shape == (4, 33, 47)
    assert read_image(tmp_path / "a.zarr" / "named").axes == "ZYX"
    # as bioformats2raw lays it out
    assert read_image(tmp_path / "a.zarr").axes == "TCZYX"
    with pytest.raises(AxesError, match="does not say what its axes are"):
        read_image(tmp_path / "a.zarr" / "raw")
    with pytest.raises(ImageFileError, match=r"no Zarr array or group .* holds 0, named, raw"):
        read_image(tmp_path / "a.zarr" / "row")


def test_damaged_metadata_are_named(data, tmp_path):
    path = store(tmp_path / "a.zarr", data, "0.4")
    group = zarr.open_group(path, mode="r+")
    whole = group.attrs["multiscales"][0]

    def spoil(**changes):
        group.attrs["multiscales"] = [{**whole, **changes}]

    spoil(datasets=[{**whole["datasets"][0], "path": "7"}])
    with pytest.raises(ImageFileError, match=r"lacks an array .* '7' .* holds 0, 1"):
        read_image(path)
    spoil(axes=None)
    with pytest.raises(AxesError, match=r"do not name the axes.*--axes"):
        read_image(path)
    assert read_image(path, "TCZYX").axes == "TCZYX"
    spoil(axes=whole["axes"][1:])
    with pytest.raises(AxesError, match="not those of its array"):
        read_image(path)
    spoil(axes=[{"name": "angle"}, *whole["axes"][1:]])
    with pytest.raises(AxesError, match=r"t, c, z, y and x\. Received: angle"):
        read_image(path)
    spoil(datasets=[{"path": "0", "coordinateTransformations": [{"type": "scale"}]}])
    with pytest.raises(ImageFileError, match="damaged"):
        read_image(path)
    group.attrs["multiscales"] = []
    with pytest.raises(ImageFileError, match="damaged"):
        read_image(path)
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {}
    with pytest.raises(ImageFileError, match="plate with many images"):
        read_image(tmp_path / "plate.zarr")
    plain = zarr.open_group(tmp_path / "plain.zarr", mode="w")
    plain.create_array("volume", shape=(4, 4), dtype="uint8")
    with pytest.raises(ImageFileError, match=r"no OME-Zarr image.* arrays: volume"):
        read_image(tmp_path / "plain.zarr")
    (tmp_path / "plain.zarr" / "zarr.json").write_text(json.dumps({"zarr_format": 9}))
    with pytest.raises(ImageFileError):
        read_image(tmp_path / "plain.zarr")


def test_hdf5(data, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("t0/raw", data=data[0, 0], chunks=(1, 16, 16), compression="gzip")
        file["table"] = np.zeros(5)
    with pytest.raises(AxesError, match="axes"):
        read_image(path)
    gc.collect()  # what an error holds on to
    image = read_image(path, "ZYX")
    assert image.data.chunks == (1, 16, 16)
    np.testing.assert_array_equal(np.asarray(image.data[1:, 20:]), data[0, 0][1:, 20:])
    del image
    with h5py.File(path, "a") as file:
        file["t1/raw"] = data[1, 0]
        for dimension, label in zip(file["t1/raw"].dims, "zyx", strict=True):
            dimension.label = label
    with pytest.raises(ImageFileError, match=r"must be named.*holds t0/raw, t1/raw.*::t0/raw"):
        read_image(path)
    with h5py.File(path, "a") as file:
        file["link"] = h5py.SoftLink("/t1/raw")
    assert read_image(f"{path}::link").data.shape == data[1, 0].shape
    image = read_image(f"{path}::t1/raw")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(np.asarray(image.data), data[1, 0])
    with pytest.raises(ImageFileError, match="the name 't2'"):
        read_image(f"{path}::t2")
    (tmp_path / "b.h5").write_bytes(b"no HDF5")
    with pytest.raises(ImageFileError, match="may be damaged"):
        read_image(tmp_path / "b.h5")


def test_bigtiff_in_and_out(data, tmp_path):
    tifffile.imwrite(tmp_path / "big.tif", data[:, 0, 0], bigtiff=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(tmp_path / "big.tif") as file:
        assert file.is_bigtiff
    image = read_image(tmp_path / "big.tif")
    assert isinstance(image.data, np.memmap)
    np.testing.assert_array_equal(image.data, data[:, 0, 0])


@pytest.mark.slow
def test_bigtiff_out(tmp_path):
    """More than 4 GB, of which the file system keeps only what is not zero."""
    data = np.lib.stride_tricks.as_strided(np.zeros(1, "uint8"), (1200, 2000, 2000), (0, 0, 0))
    write_image(tmp_path / "big.tif", Image(data, "ZYX"))
    with tifffile.TiffFile(tmp_path / "big.tif") as file:
        assert file.is_bigtiff
        assert file.series[0].shape == data.shape


@pytest.mark.parametrize("axes", ["TZYX", "ZCYX"])
def test_large_compressed_tiff_is_read_plane_by_plane(data, tmp_path, monkeypatch, axes):
    metadata = {"axes": axes, "PhysicalSizeX": 0.3, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(
        tmp_path / "a.ome.tif", data[0], compression="zlib", metadata=metadata,
        photometric="minisblack",
    )  # fmt: skip
    assert isinstance(read_image(tmp_path / "a.ome.tif").data, np.ndarray)
    monkeypatch.setattr(tiff_module, "EAGER", 1000)
    image = read_image(tmp_path / "a.ome.tif")
    assert isinstance(image.data, LazyArray)
    assert image.data.chunks == (1, 1, 33, 47)
    assert image.axes == axes
    np.testing.assert_array_equal(np.asarray(image.data[1:, 2, 5:, :9]), data[0][1:, 2, 5:, :9])
    np.testing.assert_array_equal(np.asarray(image.data), data[0])

    def read(_):
        place = tuple(int(i) for i in np.random.default_rng().integers(0, data[0].shape[:2]))
        return np.array_equal(np.asarray(image.data[place]), data[0][place])

    image.data.source._cache = 0  # every time from the file
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(200)))


def test_microscope_files(data, tmp_path):
    czi = pytest.importorskip("pylibCZIrw.czi", reason="needs the extra bio")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for c, z in np.ndindex(2, 4):
            file.write(data[0, c, z][..., None], plane={"C": c, "Z": z, "T": 0})
        file.write_metadata("a", scale_x=2e-7, scale_y=2e-7, scale_z=5e-7)
    image = read_image(tmp_path / "a.czi")
    assert isinstance(image.data, LazyArray)
    assert (image.axes, image.kind, image.unit) == ("CZYX", "czi", "µm")
    assert image.pixel_sizes == pytest.approx({"Z": 0.5, "Y": 0.2, "X": 0.2})
    np.testing.assert_array_equal(np.asarray(image.data), data[0, :2])
    by_name = read_image(f"{tmp_path / 'a.czi'}::0")
    np.testing.assert_array_equal(np.asarray(by_name.data[1, 2:, :5]), data[0, 1, 2:, :5])
    with pytest.raises(ImageFileError, match=r"no such scene.*'9'"):
        read_image(f"{tmp_path / 'a.czi'}::9")


@pytest.mark.parametrize("kind", ["czi", "nd2", "lif"])
def test_microscope_files_that_are_none(tmp_path, kind):
    pytest.importorskip(f"bioio_{kind}", reason="needs the extra bio")
    (tmp_path / f"a.{kind}").write_bytes(b"")
    with pytest.raises(ImageFileError, match="may be damaged"):
        read_image(tmp_path / f"a.{kind}")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.czi").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "bioio_czi", None)
    with pytest.raises(ExtraMissingError, match=r"bioio-czi.*n2v_tk\[bio\]"):
        read_image(tmp_path / "a.czi")
    monkeypatch.setitem(sys.modules, "zarr", None)
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(ExtraMissingError, match=r"package zarr.*n2v_tk\[zarr\]"):
        read_image(tmp_path / "a.zarr")


def test_stacks_of_a_folder(data, tmp_path):
    tifffile.imwrite(
        tmp_path / "b.tif", data[0, 0], metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    store(tmp_path / "a.zarr", data[:, 0], "0.5", "TZYX")
    (tmp_path / "notes.txt").write_text("not an image")
    stacks = read_stacks(tmp_path)
    assert [s.shape for s in stacks] == [(8, 33, 47, 1), (4, 33, 47, 1)]
    assert [s.shape for s in read_stacks(tmp_path, 3)] == [(2, 4, 33, 47, 1), (1, 4, 33, 47, 1)]
    np.testing.assert_array_equal(np.asarray(stacks[0][5, ..., 0]), data[1, 0, 1])
    assert len(read_stacks([tmp_path / "b.tif", tmp_path / "a.zarr"])) == 2
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").touch()
    with pytest.raises(ImageFileError, match=r"no images.*\.txt only"):
        read_stacks(tmp_path / "empty")


def test_chunks_are_read_once_while_they_fit(rng):
    data = rng.integers(0, 255, (40, 60)).astype("uint8")
    windows = []

    def read(window):
        windows.append(window)
        return data[window]

    chunked = CachedChunks(data.shape, data.dtype, (16, 16), read, cache=1600)
    for _ in range(3):
        window = (slice(10, 20), slice(30, 50))
        np.testing.assert_array_equal(chunked.read(window), data[window])
    # two rows and three columns of chunks, once each
    assert len(windows) == 6
    large = (slice(0, 40), slice(1, 60))
    np.testing.assert_array_equal(chunked.read(large), data[large])
    assert windows[6:] == [large]
    for x in range(0, 60, 4):
        window = (slice(0, 40), slice(x, x + 4))
        np.testing.assert_array_equal(chunked.read(window), data[window])
        assert chunked._bytes == sum(c.nbytes for c in chunked._kept.values()) <= 1600
