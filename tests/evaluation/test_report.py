"""The report: its words, its pictures, and how it behaves in a browser."""

import re
import shutil

import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig, load_model, write_image
from n2v_tk.errors import AxesError, ImageError, OutputExistsError
from n2v_tk.io import Image
from n2v_tk.lazy import LazyArray


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small model in a folder, its image and the truth."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :192]
    clean = (200 + 80 * np.sin(y / 9) * np.cos(x / 7)).astype("float32")
    noisy = (clean + rng.normal(0, 20, clean.shape)).astype("float32")
    stack = noisy[None, ..., None]
    config = N2VConfig(
        stack, unet_n_first=8, unet_kern_size=3, train_epochs=6, train_steps_per_epoch=20,
        train_batch_size=8, n2v_patch_shape=(32, 32), n2v_perc_pix=3.0, train_loss="mse",
        train_learning_rate=2e-3, train_seed=1, train_precision="float32",
    )  # fmt: skip
    model = N2V(config, "waves <1>", tmp_path_factory.mktemp("models"))
    model.train(stack, stack, verbose=0)
    return model, noisy, clean


def test_a_report_after_training(trained, tmp_path):
    model, noisy, clean = trained
    path = model.report(tmp_path / "all.html", noisy, truth=clean)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    # nothing comes from elsewhere, and names are not HTML
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "waves &lt;1&gt;" in page
    assert "<1>" not in page
    for title in ("Training", "Before and after", "What was taken away", "Brightness", "Quality"):
        assert f"<h2>{title}</h2>" in page
    gain = float(re.search(r"denoising gains (-?[\d.]+) dB", page)[1])
    assert gain > 3
    assert page.count("data:image/png") == 7
    assert re.search(r"seed</th><td[^>]*>1<", page)
    assert "version of keras" in page
    assert [p.name for p in tmp_path.iterdir()] == ["all.html"]
    with pytest.raises(OutputExistsError):
        model.report(path, noisy)


def test_a_report_without_an_image(trained, tmp_path):
    model = trained[0]
    # after training: what it was trained on
    page = model.report(tmp_path / "a.html").read_text()
    assert "Before and after" in page
    assert "against ground truth" not in page
    # from the folder: of the training only
    again = load_model(model.logdir)
    page = again.report(tmp_path / "b.html").read_text()
    assert "No image was given" in page
    assert "<h2>Training</h2>" in page
    assert "Before and after" not in page


def test_repeated_looks(trained, tmp_path, rng):
    model, _, clean = trained
    looks = clean + rng.normal(0, 20, (4, *clean.shape))
    page = model.report(tmp_path / "a.html", repeats=looks).read_text()
    value = float(re.search(r"Unsupervised PSNR from 4 looks: ([\d.]+) dB", page)[1])
    denoised = np.asarray(model.predict(looks[0], "YX"))
    extent = np.subtract(*np.percentile(denoised, (99.9, 0.1)))
    true = 10 * np.log10(extent**2 / np.mean((denoised - clean) ** 2))
    assert abs(value - true) < 1.0
    with pytest.raises(ImageError, match="two or more"):
        model.report(tmp_path / "b.html", repeats=looks[:1])
    with pytest.raises(ImageError, match="The truth must have the shape"):
        model.report(tmp_path / "b.html", looks[0], truth=clean[:100])
    with pytest.raises(AxesError):
        model.report(tmp_path / "b.html", looks)
    with pytest.raises(ImageError, match="too small"):
        model.report(tmp_path / "b.html", looks[0][:12, :12])
    looks[2, 80, 90] = np.nan
    with pytest.raises(ImageError, match="NaN"):
        model.report(tmp_path / "b.html", repeats=looks)
    assert not (tmp_path / "b.html").exists()


@pytest.mark.slow
def test_colours_and_volumes(tmp_path, rng):
    for axes, shape, patch in (("YXC", (96, 100, 3), (32, 32)), ("ZYX", (20, 64, 64), (8, 32, 32))):
        clean = np.full(shape, 100.0)
        clean[..., 30:40, :] = 150
        image = (clean + rng.normal(0, 10, shape)).astype("float32")
        stack = image[None] if axes == "YXC" else image[None, ..., None]
        config = N2VConfig(
            stack, unet_n_first=4, unet_kern_size=3, train_epochs=1, train_steps_per_epoch=2,
            train_batch_size=2, n2v_patch_shape=patch, train_precision="float32",
        )  # fmt: skip
        model = N2V(config, axes, basedir=None)
        model.train(stack, None, verbose=0)
        looks = clean + rng.normal(0, 10, (3, *shape))
        page = model.report(
            tmp_path / f"{axes}.html", image, axes, truth=clean, repeats=looks
        ).read_text()
        assert "against ground truth" in page
        assert "unsupervised PSNR" in page


def test_only_a_part_of_large_images_is_read(trained, tmp_path):
    class Counting:
        shape, dtype, chunks, pixels = (30, 3000, 3000), np.dtype("uint16"), None, 0

        def read(self, window):
            shape = [s.stop - s.start for s in window]
            self.pixels += int(np.prod(shape))
            return np.random.default_rng(0).poisson(100, shape).astype("uint16")

    source = Counting()
    trained[0].report(tmp_path / "a.html", LazyArray(source), "TYX")
    assert source.pixels < 1000**2


def test_on_the_command_line(trained, tmp_path, run):
    model, noisy, clean = trained
    for name, image in (("noisy.tif", noisy), ("clean.tif", clean)):
        write_image(tmp_path / name, Image(image, "YX"))
    code, text = run(
        "report", model.logdir, "--image", tmp_path / "noisy.tif", "--truth",
        tmp_path / "clean.tif", "-o", tmp_path / "r.html",
    )  # fmt: skip
    assert code == 0, text
    assert "Open it in a browser" in text
    assert "against ground truth" in (tmp_path / "r.html").read_text()
    code, text = run("check", tmp_path / "noisy.tif", "-o", tmp_path / "check.png")
    assert code == 0, text
    assert "Recommended:" in text
    assert "n2v-tk denoise" in text
    assert (tmp_path / "check.png").stat().st_size > 10000
    code, text = run("check", tmp_path / "noisy.tif", "-o", tmp_path / "check.png")
    assert code == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_in_a_browser(trained, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    model, noisy, clean = trained
    path = model.report(tmp_path / "r.html", noisy, truth=clean)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda r: said.append(r.url) if not r.url.startswith(
            ("file:", "data:")) else None)  # fmt: skip
        page.goto(path.as_uri())
        sizes = page.eval_on_selector_all(
            "img", "all => all.map(i => [i.naturalWidth, i.getBoundingClientRect().width])"
        )
        assert len(sizes) == 7
        assert all(natural > 100 and shown > 100 for natural, shown in sizes)
        # the wheel zooms all images about one place, dragging moves them together
        panes = page.locator(".pane")
        assert panes.count() == 3
        panes.nth(1).scroll_into_view_if_needed()
        box = panes.nth(1).bounding_box()
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
        for _ in range(4):
            page.mouse.wheel(0, -100)
        transforms = page.eval_on_selector_all(
            ".pane img", "all => all.map(i => i.style.transform)"
        )
        assert len(set(transforms)) == 1
        zoom = float(page.locator(".viewer").get_attribute("data-zoom"))
        assert abs(zoom - 1.25**4) < 0.01
        page.mouse.down()
        page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.4 * box["height"])
        page.mouse.up()
        moved = page.eval_on_selector_all(".pane img", "all => all.map(i => i.style.transform)")
        assert len(set(moved)) == 1
        assert moved[0] != transforms[0]
        page.locator("button.all").click()
        assert float(page.locator(".viewer").get_attribute("data-zoom")) == 1
        page.locator("button.in").click()
        assert float(page.locator(".viewer").get_attribute("data-zoom")) == 1.5
        browser.close()
    assert said == []
