import json
import sys

import numpy as np
import pytest
from skimage.data import camera

from n2v_tk.evaluation.metrics import affine_psnr, ms_ssim, psnr, scale_invariant_psnr, ssim
from n2v_tk.io import Image, write_image

approx = pytest.approx


@pytest.fixture
def images(tmp_path, rng):
    """Clean, noisy and 'denoised' pictures in three folders: {role: [array, array]}."""
    crops = [camera()[:200, :180], camera()[200:400, 100:290]]
    found = {"clean": crops}
    for role, sigma in (("noisy", 25), ("denoised", 8)):
        found[role] = [c + rng.normal(0, sigma, c.shape).astype(np.float32) for c in crops]
    for role, arrays in found.items():
        for name, array in zip("ab", arrays, strict=True):
            write_image(tmp_path / role / f"{name}.tif", Image(array, "YX"))
    return found


def test_a_table_with_gains(run, images, tmp_path):
    code, text = run(
        "evaluate", tmp_path / "denoised", "--truth", tmp_path / "clean", "--noisy",
        tmp_path / "noisy" / "*.tif", "--range", 255,
    )  # fmt: skip
    assert code == 0, text
    after, before = (
        [psnr(c, i, 255) for c, i in zip(images["clean"], images[role], strict=True)]
        for role in ("denoised", "noisy")
    )
    for name, of, was in zip(("a.tif", "b.tif"), after, before, strict=True):
        assert f"{name} │ {was:.2f} │ {of:.2f} │ {of - was:+.2f}" in text
    assert f"mean │ {np.mean(before):.2f} │ {np.mean(after):.2f}" in text
    assert f"{ssim(images['clean'][0], images['denoised'][0], 255):.4f}" in text
    assert "Range 255" in text


def test_all_measures_in_json(run, images, tmp_path):
    target = tmp_path / "numbers" / "scores.json"
    command = ["evaluate", tmp_path / "denoised" / "a.tif", "--truth", tmp_path / "clean" / "a.tif"]
    command += ["--measures", "psnr, SI_PSNR,affine-psnr,ssim,ms-ssim", "--json", target]
    code, text = run(*command)
    assert code == 0, text
    content = json.loads(target.read_text())
    clean, denoised = images["clean"][0], images["denoised"][0]
    expected = {
        "psnr": psnr(clean, denoised),
        "si-psnr": scale_invariant_psnr(clean, denoised),
        "affine-psnr": affine_psnr(clean, denoised),
        "ssim": ssim(clean, denoised),
        "ms-ssim": ms_ssim(clean, denoised),
    }
    assert {n: of["result"] for n, of in content["means"].items()} == approx(expected)
    assert content["images"][0]["scores"] == content["means"]
    assert content["images"][0]["truth"].endswith("a.tif")
    assert content["range"] == "of each clean image"
    code, text = run(*command)
    assert code == 1
    assert "there already" in text
    assert run(*command, "--overwrite")[0] == 0


def test_all_measures_fit_into_a_terminal(images, tmp_path, capsys, monkeypatch):
    from n2v_tk.cli import main

    roles = [str(tmp_path / role) for role in ("denoised", "clean", "noisy")]
    monkeypatch.setenv("COLUMNS", "80")
    command = ["n2v-tk", "evaluate", roles[0], "--truth", roles[1], "--noisy", roles[2]]
    command += ["--measures", "psnr,si-psnr,affine-psnr,ssim,ms-ssim"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    assert "…" not in text
    assert text.count("b.tif") == 3  # two measures to a table


def test_planes_channels_and_orders_of_axes(run, images, tmp_path):
    """The mean over planes and channels, each channel with its range, whatever the order is."""
    clean = np.stack([images["clean"][0], 10.0 * images["clean"][0]]).astype(np.float32)
    clean = np.stack([clean, 0.5 * clean, 0.7 * clean])
    result = clean + np.stack([images["noisy"][0] - images["clean"][0]] * 2)
    write_image(tmp_path / "truth.ome.tif", Image(clean, "ZCYX", kind="ome"))
    write_image(tmp_path / "out.tif", Image(np.moveaxis(result, 1, -1), "TYXC"))
    target = tmp_path / "scores.json"
    code, text = run("evaluate", tmp_path / "out.tif", "--truth", tmp_path / "truth.ome.tif",
                     "--measures", "psnr", "--json", target)  # fmt: skip
    assert code == 0, text
    assert "out.tif │ truth.ome.tif" in text
    extents = [float(np.ptp(clean[:, c])) for c in range(2)]
    values = [psnr(clean[t, c], result[t, c], extents[c]) for t in range(3) for c in range(2)]
    found = json.loads(target.read_text())["means"]["psnr"]["result"]
    assert found == approx(np.mean(values))
    assert max(values) - min(values) > 10


def test_equal_images_are_infinitely_good(run, images, tmp_path):
    clean, target = tmp_path / "clean", tmp_path / "scores.json"
    code, text = run("evaluate", clean, "--truth", clean, "--noisy", clean, "--json", target)
    assert code == 0, text
    assert "a.tif │ inf │ inf │ +0.00 │ 1.0000 │ 1.0000 │ +0.0000" in text
    assert json.loads(target.read_text())["means"]["psnr"]["result"] == "inf"


def test_what_cannot_be_evaluated(run, images, tmp_path):
    one, clean = tmp_path / "denoised" / "a.tif", tmp_path / "clean"

    def refused(*arguments, words):
        before = sorted(tmp_path.rglob("*"))
        code, text = run("evaluate", *arguments)
        assert code == 1, text
        assert text.startswith("Error:")
        for word in words:
            assert word in text
        assert sorted(tmp_path.rglob("*")) == before

    refused(one, "--truth", clean, words=["1 as result", "2 as truth", "b.tif", "in quotes"])
    refused(one, "--truth", clean / "a.tif", "--noisy", clean, words=["2 as noisy"])
    refused(one, "--truth", clean / "none.tif", words=["no such file", "none.tif"])
    refused(one, "--truth", clean / "b.tif", words=["1 × 200 × 180 × 1", "1 × 200 × 190 × 1"])
    one_truth = [one, "--truth", clean / "a.tif"]
    refused(*one_truth, "--measures", "psnr,lpips", words=["ms-ssim", "psnr,lpips"])
    refused(*one_truth, "--range", "0", words=["--range", "0"])
    refused(*one_truth, "--json", clean / "b.tif", words=["--json", "b.tif"])
    flat = tmp_path / "flat.tif"
    write_image(flat, Image(np.full((200, 180), 7, np.uint8), "YX"))
    refused(one, "--truth", flat, words=["flat.tif, plane 0", "PSNR", "constant"])
    small = tmp_path / "small.npy"
    np.save(small, np.arange(100.0).reshape(10, 10))
    refused(small, "--truth", small, words=["SSIM", "11 pixels"])
    code, text = run("evaluate", one)
    assert code == 2
    assert "--truth" in text
