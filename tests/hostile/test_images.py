"""Images from strangers: no other files, nothing run, no more memory than pixels are there."""

import io
import json
import os
import pickle
import struct
import warnings

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from n2v_tk.errors import ImageFileError
from n2v_tk.io import limits, read_image
from n2v_tk.io.files import replacing
from n2v_tk.legacy.data_generator import imread as legacy_imread

GREY = np.arange(64 * 64, dtype="uint16").reshape(64, 64)


@pytest.fixture(autouse=True)
def quiet(caplog):
    """tifffile tells in its log what is strange."""
    caplog.set_level("CRITICAL", "tifffile")


@pytest.fixture
def place(tmp_path):
    """A folder from a stranger, beside a file that is none of its business."""
    tifffile.imwrite(tmp_path / "secret.tif", GREY, metadata={"axes": "YX"})
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = GREY
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(limits, "_SMALL", 1000)
    monkeypatch.setattr(limits, "memory_available", lambda: 5000)


def refused(path, message, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ImageFileError, match=message):
            np.asarray(read_image(path, **options).data)


# TIFF ----------------------------------------------------------------------------------------


def ome(path, change):
    """An OME-TIFF of two planes whose metadata are changed."""
    tifffile.imwrite(path, np.stack([GREY, GREY]), ome=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as file:
        xml = change(file.ome_metadata)
    tifffile.tiffcomment(path, xml.encode())
    return path


def naming(name, uuid="urn:uuid:1"):
    """Planes that are said to be in another file."""

    def change(xml):
        at = xml.index("<TiffData")
        data = "".join(
            f'<TiffData IFD="0" FirstT="{t}" PlaneCount="1">'
            f'<UUID FileName="{name}">{uuid}{t}</UUID></TiffData>'
            for t in range(2)
        )
        return xml[:at] + data + xml[xml.index("</Pixels>") :]

    return change


@pytest.mark.parametrize("name", ["../secret.tif", "{}/secret.tif", "..\\\\secret.tif", "link.tif"])
def test_ome_tiff_that_names_files_elsewhere(place, name):
    (place / "link.tif").symlink_to("../secret.tif")
    path = ome(place / "a.ome.tif", naming(name.format(place.parent)))
    refused(path, r"must lie beside it.*secret|must lie beside it.*link")
    with pytest.raises(ImageFileError, match="must lie beside it"):
        legacy_imread(str(path))


def test_ome_tiff_that_names_its_neighbour(place):
    tifffile.imwrite(place / "b.tif", GREY + 1, metadata={"axes": "YX"})
    path = ome(place / "a.ome.tif", naming("b.tif"))
    np.testing.assert_array_equal(np.asarray(read_image(path).data)[0], GREY + 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace('SizeT="2"', 'SizeT="10000000000"'),
        lambda xml: xml.replace('PlaneCount="2"', 'PlaneCount="10000000000"'),
        lambda xml: xml.replace(
            "</OME>",
            "<StructuredAnnotations><XMLAnnotation ID='A' Namespace='modulo'><Value><Modulo>"
            "<ModuloAlongT Type='lifetime' Start='0' End='1e12' Step='1e-3'/></Modulo></Value>"
            "</XMLAnnotation></StructuredAnnotations></OME>",
        ),
    ],
    ids=["SizeT", "PlaneCount", "Modulo"],
)
def test_ome_tiff_that_claims_planes(place, change):
    refused(ome(place / "a.ome.tif", change), "claim more planes than it can hold")


def test_ome_tiff_with_entities(place):
    """What multiplies itself, and what names a file, are no text."""
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    header = f'<!DOCTYPE x [<!ENTITY l0 "ha"><!ENTITY f SYSTEM "file:///etc/passwd">{laughs}]>'
    for entity in ("&l11;", "&f;"):
        path = ome(place / "a.ome.tif", lambda xml, e=entity: f"{header}<OME>{e}</OME>")
        refused(path, "cannot be read.*(amplification|undefined entity)", axes="TYX")


def test_recordings_of_micromanager_that_name_files_elsewhere(place):
    def entry(name):
        axes = json.dumps({"time": 0}).encode()
        return (
            struct.pack("<I", len(axes)) + axes + struct.pack("<I", len(name)) + name.encode()
        ) + struct.pack("<IiiiiIii", 8, 64, 64, 1, 0, 0, 0, 0)

    path = place / "a_NDTiffStack.tif"
    content = io.BytesIO()
    tifffile.imwrite(content, GREY, metadata=None)
    path.write_bytes(content.getvalue())
    (place / "NDTiff.index").write_bytes(entry("../secret.tif"))
    with tifffile.TiffFile(path) as file:
        from n2v_tk.io.tiff_claims import _check_ndtiff

        assert file.pages
        with pytest.raises(ImageFileError, match="must lie beside it"):
            _check_ndtiff(path)
    (place / "NDTiff.index").write_bytes(entry(path.name))
    _check_ndtiff(path)


def test_pages_in_a_circle(place):
    path = place / "a.tif"
    tifffile.imwrite(path, np.stack([GREY, GREY]), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[1].offset
    content = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from("<H", content, last)
    struct.pack_into("<I", content, last + 2 + 12 * tags, first)
    path.write_bytes(content)
    assert read_image(path, "TYX").data.shape[-2:] == (64, 64)


def test_tiff_that_unpacks_to_more_than_can_be(place, little_memory):
    path = place / "a.tif"
    zeros = np.zeros((400, 400), "uint8")
    tifffile.imwrite(path, zeros, compression="zlib", metadata={"axes": "YX"})
    refused(path, r"claims more pixels.*160 kB of pixels from")
    noise = np.random.default_rng(0).integers(0, 255, (400, 400), "uint8")
    tifffile.imwrite(path, noise, compression="zlib", metadata={"axes": "YX"})
    refused(path, r"does not fit the memory.*160 kB.*with 5 kB left.*OME-Zarr")
    tifffile.imwrite(path, noise, metadata={"axes": "YX"})
    assert isinstance(read_image(path).data, np.memmap)


def test_tiff_without_its_strips(place):
    path = place / "a.tif"
    tifffile.imwrite(path, GREY, compression="zlib", rowsperstrip=8, metadata={"axes": "YX"})
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(2**20)
    refused(path, "lacks most of its pixels.*8 of 131072")


def test_large_tiff_is_read_in_place(place):
    """100 gigabytes that are there (as holes of the file system), uncompressed."""
    path = place / "a.tif"
    shape = (50, 32768, 32768)
    tifffile.imwrite(path, shape=shape, dtype="uint16", bigtiff=True, metadata={"axes": "ZYX"})
    assert path.stat().st_size > 10**11
    data = read_image(path).data
    assert data.shape == shape
    assert data[-1, -1, -1] == 0


# pictures and arrays -------------------------------------------------------------------------


def png(width, height, rest=b"", depth=16, colours=2):
    header = struct.pack(">II5B", width, height, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + bytes(4) + rest


def jpeg(width, height, samples=3):
    content = bytearray(imagecodecs.jpeg8_encode(np.zeros((8, 8, 3), "uint8")))
    at = content.index(b"\xff\xc0")
    struct.pack_into(">HHB", content, at + 5, height, width, samples)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", png(2**31 - 1, 2**31 - 1)),
        ("a.png", png(60_000, 60_000, bytes(10**6))),
        ("a.jpg", jpeg(65_500, 65_500)),
        ("a.jpg", jpeg(65_500, 65_500)[:1000]),
    ],
)
def test_pictures_that_claim_pixels(place, name, content, monkeypatch):
    monkeypatch.setattr(imagecodecs, "png_decode", None)
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", None)
    (place / name).write_bytes(content)
    refused(place / name, "claims more pixels than it can hold.*GB|claims more.*PB", lossy=True)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_pictures_without_header(place, name):
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xff\xff\xe0", b"x" * 99):
        (place / name).write_bytes(content)
        refused(place / name, "cannot be read", lossy=True)


def test_pictures_that_do_not_fit(place, little_memory):
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), "uint8")
    (place / "a.png").write_bytes(imagecodecs.png_encode(noise))
    (place / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(noise))
    for name in ("a.png", "a.jpg"):
        refused(place / name, "does not fit the memory.*30 kB", lossy=True)


class Touch:
    """What leaves a folder behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def npy(header, rest=b""):
    header = header.encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + rest


def test_npy(place):
    path, ran = place / "a.npy", place / "ran"
    np.save(path, np.array([[Touch(ran)]], dtype=object))
    refused(path, "cannot be read")
    path.write_bytes(pickle.dumps(Touch(ran)))
    refused(path, "cannot be read")
    for header in (
        f"__import__('os').mkdir({str(ran)!r})",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1000000, 1000000)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (-4, 4)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (" + "[" * 5000,
    ):
        path.write_bytes(npy(header + "\n", bytes(64)))
        refused(path, "cannot be read")
    np.save(path, np.array([["a", "b"]]))
    refused(path, "must be numbers")
    assert not ran.exists()


# HDF5 ----------------------------------------------------------------------------------------


def hdf5(place, change):
    with h5py.File(place / "a.h5", "w") as file:
        change(file, place)
    return f"{place / 'a.h5'}::x"


def link(name):
    def change(file, place):
        file["x"] = h5py.ExternalLink(name.format(place.parent), "/data")

    return change


def soft_to_external(file, place):
    file["y"] = h5py.ExternalLink("../secret.h5", "/")
    file["x"] = h5py.SoftLink("/y/data")


def virtual(name):
    def change(file, place):
        layout = h5py.VirtualLayout((64, 64), "u2")
        layout[:] = h5py.VirtualSource(name.format(place.parent), "data", (64, 64))
        file.create_virtual_dataset("x", layout)

    return change


def virtual_through_a_link(file, place):
    with h5py.File(place / "b.h5", "w") as other:
        other["data"] = h5py.ExternalLink("../secret.h5", "/data")
    virtual("b.h5")(file, place)


def raw(file, place):
    file.create_dataset("x", (64, 64), "u1", external=[(str(place.parent / "secret.tif"), 0, 4096)])


@pytest.mark.parametrize(
    "change",
    [
        link("../secret.h5"), link("{}/secret.h5"), link("/etc/passwd"), soft_to_external,
        virtual("../secret.h5"), virtual("{}/secret.h5"), virtual_through_a_link,
    ],
)  # fmt: skip
def test_hdf5_that_names_files_elsewhere(place, change):
    refused(hdf5(place, change), "must lie beside it.*(secret|passwd)")


def test_hdf5_with_pixels_outside_of_it(place):
    refused(hdf5(place, raw), "outside HDF5.*secret")


@pytest.mark.parametrize("change", [link("b.h5"), virtual("b.h5")])
def test_hdf5_that_names_its_neighbour(place, change):
    with h5py.File(place / "b.h5", "w") as other:
        other["data"] = GREY
    np.testing.assert_array_equal(np.asarray(read_image(hdf5(place, change)).data), GREY)


def test_hdf5_links_in_a_circle(place):
    def change(file, place):
        file["x"] = h5py.SoftLink("/y")
        file["y"] = h5py.SoftLink("/x")

    refused(hdf5(place, change), "lead nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f, _: f.create_dataset("x", (2**20,) * 2, "u2", chunks=(64, 64)),
            "claims more pixels",
        ),
        (lambda f, _: f.create_dataset("x", (4, 4), h5py.string_dtype()), "must be numbers"),
        (lambda f, _: f.create_dataset("x", (4, 4), "i4,f4"), "must be numbers"),
        (lambda f, _: f.create_dataset("x", data=h5py.Empty("f4")), "must be named"),
    ],
)
def test_hdf5_claims(place, change, message):
    refused(hdf5(place, change), message)


def test_hdf5_chunks_that_do_not_fit(place, little_memory):
    path = hdf5(
        place,
        lambda f, _: f.create_dataset("x", data=GREY, chunks=(64, 64), compression="gzip"),
    )
    refused(path, "does not fit the memory.*8.19 kB")


# Zarr ----------------------------------------------------------------------------------------


def store(place, **options):
    array = zarr.create_array(
        place / "a.zarr", shape=(8, 8), chunks=(8, 8), dtype="u2", compressors=None, **options
    )
    array[:] = 1
    return place / "a.zarr"


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_with_links_out_of_it(place, version):
    path = store(place, zarr_format=version)
    (chunk,) = (p for p in path.rglob("*0") if p.is_file())
    assert np.asarray(read_image(path, "YX").data).sum() == 64
    chunk.unlink()
    chunk.symlink_to(place.parent / "secret.tif")
    refused(path, "is a link out of it.*secret", axes="YX")
    (path / "kept").write_bytes(np.full(64, 2, "<u2").tobytes())
    chunk.unlink()
    chunk.symlink_to(path / "kept")
    assert np.asarray(read_image(path, "YX").data).sum() == 128


@pytest.mark.parametrize("name", ["../other.zarr", "/../other.zarr", "x/../../other.zarr"])
def test_zarr_metadata_that_lead_out_of_it(place, name):
    zarr.create_array(place / "other.zarr", shape=(8, 8), dtype="u2")
    group = zarr.open_group(place / "a.zarr", mode="w", zarr_format=2)
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": name}]}]
    refused(place / "a.zarr", "damaged|lacks")


@pytest.mark.parametrize("where", ["compressor", "filters"])
def test_zarr_with_pickle(place, where):
    path = store(place, zarr_format=2)
    metadata = json.loads((path / ".zarray").read_text())
    codec = {"id": "pickle", "protocol": 4}
    metadata[where] = codec if where == "compressor" else [codec]
    (path / ".zarray").write_text(json.dumps(metadata))
    (path / "0.0").write_bytes(pickle.dumps(Touch(place / "ran")))
    refused(path, "packed as objects|cannot be read", axes="YX")
    assert not (place / "ran").exists()


def test_zarr_of_objects_of_older_versions(place):
    """Zarr 3.0 would unpack them; 3.1 does not open them."""
    import numcodecs

    from n2v_tk.io.zarr_store import check_array

    class Metadata:
        compressor, filters = None, [numcodecs.Pickle()]

    class Array:
        metadata, dtype, chunks, shape = Metadata, np.dtype("u2"), (8, 8), (8, 8)

    with pytest.raises(ImageFileError, match=r"packed as objects.*pickle"):
        check_array(Array, place)


def test_zarr_chunks_that_do_not_fit(place, little_memory):
    zarr.create_array(place / "a.zarr", shape=(2**20, 2**20), chunks=(2**20, 2**20), dtype="u2")
    refused(place / "a.zarr", "does not fit the memory.*2.2 TB", axes="YX")


# files ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.npy", "a.h5"])
def test_pipes_are_not_waited_for(place, name):
    os.mkfifo(place / name)
    refused(place / name, "regular file")


def test_a_window_larger_than_memory_is_not_read(place, monkeypatch):
    zarr.create_array(place / "a.zarr", shape=(2**20, 2**20), chunks=(64, 64), dtype="u2")
    image = read_image(place / "a.zarr", "YX")
    assert image.data[:4, :4].shape == (4, 4)
    refused(place / "a.zarr", "does not fit the memory.*2.2 TB.*block by block", axes="YX")


def test_pixels_that_cannot_be_read(place):
    path = place / "a.zarr"
    array = zarr.create_array(path, shape=(64, 64), chunks=(64, 64), dtype="u2", fill_value=0)
    array[:] = GREY
    (chunk,) = (p for p in path.rglob("*0") if p.is_file())
    chunk.write_bytes(b"damaged")
    refused(path, r"Pixels cannot be read.*\[0:64, 0:64\]", axes="YX")


def test_a_link_in_the_way_of_writing_is_not_followed(place):
    precious = place / "precious"
    precious.write_text("mine")
    (place / f".a.{os.getpid()}.tmp.npy").symlink_to(precious)
    with replacing(place / "a.npy") as temporary:
        temporary.write_text("new")
    assert precious.read_text() == "mine"
    assert (place / "a.npy").read_text() == "new"
