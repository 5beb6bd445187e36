"""The commands of `n2v-tk` and their options."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .. import __version__
from . import dip_options as of_dip
from . import evaluate_options as of_evaluate
from . import export_options as of_export
from . import predict_options as of_predict
from . import train_options as of_train
from .failing import report_error
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
    Posterior,
    Seed,
    Settings,
    Steps,
    StructAxis,
    StructLength,
    Tta,
    Weights,
    flag,
    words,
)


def _examples(*lines: str) -> str:
    # each a paragraph: older versions of typer join lines
    return "\n\n".join(["Examples:", *lines])


app = typer.Typer(
    help="Remove noise from images without clean images to learn from.",
    epilog=_examples(
        "n2v-tk demo",
        "n2v-tk denoise noisy.tif -o denoised.tif",
        "n2v-tk denoise --help",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)


def command(*examples: str) -> Callable:
    """Make a function a command: its docstring is the help, which `examples` end."""

    def register(function):
        paragraphs = inspect.cleandoc(function.__doc__).split("\n\n")
        # typer would keep the line breaks of the source
        text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        return app.command(help=text, epilog=_examples(*examples))(function)

    return register


@command(
    "n2v-tk check noisy.tif",
    "n2v-tk check noisy.tif -o check.png",
    "n2v-tk check folder --json checks.json",
)
def check(
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="PNG with pictures of what was found: one image."
        ),
    ] = None,
    axes: Axes = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was found into this JSON file too."),
    ] = None,
    overwrite: Overwrite = False,
):
    """Say what kind of noise images have, and which method removes it. Nothing is trained."""
    from .check import run

    run(console, inputs, output, axes, json, overwrite)


@command(
    "n2v-tk denoise noisy.tif -o denoised.tif",
    'n2v-tk denoise "stack_*.tif" -o results --method n2v2 --save-model my_model',
    "n2v-tk denoise lines.tif -o out.tif --method structn2v --struct-axis X",
)
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
    settings: Settings = None,
    struct_axis: StructAxis = None,
    struct_length: StructLength = None,
    noise_model: NoiseModel = None,
    noise_level: NoiseLevel = None,
    tta: Tta = False,
    posterior: Posterior = False,
    dtype: Dtype = None,
    save_model: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the model in this folder.")
    ] = None,
    device: Device = None,
    devices: Devices = None,
    overwrite: Overwrite = False,
):
    """Train on noisy images and write them denoised."""
    from . import commands
    from .training import training_options

    training = training_options(
        method, epochs, steps, seed, dim, patch, struct_axis, struct_length,
        noise_model=noise_model, noise_level=noise_level, devices=devices, named=settings,
    )  # fmt: skip
    commands.denoise(
        console, inputs, output, axes, training, tta, posterior, dtype, save_model, device,
        overwrite,
    )  # fmt: skip


@command(
    "n2v-tk train folder -o my_model --method n2v2 --resume",
    "n2v-tk train a --pairs b --method n2n -o my_model",
    "n2v-tk train new_images -o fine_tuned --from old_model",
)
def train(
    inputs: Inputs,
    output: of_train.Output,
    axes: Axes = None,
    method: Method = "n2v",
    epochs: Epochs = None,
    steps: Steps = None,
    learning_rate: of_train.LearningRate = None,
    seed: Seed = None,
    dim: Dimensions = None,
    patch: Patch = None,
    settings: Settings = None,
    struct_axis: StructAxis = None,
    struct_length: StructLength = None,
    noise_model: NoiseModel = None,
    noise_level: NoiseLevel = None,
    pairs: of_train.Pairs = None,
    source: of_train.Source = None,
    resume: of_train.Resume = False,
    device: Device = None,
    devices: Devices = None,
    overwrite: Overwrite = False,
):
    """Train a model on noisy images and keep it in a folder."""
    from . import commands
    from .training import training_options

    training = training_options(
        method, epochs, steps, seed, dim, patch, struct_axis, struct_length, source, noise_model,
        noise_level, devices, learning_rate, settings, resume,
    )  # fmt: skip
    commands.train(console, inputs, output, axes, training, device, overwrite, pairs, resume)


@command(
    "n2v-tk predict new.tif -m my_model -o denoised.tif --dtype same",
    "n2v-tk predict huge.zarr -m my_model -o denoised.zarr --max-memory 4GB",
    "n2v-tk predict new.tif -m grpc://localhost:8500/cells -o denoised.tif",
)
def predict(
    inputs: Inputs,
    model: of_predict.Model,
    output: Output,
    axes: Axes = None,
    weights: Weights = None,
    n_tiles: of_predict.NTiles = None,
    tta: Tta = False,
    posterior: Posterior = False,
    dtype: Dtype = None,
    precision: of_predict.Precision = None,
    engine: of_predict.Engine = "keras",
    max_memory: of_predict.MaxMemory = None,
    chunks: of_predict.Chunks = None,
    ome_zarr: of_predict.OmeZarr = None,
    scheduler: of_predict.Scheduler = None,
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
        console, inputs, model, output, axes, weights, n_tiles, tta, posterior, dtype, running,
        stores, device, overwrite,
    )  # fmt: skip


@command(
    "n2v-tk evaluate results --truth clean",
    "n2v-tk evaluate out.png --truth clean.png --noisy in.png --range 255",
    'n2v-tk evaluate "out/*.tif" --truth "gt/*.tif" --measures si-psnr,ms-ssim',
)
def evaluate(
    results: of_evaluate.Results,
    truth: of_evaluate.Truth,
    noisy: of_evaluate.Noisy = None,
    axes: Axes = None,
    measures: of_evaluate.Measures = "psnr,ssim",
    data_range: of_evaluate.DataRange = None,
    json_file: of_evaluate.JsonFile = None,
    overwrite: Overwrite = False,
):
    """Compare results with clean images: PSNR, SSIM and others.

    Images are compared plane by plane: the score of one of axes TZCYX is the mean over its time
    points, planes and channels (also those of colours). Nothing is scaled or clipped, except that
    affine-psnr and si-psnr look for the scale and offset that fit best.
    """
    from .evaluate import run

    run(console, results, truth, noisy, axes, measures, data_range, json_file, overwrite)


@command(
    "n2v-tk report my_model -o report.html",
    "n2v-tk report my_model --image noisy.tif -o report.html",
    "n2v-tk report my_model --image noisy.tif --truth clean.tif -o report.html",
)
def report(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model folder (also of n2v), or .keras file.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="HTML file to write.")
    ],
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="NOISY", help="A noisy image to denoise and to look at."),
    ] = None,
    axes: Axes = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="CLEAN", help="The clean image, for PSNR and SSIM.")
    ] = None,
    repeats: Annotated[
        Path | None,
        typer.Option(metavar="STACK", help="Repeated frames of the same scene, along T."),
    ] = None,
    overwrite: Overwrite = False,
):
    """Write one HTML file that says whether the results of a model can be trusted."""
    from .report import run

    run(console, model, image, axes, truth, repeats, output, overwrite)


@command(
    "n2v-tk dip denoise photo.png -o out.png --way way.png",
    "n2v-tk dip inpaint photo.png --mask mask.png -o whole.png",
    "n2v-tk dip superres small.png --factor 4 -o large.png",
)
def dip(
    task: of_dip.Task,
    inputs: of_dip.Pictures,
    output: Output,
    axes: Axes = None,
    mask: of_dip.Mask = None,
    factor: of_dip.Factor = None,
    guide: of_dip.Guide = None,
    preset: of_dip.Preset = None,
    iterations: of_dip.Iterations = None,
    stop: of_dip.Stop = None,
    filters: of_dip.Filters = None,
    value_range: of_dip.ValueRange = None,
    seed: Seed = None,
    settings: of_dip.Settings = None,
    state: of_dip.State = None,
    resume: of_dip.Resume = False,
    way: of_dip.Way = None,
    dtype: Dtype = None,
    device: Device = None,
    overwrite: Overwrite = False,
):
    """Fit an untrained network to one picture (Deep Image Prior): minutes each, no training."""
    from ..config.dip import DIPConfig
    from . import commands
    from . import dip as fitting
    from .settings import settings_of

    channels = None if filters is None else commands.numbers(filters, "--filters")
    options = {
        "task": ("TASK", task),
        "factor": ("--factor", factor),
        "preset": ("--preset", preset),
        "iterations": ("--iterations", iterations),
        "stop": ("--stop", stop),
        "down_channels": ("--filters", channels),
        "value_range": ("--value-range", commands.value_range(value_range)),
        "seed": ("--seed", seed),
    }
    fitting.run(
        console, inputs, output, axes, mask, guide, settings_of(options, settings, [DIPConfig]),
        state, resume, way, dtype, device, overwrite,
    )  # fmt: skip


@command(
    "n2v-tk convert my_model my_model.keras",
    "n2v-tk convert my_model.keras copy_of_my_model",
)
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


@command(
    "n2v-tk export my_model --to serving -o models/cells",
    "n2v-tk export my_model --to fiji -o my_model.zip",
    "n2v-tk export my_model --to bioimageio -o cells.zip --test-image noisy.tif",
)
def export(
    model: of_export.Model,
    to: of_export.Format,
    output: of_export.Output,
    weights: Weights = None,
    version: of_export.Version = None,
    warm_up: of_export.WarmUp = True,
    name: of_export.Name = None,
    description: of_export.Description = None,
    author: of_export.Author = None,
    license: of_export.License = None,
    test_image: of_export.TestImage = None,
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


@command(
    "n2v-tk info my_model",
    "n2v-tk info image.tif",
)
def info(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL|IMAGE", help="Model folder (also of n2v), .keras file, or an image."
        ),
    ],
    axes: Axes = None,
):
    """Say what a model is and how it was trained, or what is in an image file."""
    from .info import info as show

    show(path, axes)


@command(
    "n2v-tk demo -o demo",
    "n2v-tk demo -o demo --method n2v2 --epochs 20",
)
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the results.")
    ] = Path("."),
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=words("n2v", "n2v2", "r2r", "hqssl"),
            help="n2v; n2v2 (no checkerboard); r2r (noise normal or of photons); "
            "hqssl (noise of a known kind).",
        ),
    ] = "n2v",
    epochs: Epochs = None,
    steps: Steps = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Seed of everything that is drawn. Default: 0.",
        ),
    ] = None,
    settings: Settings = None,
    device: Device = None,
    overwrite: Overwrite = False,
):
    """Add noise to a micrograph, denoise it from itself, and show the gain."""
    from . import demo as demonstration

    demonstration.run(console, output, method, epochs, steps, seed, device, overwrite, settings)


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
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
    debug: Annotated[
        bool, flag("--debug", "On an error show the full traceback. Goes with every command.")
    ] = False,
):
    pass


def main() -> None:
    """Run `n2v-tk`: an error is one line without a traceback, unless --debug is given."""
    warnings.showwarning = _show_warning
    # wherever it stands: people repeat a command and add it
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except Exception as error:
        report_error(console, error, debug=len(arguments) < len(sys.argv) - 1)
        sys.exit(1)
