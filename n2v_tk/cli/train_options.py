"""Options of `n2v-tk train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import OF_A_METHOD, TRAINING

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Model folder to write.")
]
LearningRate = Annotated[
    float | None,
    typer.Option(min=0, metavar="RATE", rich_help_panel=TRAINING, help="Of Adam, at its highest."),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IMAGES",
        rich_help_panel=OF_A_METHOD,
        help="n2n: images of the same scenes, in the same order; may be repeated.",
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Fine-tune the weights of this model of n2v, n2v2 or structn2v (also of the old n2v).",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the training that was interrupted in the folder; start where there "
        "is none. Settings come from the folder, except --epochs and --learning-rate.",
    ),
]
