"""The command line: done, or one line that says what to do, whatever is typed."""

import io
import sys

import numpy as np
import pytest
from hostile import TEXTS
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tiny import tiny_model

from n2v_tk.cli import app, commands, dip
from n2v_tk.cli.failing import report_error
from n2v_tk.config.dip import DIPConfig
from n2v_tk.config.reading import CONFIGS

# what a shell can pass: no zero byte, and of lone surrogates those of names in another encoding
TYPED = TEXTS.map(lambda text: text.replace("\0", "").replace("\ud800", "\udcff"))
WORDS = TYPED | st.sampled_from(
    ["1,1", "2x2", "0,1", "8,8", "64", "3,3,3", "1e9", "500MB", "gaussian", "camera", "hqssl",
     "n2n", "r2r", "masked", "structn2v", "psnr", "psnr,frc", "cpu", "gpu:7", "weights_last.h5",
     "openvino", "0.4", "tcp://127.0.0.1:1", "serving", "onnx", "keras", "fiji-n2v", "denoise",
     "superres", "4", "Z", "uint16", "int8", "complex64", "auto", "mixed_bfloat16"]
)  # fmt: skip
NAMED = st.builds(
    "{}={}".format,
    st.sampled_from(sorted({n for c in (*CONFIGS.values(), DIPConfig) for n in c.model_fields}))
    | TYPED,
    WORDS | st.sampled_from(["3", "-1", "null", "true", "0.5,2", "[[1,0,1]]", "[]", "{}", "1e999"]),
)
FILES = ["image.npy", "volume.npy", "empty.npy", "nan.npy", "text.npy", "broken.tif", "model",
         "none.tif", "folder", "*.npy", "image.npy::x", "broken.keras"]  # fmt: skip
OPTIONS = {
    "predict": ["--axes", "--weights", "--n-tiles", "--dtype", "--precision", "--engine",
                "--max-memory", "--chunks", "--ome-zarr", "--device", "--tta", "--overwrite"],
    "check": ["--axes", "--json", "-o"],
    "evaluate": ["--axes", "--measures", "--range", "--noisy", "--json"],
    "train": ["--axes", "--method", "--epochs", "--steps", "--seed", "--dim", "--patch",
              "--struct-axis", "--struct-length", "--noise-model", "--noise-level", "--pairs",
              "--from", "--device", "--devices", "--set"],
    "denoise": ["--axes", "--method", "--epochs", "--seed", "--dim", "--patch", "--dtype",
                "--noise-model", "--noise-level", "--save-model", "--struct-length", "--set"],
    "info": ["--axes"],
    "export": ["--to", "--weights", "--version", "--name", "--author", "--test-image"],
    "convert": ["--overwrite"],
    "report": ["--image", "--axes", "--truth", "--repeats"],
    "dip": ["--axes", "--mask", "--factor", "--preset", "--iterations", "--stop", "--filters",
            "--value-range", "--seed", "--resume", "--dtype", "--set"],
}  # fmt: skip
FLAGS = ("--tta", "--overwrite", "--resume")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model, images and files that are not what their names say."""
    folder = tmp_path_factory.mktemp("typed")
    rng = np.random.default_rng(0)
    np.save(folder / "image.npy", rng.normal(100, 10, (16, 20)).astype("float32"))
    np.save(folder / "volume.npy", rng.integers(0, 200, (3, 12, 14)).astype("uint8"))
    np.save(folder / "empty.npy", np.zeros((0, 4)))
    np.save(folder / "nan.npy", np.full((8, 8), np.nan))
    (folder / "text.npy").write_text("no array")
    (folder / "broken.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    (folder / "broken.keras").write_bytes(b"PK\3\4")
    (folder / "folder").mkdir()
    tiny_model(folder=folder / "model")
    return folder


@st.composite
def command_lines(draw, command):
    """A command with what it needs, most of it fitting, and options with any values."""
    usual = "model" if command in ("info", "export", "convert", "report") else "image.npy"
    files = st.sampled_from([usual] * 6 + FILES) | WORDS
    line = [command]
    if command == "dip":
        line.append(draw(st.sampled_from(["denoise", "inpaint", "superres"]) | WORDS))
    line.append(draw(files))
    if command == "predict":
        line += ["-m", draw(st.sampled_from(["model"] * 6 + FILES) | WORDS)]
    if command == "evaluate":
        line += ["--truth", draw(st.sampled_from(["image.npy", "volume.npy", *FILES]) | WORDS)]
    if command == "export":
        line += ["--to", draw(st.sampled_from(["keras", "fiji"]) | WORDS)]
    if command == "convert":
        line.append(draw(st.sampled_from(["out.keras", "out", "model"])))
    elif command not in ("check", "evaluate", "info"):
        ends = ["out.npy", "out.tif", "out.zarr", "out.png", "out.html", "out", "image.npy"]
        line += ["-o", draw(st.sampled_from(ends))]
    for option in draw(st.lists(st.sampled_from(OPTIONS[command]), max_size=3)):
        line.append(option)
        if option == "--set":
            line.append(draw(NAMED | WORDS))
        elif option not in FLAGS:
            line.append(draw(WORDS | st.sampled_from(FILES)))
    return line


@pytest.mark.parametrize("command", OPTIONS)
@given(data=st.data())
def test_a_command_is_done_or_says_in_a_line_why_not(command, data, folder, tmp_path_factory):
    line = data.draw(command_lines(command))
    here = tmp_path_factory.mktemp("run")
    for path in folder.iterdir():
        (here / path.name).symlink_to(path)
    before = {path.name for path in folder.rglob("*")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["n2v-tk", *line])
        # what is asked for is fine: the work itself is not what is tested here
        patch.setattr(commands, "train_model", _no_work)
        patch.setattr(dip, "_fit", _no_work)
        code, text = run(patch)
    assert code in (0, 1, 2), (line, text)
    assert "should not" not in text, (line, text)
    assert "Traceback" not in text, (line, text)
    if code == 1:
        assert text.count("Error:") == 1, (line, text)
        assert "Received" in text or "Stopped" in text, (line, text)
    if code:
        assert {path.name for path in folder.rglob("*")} == before, line


class _Done(Exception):
    """In the place of the work."""


def _no_work(*_args, **_settings):
    raise _Done


def run(patch):
    """Exit code and what was printed."""
    out = io.StringIO()

    def report(console, error, debug):
        if isinstance(error, _Done):
            raise SystemExit(0)
        report_error(console, error, debug)

    patch.setattr(sys, "stdout", out)
    patch.setattr(sys, "stderr", out)
    patch.setattr(app, "console", Console(file=out, width=200))
    patch.setattr(app, "report_error", report)
    try:
        app.main()
        return 0, out.getvalue()
    except SystemExit as stop:
        return stop.code or 0, out.getvalue()
