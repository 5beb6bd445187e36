"""What `n2v-tk dip` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..config.dip import DIPConfig
from ..errors import AxesError, ConfigError, OutputExistsError
from ..io import (
    JPEG_SUFFIXES,
    SUFFIXES,
    Image,
    check_format,
    check_writable,
    read_image,
    replacing,
    write_image,
)
from ..normalization import result_dtype, to_dtype
from .device import start_backend
from .files import find_inputs, plan_outputs
from .text import say

# options that are settings, by the tasks that have them (all, if none are named)
_ONLY_FOR = {
    "factor": ("superres",),
    "mask": ("inpaint", "restore", "denoise"),
    "guide": ("flash",),
}


def run(
    console: Console, inputs, output, axes, mask, guide, settings, state, resume, way, dtype,
    device, overwrite,
) -> None:  # fmt: skip
    """Fit a Deep Image Prior to every picture and write the results."""
    task = settings["task"]
    for option, value in {"mask": mask, "guide": guide, "factor": settings.get("factor")}.items():
        if value is not None and task not in _ONLY_FOR[option]:
            raise ConfigError(
                f"--{option} is for {' and '.join(_ONLY_FOR[option])}. Received: dip {task}."
            )
    if resume and state is None:
        raise ConfigError("--resume goes on from a folder. Received: no --state FOLDER.")
    if way is not None and way.suffix.lower() != ".png":
        raise ConfigError(f"--way is a PNG file. Received: {way}.")
    config = DIPConfig(**settings)
    paths = find_inputs(inputs, (*SUFFIXES, *JPEG_SUFFIXES))
    targets = plan_outputs(paths, output, overwrite)
    jobs = [
        _job(path, target, axes, mask, guide, dtype)
        for path, target in zip(paths, targets, strict=True)
    ]
    if len(jobs) > 1:
        _name_for_inputs(jobs, paths, state, way)
    else:
        jobs[0].folder, jobs[0].strip = state, way
    for job in jobs:
        if job.strip is not None and job.strip.exists() and not (overwrite or resume):
            raise OutputExistsError(
                f"The picture is there already. Received: {job.strip}. Choose another name, or "
                "replace it with --overwrite."
            )
        if job.strip is not None:
            check_writable(job.strip.parent)
    start_backend(device)
    from ..models.dip import DeepImagePrior

    model = DeepImagePrior(config)
    for job in jobs:
        model.check(job.image.data, job.image.axes, job.mask, job.guide, job.folder, resume)
    for job in jobs:
        if not _fit(console, model, job, resume, overwrite):
            raise SystemExit(130)


@dataclass
class _Job:
    """One picture and what belongs to it."""

    image: Image
    target: Path
    dtype: np.dtype
    mask: np.ndarray | None
    guide: np.ndarray | None
    folder: Path | None = None
    strip: Path | None = None


def _job(path, target, axes, mask, guide, dtype):
    image = read_image(path, axes, lossy=True)
    wanted = result_dtype(
        dtype or ("same" if target.suffix.lower() == ".png" else None), image.data.dtype
    )
    check_format(target, wanted, image.axes, image.data.shape)
    guide = None if guide is None else read_image(guide, axes, lossy=True).data
    return _Job(image, target, wanted, None if mask is None else _read_mask(mask, image), guide)


def _read_mask(path, image):
    """The mask, in the order of the picture's axes, True where it is brighter than half."""
    try:
        mask = read_image(path, lossy=True)
    except AxesError:
        # the file does not say: as the picture, with or without its channels
        try:
            mask = read_image(path, image.axes.replace("C", ""), lossy=True)
        except AxesError:
            mask = read_image(path, image.axes, lossy=True)
    values, axes = mask.data, mask.axes
    if "C" in axes and "C" not in image.axes:
        values, axes = values.max(axis=axes.index("C")), axes.replace("C", "")
    if set(axes) <= set(image.axes):
        values = np.transpose(values, [axes.index(a) for a in image.axes if a in axes])
    return values > values.max() / 2 if values.any() else values


def _name_for_inputs(jobs, paths, state, way):
    """A folder and a picture for each of several inputs, named for it."""
    stems = [path.stem for path in paths]
    if (state or way) and len(set(stems)) < len(stems):
        raise ConfigError(
            "Inputs need different names for --state and --way. Received: "
            f"{', '.join(str(path) for path in paths)}. Run them in two calls."
        )
    for job, stem in zip(jobs, stems, strict=True):
        job.folder = None if state is None else state / stem
        job.strip = None if way is None else way.with_name(f"{stem}_{way.name}")


def _fit(console, model, job, resume, overwrite) -> bool:
    """Fit one picture and write the result; False if it was interrupted."""
    image, config = job.image, model.config
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
        if job.strip is not None:
            looks = len(progress.history["iteration"])
            if looks & (looks - 1) == 0:
                pictures[f"step {progress.iteration}"] = progress.averaged()
            now = {f"step {progress.iteration}, not averaged": progress.current()}
            _draw(job.strip, {"given": image.data, **pictures, **now}, image.axes)

    console.print(
        f"Fitting {' × '.join(map(str, image.data.shape))} {image.axes}, at most "
        f"{config.iterations} steps, stop: {config.stop_rule}.",
        highlight=False,
    )
    bar = bars.add_task("fit", total=config.iterations, fit="…")
    with bars:
        result = model.fit(
            image.data, image.axes, job.mask, job.guide,
            folder=job.folder, resume=resume, on_look=look,
        )  # fmt: skip
    if job.strip is not None:
        way = {f"step {step}": picture for step, picture in result.way.items()}
        way[f"result, step {result.iteration}"] = result.image
        _draw(job.strip, {"given": image.data, **way}, image.axes)
    write_image(job.target, _scaled(image, to_dtype(result.image, job.dtype)), overwrite)
    say(
        console,
        f"{job.target}  (step {result.iteration}, stopped by {result.stopped_by}, "
        f"{result.seconds:.0f} s)",
    )
    return result.stopped_by != "interrupt"


def _draw(path, pictures, axes):
    from ..plot import strip

    with replacing(path) as temporary:
        strip(pictures, axes).savefig(temporary, dpi=110)


def _scaled(image: Image, pixels: np.ndarray) -> Image:
    """The image with other pixels, its pixel sizes smaller where there are more of them."""
    more = {a: pixels.shape[i] / image.data.shape[i] for i, a in enumerate(image.axes)}
    sizes = {a: size / more.get(a, 1) for a, size in image.pixel_sizes.items()}
    return Image(pixels, image.axes, sizes, image.unit, image.kind)
