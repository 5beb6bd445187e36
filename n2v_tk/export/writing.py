"""What all exports share: where they are written, and what must be installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ExportError, OutputExistsError
from ..io.files import check_writable


def check_target(path: Path, suffix: str, overwrite: bool) -> None:
    """Refuse a file that has another suffix, is there already, or cannot be written."""
    if path.suffix != suffix:
        raise ExportError(f"The name of this export must end in {suffix}. Received: {path}.")
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"The output is there already. Received: {path}. Choose another name, or replace it "
            "with overwrite=True (--overwrite)."
        )
    check_writable(path.parent)


def require(extra: str, *modules: str) -> None:
    """Refuse to go on where a module of an extra is not installed."""
    for module in modules:
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            raise ExportError(
                f"This needs the package {module.split('.')[0]}, which is not installed. Received: "
                f'no module {module}. Install it: pip install "n2v_tk[{extra}]"'
            )


@contextmanager
def work_folder(beside: Path) -> Iterator[Path]:
    """A folder on the same disk as `beside`, for what is to be renamed to it; removed afterwards.

    Its name is not a number and starts with a dot, so a server that polls does not take it for a
    version.
    """
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".n2v_tk_", dir=beside.parent))
    except OSError as error:
        raise ExportError(
            f"The export cannot be written. Received: {beside}: {error}. Choose another place."
        ) from error
    try:
        folder.chmod(0o755)
        yield folder
    except OSError as error:
        raise ExportError(
            f"The export could not be written. Received: {beside}: {error}. Nothing was replaced."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def zip_folder(folder: Path, target: Path) -> None:
    """Write what a folder holds into a zip, under a temporary name first."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        archive = shutil.make_archive(str(temporary), "zip", folder)
        os.replace(archive, target)
    finally:
        Path(f"{temporary}.zip").unlink(missing_ok=True)
