"""`n2v-tk evaluate`: how near results are to clean images."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from .. import __version__
from ..axes import StackLayout
from ..errors import ConfigError, ImageError, ImageFileError, OutputExistsError
from ..evaluation.metrics import affine_psnr, ms_ssim, psnr, scale_invariant_psnr, ssim
from ..io import JPEG_SUFFIXES, SOURCE_SUFFIXES, SUFFIXES, check_writable, read_image, replacing
from .files import find_inputs
from .text import say


@dataclass(frozen=True)
class Measure:
    """A measure: its heading, how its values are written, and whether it takes a range."""

    heading: str
    compare: Callable[..., float]
    format: str
    takes_range: bool = True


MEASURES = {
    "psnr": Measure("PSNR", psnr, ".2f"),
    "affine-psnr": Measure("affine PSNR", affine_psnr, ".2f"),
    "si-psnr": Measure("SI-PSNR", scale_invariant_psnr, ".2f", takes_range=False),
    "ssim": Measure("SSIM", ssim, ".4f"),
    "ms-ssim": Measure("MS-SSIM", ms_ssim, ".4f"),
}


def run(
    console: Console,
    results: Sequence[str],
    truths: Sequence[str],
    noisy: Sequence[str] | None,
    axes: str | None,
    measures: str,
    data_range: float | None,
    target: Path | None,
    overwrite: bool,
) -> None:
    """Compare every result with its clean image; print a table and write `target`, a JSON file."""
    chosen = _chosen(measures)
    if data_range is not None and not (data_range > 0 and math.isfinite(data_range)):
        raise ConfigError(f"--range must be a number above 0. Received: {data_range:g}.")
    paths = {"result": _find(results), "truth": _find(truths)}
    if noisy:
        paths["noisy"] = _find(noisy)
    _check_counts(paths)
    _check_json(target, overwrite)
    rows = [dict(zip(paths, group, strict=True)) for group in zip(*paths.values(), strict=True)]
    stacks = [_stacks(row, axes) for row in rows]
    scores = [
        _scores(row, stack, chosen, data_range) for row, stack in zip(rows, stacks, strict=True)
    ]
    means = {
        name: {of: float(np.mean([s[name][of] for s in scores])) for of in scores[0][name]}
        for name in chosen
    }
    at_once = 2 if noisy else len(chosen)  # more do not fit into 80 columns
    for start in range(0, len(chosen), at_once):
        Console().print(_table(rows, scores, means, chosen[start : start + at_once], data_range))
    if target is not None:
        _write_json(target, rows, scores, means, data_range)
        say(console, f"The numbers are in {target}.")


def _chosen(text):
    names = [part.strip().lower().replace("_", "-") for part in text.split(",")]
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise ConfigError(
            f"--measures must be of {', '.join(MEASURES)}, with commas. Received: {text!r}."
        )
    return list(dict.fromkeys(names))


def _find(patterns):
    return find_inputs(patterns, (*SUFFIXES, *SOURCE_SUFFIXES, *JPEG_SUFFIXES))


def _check_counts(paths):
    if len({len(found) for found in paths.values()}) > 1:
        counts = "; ".join(
            f"{len(found)} as {role}: {_named(found)}" for role, found in paths.items()
        )
        raise ImageFileError(
            "Every result needs its clean image (and its noisy one), in the same order. Received: "
            f"{counts}. Put globs in quotes, so that they stay with their option."
        )


def _named(paths, most=4):
    names = ", ".join(str(path) for path in paths[:most])
    return names if len(paths) <= most else f"{names}, ..."


def _check_json(target, overwrite):
    if target is None:
        return
    if target.suffix.lower() != ".json":
        # an image given here by mistake would be replaced
        raise ConfigError(f"--json writes a .json file. Received: {target}.")
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"The file is there already. Received: {target}. Choose another name, or replace it "
            "with --overwrite."
        )
    check_writable(target.parent)


def _stacks(row, axes):
    """Planes of each image of a row, 'SYXC', all of one shape."""
    stacks = {}
    for role, path in row.items():
        image = read_image(path, axes, lossy=True)
        stacks[role] = StackLayout.of(image.data, image.axes, 2).to_stack(image.data)
        if stacks[role].shape != stacks["result"].shape:
            shapes = [" × ".join(map(str, stacks[of].shape)) for of in ("result", role)]
            raise ImageError(
                "Images to compare must have the same pixels. Received: planes × Y × X × channels "
                f"are {shapes[0]} in {row['result']} and {shapes[1]} in {path}. Crop them, or name "
                "their axes with --axes."
            )
    return stacks


def _scores(row, stacks, chosen, data_range):
    """For each measure the mean over planes and channels: {'result': ..., 'noisy': ...}."""
    ranges = _ranges(stacks["truth"], data_range)
    found = {name: {role: [] for role in stacks if role != "truth"} for name in chosen}
    for plane in range(len(stacks["truth"])):
        planes = {role: np.asarray(stack[plane]) for role, stack in stacks.items()}
        for channel, extent in enumerate(ranges):
            for name in chosen:
                measure = MEASURES[name]
                options = {"data_range": extent} if measure.takes_range else {}
                for role, values in found[name].items():
                    pair = planes["truth"][..., channel], planes[role][..., channel]
                    try:
                        values.append(measure.compare(*pair, **options))
                    except ImageError as error:
                        raise ImageError(
                            f"{row[role]} and {row['truth']}, plane {plane}, channel {channel}, "
                            f"{measure.heading}: {error}"
                        ) from None
    scores = {}
    for name, roles in found.items():
        of = {role: float(np.mean(values)) for role, values in roles.items()}
        if "noisy" in of:
            same = of["result"] == of["noisy"]  # infinite, perhaps
            of["gain"] = 0.0 if same else of["result"] - of["noisy"]
        scores[name] = of
    return scores


def _ranges(truth, data_range):
    """Range of each channel: the one asked for, else that of all planes of the clean image."""
    if data_range is not None:
        return [data_range] * truth.shape[-1]
    lows, highs = [], []
    for plane in range(len(truth)):
        pixels = np.asarray(truth[plane])
        lows.append(pixels.min(axis=(0, 1)))
        highs.append(pixels.max(axis=(0, 1)))
    extent = np.max(highs, axis=0).astype(float) - np.min(lows, axis=0).astype(float)
    # what has none is for the measure to refuse
    return [float(e) if e > 0 else None for e in extent]


def _table(rows, scores, means, names, data_range):
    extent = "of each clean image" if data_range is None else f"{data_range:g}"
    table = Table(caption=f"Range {extent}; means over planes and channels; PSNR in dB.")
    same_names = all(row["result"].name == row["truth"].name for row in rows)
    roles = ["result"] if same_names else ["result", "truth"]
    for role in roles:
        table.add_column("image" if same_names else role, overflow="fold", min_width=8)
    for name in names:
        for role in _in_order(means[name]):
            heading = MEASURES[name].heading if role == "result" else role
            table.add_column(heading, justify="right", no_wrap=True)
    for row, score in zip(rows, scores, strict=True):
        table.add_row(*(row[role].name for role in roles), *_cells(score, names))
    table.add_section()
    table.add_row("mean", *[""] * (len(roles) - 1), *_cells(means, names), style="bold")
    return table


def _in_order(of):
    return [role for role in ("noisy", "result", "gain") if role in of]


def _cells(scores, names):
    for name in names:
        for role in _in_order(scores[name]):
            sign = "+" if role == "gain" else ""
            yield f"{scores[name][role]:{sign}{MEASURES[name].format}}"


def _write_json(target, rows, scores, means, data_range):
    content = {
        "n2v_tk_version": __version__,
        "range": "of each clean image" if data_range is None else data_range,
        "images": [
            {**{role: str(path) for role, path in row.items()}, "scores": _finite(score)}
            for row, score in zip(rows, scores, strict=True)
        ],
        "means": _finite(means),
    }
    with replacing(target) as temporary:
        Path(temporary).write_text(json.dumps(content, indent=1, allow_nan=False), "utf-8")


def _finite(scores):
    """JSON has no infinity: the PSNR of equal images is written as text, 'inf'."""
    return {
        name: {role: value if math.isfinite(value) else str(value) for role, value in of.items()}
        for name, of in scores.items()
    }
