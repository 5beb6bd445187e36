"""`n2v-tk check`: advice before training."""

from __future__ import annotations

import json as jsons
import shlex
from pathlib import Path

from rich.console import Console

from ..errors import ConfigError
from ..io import SUFFIXES, check_output, read_image, replacing
from .files import find_inputs
from .text import say


def run(
    console: Console,
    inputs: list[str],
    output: Path | None,
    axes: str | None,
    json: Path | None,
    overwrite: bool,
) -> None:
    """Say what kind of noise images have and what removes it."""
    paths = find_inputs(inputs)
    if output is not None and len(paths) > 1:
        raise ConfigError(
            f"A picture shows the check of one image. Received: {len(paths)} images. Check them "
            "one by one, or leave --output out."
        )
    for target, suffix in ((output, ".png"), (json, ".json")):
        if target is not None:
            check_output(target, overwrite, (suffix,))
    from ..evaluation.noise_check import check_noise

    found = {}
    for path in paths:
        image = read_image(path, axes)
        check = check_noise(image.data, image.axes)
        found[str(path)] = check.to_json()
        say(console, f"{path}\n{check}")
        say(console, f"Denoise it: {_command(check, path, axes)}\n")
        if output is not None:
            with replacing(output) as temporary:
                check.plot().savefig(temporary, dpi=110)
    if json is not None:
        with replacing(json) as temporary:
            text = jsons.dumps(found, indent=1, allow_nan=False)
            temporary.write_text(text, encoding="utf-8")


def _command(check, path, axes):
    """The command line that does what was recommended."""
    options = [f"--method {check.method}"]
    if axes is not None:
        options.append(f"--axes {axes}")
    if "axis" in check.settings:
        options.append(f"--struct-axis {check.settings['axis']}")
        options.append(f"--struct-length {check.settings['length']}")
    elif "structN2Vmask" in check.settings:
        return "in Python: check_noise(image, axes).config() has the mask for structN2V."
    suffix = path.suffix if path.suffix.lower() in SUFFIXES else ".tif"
    return f"n2v-tk denoise {shlex.quote(str(path))} -o denoised{suffix} {' '.join(options)}"
