import numpy as np
import pytest
import tifffile

from n2v_tk.errors import AxesError, ImageFileError, OutputExistsError
from n2v_tk.io import Image, check_output, read_image, replacing, write_image


def there_and_back(tmp_path, image, name):
    write_image(tmp_path / name, image)
    return read_image(tmp_path / name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("name", "kind", "shape", "axes"),
    [
        ("a.tif", "tiff", (20, 30), "YX"),
        ("a.TIF", "tiff", (4, 20, 30), "TYX"),
        ("a.tiff", "tiff", (4, 20, 30), "ZYX"),
        ("a.tif", "tiff", (4, 20, 30), "SYX"),
        ("a.tif", "tiff", (3, 4, 20, 30), "CZYX"),
        ("a.tif", "tiff", (20, 30, 3), "YXC"),
        ("a.ome.tif", "tiff", (2, 3, 4, 20, 30), "TZCYX"),
        ("a.ome.tif", "ome", (4, 20, 30), "ZYX"),
        ("a.tif", "imagej", (2, 3, 4, 20, 30), "TZCYX"),
        ("a.tif", "imagej", (4, 20, 30), "ZYX"),
        ("a.npy", "npy", (20, 30), "YX"),
    ],
)
def test_pixels_and_axes_are_kept(tmp_path, rng, dtype, name, kind, shape, axes):
    data = rng.integers(0, 200, shape).astype(dtype)
    again = there_and_back(tmp_path, Image(data, axes, kind=kind), name)
    assert again.data.dtype == dtype
    order = [axes.index(a) for a in again.axes] if again.axes != axes else range(len(axes))
    assert sorted(again.axes) == sorted(axes)
    np.testing.assert_array_equal(again.data, np.transpose(data, order))


@pytest.mark.parametrize(
    ("kind", "unit", "again_unit"),
    [("ome", "µm", "µm"), ("ome", "nm", "nm"), ("imagej", "micron", "micron")],
)
def test_pixel_sizes_are_kept(tmp_path, kind, unit, again_unit):
    sizes = {"X": 0.25, "Y": 0.125, "Z": 2.0, "T": 30.0}
    image = Image(np.zeros((2, 3, 16, 16), np.uint16), "TZYX", sizes, unit, kind)
    again = there_and_back(tmp_path, image, "a.ome.tif" if kind == "ome" else "a.tif")
    assert again.kind == kind
    assert again.unit == again_unit
    assert again.pixel_sizes == pytest.approx(sizes, rel=1e-4)


def test_units_of_ome_are_brought_together(tmp_path):
    metadata = {
        "axes": "TYX", "PhysicalSizeX": 100.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.1,
        "PhysicalSizeYUnit": "µm", "TimeIncrement": 50.0, "TimeIncrementUnit": "ms",
    }  # fmt: skip
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), ome=True, metadata=metadata)
    image = read_image(path)
    assert image.unit == "nm"
    assert image.pixel_sizes == pytest.approx({"X": 100, "Y": 100, "T": 0.05})


def test_the_micron_of_fiji(tmp_path):
    metadata = {"axes": "YX", "unit": "\\u00B5m"}
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((8, 8), np.uint8), imagej=True, resolution=(2, 2),
        metadata=metadata,
    )  # fmt: skip
    image = read_image(tmp_path / "a.tif")
    assert image.unit == "µm"
    ome = there_and_back(tmp_path, image, "b.ome.tif")
    assert (ome.unit, ome.pixel_sizes["X"]) == ("µm", 0.5)
    assert there_and_back(tmp_path, image, "c.tif").unit == "micron"


@pytest.mark.parametrize("kind", ["ome", "imagej", "tiff"])
@pytest.mark.parametrize("dtype", [">u2", "float16", "int64", "uint64", "float64", ">f4"])
def test_any_real_type_is_written(tmp_path, kind, dtype):
    data = np.arange(64).reshape(8, 8).astype(dtype)
    name = "a.ome.tif" if kind == "ome" else "a.tif"
    again = there_and_back(tmp_path, Image(data, "YX", {"X": 0.5, "Y": 0.5}, "micron", kind), name)
    np.testing.assert_array_equal(again.data, data)
    if kind == "imagej" and dtype in (">u2", ">f4"):
        assert again.kind == "imagej"
        assert again.pixel_sizes == pytest.approx({"X": 0.5, "Y": 0.5})


def test_upper_case_suffixes(tmp_path):
    for name in ("A.NPY", "A.TIF", "A.PNG"):
        again = there_and_back(tmp_path, Image(np.zeros((8, 8), np.uint8), "YX"), name)
        assert again.data.shape == (8, 8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["A.NPY", "A.PNG", "A.TIF"]


def test_resolution_of_plain_tiff_is_kept(tmp_path):
    image = Image(np.zeros((8, 8), np.uint8), "YX", {"X": 1 / 300, "Y": 1 / 300}, "inch", "tiff")
    again = there_and_back(tmp_path, image, "a.tif")
    assert again.unit == "inch"
    assert again.pixel_sizes == pytest.approx(image.pixel_sizes, rel=1e-4)


@pytest.mark.parametrize(
    ("shape", "axes", "dtype"),
    [((20, 30), "YX", "uint8"), ((20, 30), "YX", "uint16"), ((20, 30, 3), "YXC", "uint8"),
     ((20, 30, 3), "YXC", "uint16")],
)  # fmt: skip
def test_png(tmp_path, rng, shape, axes, dtype):
    data = rng.integers(0, 255, shape).astype(dtype)
    again = there_and_back(tmp_path, Image(data, axes), "a.png")
    assert (again.axes, again.kind, again.data.dtype) == (axes, "png", dtype)
    np.testing.assert_array_equal(again.data, data)


def test_png_with_transparency(tmp_path, rng):
    import imagecodecs

    data = rng.integers(0, 255, (8, 9, 4)).astype(np.uint8)
    data[..., 3] = 255
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(data))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, data[..., :3])
    data[0, 0, 3] = 7
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(data))
    with pytest.warns(UserWarning, match="transparency"):
        assert read_image(tmp_path / "a.png").axes == "YXC"


def test_what_png_cannot_hold(tmp_path):
    for shape, axes, dtype in (
        ((4, 4), "YX", "float32"), ((2, 4, 4), "TYX", "uint8"), ((4, 4, 2), "YXC", "uint8"),
    ):  # fmt: skip
        with pytest.raises(ImageFileError, match="PNG holds grey or RGB"):
            write_image(tmp_path / "a.png", Image(np.zeros(shape, dtype), axes))
    assert list(tmp_path.iterdir()) == []


def test_foreign_files(tmp_path, rng):
    """As other programs write them."""
    data = rng.integers(0, 255, (5, 16, 20)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "imagej.tif", data, imagej=True, metadata={"axes": "TYX"})
    assert read_image(tmp_path / "imagej.tif").axes == "TYX"
    tifffile.imwrite(tmp_path / "plain.tif", data[0], metadata=None)
    assert read_image(tmp_path / "plain.tif").axes == "YX"
    tifffile.imwrite(tmp_path / "rgb.tif", data[:3].T.copy(), photometric="rgb", metadata=None)
    assert read_image(tmp_path / "rgb.tif").axes == "YXC"
    tifffile.imwrite(tmp_path / "lzw.tif", data[0], compression="zlib", predictor=True)
    np.testing.assert_array_equal(read_image(tmp_path / "lzw.tif").data, data[0])
    big = data[0].astype(">u2")
    tifffile.imwrite(tmp_path / "big.tif", big, byteorder=">")
    np.testing.assert_array_equal(read_image(tmp_path / "big.tif").data, data[0])
    tifffile.imwrite(tmp_path / "ambiguous.tif", data, metadata=None)
    with pytest.raises(AxesError, match=r"\(5, 16, 20\).*--axes"):
        read_image(tmp_path / "ambiguous.tif")
    assert read_image(tmp_path / "ambiguous.tif", "ZYX").axes == "ZYX"
    with pytest.raises(AxesError, match="name every dimension"):
        read_image(tmp_path / "ambiguous.tif", "YX")
    np.save(tmp_path / "a.npy", data)
    with pytest.raises(AxesError, match="--axes"):
        read_image(tmp_path / "a.npy")


def test_several_images_in_one_file(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((8, 8), np.uint8), metadata=None)
        writer.write(np.zeros((9, 9), np.uint16), metadata=None)
    with pytest.warns(UserWarning, match="holds 2 images; the first is used"):
        assert read_image(tmp_path / "a.tif").data.shape == (8, 8)


def test_large_files_are_mapped(tmp_path):
    write_image(tmp_path / "a.tif", Image(np.zeros((8, 64, 64), np.uint16), "TYX"))
    assert isinstance(read_image(tmp_path / "a.tif").data, np.memmap)
    np.save(tmp_path / "a.npy", np.zeros((8, 8)))
    assert isinstance(read_image(tmp_path / "a.npy").data, np.memmap)


def test_files_that_cannot_be_used(tmp_path, rng):
    def refused(name, message):
        with pytest.raises(ImageFileError, match=message):
            read_image(tmp_path / name)

    refused("missing.tif", "There is no such file")
    refused("", "not a folder")
    for name in ("photo.jpg", "photo.JPEG"):
        (tmp_path / name).write_bytes(b"")
        refused(name, "neighbouring pixels depend on each other")
    (tmp_path / "a.oib").write_bytes(b"")
    refused("a.oib", r"\.tif.*OME-TIFF")
    for name in ("a.tif", "a.png", "a.npy"):
        (tmp_path / name).write_bytes(b"this is not an image")
        refused(name, "cannot be read")
        (tmp_path / name).write_bytes(b"")
        refused(name, "cannot be read")
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    refused("objects.npy", "cannot be read.*Python objects")
    data = rng.integers(0, 255, (64, 64)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "jpeg.tif", data, compression="jpeg")
    refused("jpeg.tif", "compressed with JPEG")
    for options in ({}, {"compression": "zlib"}):
        tifffile.imwrite(tmp_path / "cut.tif", data, **options)
        whole = (tmp_path / "cut.tif").read_bytes()
        (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
        refused("cut.tif", "cannot be read")


def test_outputs_that_are_there_stay(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"precious")
    image = Image(np.zeros((4, 4), np.uint8), "YX")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_image(path, image)
    assert path.read_bytes() == b"precious"
    write_image(path, image, overwrite=True)
    assert read_image(path).data.shape == (4, 4)


def test_a_crash_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"precious")

    def crash():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_outputs_that_cannot_be_written(tmp_path):
    with pytest.raises(ImageFileError, match="suffix"):
        check_output(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageFileError, match="a file has its name"):
        check_output(tmp_path / "file" / "a.tif")


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("n2v_tk.io.files.tempfile.TemporaryFile", refuse)
    with pytest.raises(ImageFileError, match=r"folder cannot be written.*Permission denied"):
        check_output(tmp_path / "sub" / "a.tif")
    assert list(tmp_path.iterdir()) == []
