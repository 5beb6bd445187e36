"""What `n2v-tk dip` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..config.dip import DIPConfig
from ..errors import ConfigError, OutputExistsError
from ..io import Image, check_format, check_writable, read_image, replacing, write_image
from ..normalization import result_dtype, to_dtype
from .commands import say
from .device import start_backend
from .files import find_inputs, plan_outputs

# options that are settings, by the tasks that have them (all, if none are named)
_ONLY_FOR = {
    "factor": ("superres",),
    "mask": ("inpaint", "restore", "denoise"),
    "guide": ("flash",),
}


def run(
    console: Console, task, inputs, output, axes, mask, guide, settings, state, resume, way,
    dtype, device, overwrite,
) -> None:  # fmt: skip
    """Fit a Deep Image Prior to every picture and write the results."""
    for option, value in {"mask": mask, "guide": guide, "factor": settings["factor"]}.items():
        if value is not None and task not in _ONLY_FOR[option]:
            raise ConfigError(
                f"--{option} is for {' and '.join(_ONLY_FOR[option])}. Received: dip {task}."
            )
    if resume and state is None:
        raise ConfigError("--resume goes on from a folder. Received: no --state FOLDER.")
    settings = {name: value for name, value in settings.items() if value is not None}
    config = DIPConfig(task=task, **settings)
    paths = find_inputs(inputs)
    targets = plan_outputs(paths, output, overwrite)
    images = [read_image(path, axes, lossy=True) for path in paths]
    jobs = []
    for path, image, target in zip(paths, images, targets, strict=True):
        wanted = result_dtype(
            dtype or ("same" if target.suffix.lower() == ".png" else None), image.data.dtype
        )
        check_format(target, wanted, image.axes, image.data.shape)
        several = len(paths) > 1
        jobs.append(
            (image, target, wanted, _place(state, path, several), _place(way, path, several))
        )
    for job in jobs:
        strip = job[-1]
        if strip is not None and strip.exists() and not (overwrite or resume):
            raise OutputExistsError(
                f"The picture is there already. Received: {strip}. Choose another name, or replace "
                "it with --overwrite."
            )
        if strip is not None:
            check_writable(strip.parent)
    extras = {}
    if mask is not None:
        values = read_image(mask, None, lossy=True).data
        extras["mask"] = values > values.max() / 2 if values.any() else values
    if guide is not None:
        extras["guide"] = read_image(guide, axes, lossy=True).data
    start_backend(device)
    for image, target, wanted, folder, strip in jobs:
        _fit(console, config, image, target, wanted, folder, resume, strip, extras, overwrite)


def _place(given: Path | None, path: Path, several: bool) -> Path | None:
    """The folder or picture of one input: as given, or named for the input among several."""
    if given is None or not several:
        return given
    return given / path.stem if not given.suffix else given.with_name(f"{path.stem}_{given.name}")


def _fit(console, config, image, target, dtype, folder, resume, strip, extras, overwrite):
    from ..models.dip import DeepImagePrior

    bars = Progress(
        TextColumn("step {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("fit {task.fields[fit]} dB"),
        TimeElapsedColumn(),
        TextColumn("left, at most"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    pictures: dict[str, np.ndarray] = {}

    def look(progress):
        fit = progress.history["psnr_fit"][-1]
        if console.is_terminal:
            bars.update(bar, completed=progress.iteration, fit=f"{fit:.2f}")
        else:
            say(console, f"step {progress.iteration}/{progress.iterations}  fit {fit:.2f} dB")
        if strip is not None:
            looks = len(progress.history["iteration"])
            if looks & (looks - 1) == 0:
                pictures[f"step {progress.iteration}"] = progress.averaged()
            now = {f"step {progress.iteration}, not averaged": progress.current()}
            _draw(strip, {"given": image.data, **pictures, **now}, image.axes)

    console.print(
        f"Fitting {' × '.join(map(str, image.data.shape))} {image.axes}, at most "
        f"{config.iterations} steps, stop: {config.stop_rule}.",
        highlight=False,
    )
    bar = bars.add_task("fit", total=config.iterations, fit="…")
    with bars:
        result = DeepImagePrior(config).fit(
            image.data, image.axes, folder=folder, resume=resume, on_look=look, **extras
        )
    if strip is not None:
        way = {f"step {step}": picture for step, picture in result.way.items()}
        way[f"result, step {result.iteration}"] = result.image
        _draw(strip, {"given": image.data, **way}, image.axes)
    write_image(target, _scaled(image, to_dtype(result.image, dtype)), overwrite)
    say(
        console,
        f"{target}  (step {result.iteration}, stopped by {result.stopped_by}, "
        f"{result.seconds:.0f} s)",
    )


def _draw(path, pictures, axes):
    from ..plot import strip

    with replacing(path) as temporary:
        strip(pictures, axes).savefig(temporary, dpi=110)


def _scaled(image: Image, pixels: np.ndarray) -> Image:
    """The image with other pixels, its pixel sizes smaller where there are more of them."""
    more = {a: pixels.shape[i] / image.data.shape[i] for i, a in enumerate(image.axes)}
    sizes = {a: size / more.get(a, 1) for a, size in image.pixel_sizes.items()}
    return Image(pixels, image.axes, sizes, image.unit, image.kind)
