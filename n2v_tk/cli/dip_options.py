"""Options of `n2v-tk dip`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import flag, words
from .settings import names_for_dip

Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        autocompletion=words("denoise", "jpeg", "inpaint", "superres", "restore", "flash"),
        help="denoise; jpeg (remove its traces); inpaint (fill holes); superres (enlarge); "
        "restore (bring back missing pixels); flash (with the help of another picture).",
    ),
]
Pictures = Annotated[
    list[str],
    typer.Argument(metavar="IN", help="Pictures or small volumes. TIFF, PNG, NPY, JPEG."),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        metavar="IMAGE",
        help="inpaint, restore: image, bright where the picture is known, else 0.",
    ),
]
Factor = Annotated[int | None, typer.Option(metavar="N", help="superres: 2, 4 or 8. Default: 4.")]
Guide = Annotated[
    Path | None,
    typer.Option(metavar="IMAGE", help="flash: picture of the same scene and size, with flash."),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=words("inpaint_grid", "inpaint_large", "restore_sparse"),
        help="inpaint_grid (large smooth holes), inpaint_large (holes in textures), "
        "restore_sparse (98 % missing). Default: the task's.",
    ),
]
Iterations = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Steps, at most. Default: the paper's.")
]
Stop = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        autocompletion=words("auto", "iterations", "held_out", "variance"),
        help="iterations: after all; held_out or variance: when it gets no better. "
        "Default: auto, which is held_out for denoise and jpeg, else iterations.",
    ),
]
Filters = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="Filters of each scale, e.g. 64,64,64: smaller is faster."),
]
ValueRange = Annotated[
    str | None,
    typer.Option(metavar="LOW,HIGH", help="Lowest and highest grey value. Default: the data's."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        autocompletion=names_for_dip,
        help="Any other setting, e.g. learning_rate=0.005 or pooling=average; may be repeated.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep the state in this folder, to go on with --resume."),
]
Resume = Annotated[bool, flag("--resume", "Go on from --state.")]
Way = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PNG of the result at several steps, kept up to date."),
]
