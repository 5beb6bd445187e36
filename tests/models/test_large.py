"""Images denoised block by block are what `predict` gives, whatever interrupts the work."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr
from sources import InMemory

from n2v_tk import CARE, HQSSL, N2V, CAREConfig, HQSSLConfig, N2VConfig, load_model, read_image
from n2v_tk.errors import AxesError, ConfigError, ImageError, ImageFileError, OutputExistsError
from n2v_tk.io import Image
from n2v_tk.io.ome_zarr import (
    Level,
    OMEZarr,
    axes_metadata,
    create_ome_zarr,
    finish_ome_zarr,
    open_ome_zarr,
)  # fmt: skip
from n2v_tk.lazy import LazyArray
from n2v_tk.models import large, large_plan
from n2v_tk.prediction.memory import memory_in_use

AXES = "TCZYX"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return (1000 + 100 * rng.standard_normal((2, 1, 5, 101, 131))).astype("uint16")


@pytest.fixture(scope="module")
def model(data):
    return untrained(2, data)


def untrained(n_dim, data, **settings):
    """A model that does something to images, without training."""
    patch = {"n2v_patch_shape": (4, 16, 16)[-n_dim:]}
    stack = np.moveaxis(data, 1, -1)
    stack = stack if n_dim == 3 else stack.reshape(-1, *stack.shape[-3:])
    config = N2VConfig(
        stack, unet_n_first=4, unet_kern_size=3, unet_n_depth=2, train_seed=1, **patch,
        **settings,
    )  # fmt: skip
    return N2V(config, basedir=None)


def store(path, data, version="0.4", axes=AXES, chunks=(1, 1, 2, 32, 48)):
    image = Image(data, axes, {"T": 5.0, "Z": 0.5, "Y": 0.1, "X": 0.1}, "µm")
    metadata, scale = axes_metadata(image)
    smaller = (*data.shape[:-2], *(n // 2 for n in data.shape[-2:]))
    arrays = create_ome_zarr(path, version, metadata, [data.shape, smaller], chunks, data.dtype)
    arrays[0][:] = data
    halves = [*scale[:-2], 0.2, 0.2]
    window = {"min": 0.0, "max": 65535.0, "start": 800.0, "end": 1200.0}
    channel = {"color": "FF0000", "label": "cells", "window": window}
    levels = [
        Level("0", arrays[0], scale, [0.0] * data.ndim),
        Level("1", arrays[1], halves, [*[0.0] * (data.ndim - 2), 0.05, 0.05]),
    ]
    omero = {"channels": [channel]}
    finish_ome_zarr(path, OMEZarr(path, version, metadata, levels, "cells", omero))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("n_dim", [2, 3])
def test_blocks_give_what_the_whole_gives(data, tmp_path, version, n_dim):
    from ome_zarr_models import open_ome_zarr as validate

    model = untrained(n_dim, data)
    source = store(tmp_path / "in.zarr", data, version)
    seen = []
    target = model.predict_large(
        source, tmp_path / "out.zarr", max_memory=memory_in_use() + 500_000_000,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    whole = model.predict(data, AXES)
    result = read_image(target)
    np.testing.assert_allclose(np.asarray(result.data), whole, rtol=1e-5)
    old, new = open_ome_zarr(source), open_ome_zarr(target)
    assert (new.version, new.name, new.omero, new.axes) == (version, "cells", old.omero, old.axes)
    for a, b in zip(old.levels, new.levels, strict=True):
        assert (a.scale, a.translation, a.array.shape) == (b.scale, b.translation, b.array.shape)
    means = whole[..., :100, :130].reshape(2, 1, 5, 50, 2, 65, 2).mean(axis=(4, 6))
    np.testing.assert_allclose(new.levels[1].array[:], means, rtol=1e-5)
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert not (tmp_path / "out.zarr.partial").exists()
    assert not list(target.glob("n2v_tk*"))
    found = validate(zarr.open(str(target)))
    assert type(found).__module__ == f"ome_zarr_models.v{version.replace('.', '')}.image"


@pytest.mark.parametrize("normalization", ["image", "percentile", "none"])
def test_images_normalised_one_by_one(data, tmp_path, normalization):
    model = untrained(2, data, normalization=normalization)
    target = model.predict_large(
        store(tmp_path / "in.zarr", data), tmp_path / "out.zarr", dtype="same"
    )
    whole = model.predict(data, AXES)
    result = read_image(target).data
    assert result.dtype == data.dtype
    whole = np.clip(whole, 0, 65535)
    # rounded to the nearest; what lies in the middle goes either way
    np.testing.assert_allclose(np.asarray(result), whole, rtol=0, atol=0.501)


def test_many_blocks_and_tiles(data, model, tmp_path, monkeypatch):
    plan = large.LargePrediction.plan
    small = {"block_pixels": 9000, "tile_pixels": 64 * 64}

    def in_small_blocks(*args):
        work = plan(*args)
        work.use(small)
        assert len(work.blocks) > 20
        return work

    monkeypatch.setattr(large.LargePrediction, "plan", in_small_blocks)
    image = LazyArray(InMemory(data))
    target = model.predict_large(image, tmp_path / "a.zarr", AXES, chunks=(1, 1, 1, 16, 16))
    np.testing.assert_allclose(
        np.asarray(read_image(target).data), model.predict(data, AXES), rtol=1e-5
    )


def test_other_axes_channels_and_pyramids(rng, tmp_path):
    image = rng.normal(100, 10, (700, 600, 3)).astype("float32")
    model = N2V(N2VConfig(image[None], unet_n_first=4, train_seed=0), basedir=None)
    target = model.predict_large(image, tmp_path / "out.zarr", "YXC", version="0.5")
    result = open_ome_zarr(target)
    assert (result.letters, result.version) == ("CYX", "0.5")
    assert [level.array.shape for level in result.levels] == [(3, 700, 600), (3, 350, 300)]
    whole = np.moveaxis(model.predict(image, "YXC"), -1, 0)
    np.testing.assert_allclose(result.levels[0].array[:], whole, rtol=1e-4, atol=1e-4)
    assert result.levels[1].scale == [1.0, 2.0, 2.0]
    assert result.levels[1].translation == [0.0, 0.5, 0.5]


def test_turned_images(data, model, tmp_path):
    image = data[0, 0, 0, :100, :128]
    target = model.predict_large(image, tmp_path / "a.zarr", "YX", tta=True)
    whole = model.predict(image, "YX", tta=True)
    np.testing.assert_allclose(np.asarray(read_image(target).data), whole, rtol=1e-5)


def test_other_methods(data, tmp_path):
    stack = data[0, 0, :, :64, :96, None].astype("float32")
    hqssl = HQSSL(HQSSLConfig(stack, noise_level=100.0, net_width=4), basedir=None)
    care = CARE(CAREConfig(stack, unet_n_first=4, probabilistic=True), basedir=None)
    for name, model in (("hqssl", hqssl), ("care", care)):
        target = model.predict_large(stack[..., 0], tmp_path / f"{name}.zarr", "ZYX")
        whole = model.predict(stack[..., 0], "ZYX")
        np.testing.assert_allclose(np.asarray(read_image(target).data), whole, rtol=1e-4)
    by_image = HQSSL(HQSSLConfig(stack, noise_scope="image", net_width=4), basedir=None)
    with pytest.raises(ConfigError, match="noise_scope='image'"):
        by_image.predict_large(stack[..., 0], tmp_path / "b.zarr", "ZYX")


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bits(data, model, tmp_path):
    source = store(tmp_path / "in.zarr", data)
    whole = model.predict_large(source, tmp_path / "whole.zarr")
    target, partial = tmp_path / "out.zarr", tmp_path / "out.zarr.partial"

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.predict_large(source, target, progress=stop)
    assert not target.exists()
    with open(partial / "n2v_tk_progress.jsonl", "a") as file:
        file.write("0 1")  # the end of a line that was not written
    done = []
    model.predict_large(source, target, progress=lambda n, total: done.append(n))
    assert done[0] == 4
    for level in "01":
        a, b = (zarr.open_group(p, mode="r")[level][:] for p in (whole, target))
        np.testing.assert_array_equal(a, b)


def test_an_unfinished_result_of_another_request_stays(data, model, tmp_path):
    source = store(tmp_path / "in.zarr", data)
    target = tmp_path / "out.zarr"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.predict_large(source, target, progress=stop)
    with pytest.raises(ConfigError, match=r"another request.*another result .*--overwrite"):
        model.predict_large(source, target, dtype="uint16")
    os.utime(source / ".zattrs", ns=(1, 1))
    with pytest.raises(ConfigError, match="another source_state"):
        model.predict_large(source, target)
    zarr.open_group(source, mode="r+")["0"][1, 0, 2, 40:60, 60:70] = 0
    os.utime(source / ".zattrs", ns=(2, 2))
    with pytest.raises(ConfigError, match="another source_state"):
        model.predict_large(source, target)
    model.predict_large(source, target, dtype="uint16", overwrite=True)
    assert read_image(target).data.dtype == "uint16"
    with pytest.raises(OutputExistsError, match="--overwrite"):
        model.predict_large(source, target)
    other = tmp_path / "taken.zarr.partial"
    other.mkdir()
    (other / "mine.txt").touch()
    with pytest.raises(ImageFileError, match="taken by something else"):
        model.predict_large(source, tmp_path / "taken.zarr", overwrite=True)
    assert (other / "mine.txt").exists()


def test_a_full_disk_is_named_and_the_work_goes_on_later(data, model, tmp_path, monkeypatch):
    source = store(tmp_path / "in.zarr", data)
    real, calls = zarr.Array.__setitem__, []

    def full(self, window, values):
        calls.append(window)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, window, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(ImageFileError, match=r"disk is full.*2 blocks are done.*repeat"):
        model.predict_large(source, tmp_path / "out.zarr")
    monkeypatch.undo()
    done = []
    target = model.predict_large(
        # what is finished is never overwritten, what is not goes on
        source,
        tmp_path / "out.zarr",
        progress=lambda n, total: done.append(n),
        overwrite=True,
    )
    assert done[0] == 3
    np.testing.assert_allclose(
        np.asarray(read_image(target).data), model.predict(data, AXES), rtol=1e-5
    )


def test_a_run_that_died_at_its_very_start_goes_on(data, model, tmp_path, monkeypatch):
    source = store(tmp_path / "in.zarr", data)

    def died(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(large, "create_ome_zarr", died)
    with pytest.raises(KeyboardInterrupt):
        model.predict_large(source, tmp_path / "out.zarr")
    monkeypatch.undo()
    assert model.predict_large(source, tmp_path / "out.zarr").exists()


def test_two_runs_do_not_work_on_one_result(data, model, tmp_path):
    source = store(tmp_path / "in.zarr", data)

    def again(done, total):
        with pytest.raises(ImageFileError, match="Another process works on this result"):
            model.predict_large(source, tmp_path / "out.zarr")

    model.predict_large(source, tmp_path / "out.zarr", progress=again)


def test_what_holds_the_source_is_not_replaced(data, model, tmp_path):
    zarr.create_group(tmp_path / "s.zarr")
    inside = tmp_path / "s.zarr" / "raw.zarr"
    zarr.create_array(inside, data=data[0, 0], dimension_names=["z", "y", "x"])
    for target in (tmp_path / "s.zarr", inside, inside / "deeper.zarr"):
        with pytest.raises(ImageFileError, match="would overwrite its input"):
            model.predict_large(inside, target, overwrite=True)
    np.testing.assert_array_equal(zarr.open_array(inside, mode="r")[:], data[0, 0])
    (tmp_path / "file.zarr").write_text("mine")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "s.zarr")
    for name in ("file.zarr", "link.zarr"):
        with pytest.raises(ImageFileError, match="no folder, as stores are"):
            model.predict_large(data, tmp_path / name, AXES, overwrite=True)
    assert (tmp_path / "file.zarr").read_text() == "mine"
    target = model.predict_large(data[0, 0, 0], tmp_path / "t.zarr", "YX")
    model.predict_large(data[1, 0, 0], target, "YX", overwrite=True)
    np.testing.assert_allclose(
        np.asarray(read_image(target).data), model.predict(data[1, 0, 0], "YX"), rtol=1e-5
    )
    assert sorted(p.name for p in tmp_path.glob("t.zarr*")) == ["t.zarr"]


def test_nothing_is_refused_for_memory_that_nobody_limited(data, tmp_path):
    config = N2VConfig(
        np.moveaxis(data, 1, -1), unet_n_first=4, unet_kern_size=5, n2v_patch_shape=(4, 16, 16)
    )
    wide = N2V(config, basedir=None)
    vast = LazyArray(InMemory(np.broadcast_to(np.uint16(7), (64, 5000, 5000))))
    for chunks in (None, (64, 512, 512)):
        args = (wide, vast, "ZYX", None, False, None, "keras", chunks, None)
        work = large.LargePrediction.plan(*args, None)
        assert len(work.blocks) > 1
        assert work.n_blocks(1) >= 1
        with pytest.raises(ConfigError, match="memory target"):
            large.LargePrediction.plan(*args, "1GB")


def test_pyramids_that_do_not_fit_are_made_anew(model, data, tmp_path):
    image = Image(data[0, 0, 0, :90, :120], "YX", {"Y": 1.0, "X": 1.0}, "µm")
    metadata, _ = axes_metadata(image)
    shapes = [(90, 120), (60, 80)]
    arrays = create_ome_zarr(tmp_path / "in.zarr", "0.5", metadata, shapes, (32, 32), "uint16")
    arrays[0][:] = image.data
    levels = [Level(str(i), a, [1.5**i] * 2, [0.0] * 2) for i, a in enumerate(arrays)]
    path = tmp_path / "in.zarr"
    finish_ome_zarr(path, OMEZarr(path, "0.5", metadata, levels))
    result = open_ome_zarr(model.predict_large(path, tmp_path / "out.zarr"))
    assert [(level.array.shape, level.scale) for level in result.levels] == [((90, 120), [1, 1])]


def test_bad_input_is_refused_before_work_starts(data, model, tmp_path):
    source = store(tmp_path / "in.zarr", data)
    out = tmp_path / "out.zarr"
    cases = [
        (ConfigError, "end in .zarr", (source, tmp_path / "out.tif"), {}),
        (AxesError, "channel", (np.zeros((3, 64, 64)), out, "CYX"), {}),
        (AxesError, "samples beside", (np.zeros((2, 2, 64, 64)), out, "STYX"), {}),
        (ConfigError, "0.4, 0.5", (source, out), {"version": "0.3"}),
        (ConfigError, r"each axis of the result \(TCZYX\)", (source, out), {"chunks": (64, 64)}),
        (ConfigError, "too small for the network", (source, out), {"max_memory": "300MB"}),
        (ConfigError, "'2GB'", (source, out), {"max_memory": "much"}),
        (ConfigError, "engine must be", (source, out), {"engine": "gears"}),
        (ImageFileError, "no such file", (tmp_path / "no.zarr", out), {}),
    ]
    for error, message, args, options in cases:
        with pytest.raises(error, match=message):
            model.predict_large(*args, **options)
    bad = data[0, 0, 0].astype("float32")
    bad[80, 90] = np.nan
    message = r"NaN or infinity in \[0:101, 0:131\] \(YX\)"
    with pytest.raises(ImageError, match=message):
        model.predict_large(bad, tmp_path / "bad.zarr", "YX")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.zarr.partial", "in.zarr"]


def test_chunks_that_do_not_fit_the_memory_target(model, tmp_path, monkeypatch):
    monkeypatch.setattr(large_plan, "free_within", lambda most: (most - 960_000_000, 900_000_000))
    vast = LazyArray(InMemory(np.broadcast_to(np.uint16(7), (64, 60000, 60000))))
    with pytest.raises(ConfigError, match="Chunks do not fit the memory target"):
        model.predict_large(
            vast, tmp_path / "a.zarr", "ZYX", chunks=(64, 4096, 4096), max_memory="2GB"
        )


KILLED = """
import sys, time
from n2v_tk import load_model
from n2v_tk.models import large, large_plan
from n2v_tk.prediction.memory import memory_in_use
write = large.LargePrediction.write
def slow(self, job, result):
    time.sleep(0.3)
    write(self, job, result)
large.LargePrediction.write = slow
load_model(sys.argv[1]).predict_large(sys.argv[2], sys.argv[3])
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(data, model, tmp_path):
    source = store(tmp_path / "in.zarr", data)
    model.save(tmp_path / "model")
    whole = model.predict_large(source, tmp_path / "whole.zarr")
    target = tmp_path / "out.zarr"
    notes = tmp_path / "out.zarr.partial" / "n2v_tk_progress.jsonl"
    args = [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(source), str(target)]
    process = subprocess.Popen(args, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    while not notes.exists() or len(notes.read_text().splitlines()) < 4:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    header = json.loads(notes.read_text().splitlines()[0])
    assert header["request"]["source"] == str(source)
    done = []
    load_model(tmp_path / "model").predict_large(
        source, target, progress=lambda n, total: done.append(n)
    )
    assert done[0] > 3
    for level in "01":
        a, b = (zarr.open_group(p, mode="r")[level][:] for p in (whole, target))
        np.testing.assert_array_equal(a, b)
