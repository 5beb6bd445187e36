"""`n2v-tk demo`: a micrograph with made noise, denoised from itself."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..io import Image, check_output, replacing, write_image
from .text import say
from .training import free_folder, make_model, train_model, training_options

GAIN, READ_NOISE = 4.0, 10.0
EPOCHS = 12
NAMES = ("noisy.tif", "denoised.tif", "clean.tif", "panel.png")


def run(
    console: Console,
    output: Path,
    method: str,
    epochs: int | None,
    steps: int | None,
    seed: int | None,
    device: str | None,
    overwrite: bool,
    named: list[str] | None = None,
) -> None:
    """Write noisy, denoised and clean image and a panel into `output`; print the PSNR."""
    training = training_options(method, epochs, steps, seed, 2, None, None, None, named=named)
    training["settings"] = {"train_epochs": EPOCHS, "train_seed": 0} | training["settings"]
    for name in NAMES:
        check_output(output / name, overwrite)
    from skimage.data import cell

    from ..data.noise import poisson_gaussian
    from ..evaluation.metrics import psnr
    from ..plot import before_after

    clean = cell().astype("float32")
    noisy = poisson_gaussian(clean, GAIN, READ_NOISE, seed=seed or 0)
    image = Image(noisy, "YX")
    model = make_model([image], training, None, device)
    train_model(console, model, [image], free_folder(output / "demo"))
    denoised = model.predict(noisy, "YX")

    before, after = psnr(clean, noisy), psnr(clean, denoised)
    for name, pixels in zip(NAMES, (noisy, denoised, clean), strict=False):
        write_image(output / name, image.like(pixels), overwrite)
    figure = before_after(
        {f"noisy, {before:.1f} dB": noisy, f"denoised, {after:.1f} dB": denoised, "clean": clean}
    )
    with replacing(output / "panel.png") as temporary:
        figure.savefig(temporary, dpi=120)
    console.print(f"PSNR {before:.2f} dB before, {after:.2f} dB after: {after - before:+.2f} dB")
    say(console, f"Look at {output / 'panel.png'}.")
