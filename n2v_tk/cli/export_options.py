"""Options of `n2v-tk export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import words

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Model folder (also of n2v), or .keras file.")
]
Format = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="FORMAT",
        autocompletion=words("serving", "fiji", "fiji-n2v", "bioimageio", "onnx", "keras"),
        help="serving, fiji, fiji-n2v, bioimageio, onnx or keras.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="serving: folder of the versions, its name is the model's; else a file.",
    ),
]
Version = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="serving: version to write. Default: the next."),
]
WarmUp = Annotated[
    bool, typer.Option(metavar="", help="serving: add requests for the server to warm up with.")
]
Name = Annotated[
    str | None, typer.Option(metavar="TEXT", help="bioimageio, fiji-n2v: name to show.")
]
Description = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="bioimageio, fiji-n2v: what the model is good for."),
]
Author = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="bioimageio, fiji-n2v: an author; may be repeated."),
]
License = Annotated[str | None, typer.Option(metavar="NAME", help="bioimageio: SPDX name.")]
TestImage = Annotated[
    Path | None,
    typer.Option(metavar="IMAGE", help="bioimageio: a noisy image, for the test and the cover."),
]
