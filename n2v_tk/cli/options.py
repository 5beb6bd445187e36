"""Options that commands of `n2v-tk` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
        help="A file for one image, else a folder; made if it is not there. A name ending in "
        ".zarr gives OME-Zarr, block by block, for images of any size.",
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(help="Axes of the images, e.g. ZYX or TCYX, where the files do not say."),
]
Method = Annotated[
    str,
    typer.Option(
        help="n2v; n2v2 (no checkerboard); structn2v (noise along lines, see --struct-axis); "
        "hqssl (noise of a known kind, see --noise-model); n2n (repeated frames along T, or "
        "pairs); masked (train only: clean images, for noise of any kind)."
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of training.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps per epoch.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of everything that is drawn.")]
Device = Annotated[
    str | None, typer.Option(help="cpu, gpu, or one GPU by number: gpu:1. Default: GPU if any.")
]
Devices = Annotated[
    int | None,
    typer.Option(min=1, help="Train on so many GPUs of this machine, which share every batch."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that are there.")]
Dimensions = Annotated[
    int | None,
    typer.Option(
        "--dim", min=2, max=3, help="Train on planes (2) or volumes (3). Default: 3 from 8 planes."
    ),
]
Patch = Annotated[
    str | None, typer.Option(help="Training patch, e.g. 64,64 or 16,64,64. Default: fits.")
]
StructAxis = Annotated[
    str, typer.Option(help="structn2v: axis along which the noise runs: X, Y or Z.")
]
StructLength = Annotated[int, typer.Option(help="structn2v: odd number of pixels to hide.")]
NoiseModel = Annotated[
    str | None, typer.Option(help="hqssl: gaussian, poisson, impulse or camera.")
]
NoiseLevel = Annotated[
    str | None,
    typer.Option(
        help="hqssl: sigma, gain, probability, or gain,offset,read-noise. Default: learned."
    ),
]
Tta = Annotated[bool, typer.Option("--tta", help="Average over turns and flips: better, slower.")]
Dtype = Annotated[
    str | None,
    typer.Option(help="Type of the result: float32, or 'same' as the input. PNG: same."),
]
