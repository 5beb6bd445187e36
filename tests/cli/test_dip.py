import json

import imagecodecs
import numpy as np
import pytest

from n2v_tk.io import Image, read_image, write_image

QUICK = ["--filters", "8,8", "--iterations", "20", "--seed", "0", "--device", "cpu"]


@pytest.fixture
def picture(rng, tmp_path):
    """A colour picture of 8 bit (48, 40, 3) in a PNG file."""
    y, x = np.mgrid[:48, :40] / 40
    data = np.stack([120 + 90 * np.sin(5 * x), 200 * y, 90 + 0 * x], axis=-1)
    noisy = np.clip(data + rng.normal(0, 20, data.shape), 0, 255).astype(np.uint8)
    write_image(tmp_path / "in.png", Image(noisy, "YXC", kind="png"))
    return tmp_path / "in.png"


def test_denoise_with_a_picture_of_the_way(run, picture, tmp_path):
    out, way = tmp_path / "out.png", tmp_path / "way.png"
    code, text = run("dip", "denoise", picture, "-o", out, "--way", way, *QUICK)
    assert code == 0, text
    assert "step 20/20 fit" in text
    assert "stop: held_out" in text
    image = read_image(out)
    assert (image.data.shape, image.data.dtype) == ((48, 40, 3), np.uint8)
    assert imagecodecs.imread(way).std() > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "out.png", "way.png"]


def test_go_on_from_a_state(run, picture, tmp_path):
    state, out = tmp_path / "state", tmp_path / "out.png"
    options = ["--state", state, "--stop", "iterations", *QUICK]
    assert run("dip", "denoise", picture, "-o", out, *options)[0] == 0
    code, text = run("dip", "denoise", picture, "-o", out, "--overwrite", *options)
    assert code == 1
    assert "Go on with resume=True (--resume)" in text
    more = [*options, "--resume", "--overwrite"]
    more[more.index("20")] = "70"
    code, text = run("dip", "denoise", picture, "-o", out, *more)
    assert code == 0, text
    assert "step 70/70" in text
    assert "step 20/20" not in text


def test_settings_by_name(run, picture, tmp_path):
    state, out = tmp_path / "state", tmp_path / "out.png"
    command = ["dip", "denoise", picture, "-o", out, "--state", state, *QUICK]
    named = ["learning_rate=0.005", "pooling=average", "skip_channels=2,2", "value_range=0,255"]
    named = [word for pair in named for word in ("--set", pair)]
    code, text = run(*command, *named)
    assert code == 0, text
    written = json.loads((state / "config.json").read_text())
    assert (written["learning_rate"], written["pooling"]) == (0.005, "average")
    assert (written["skip_channels"], written["value_range"]) == ([2, 2], [0, 255])
    # the stopping rule and the rest are those of the task
    assert (written["stop"], written["down_channels"]) == ("auto", [8, 8])
    code, text = run(*command, "--resume", "--overwrite", "--set", "pooling=stride")
    assert code == 1
    assert "other learning_rate, pooling, skip_channels, value_range than in" in text


def test_inpaint_with_a_mask_of_any_brightness(run, picture, tmp_path):
    mask = np.full((48, 40), 255, np.uint8)
    mask[10:14, 5:30] = 0
    write_image(tmp_path / "mask.png", Image(mask, "YX", kind="png"))
    out = tmp_path / "out.png"
    code, text = run("dip", "inpaint", picture, "--mask", tmp_path / "mask.png", "-o", out, *QUICK)
    assert code == 0, text
    before, after = read_image(picture).data, read_image(out).data
    np.testing.assert_array_equal(after[mask > 0], before[mask > 0])
    assert (after[mask == 0] != before[mask == 0]).any()


def test_enlarged_images_keep_their_size_in_microns(run, tmp_path, rng):
    image = Image(rng.random((16, 20)).astype("f4"), "YX", {"X": 0.4, "Y": 0.4}, "micron", "imagej")
    write_image(tmp_path / "in.tif", image)
    out = tmp_path / "out.tif"
    code, text = run("dip", "superres", tmp_path / "in.tif", "--factor", 2, "-o", out, *QUICK)
    assert code == 0, text
    large = read_image(out)
    assert large.data.shape == (32, 40)
    assert large.pixel_sizes == pytest.approx({"X": 0.2, "Y": 0.2})


def test_jpeg_files_are_read_here_and_become_png(run, picture, tmp_path):
    folder = tmp_path / "out"
    jpeg = tmp_path / "small.jpg"
    jpeg.write_bytes(imagecodecs.jpeg8_encode(read_image(picture).data, level=20))
    code, text = run("dip", "jpeg", jpeg, "-o", folder, *QUICK)
    assert code == 0, text
    assert read_image(folder / "small.png").data.shape == (48, 40, 3)
    code, text = run("denoise", jpeg, "-o", tmp_path / "no.tif")
    assert code == 1
    assert "JPG files cannot be used" in text


def test_folders_of_jpeg_and_masks_without_axes(run, rng, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    data = rng.integers(0, 256, (24, 20), np.uint8)
    (folder / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(data))
    assert run("dip", "jpeg", folder, "-o", tmp_path / "out", *QUICK)[0] == 0
    assert (tmp_path / "out" / "a.png").exists()
    np.save(tmp_path / "v.npy", rng.random((9, 20, 22)))
    np.save(tmp_path / "m.npy", rng.random((9, 20, 22)) < 0.9)
    code, text = run("dip", "restore", tmp_path / "v.npy", "--axes", "ZYX", "--mask",
                     tmp_path / "m.npy", "-o", tmp_path / "v.tif", *QUICK)  # fmt: skip
    assert code == 0, text


def test_all_pictures_are_checked_before_the_first(run, picture, tmp_path):
    small = tmp_path / "small.png"
    write_image(small, Image(np.eye(4, dtype=np.uint8), "YX", kind="png"))
    code, text = run("dip", "denoise", picture, small, "-o", tmp_path / "out", *QUICK)
    assert code == 1
    assert "every side must have at least" in text
    assert "Fitting" not in text


@pytest.mark.slow
def test_flash_and_several_inputs(run, picture, tmp_path):
    second = tmp_path / "second.png"
    second.write_bytes(picture.read_bytes())
    code, text = run(
        "dip", "flash", picture, second, "--guide", picture, "-o", tmp_path / "out",
        "--state", tmp_path / "states", "--way", tmp_path / "way.png", *QUICK,
    )  # fmt: skip
    assert code == 0, text
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["in.png", "second.png"]
    assert sorted(p.name for p in (tmp_path / "states").iterdir()) == ["in", "second"]
    assert (tmp_path / "second_way.png").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (["sharpen"], "task must be one of denoise, jpeg"),
    (["inpaint"], "needs a mask"),
    (["superres", "--factor", "3"], "factor"),
    (["denoise", "--factor", "2"], "--factor is for superres. Received: dip denoise"),
    (["denoise", "--resume"], "Received: no --state FOLDER"),
    (["denoise", "--filters", "a"], "--filters must be whole numbers"),
    (["denoise", "--way", "way.jpg"], "--way is a PNG file"),
    (["denoise", "--set", "poling=average"], "Did you mean 'pooling'?"),
    (["denoise", "--set", "pooling"], "--set must be NAME=VALUE"),
    (["denoise", "--set", "pooling=best"], "pooling: "),
    (["denoise", "--set", "task=jpeg"], "Received: TASK and --set task=jpeg"),
    (["denoise", "--filters", "8", "--set", "down_channels=8,8"], "--filters and --set down_cha"),
    (["denoise", "--value-range", "1"], "--value-range must be LOW,HIGH"),
    (["denoise", "--filters", "8,8,8,8,8,8,8"], "needs at least 129"),
])  # fmt: skip
def test_bad_input(run, picture, tmp_path, arguments, message):
    task, *options = arguments
    code, text = run("dip", task, picture, "-o", tmp_path / "out.png", *options)
    assert code == 1
    assert message in text or "every side must have at least 129" in text
    assert not (tmp_path / "out.png").exists()
