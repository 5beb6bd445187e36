"""Options of `n2v-tk predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import LARGE, words

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Model folder (also of n2v), .keras file, bioimage.io zip, or a server: "
        "grpc://HOST:PORT/NAME.",
    ),
]
NTiles = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="Tiles per axis, e.g. 1,4,4. Default: fits memory."),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=words("float32", "mixed_bfloat16", "auto"),
        help="float32, mixed_bfloat16 or auto. Default: as the model was trained.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=words("keras", "openvino"),
        help="keras, or openvino, which some processors run faster.",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory to stay below, e.g. 2GB: smaller tiles and blocks."),
]
Chunks = Annotated[
    str | None,
    typer.Option(
        metavar="N,N",
        rich_help_panel=LARGE,
        help="Chunks along TCZYX, e.g. 1,1,32,256,256. Default: the input's.",
    ),
]
OmeZarr = Annotated[
    str | None,
    typer.Option(
        metavar="VERSION",
        rich_help_panel=LARGE,
        autocompletion=words("0.4", "0.5"),
        help="Version 0.4 or 0.5. Default: that of the input, else 0.4.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        rich_help_panel=LARGE,
        help="Work on the workers of this dask scheduler, tcp://HOST:PORT.",
    ),
]
