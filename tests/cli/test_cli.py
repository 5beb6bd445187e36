import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile

from n2v_tk.config.masked import MaskedDenoiserConfig
from n2v_tk.io import Image, read_image, write_image

QUICK = ["--epochs", "1", "--steps", "2", "--seed", "0", "--device", "cpu"]


@pytest.fixture
def noisy(rng, tmp_path):
    """A noisy TIFF with pixel sizes."""
    data = rng.normal(1000, 100, (72, 80)).astype(np.uint16)
    path = tmp_path / "noisy.tif"
    sizes = {"X": 0.5, "Y": 0.5}
    write_image(path, Image(data, "YX", sizes, "micron", "imagej"))
    return path


def test_denoise_a_file(run, noisy, tmp_path):
    code, text = run("denoise", noisy, "-o", tmp_path / "out.tif", *QUICK)
    assert code == 0, text
    image = read_image(tmp_path / "out.tif")
    assert (image.axes, image.data.shape, image.data.dtype) == ("YX", (72, 80), np.float32)
    assert image.pixel_sizes == pytest.approx({"X": 0.5, "Y": 0.5})
    assert "loss" in text
    assert "left" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["noisy.tif", "out.tif"]


def test_train_predict_info(run, noisy, rng, tmp_path):
    model, out = tmp_path / "models" / "mine", tmp_path / "out"
    code, text = run("train", noisy, "-o", model, "--method", "n2v2", *QUICK)
    assert code == 0, text
    code, text = run("predict", noisy, "-m", model, "-o", out, "--dtype", "same", "--tta")
    assert code == 0, text
    assert read_image(out / "noisy.tif").data.dtype == np.uint16
    code, text = run(
        "predict", noisy, "-m", model, "-o", out, "--overwrite", "--n-tiles", "2,1",
        "--weights", "weights_last.h5",
    )  # fmt: skip
    assert code == 0, text
    # a picture: in noise alone there may be nothing that the pixel itself adds
    clean = np.kron(rng.normal(2000, 500, (8, 8)), np.ones((9, 10)))
    write_image(tmp_path / "blocks.tif", Image(rng.normal(clean, 50).astype(np.float32), "YX"))
    for name, more in (("prior", []), ("posterior", ["--posterior"])):
        command = ["predict", tmp_path / "blocks.tif", "-m", model, "-o", tmp_path / f"{name}.tif"]
        code, text = run(*command, *more)
        assert code == 0, text
    prior, posterior = (read_image(tmp_path / f"{n}.tif").data for n in ("prior", "posterior"))
    assert np.mean((posterior - clean) ** 2) < 0.5 * np.mean((prior - clean) ** 2)
    code, text = run("predict", noisy, "-m", model, "-o", tmp_path / "p.zarr", "--posterior")
    assert code == 1
    assert "block by block" in text
    code, text = run("info", model)
    assert code == 0
    assert "N2V2, 2D" in text
    assert "weights_best.h5" in text
    code, text = run("info", noisy)
    assert code == 0
    assert "72 × 80" in text
    assert "uint16" in text
    assert "0.5 micron" in text


@pytest.mark.slow
def test_stores_in_and_out(run, rng, tmp_path):
    zarr = pytest.importorskip("zarr")
    data = rng.normal(1000, 100, (2, 80, 96)).astype(np.float32)
    names = ["t", "y", "x"]
    zarr.create_array(tmp_path / "in.zarr", data=data, chunks=(1, 32, 32), dimension_names=names)
    model, out = tmp_path / "model", tmp_path / "out.zarr"
    code, text = run("train", tmp_path / "in.zarr", "-o", model, *QUICK)
    assert code == 0, text
    command = ["predict", tmp_path / "in.zarr", "-m", model, "-o", out]
    code, text = run(*command, "--max-memory", "9GB", "--ome-zarr", "0.5", "--chunks", "1,40,48",
                     "--precision", "float32")  # fmt: skip
    assert code == 0, text
    assert "out.zarr: 2 of 2 blocks" in text
    stored = read_image(out)
    assert (stored.axes, stored.data.chunks) == ("TYX", (1, 40, 48))
    code, text = run(*command)
    assert code == 1
    assert "there already" in text
    plain = ["predict", tmp_path / "in.zarr", "-m", model, "-o", tmp_path / "plain"]
    code, text = run(*plain, "--precision", "float32")
    assert code == 0, text
    again = np.asarray(read_image(tmp_path / "plain" / "in.zarr").data)
    np.testing.assert_allclose(again, np.asarray(stored.data), rtol=1e-4)
    both = tmp_path / "both"
    both.mkdir()
    (tmp_path / "in.zarr").rename(both / "in.zarr")
    write_image(both / "more.tif", Image(data, "TYX"))
    code, text = run("predict", both, "-m", model, "-o", tmp_path / "results")
    assert code == 0, text
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["in.zarr", "more.tif"]
    (both / "in.zarr").rename(tmp_path / "in.zarr")
    tiff = ["predict", tmp_path / "in.zarr", "-m", model, "-o", tmp_path / "out.tif"]
    code, text = run(*tiff, "--chunks", "1,40,48", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 1
    assert "--chunks, --scheduler" in text
    code, text = run(*tiff, "--dtype", "uint16", "--engine", "openvino")
    assert code == 0, text
    assert read_image(tmp_path / "out.tif").data.dtype == np.uint16
    code, text = run(*command[:-1], tmp_path / "b.zarr", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 1
    assert "No dask scheduler answers" in text
    code, text = run("info", tmp_path / "in.zarr")
    assert code == 0
    assert "1 × 32 × 32" in text


def test_folders_globs_and_formats(run, rng, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    data = rng.integers(0, 255, (64, 70)).astype(np.uint8)
    write_image(folder / "a.png", Image(data, "YX"))
    write_image(folder / "b.ome.tif", Image(data[None].repeat(2, 0), "TYX", {"X": 0.1}, "µm"))
    write_image(folder / "c.TIF", Image(data[:, :66], "YX"))
    (folder / "notes.txt").write_text("")
    code, text = run("denoise", folder, "-o", tmp_path / "out", *QUICK)
    assert code == 0, text
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.ome.tif", "c.TIF"]
    assert read_image(tmp_path / "out" / "a.png").data.dtype == np.uint8
    ome = read_image(tmp_path / "out" / "b.ome.tif")
    assert (ome.axes, ome.kind, ome.pixel_sizes["X"]) == ("TYX", "ome", 0.1)
    code, text = run("denoise", tmp_path / "in" / "*.TIF", "-o", tmp_path / "out2", *QUICK)
    assert code == 0, text
    assert [p.name for p in (tmp_path / "out2").iterdir()] == ["c.TIF"]


def test_channels_and_axes_by_hand(run, rng, tmp_path):
    data = rng.normal(size=(2, 64, 64)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", data, metadata=None)
    code, text = run("denoise", tmp_path / "a.tif", "-o", tmp_path / "o.tif", *QUICK)
    assert code == 1
    assert "--axes" in text
    code, text = run(
        "denoise", tmp_path / "a.tif", "-o", tmp_path / "o.tif", "--axes", "CYX",
        "--method", "structn2v", "--struct-length", 5, *QUICK,
    )  # fmt: skip
    assert code == 0, text
    assert read_image(tmp_path / "o.tif").axes == "CYX"


def test_bad_input_is_refused_before_any_work(run, noisy, tmp_path, rng, monkeypatch):
    def no_work(*arguments, **options):
        raise AssertionError("work was done")

    monkeypatch.setattr("n2v_tk.cli.commands.train_model", no_work)
    out = tmp_path / "out.tif"

    def refused(*arguments, words):
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        code, text = run(*arguments)
        assert code == 1, text
        assert text.startswith("Error:")
        assert "Traceback" not in text
        for word in words:
            assert word in text
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before

    def saved(name, data, axes="YX"):
        np.save(tmp_path / name, data)
        return ["denoise", tmp_path / name, "-o", out, "--axes", axes, *QUICK]

    refused("denoise", tmp_path / "none.tif", "-o", out, words=["no such file", "none.tif"])
    refused("denoise", tmp_path / "*.png", "-o", out, words=["No file matches"])
    (tmp_path / "broken.tif").write_bytes(b"II*\0nothing")
    refused("denoise", tmp_path / "broken.tif", "-o", out, words=["The TIFF holds no image"])
    (tmp_path / "empty").mkdir()
    refused("denoise", tmp_path / "empty", "-o", out, words=["no images", "It is empty"])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    refused("denoise", tmp_path / "photos", "-o", out, words=["no images", ".jpg"])
    refused("denoise", tmp_path / "photos" / "a.jpg", "-o", out, words=["compression"])
    refused("denoise", noisy, "-o", out, "--axes", "TYX", words=["axes", "2 dimensions"])
    refused("denoise", noisy, "-o", out, "--axes", "YQ", words=["'YQ'"])
    refused("denoise", noisy, "-o", noisy, "--overwrite", words=["overwrite its input"])
    refused("denoise", noisy, "-o", tmp_path / "out.jpg" / "x.tif", "--method", "n3v",
            words=["method must be one of"])  # fmt: skip
    (tmp_path / "there.tif").write_bytes(b"precious")
    refused("denoise", noisy, "-o", tmp_path / "there.tif", words=["there already", "--overwrite"])
    refused("denoise", noisy, "-o", noisy / "sub", words=["a file has its name"])
    refused("denoise", noisy, tmp_path / "there.tif", "-o", out, words=["need a folder"])
    refused("denoise", noisy, "-o", out, "--dtype", "complex64", words=["'complex64'"])
    refused("denoise", noisy, "-o", tmp_path / "o.png", "--dtype", "float32", words=["PNG holds"])
    refused("denoise", noisy, "-o", out, "--patch", "16,64,64,1", words=["one side per spatial"])
    refused("denoise", noisy, "-o", out, "--patch", "a", words=["--patch"])
    refused("denoise", noisy, "-o", out, "--patch", "66,64", words=["divisible by 4", "(66, 64)"])
    refused("denoise", noisy, "-o", out, "--patch", "96,96", words=["(72, 80)", "(72, 80)"])
    refused("denoise", noisy, "-o", out, "--dim", "3", words=["needs an image with a Z axis"])
    refused("denoise", noisy, "-o", out, "--device", "tpu", words=["--device", "tpu"])
    refused("denoise", noisy, "-o", out, "--method", "structn2v", "--struct-length", "4",
            words=["odd"])  # fmt: skip
    refused("denoise", noisy, "-o", out, "--method", "structn2v", "--posterior",
            words=["n2v2, r2r, hqssl only", "--posterior"])  # fmt: skip
    refused("denoise", noisy, "-o", tmp_path / "o.zarr", "--posterior", words=["block by block"])
    refused(*saved("few.npy", rng.normal(size=(48, 48))), "--patch", "32,32", "--posterior",
            words=["Too few pixels", "48, 48"])  # fmt: skip
    bad = rng.normal(size=(64, 64))
    bad[3, 4] = np.inf
    refused(*saved("inf.npy", bad), words=["1 of 4096", "(3, 4)"])
    refused(*saved("constant.npy", np.ones((64, 64))), words=["constant"])
    refused(*saved("complex.npy", np.ones((64, 64), complex)), words=["complex128"])
    refused(*saved("tiny.npy", rng.normal(size=(3, 64))), words=["at least 4 pixels"])
    np.save(tmp_path / "stack.npy", rng.integers(0, 9, (3, 64, 64)).astype(np.uint8))
    refused("denoise", tmp_path / "stack.npy", "-o", tmp_path / "o.png", "--axes", "TYX",
            words=["PNG holds"])  # fmt: skip
    (tmp_path / "folders" / "a").mkdir(parents=True)
    refused("denoise", tmp_path / "folders" / "*", "-o", out, words=["Only folders match"])
    two = [noisy, tmp_path / "rgb.npy"]
    np.save(two[1], rng.normal(size=(64, 64, 3)))
    refused("train", *two, "-o", tmp_path / "m", "--axes", "YXC", words=["dimension"])
    refused("predict", noisy, "-m", tmp_path / "nomodel", "-o", out, words=["no such model folder"])
    refused("predict", noisy, "-m", tmp_path / "empty", "-o", out, words=["no config.json"])
    refused("info", tmp_path / "empty", words=["no config.json"])


def test_channels_that_do_not_belong_together(run, rng, tmp_path):
    for name, shape in (("grey.png", (64, 64)), ("rgb.png", (64, 64, 3))):
        axes = "YX" if len(shape) == 2 else "YXC"
        write_image(tmp_path / name, Image(rng.integers(0, 255, shape).astype(np.uint8), axes))
    code, text = run("train", tmp_path, "-o", tmp_path / "m", *QUICK)
    assert code == 1
    assert "same number of channels" in text
    assert not (tmp_path / "m").exists()
    code, text = run("train", tmp_path / "grey.png", "-o", tmp_path / "m", *QUICK)
    assert code == 0, text
    code, text = run("predict", tmp_path / "rgb.png", "-m", tmp_path / "m", "-o", tmp_path / "o")
    assert code == 1
    assert "trained on 1 channel(s). Received: 3" in text
    assert not (tmp_path / "o").exists()
    code, text = run("train", tmp_path / "grey.png", "-o", tmp_path / "m", *QUICK)
    assert code == 1
    assert "There is a model in the folder already" in text


def test_predict_checks_all_images_before_the_first(run, noisy, rng, tmp_path):
    code, text = run("train", noisy, "-o", tmp_path / "m", *QUICK)
    assert code == 0, text
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.tif").write_bytes(noisy.read_bytes())
    write_image(folder / "b.tif", Image(rng.normal(size=(64, 64, 3)).astype(np.float32), "YXC"))
    code, text = run("predict", folder, "-m", tmp_path / "m", "-o", tmp_path / "out")
    assert code == 1
    assert not (tmp_path / "out").exists()


def test_a_failed_write_keeps_the_model(run, noisy, tmp_path, monkeypatch):
    from n2v_tk.errors import ImageFileError

    def full(*arguments):
        raise ImageFileError("The disk is full.")

    monkeypatch.setattr("n2v_tk.cli.commands.write_image", full)
    code, text = run("denoise", noisy, "-o", tmp_path / "out[1].tif", *QUICK)
    assert code == 1
    assert "disk is full" in text
    assert (tmp_path / "out[1]_model" / "weights_best.h5").exists()
    assert "out[1]_model" in text


def test_two_inputs_of_one_name(run, noisy, tmp_path):
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / noisy.name
    other.write_bytes(noisy.read_bytes())
    code, text = run("denoise", noisy, other, "-o", tmp_path / "out", *QUICK)
    assert code == 1
    assert "same file" in text


@pytest.mark.parametrize("command", ["train", "denoise"])
def test_interrupt_keeps_the_best_weights_and_says_how_to_go_on(
    run, noisy, tmp_path, monkeypatch, command
):
    from n2v_tk.cli.progress import TrainingProgress

    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "on_epoch_begin", stop)
    monkeypatch.setattr(TrainingProgress, "on_train_batch_end", lambda *a, **k: None)
    target = tmp_path / "m" if command == "train" else tmp_path / "out.tif"
    code, text = run(command, noisy, "-o", target, "--epochs", 3, "--steps", 2, "--device", "cpu")
    assert code == 130
    folder = target if command == "train" else tmp_path / "out_model"
    assert "best weights so far" in text
    assert f"n2v-tk predict IN... -m {folder}" in text
    code, text = run("predict", noisy, "-m", folder, "-o", tmp_path / "later.tif")
    assert code == 0, text


def test_interrupt_before_the_first_epoch_ended(run, noisy, tmp_path, monkeypatch):
    from n2v_tk.cli.progress import TrainingProgress

    def stop(self, batch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "on_train_batch_end", stop)
    code, text = run("denoise", noisy, "-o", tmp_path / "out.tif", *QUICK)
    assert code == 130
    assert "nothing to keep" in text
    assert [p.name for p in tmp_path.iterdir()] == ["noisy.tif"]
    code, text = run("train", noisy, "-o", tmp_path / "m", *QUICK)
    assert code == 130
    monkeypatch.undo()
    code, text = run("train", noisy, "-o", tmp_path / "m", *QUICK)  # not in its own way
    assert code == 0, text


def test_demo(run, tmp_path):
    code, text = run("demo", "-o", tmp_path / "demo", *QUICK)
    assert code == 0, text
    assert "dB before" in text
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == [
        "clean.tif", "denoised.tif", "noisy.tif", "panel.png",
    ]  # fmt: skip
    code, text = run("demo", "-o", tmp_path / "demo", *QUICK)
    assert code == 1
    assert "there already" in text


def test_help_and_version(run):
    for command in ("denoise", "train", "predict", "info", "demo"):
        code, text = run(command, "--help")
        assert code == 0
        assert "Usage" in text
    code, text = run("--version")
    assert code == 0
    assert "n2v_tk" in text


@pytest.mark.parametrize(
    "code",
    ["import n2v_tk", "from n2v_tk.cli import main; import sys; sys.argv = ['n2v-tk', '--help']\n"
     "try:\n main()\nexcept SystemExit: pass"],
)  # fmt: skip
def test_nothing_heavy_is_imported_early(code):
    heavy = "tensorflow keras jax torch matplotlib skimage scipy csbdeep"
    check = f"{code}\nimport sys; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        env={**os.environ},
        check=True,
    )
    assert done.stdout.strip().endswith("[]")


LEGACY = Path(__file__).parents[1] / "data" / "legacy"


def test_info_about_a_folder_of_n2v(run):
    code, text = run("info", LEGACY / "rgb_single")
    assert code == 0
    for words in (
        "N2V, 2D, one network per channel",
        "made with n2v",
        "depth 2, kernel 3, 8 filters",
        "5 epochs of 30 steps, batches of 8, loss mse",
        "mean 189.442, std 76.5578",
        "reads channel 2 (the last) only",
    ):
        assert words in text
    assert "CARE, 2D, probabilistic" in run("info", LEGACY / "care_probabilistic")[1]


def test_weights_are_named_where_a_folder_has_several(run, tmp_path):
    """Although none has a name that would be taken by itself."""
    folder = tmp_path / "m"
    shutil.copytree(LEGACY / "n2v2d_nobn", folder)
    (folder / "weights_last.h5").unlink(missing_ok=True)
    (folder / "weights_best.h5").rename(folder / "mine.h5")
    (folder / "yours.h5").write_bytes(b"other")
    expected = np.load(folder / "results.npz")
    write_image(tmp_path / "in.tif", Image(expected["input"], "YX"))
    command = ["predict", tmp_path / "in.tif", "-m", folder, "-o", tmp_path / "out.tif"]
    code, text = run(*command)
    assert code == 1
    assert "mine.h5, yours.h5" in text
    assert "--weights NAME" in text
    code, text = run(*command, "--weights", "mine.h5")
    assert code == 0, text
    result = read_image(tmp_path / "out.tif").data
    assert np.abs(result - expected["best"]).max() < 1e-4 * expected["best"].std()
    export = ["export", folder, "--to", "keras", "-o", tmp_path / "m.keras"]
    code, text = run(*export, "--weights", "mine.h5")
    assert code == 0, text
    code, text = run("info", folder)
    assert "mine.h5, yours.h5" in text


def test_go_on_with_an_old_model(run, noisy, tmp_path):
    old = LEGACY / "n2v2d_plain"
    before = sorted((p.name, p.read_bytes()) for p in old.iterdir())
    code, text = run("train", noisy, "-o", tmp_path / "new", "--from", old, *QUICK)
    assert code == 0, text
    assert sorted((p.name, p.read_bytes()) for p in old.iterdir()) == before
    _, text = run("info", tmp_path / "new")
    # the network of the old model, the statistics of the new image
    assert "kernel 5, 8 filters" in text
    image = tifffile.imread(noisy)
    assert f"mean {image.mean():.6g}" in text
    code, _ = run("predict", noisy, "-m", tmp_path / "new", "-o", tmp_path / "out.tif")
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", LEGACY / "n2v2d_plain", "--method", "n2v2"], "keeps its method"),
        (["--from", LEGACY / "n2v2d_plain", "--dim", "3"], "keeps its dimensions"),
        (["--from", LEGACY / "rgb_joint"], r"3 channel"),
        (["--from", LEGACY / "care_probabilistic"], "Only models of N2V"),
        (["--from", "nowhere"], "no such model folder"),
        (["--from", LEGACY / "n2v2d_plain", "--set", "unet_n_depth=3"], "Received: unet_n_depth."),
        (["--from", LEGACY / "n2v2d_plain", "--set", "batch_norm=false"], "Received: batch_norm."),
    ],
)
def test_what_cannot_go_on(run, noisy, tmp_path, arguments, message):
    code, text = run("train", noisy, "-o", tmp_path / "new", *arguments, *QUICK)
    assert code == 1
    assert message in text
    assert not (tmp_path / "new").exists()


def test_convert(run, noisy, tmp_path):
    single, folder = tmp_path / "model.keras", tmp_path / "copy"
    assert run("convert", LEGACY / "n2v2", single)[0] == 0
    assert run("convert", single, folder)[0] == 0
    assert "N2V2, 2D" in run("info", single)[1]
    results = []
    for model in (LEGACY / "n2v2", single, folder):
        target = tmp_path / f"{model.stem}.tif"
        code, text = run("predict", noisy, "-m", model, "-o", target)
        assert code == 0, text
        results.append(tifffile.imread(target))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
    for target in (single, folder):
        code, text = run("convert", LEGACY / "n2v2", target)
        assert code == 1
        assert "already" in text
    assert run("convert", LEGACY / "n2v2", folder, "--overwrite")[0] == 0


@pytest.mark.slow
def test_hqssl(run, noisy, tmp_path):
    code, text = run("train", noisy, "-o", tmp_path / "m", "--method", "hqssl", "--noise-level",
                     "100", "--patch", "64,64", *QUICK)  # fmt: skip
    assert code == 0, text
    assert "HQ-SSL, 2D, gaussian noise, level 100.0" in run("info", tmp_path / "m")[1]
    code, text = run("predict", noisy, "-m", tmp_path / "m", "-o", tmp_path / "out.tif")
    assert code == 0, text
    assert read_image(tmp_path / "out.tif").data.shape == (72, 80)
    code, text = run("predict", noisy, "-m", tmp_path / "m", "-o", tmp_path / "b.tif", "--tta")
    assert code == 0, text
    assert (read_image(tmp_path / "b.tif").data != read_image(tmp_path / "out.tif").data).any()
    for options, words in (
        (["--noise-level", "a"], "gain,offset,read-noise"),
        (["--noise-level", "-3"], "a number above 0"),
        (["--noise-model", "salt"], "noise_model"),
    ):
        code, text = run("train", noisy, "-o", tmp_path / "n", "--method", "hqssl", *options)
        assert code == 1
        assert words in text
    code, text = run("train", noisy, "-o", tmp_path / "n", "--noise-level", "3")
    assert code == 1
    assert "--method hqssl" in text


def test_r2r(run, noisy, tmp_path):
    model, out = tmp_path / "m", tmp_path / "out.tif"
    code, text = run("train", noisy, "-o", model, "--method", "r2r", "--noise-level", "100", *QUICK)
    assert code == 0, text
    assert "R2R, 2D, noise 100.0" in run("info", model)[1]
    results = []
    for more in ([], ["--posterior"]):
        code, text = run("predict", noisy, "-m", model, "-o", out, "--overwrite", *more)
        assert code == 0, text
        results.append(read_image(out).data)
    assert (results[0] != results[1]).any()
    code, text = run("denoise", noisy, "-o", tmp_path / "d.tif", "--method", "r2r", *QUICK)
    assert code == 0, text
    for options, words in (
        (["--noise-level", "-3"], "noise_level must be"),
        (["--noise-model", "camera"], "--noise-model is for --method hqssl"),
    ):
        code, text = run("train", noisy, "-o", tmp_path / "n", "--method", "r2r", *options)
        assert code == 1
        assert words in text


def test_n2n_with_pairs_and_frames(run, rng, tmp_path):
    clean = 1000 + 300 * np.sin(np.arange(96) / 5)[:, None] * np.ones((96, 96))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for i in range(2):
            frame = (clean + rng.normal(0, 50, clean.shape)).astype("uint16")
            tifffile.imwrite(tmp_path / folder / f"{i}.tif", frame)
    quick = ["--patch", "32,32", *QUICK]
    code, text = run("train", tmp_path / "a", "--pairs", tmp_path / "b", "--method", "n2n", "-o",
                     tmp_path / "m", *quick)  # fmt: skip
    assert code == 0, text
    assert "N2N, 2D" in run("info", tmp_path / "m")[1]
    code, text = run("train", tmp_path / "a", "--pairs", tmp_path / "b" / "0.tif", "--method",
                     "n2n", "-o", tmp_path / "n", *quick)  # fmt: skip
    assert code == 1
    assert "Every image needs one pair" in text
    code, text = run("train", tmp_path / "a", "--pairs", tmp_path / "b", "-o", tmp_path / "n")
    assert code == 1
    assert "--method n2n" in text
    frames = np.stack([clean + rng.normal(0, 50, clean.shape) for _ in range(3)])
    tifffile.imwrite(tmp_path / "t.tif", frames.astype("uint16"), imagej=True,
                     metadata={"axes": "TYX"})  # fmt: skip
    code, text = run("denoise", tmp_path / "t.tif", "--method", "n2n", "-o", tmp_path / "o.tif",
                     *quick)  # fmt: skip
    assert code == 0, text
    code, text = run("denoise", tmp_path / "a", "--method", "n2n", "-o", tmp_path / "o", *quick)
    assert code == 1
    assert "two frames at least" in text


def test_masked(run, noisy, tmp_path, monkeypatch):
    from n2v_tk.models import one_call

    tiny = {"net_depths": (2,), "net_width": 12, "train_batch_size": 2}
    monkeypatch.setitem(one_call.METHODS, "masked", partial(MaskedDenoiserConfig, **tiny))
    small = ["--patch", "16,16", "--epochs", "1", "--steps", "1", "--seed", "0"]
    code, text = run("train", noisy, "-o", tmp_path / "m", "--method", "masked", *small)
    assert code == 0, text
    shown = run("info", tmp_path / "m")[1]
    assert "masked training, 2D, 0 to 90 % of the pixels and 75 % of the tokens hidden" in shown
    assert "transformer, 2 layers, 12 features" in shown
    code, text = run("predict", noisy, "-m", tmp_path / "m", "-o", tmp_path / "out.tif")
    assert code == 0, text
    assert read_image(tmp_path / "out.tif").data.shape == (72, 80)
    code, text = run("denoise", noisy, "-o", tmp_path / "no.tif", "--method", "masked")
    assert code == 1
    assert "learns from clean images" in text
