"""Files of a model folder: config.json, and how any of them is written."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import ModelFolderError

# of a config.json or training.json, in bytes; JSON takes some ten times its size in memory
LARGEST_JSON = 2**24
# of files of weights
WEIGHTS = (".h5", ".hdf5")
# state of a training, to go on from
STATE_FILE = "training_state.npz"
# whether files that are open cannot be replaced
_OPEN_FILES_STAY = os.name == "nt"


def weight_files(folder: str | os.PathLike) -> list[Path]:
    """Files of weights in a folder, by name; hidden ones, which macOS writes, are none."""
    found = Path(folder).glob("[!.]*")
    return sorted(path for path in found if path.suffix in WEIGHTS)


def holds_model(folder: str | os.PathLike) -> bool:
    """Whether there are weights, in files of their own or in the state of a training."""
    return bool(weight_files(folder)) or (Path(folder) / STATE_FILE).exists()


def replace(temporary: str | os.PathLike, path: str | os.PathLike) -> None:
    """`os.replace`, which on Windows waits a little while others read the old file."""
    for pause in (0.05, 0.1, 0.2, 0.5, 1.0) if _OPEN_FILES_STAY else ():
        try:
            os.replace(temporary, path)
            return
        except PermissionError:
            time.sleep(pause)
    os.replace(temporary, path)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of a file once its content is on the disk.

    The file is whole whatever happens: the old one, or the new one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # a link of this name, in a folder from elsewhere, would be followed
        temporary.unlink(missing_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_config(path: str | os.PathLike) -> dict[str, Any]:
    """The settings in a config.json.

    Raises
    ------
    ModelFolderError
        If the file is missing or does not hold a JSON object.
    """
    path = Path(path)
    try:
        about = path.stat()
        # a pipe would be waited for, a device would never end
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a regular file")
        if about.st_size > LARGEST_JSON:
            raise ValueError(f"it has {about.st_size} bytes, at most {LARGEST_JSON} are read")
        data = parse_config(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFolderError(
            f"There is no {path.name} in the model folder. Received: {path.parent}. Name the "
            "folder that training wrote."
        ) from None
    except (ValueError, OSError) as error:
        raise ModelFolderError(
            f"The config of the model cannot be read. Received: {path}: {error}"
        ) from None
    return data


def parse_config(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a text; ValueError for anything else."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError(f"it must be a JSON object, not {type(data).__name__}")
    return data


def write_config(path: str | os.PathLike, data: dict[str, Any]) -> None:
    """Write settings as JSON, under a temporary name first."""
    with (
        written_whole(Path(path)) as temporary,
        open(temporary, "x", encoding="utf-8") as file,
    ):
        file.write(json.dumps(data, indent=1))


def method_of(data: dict[str, Any]) -> str:
    """The method a config.json belongs to: what n2v_tk wrote there, else n2v by keys of its own.

    Examples
    --------
    >>> method_of({"n2v_perc_pix": 1.5}), method_of({"unet_n_depth": 2})
    ('n2v', 'care')
    """
    if "n2v_tk_method" in data:
        return str(data["n2v_tk_method"])
    return "n2v" if any(name.startswith("n2v_") for name in data) else "care"
