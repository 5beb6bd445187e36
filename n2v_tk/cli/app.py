"""The commands of `n2v-tk` and their options."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .. import __version__
from ..errors import N2VTKError
from .options import (
    Axes,
    Device,
    Devices,
    Dimensions,
    Dtype,
    Epochs,
    Inputs,
    Method,
    NoiseLevel,
    NoiseModel,
    Output,
    Overwrite,
    Patch,
    Seed,
    Steps,
    StructAxis,
    StructLength,
    Tta,
)

app = typer.Typer(
    help="Remove noise from images without clean images to learn from.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)


@app.command()
def denoise(
    inputs: Inputs,
    output: Output,
    axes: Axes = None,
    method: Method = "n2v",
    epochs: Epochs = None,
    steps: Steps = None,
    seed: Seed = None,
    dim: Dimensions = None,
    patch: Patch = None,
    struct_axis: StructAxis = "X",
    struct_length: StructLength = 11,
    noise_model: NoiseModel = None,
    noise_level: NoiseLevel = None,
    tta: Tta = False,
    dtype: Dtype = None,
    save_model: Annotated[Path | None, typer.Option(help="Keep the model in this folder.")] = None,
    device: Device = None,
    devices: Devices = None,
    overwrite: Overwrite = False,
):
    """Train on noisy images and write them denoised."""
    from . import commands

    training = commands.training_options(
        method, epochs, steps, seed, dim, patch, struct_axis, struct_length,
        noise_model=noise_model, noise_level=noise_level, devices=devices,
    )  # fmt: skip
    commands.denoise(
        console, inputs, output, axes, training, tta, dtype, save_model, device, overwrite
    )


@app.command()
def train(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Model folder to write.")],
    axes: Axes = None,
    method: Method = "n2v",
    epochs: Epochs = None,
    steps: Steps = None,
    seed: Seed = None,
    dim: Dimensions = None,
    patch: Patch = None,
    struct_axis: StructAxis = "X",
    struct_length: StructLength = 11,
    noise_model: NoiseModel = None,
    noise_level: NoiseLevel = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(help="n2n: images of the same scenes, in the same order; may be repeated."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Go on from this model (also of n2v): fine-tune its weights."),
    ] = None,
    device: Device = None,
    devices: Devices = None,
    overwrite: Overwrite = False,
):
    """Train a model on noisy images and keep it in a folder."""
    from . import commands

    training = commands.training_options(
        method, epochs, steps, seed, dim, patch, struct_axis, struct_length, source, noise_model,
        noise_level, devices,
    )  # fmt: skip
    commands.train(console, inputs, output, axes, training, device, overwrite, pairs)


@app.command()
def predict(
    inputs: Inputs,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Model folder (also of n2v), .keras file, bioimage.io zip, or a server: "
            "grpc://HOST:PORT/NAME.",
        ),
    ],
    output: Output,
    axes: Axes = None,
    weights: Annotated[
        str | None, typer.Option(help="Weight file, e.g. weights_last.h5. Default: best.")
    ] = None,
    n_tiles: Annotated[
        str | None, typer.Option(help="Tiles per axis, e.g. 1,4,4. Default: fits memory.")
    ] = None,
    tta: Tta = False,
    dtype: Dtype = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, mixed_bfloat16 or auto. Default: as the model was trained."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="keras, or openvino, which some processors run faster.")
    ] = "keras",
    max_memory: Annotated[
        str | None,
        typer.Option(help="Memory to stay below, e.g. 2GB: smaller tiles and blocks."),
    ] = None,
    chunks: Annotated[
        str | None,
        typer.Option(help=".zarr: chunks along TCZYX, e.g. 1,1,32,256,256. Default: the input's."),
    ] = None,
    ome_zarr: Annotated[
        str | None,
        typer.Option(help=".zarr: version 0.4 or 0.5. Default: that of the input, else 0.4."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help=".zarr: work on the workers of this dask scheduler, tcp://HOST:PORT."),
    ] = None,
    device: Device = None,
    overwrite: Overwrite = False,
):
    """Denoise images with a trained model.

    A .zarr result that was interrupted goes on where it stopped when the command is repeated.
    """
    from . import commands

    running = {"precision": precision, "engine": engine, "max_memory": max_memory}
    stores = {"chunks": chunks, "version": ome_zarr, "scheduler": scheduler}
    commands.predict(
        console, inputs, model, output, axes, weights, n_tiles, tta, dtype, running, stores, device,
        overwrite,
    )  # fmt: skip


@app.command()
def evaluate(
    results: Annotated[
        list[str],
        typer.Argument(metavar="RESULT", help="Denoised images: files, folders or quoted globs."),
    ],
    truth: Annotated[
        list[str],
        typer.Option(help="Clean images, in the same order; a folder or a quoted glob for many."),
    ],
    noisy: Annotated[
        list[str] | None,
        typer.Option(help="Noisy images, in the same order: what they score, and the gain."),
    ] = None,
    axes: Axes = None,
    measures: Annotated[
        str, typer.Option(help="Of psnr, affine-psnr, si-psnr, ssim, ms-ssim, with commas.")
    ] = "psnr,ssim",
    data_range: Annotated[
        float | None,
        typer.Option(
            "--range",
            help="Range of grey values, e.g. 255, which papers on photographs use. Default: that "
            "of each clean image, for each channel (si-psnr: always of the clean plane).",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers into this file too.")
    ] = None,
    overwrite: Overwrite = False,
):
    """Compare results with clean images: PSNR, SSIM and others.

    Images are compared plane by plane: the score of one of axes TZCYX is the mean over its time
    points, planes and channels (also those of colours). Nothing is scaled or clipped, except that
    affine-psnr and si-psnr look for the scale and offset that fit best.
    """
    from .evaluate import run

    run(console, results, truth, noisy, axes, measures, data_range, json_file, overwrite)


@app.command()
def dip(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="denoise; jpeg (remove its traces); inpaint (fill holes); superres (enlarge); "
            "restore (bring back missing pixels); flash (with the help of another picture).",
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN", help="Pictures or small volumes. TIFF, PNG, NPY, JPEG."),
    ],
    output: Output,
    axes: Axes = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="inpaint, restore: image, bright where the picture is known, else 0."),
    ] = None,
    factor: Annotated[int | None, typer.Option(help="superres: 2, 4 or 8. Default: 4.")] = None,
    guide: Annotated[
        Path | None, typer.Option(help="flash: picture of the same scene and size, with flash.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="inpaint_grid (large smooth holes), inpaint_large (holes in textures), "
            "restore_sparse (98 % missing). Default: the task's."
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Steps, at most. Default: the paper's.")
    ] = None,
    stop: Annotated[
        str,
        typer.Option(help="iterations; held_out or variance: when it gets no better. auto: fits."),
    ] = "auto",
    filters: Annotated[
        str | None,
        typer.Option(help="Filters of each scale, e.g. 64,64,64: smaller is faster."),
    ] = None,
    value_range: Annotated[
        str | None, typer.Option(help="Lowest and highest grey value. Default: the data's.")
    ] = None,
    seed: Seed = None,
    state: Annotated[
        Path | None, typer.Option(help="Keep the state in this folder, to go on with --resume.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --state.")] = False,
    way: Annotated[
        Path | None, typer.Option(help="PNG of the result at several steps, kept up to date.")
    ] = None,
    dtype: Dtype = None,
    device: Device = None,
    overwrite: Overwrite = False,
):
    """Fit an untrained network to one picture (Deep Image Prior): minutes each, no training."""
    from . import commands
    from . import dip as fitting

    settings = {
        "factor": factor,
        "preset": preset,
        "iterations": iterations,
        "stop": stop,
        "down_channels": None if filters is None else commands.numbers(filters, "--filters"),
        "value_range": commands.value_range(value_range),
        "seed": seed,
    }
    fitting.run(
        console, task, inputs, output, axes, mask, guide, settings, state, resume, way, dtype,
        device, overwrite,
    )  # fmt: skip


@app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="OLD", help="Model folder (also of n2v), or .keras file.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="NEW", help="A folder, or one file if it ends in .keras.")
    ],
    overwrite: Overwrite = False,
):
    """Copy a model into one .keras file or into a fresh folder."""
    from . import commands

    commands.convert(console, source, target, overwrite)


@app.command()
def export(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model folder (also of n2v), or .keras file.")
    ],
    to: Annotated[
        str, typer.Option("--to", help="serving, fiji, fiji-n2v, bioimageio, onnx or keras.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="serving: folder of the versions, its name is the model's; else a file.",
        ),
    ],
    weights: Annotated[
        str | None, typer.Option(help="Weight file, e.g. weights_last.h5. Default: best.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="serving: version to write. Default: the next.")
    ] = None,
    warm_up: Annotated[
        bool, typer.Option(help="serving: add requests for the server to warm up with.")
    ] = True,
    name: Annotated[str | None, typer.Option(help="bioimageio, fiji-n2v: name to show.")] = None,
    description: Annotated[
        str | None, typer.Option(help="bioimageio, fiji-n2v: what the model is good for.")
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(help="bioimageio, fiji-n2v: an author; may be repeated.")
    ] = None,
    license: Annotated[str | None, typer.Option(help="bioimageio: SPDX name.")] = None,
    test_image: Annotated[
        Path | None, typer.Option(help="bioimageio: a noisy image, for the test and the cover.")
    ] = None,
    overwrite: Overwrite = False,
):
    """Hand a model to TensorFlow Serving, Fiji, bioimage.io, ONNX or Keras."""
    from . import commands

    given = {
        "version": version,
        "warm_up": None if warm_up else False,
        "name": name,
        "description": description,
        "authors": author or None,
        "license": license,
    }
    commands.export(console, model, to, output, weights, given, test_image, overwrite)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="MODEL|IMAGE")],
    axes: Axes = None,
):
    """Say what a model is and how it was trained, or what is in an image file."""
    from .info import info as show

    show(path, axes)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "."
    ),
    method: Method = "n2v",
    epochs: Epochs = None,
    steps: Steps = None,
    seed: Seed = 0,
    device: Device = None,
    overwrite: Overwrite = False,
):
    """Add noise to a micrograph, denoise it from itself, and show the gain."""
    from . import demo as demonstration

    demonstration.run(console, output, method, epochs, steps, seed, device, overwrite)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, UserWarning):
        console.print("[yellow]Warning:[/]", end=" ")
        console.print(str(message), markup=False, highlight=False, soft_wrap=True)


def _version(show: bool):
    if show:
        print(f"n2v_tk {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
):
    pass


def main() -> None:
    """Run `n2v-tk`: errors made for people are shown as such, without a traceback."""
    warnings.showwarning = _show_warning
    try:
        app()
    except N2VTKError as error:
        console.print("[bold red]Error:[/]", end=" ")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
