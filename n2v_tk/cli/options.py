"""Options that commands of `n2v-tk` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .settings import names_for_training

# panels of the help pages
TRAINING, OF_A_METHOD, LARGE = "Training", "Of one method", "Results that end in .zarr"


def words(*choices: str) -> Callable[[], list[str]]:
    """What a shell completes an option's value with."""
    return lambda: list(choices)


def flag(name: str, help: str):
    """An option without a value."""
    return typer.Option(name, metavar="", help=help)


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IN",
        help="Images: files, folders or quoted globs. TIFF, OME-TIFF, PNG, NPY, OME-Zarr, HDF5 "
        "(FILE::NAME), CZI, ND2, LIF.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file for one image, else a folder; made if it is not there. A name ending in "
        ".zarr gives OME-Zarr, block by block, for images of any size.",
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(
        metavar="AXES", help="Axes of the images, e.g. ZYX or TCYX, where the files do not say."
    ),
]
Method = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=words("n2v", "n2v2", "structn2v", "r2r", "hqssl", "n2n", "masked"),
        help="n2v; n2v2 (no checkerboard); structn2v (noise along lines, see --struct-axis); "
        "r2r (noise normal or of photons, see --noise-level); hqssl (noise of a known kind, see "
        "--noise-model); n2n (repeated frames along T, or pairs); masked (train only: clean "
        "images, for noise of any kind).",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", rich_help_panel=TRAINING, help="Epochs of training."),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", rich_help_panel=TRAINING, help="Training steps per epoch."),
]
Seed = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Seed of everything that is drawn.")
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=words("cpu", "gpu", "gpu:0", "gpu:1"),
        help="cpu, gpu, or one GPU by number: gpu:1. Default: GPU if any.",
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        rich_help_panel=TRAINING,
        help="Train on so many GPUs of this machine, which share every batch.",
    ),
]
Overwrite = Annotated[bool, flag("--overwrite", "Replace outputs that are there.")]
Dimensions = Annotated[
    int | None,
    typer.Option(
        "--dim",
        min=2,
        max=3,
        metavar="N",
        rich_help_panel=TRAINING,
        help="Train on planes (2) or volumes (3). Default: 3 from 8 planes.",
    ),
]
Patch = Annotated[
    str | None,
    typer.Option(
        metavar="N,N",
        rich_help_panel=TRAINING,
        help="Training patch, e.g. 64,64 or 16,64,64. Default: fits.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel=TRAINING,
        autocompletion=names_for_training,
        help="Any other setting of the method, e.g. train_batch_size=64, train_augment=false or "
        "train_betas=0.9,0.99; may be repeated.",
    ),
]
StructAxis = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS",
        rich_help_panel=OF_A_METHOD,
        autocompletion=words("X", "Y", "Z"),
        help="structn2v: axis along which the noise runs: X, Y or Z. Default: X.",
    ),
]
StructLength = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=OF_A_METHOD,
        help="structn2v: odd number of pixels to hide. Default: 11.",
    ),
]
NoiseModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=OF_A_METHOD,
        autocompletion=words("gaussian", "poisson", "impulse", "camera"),
        help="hqssl: gaussian, poisson, impulse or camera.",
    ),
]
NoiseLevel = Annotated[
    str | None,
    typer.Option(
        metavar="LEVEL",
        rich_help_panel=OF_A_METHOD,
        help="r2r: sigma, or gain,offset,read-noise; default: estimated. hqssl: these, gain or "
        "probability; default: learned.",
    ),
]
Tta = Annotated[bool, flag("--tta", "Average over turns and flips: better, slower.")]
Posterior = Annotated[
    bool,
    flag(
        "--posterior",
        "Bring back what each pixel itself tells: sharper, for independent noise (n2v, n2v2, r2r).",
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        metavar="TYPE",
        autocompletion=words("same", "float32", "uint8", "uint16"),
        help="Type of the result: float32, or 'same' as the input. PNG: same.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Weight file, e.g. weights_last.h5. Default: the best; n2v2, r2r, masked: the last.",
    ),
]
