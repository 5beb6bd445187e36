"""`n2v-tk report`: whether the result of a model can be trusted."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..errors import ConfigError
from ..io import Image, check_output, read_image
from .device import start_backend
from .text import say


def run(
    console: Console,
    model: Path,
    image: list[Path] | None,
    axes: str | None,
    truth: Path | None,
    repeats: Path | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Write one page of HTML about a model and what it makes of an image."""
    if image is not None and len(image) > 1:
        raise ConfigError(f"A report shows one image. Received: {len(image)}. Name one.")
    check_output(output, overwrite, (".html", ".htm"))
    noisy = read_image(image[0], axes) if image else None
    clean = None if truth is None else _in_axes_of(read_image(truth, axes), noisy)
    frames = None if repeats is None else read_image(repeats)
    start_backend(None)
    from ..models.loading import load_model

    written = load_model(model).report(
        output,
        None if noisy is None else noisy.data,
        None if noisy is None else noisy.axes,
        truth=None if clean is None else clean.data,
        repeats=None if frames is None else frames.data,
        overwrite=overwrite,
    )
    say(console, f"The report is {written}. Open it in a browser.")


def _in_axes_of(clean, noisy):
    """The clean image, its axes in the order of the noisy one's."""
    if noisy is None or sorted(clean.axes) != sorted(noisy.axes):
        return clean
    order = [clean.axes.index(a) for a in noisy.axes]
    return Image(clean.data.transpose(*order), noisy.axes)
