"""From what is typed to images that can be worked with, and where results go."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ..errors import ImageFileError, OutputExistsError
from ..io import (
    JPEG_SUFFIXES,
    SOURCE_SUFFIXES,
    SUFFIXES,
    Image,
    check_output,
    check_writable,
    images_in,
    is_store,
    read_image,
    split_inner,
)

# names that can only be meant for files
_NOT_WRITTEN = (*JPEG_SUFFIXES, ".gif", ".bmp", ".webp", ".jp2", ".czi", ".nd2", ".lif", ".h5")


def find_inputs(
    patterns: Sequence[str], suffixes: Sequence[str] = (*SUFFIXES, *SOURCE_SUFFIXES)
) -> list[Path]:
    """Files named by files, folders (those with `suffixes`) and globs, in order, each once.

    Raises
    ------
    ImageFileError
        If something is missing, or a folder or glob holds no images.
    """
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        try:
            folder, there = path.is_dir(), path.exists()
        except OSError as error:
            # e.g. a name that is too long
            raise ImageFileError(
                f"The file cannot be reached. Received: {pattern[:200]!r}: {error.strerror}. "
                "Check the path."
            ) from error
        if folder:
            found += images_in(path, suffixes)
        elif there or not glob.has_magic(pattern):
            found.append(path)
        else:
            matches = sorted(Path(p) for p in glob.glob(pattern, recursive=True))
            if not matches:
                raise ImageFileError(
                    f"No file matches. Received: {pattern!r}. Quote the pattern and check the "
                    "folder."
                )
            matches = [p for p in matches if p.is_file() or is_store(p)]
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

    One input and an output with the suffix of an image or of a Zarr store: that one. Else a
    folder, with the names of the inputs. An input is never overwritten.
    """
    suffix = output.suffix.lower()
    if suffix in _NOT_WRITTEN and not output.is_dir():
        raise ImageFileError(
            f"Results are written as {', '.join(SUFFIXES)} or .zarr. Received: output {output}. "
            "Give it one of these endings, or name a folder."
        )
    is_image = suffix == ".zarr" or (suffix in SUFFIXES and not output.is_dir())
    if len(paths) == 1 and is_image:
        targets = [output]
    elif is_image:
        raise ImageFileError(
            f"Several images need a folder for their results. Received: {len(paths)} images and "
            f"output {output}."
        )
    else:
        targets = [output / _name_of_result(path) for path in paths]
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
        if target.suffix == ".zarr":
            _check_store(target, overwrite)
        else:
            check_output(target, overwrite)
    return targets


def _name_of_result(path):
    file, inner = split_inner(path)
    suffix = file.suffix.lower()
    if suffix in (*SUFFIXES, ".zarr"):
        return file.name
    if suffix in SOURCE_SUFFIXES:
        return f"{file.stem}{'' if inner is None else '_' + inner.replace('/', '_')}.ome.tif"
    # other formats are read only too: JPEG is written as PNG, what lies in a store as a store
    return f"{file.stem}.png" if suffix in JPEG_SUFFIXES else f"{file.name}.zarr"


def _check_store(target, overwrite):
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"The output is there already. Received: {target}. Choose another name, or overwrite "
            "it with --overwrite."
        )
    check_writable(target.parent)
