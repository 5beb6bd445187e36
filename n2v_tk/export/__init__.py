"""Handing a trained model to other programs, each format in its own module."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ..errors import ExportError

KINDS = {
    "serving": (".serving", "export_serving"),
    "fiji": (".fiji", "export_fiji"),
    "fiji-n2v": (".fiji_n2v", "export_fiji_n2v"),
    "bioimageio": (".bioimageio", "export_bioimageio"),
    "onnx": (".onnx", "export_onnx"),
    "keras": (".keras_file", "export_keras"),
}


def export_model(
    model, kind: str, path: str | os.PathLike, overwrite: bool = False, **options
) -> Path:
    """Write a trained model for another program; see `Denoiser.export`."""
    export = exporter(kind)
    if kind not in model.formats:
        raise ExportError(
            f"A model of {type(model).__name__} is exported to {' or '.join(model.formats)}. "
            f"Received: {kind!r}, which cannot hold it."
        )
    if not model.trained:
        raise ExportError(
            f"The model has no trained weights to export. Received: {model!r}. Train it, or load "
            "its weights."
        )
    return export(model, Path(path), overwrite=overwrite, **options)


def exporter(kind: str) -> Callable[..., Path]:
    """The function that writes a format."""
    if kind not in KINDS:
        raise ExportError(f"A model is exported to one of {', '.join(KINDS)}. Received: {kind!r}.")
    module, name = KINDS[kind]
    return getattr(import_module(module, __package__), name)
