"""config.json on disk: reading, writing, and telling whose it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import ModelFolderError


def read_config(path: str | os.PathLike) -> dict[str, Any]:
    """The settings in a config.json.

    Raises
    ------
    ModelFolderError
        If the file is missing or does not hold a JSON object.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFolderError(
            f"There is no {path.name} in the model folder. Received: {path.parent}. Name the "
            "folder that training wrote."
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise ModelFolderError(
            f"The config of the model cannot be read. Received: {path}: {error}"
        ) from None
    if not isinstance(data, dict):
        raise ModelFolderError(
            f"The config of the model must be a JSON object. Received: {path}: "
            f"{type(data).__name__}."
        )
    return data


def write_config(path: str | os.PathLike, data: dict[str, Any]) -> None:
    """Write settings as JSON, under a temporary name first."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(data, indent=1), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def method_of(data: dict[str, Any]) -> str:
    """The method a config.json belongs to: what n2v_tk wrote there, else told by its keys.

    Examples
    --------
    >>> method_of({"n2v_perc_pix": 1.5}), method_of({"train_checkpoint_last": "weights_last.h5"})
    ('n2v', 'care')
    """
    if "n2v_tk_method" in data:
        return str(data["n2v_tk_method"])
    return "care" if "train_checkpoint_last" in data and "n2v_perc_pix" not in data else "n2v"
