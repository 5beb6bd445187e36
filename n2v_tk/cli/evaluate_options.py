"""Options of `n2v-tk evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import words

Results = Annotated[
    list[str],
    typer.Argument(metavar="RESULT", help="Denoised images: files, folders or quoted globs."),
]
Truth = Annotated[
    list[str],
    typer.Option(
        metavar="CLEAN",
        help="Clean images, in the same order; a folder or a quoted glob for many.",
    ),
]
Noisy = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NOISY", help="Noisy images, in the same order: what they score, and the gain."
    ),
]
Measures = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        autocompletion=words("psnr", "affine-psnr", "si-psnr", "ssim", "ms-ssim"),
        help="Of psnr, affine-psnr, si-psnr, ssim, ms-ssim, with commas.",
    ),
]
DataRange = Annotated[
    float | None,
    typer.Option(
        "--range",
        metavar="NUMBER",
        help="Range of grey values, e.g. 255, which papers on photographs use. Default: that "
        "of each clean image, for each channel (si-psnr: always of the clean plane).",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the numbers into this file too."),
]
