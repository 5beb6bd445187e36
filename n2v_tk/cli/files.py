"""From what is typed to images that can be worked with, and where results go."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ..errors import ImageFileError
from ..io import SUFFIXES, Image, check_output, check_writable, read_image


def find_inputs(patterns: Sequence[str], suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files named by files, folders (those with `suffixes`) and globs, in order, each once.

    Raises
    ------
    ImageFileError
        If something is missing, or a folder or glob holds no images.
    """
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            images = [p for p in inside if p.suffix.lower() in suffixes]
            if not images:
                others = sorted({p.suffix or p.name for p in inside})
                holds = f"It holds {', '.join(others[:6])} only." if others else "It is empty."
                raise ImageFileError(
                    f"The folder holds no images of type {', '.join(suffixes)}. "
                    f"Received: {path}. {holds}"
                )
            found += images
        elif path.exists() or not glob.has_magic(pattern):
            found.append(path)
        else:
            matches = sorted(Path(p) for p in glob.glob(pattern, recursive=True))
            if not matches:
                raise ImageFileError(
                    f"No file matches. Received: {pattern!r}. Quote the pattern and check the "
                    "folder."
                )
            matches = [p for p in matches if p.is_file()]
            if not matches:
                raise ImageFileError(
                    f"Only folders match. Received: {pattern!r}. Name the folder itself, or files "
                    "in it."
                )
            found += matches
    return list({path.resolve(): path for path in found}.values())


def read_all(paths: Sequence[Path], axes: str | None) -> list[Image]:
    """Read images (memory-mapped where possible)."""
    return [read_image(path, axes) for path in paths]


def plan_outputs(paths: Sequence[Path], output: Path, overwrite: bool) -> list[Path]:
    """Where each result goes, checked to be free and writable.

    One input and an output with the suffix of an image: that file. Else a folder, with the names
    of the inputs. An input is never overwritten.
    """
    if len(paths) == 1 and output.suffix.lower() in SUFFIXES and not output.is_dir():
        targets = [output]
    elif output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise ImageFileError(
            f"Several images need a folder for their results. Received: {len(paths)} images and "
            f"output {output}."
        )
    else:
        # what is read only, such as JPEG, is written as PNG
        targets = [
            output / (path.name if path.suffix.lower() in SUFFIXES else f"{path.stem}.png")
            for path in paths
        ]
        check_writable(output)
    seen: dict[Path, Path] = {}
    for path, target in zip(paths, targets, strict=True):
        if target in seen:
            raise ImageFileError(
                f"Two images would be written to the same file. Received: {seen[target]} and "
                f"{path}, both to {target}. Denoise them in two calls with two folders."
            )
        seen[target] = path
        if target.resolve() in {p.resolve() for p in paths}:
            raise ImageFileError(
                f"A result would overwrite its input. Received: output {target}. Choose another "
                "folder or name."
            )
        check_output(target, overwrite)
    return targets
