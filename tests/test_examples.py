"""The scripts in examples/ run on small images."""

import runpy
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from n2v_tk import load_model, read_image, write_image
from n2v_tk.io import Image

EXAMPLES = Path(__file__).parents[1] / "examples"

SHORT = {"train_epochs": 2, "train_steps_per_epoch": 3, "train_seed": 1}
SMALL = {
    ("n2v", "N2VConfig"): {"unet_n_first": 4, "unet_kern_size": 3, "train_batch_size": 4},
    ("n2n", "N2NConfig"): {"net_width": 3, "train_patch_shape": (32, 32)},
    ("hqssl", "HQSSLConfig"): {"net_width": 4, "train_patch_shape": (32, 32)},
    ("masked", "MaskedDenoiserConfig"): {
        "net_width": 12, "net_heads": 2, "net_depths": (2,), "train_patch_shape": (16, 16),
        "train_batch_size": 2,
    },
}  # fmt: skip


@pytest.fixture
def run(monkeypatch):
    """Run an example as a script, with training cut short."""

    def shorten(module, name, settings):
        config = getattr(import_module(f"n2v_tk.config.{module}"), name)
        original = config.__init__

        def quick(self, X=None, **given):
            small = SHORT | settings | {"train_precision": "float32"}
            original(self, X, **{**given, **small})

        monkeypatch.setattr(config, "__init__", quick)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    for (module, name), settings in SMALL.items():
        shorten(module, name, settings)
    return run


@pytest.fixture
def save(tmp_path, rng):
    """Write a noisy image of some shape, and give its path."""

    def save(shape, axes, name="in.tif", noise=None):
        data = rng.normal(100, 10, shape) if noise is None else noise
        write_image(tmp_path / name, Image(data.astype(np.uint16), axes))
        return tmp_path / name

    return save


@pytest.fixture
def files(save):
    return [save((200, 160), "YX", "a.tif"), save((200, 200), "YX", "b.tif")]


def test_every_example_is_tested():
    tested = Path(__file__).read_text(encoding="utf-8")
    examples = [path.name for path in EXAMPLES.glob("*.py")]
    assert examples
    for name in examples:
        assert f"def test_{name[:-3]}(" in tested


def test_every_example_says_how_it_is_called_and_fits_on_a_screen():
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name in text.split('"""')[1]
        assert text.count("\n") <= 45


def test_denoise_one_image(run, files, tmp_path):
    run("denoise_one_image.py", files[0], tmp_path / "out.tif")
    assert read_image(tmp_path / "out.tif").data.shape == (200, 160)


def test_train_and_predict(run, files, tmp_path):
    run("train_and_predict.py", tmp_path / "model", tmp_path / "out", *files)
    result = read_image(tmp_path / "out" / "b.tif")
    assert result.data.shape == (200, 200)
    assert result.data.dtype == np.uint16


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("axes", "options"), [("TYX", ["--time-as-depth"]), ("ZYX", [])])
def test_stacks_and_time(run, save, tmp_path, axes, options):
    run("stacks_and_time.py", save((8, 40, 48), axes), tmp_path / "out.tif", *options)
    result = read_image(tmp_path / "out.tif")
    assert (result.axes, result.data.shape) == (axes, (8, 40, 48))
    assert result.data.std() < 10


@pytest.mark.slow
def test_colours_and_channels(run, save, tmp_path):
    source = save((2, 80, 72), "CYX")
    for how in ("together", "apart"):
        run("colours_and_channels.py", source, tmp_path / f"{how}.tif", how)
    together, apart = (read_image(tmp_path / f"{how}.tif") for how in ("together", "apart"))
    assert together.axes == apart.axes == "CYX"
    assert (together.data != apart.data).any()
    with pytest.raises(SystemExit, match="together or apart"):
        run("colours_and_channels.py", source, tmp_path / "no.tif", "mixed")


def test_structured_noise(run, save, tmp_path, rng, capsys):
    noise = rng.normal(0, 10, (130, 120))
    lines = save(None, "YX", noise=100 + sum(noise[i : i + 120] for i in range(5)))
    run("structured_noise.py", lines, tmp_path / "out.tif", 9)
    assert "lines along Y" in capsys.readouterr().out
    assert read_image(tmp_path / "out.tif").data.shape == (120, 120)


@pytest.mark.slow
def test_no_checkerboard(run, files, tmp_path):
    run("no_checkerboard.py", tmp_path / "model", tmp_path / "out", *files)
    assert load_model(tmp_path / "model").config.blurpool
    assert read_image(tmp_path / "out" / "a.tif").data.shape == (200, 160)


@pytest.mark.slow
def test_repeated_frames(run, save, tmp_path):
    run("repeated_frames.py", save((4, 64, 72), "TYX"), tmp_path / "out.tif", tmp_path / "model")
    result = read_image(tmp_path / "out.tif")
    assert (result.axes, result.data.shape) == ("YX", (64, 72))
    assert load_model(tmp_path / "model").config.method == "n2n"


@pytest.mark.slow
def test_uncertainty(run, save, tmp_path, capsys):
    source = save((96, 96), "YX")
    run("uncertainty.py", source, tmp_path / "out.tif", tmp_path / "sure.tif", 2, 90, 5)
    assert "gain 2, offset 90, read noise 5" in capsys.readouterr().out
    assert read_image(tmp_path / "sure.tif").data.min() > 0
    run("uncertainty.py", source, tmp_path / "out_2.tif", tmp_path / "sure_2.tif")
    assert read_image(tmp_path / "out_2.tif").data.shape == (96, 96)


@pytest.mark.slow
def test_masked_training(run, save, tmp_path):
    (tmp_path / "clean").mkdir()
    for i in range(2):
        save((48, 40), "YX", f"clean/{i}.tif")
    source = save((48, 40), "YX")
    run(
        "masked_training.py",
        tmp_path / "model",
        tmp_path / "clean",
        source,
        tmp_path / "out.tif",
        1,
    )
    assert read_image(tmp_path / "out.tif").data.shape == (48, 40)
    assert len(load_model(tmp_path / "model").config.net_depths) == 1


@pytest.mark.slow
def test_export_and_serve(run, save, tmp_path, noisy_stack, small):
    pytest.importorskip("tensorflow_serving")
    from n2v_tk import N2V, N2VConfig

    model = N2V(N2VConfig(noisy_stack, **small), "model", tmp_path)
    model.train(noisy_stack, verbose=0)
    source = save((70, 75), "YX")
    run(
        "export_and_serve.py", tmp_path / "model", tmp_path / "served", source, tmp_path / "out.tif"
    )
    expected = model.predict(read_image(source).data, "YX", precision="float32")
    np.testing.assert_allclose(read_image(tmp_path / "out.tif").data, expected, atol=1e-3)


def test_check_and_report(run, save, tmp_path, rng, capsys):
    clean = 100 + 40 * np.sin(np.arange(96) / 9) * np.ones((96, 1))
    truth = save(None, "YX", "truth.tif", clean)
    source = save(None, "YX", noise=clean + rng.normal(0, 10, clean.shape))
    run("check_and_report.py", source, tmp_path / "out.tif", tmp_path / "report.html", truth)
    assert "noise" in capsys.readouterr().out.lower()
    assert read_image(tmp_path / "out.tif").data.shape == (96, 96)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!")
