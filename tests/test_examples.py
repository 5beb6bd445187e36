"""The scripts in examples/ run on small images."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from n2v_tk import read_image, write_image
from n2v_tk.io import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, small):
    """Run an example as a script, with training cut short."""
    import n2v_tk.config.n2v as n2v

    original = n2v.N2VConfig.__init__

    def quick(self, X=None, **settings):
        original(self, X, **{**settings, **small})

    def run(name, *arguments):
        monkeypatch.setattr(n2v.N2VConfig, "__init__", quick)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    return run


@pytest.fixture
def files(tmp_path, rng):
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for i, path in enumerate(paths):
        data = rng.normal(100, 10, (200, 160 + 40 * i)).astype(np.uint16)
        write_image(path, Image(data, "YX"))
    return paths


def test_every_example_is_tested():
    assert {p.name for p in EXAMPLES.glob("*.py")} == {
        "denoise_one_image.py",
        "fill_holes.py",
        "larger_than_memory.py",
        "train_and_predict.py",
    }


def test_denoise_one_image(run, files, tmp_path):
    run("denoise_one_image.py", files[0], tmp_path / "out.tif")
    assert read_image(tmp_path / "out.tif").data.shape == (200, 160)


def test_train_and_predict(run, files, tmp_path):
    run("train_and_predict.py", tmp_path / "model", tmp_path / "out", *files)
    result = read_image(tmp_path / "out" / "b.tif")
    assert result.data.shape == (200, 200)
    assert result.data.dtype == np.uint16


def test_fill_holes(run, tmp_path, rng):
    picture = rng.integers(0, 256, (40, 48), np.uint8)
    mask = np.full(picture.shape, 255, np.uint8)
    mask[5:9] = 0
    for name, data in (("in.png", picture), ("mask.png", mask)):
        write_image(tmp_path / name, Image(data, "YX", kind="png"))
    names = [tmp_path / name for name in ("in.png", "mask.png", "out.png")]
    run("fill_holes.py", *names, 3)
    result = read_image(names[-1]).data
    np.testing.assert_array_equal(result[mask > 0], picture[mask > 0])
    assert (result[mask == 0] != picture[mask == 0]).any()


def test_larger_than_memory(run, rng, tmp_path):
    zarr = pytest.importorskip("zarr")
    data = rng.normal(100, 10, (3, 200, 220)).astype("uint16")
    names = ["z", "y", "x"]
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(1, 64, 64), dimension_names=names)
    run("larger_than_memory.py", tmp_path / "model", tmp_path / "out.zarr", tmp_path / "a.zarr")
    assert read_image(tmp_path / "out.zarr").data.shape == data.shape
