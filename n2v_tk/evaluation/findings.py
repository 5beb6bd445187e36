"""What is said about an image: one finding each, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..data.noise_estimation import NoiseEstimate
from .image_faults import (
    blank_border,
    grey_values,
    hot_pixels,
    jpeg_blocks,
    periodic,
    repeated_pixels,
)
from .noise_structure import NoiseStructure

_MARKS = {"good": "✓", "note": "·", "warning": "!", "problem": "✗"}
# pixels below which an image holds little to learn from
_LITTLE = 200 * 200
_NAMES = {
    "S": "samples", "T": "frames", "C": "channels", "Z": "planes", "Y": "rows", "X": "columns",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    kind : str
        What it is about, e.g. 'correlation', 'clipping', 'jpeg'.
    severity : {'good', 'note', 'warning', 'problem'}
    text : str
        What was found.
    advice : str
        What to do about it; may be empty.
    """

    kind: str
    severity: str
    text: str
    advice: str = ""

    @property
    def mark(self) -> str:
        """A sign for the severity."""
        return _MARKS[self.severity]


def say_axes(image, axes: str, guessed: bool) -> Finding:
    """What the axes are taken for, and whether they look like it."""
    parts = [f"{n} {_NAMES[a]}" for n, a in zip(image.shape, axes, strict=True)]
    text = f"Axes {axes}: {', '.join(parts)}, {image.dtype}."
    if "C" in axes and image.shape[axes.index("C")] > 8:
        advice = f"{image.shape[axes.index('C')]} channels are many: is C really a time or Z axis?"
        return Finding("axes", "warning", text, advice)
    small = [a for a in "YX" if image.shape[axes.index(a)] <= 8]
    if small:
        advice = f"Only {_NAMES[small[0]]} so few: are the axes in another order?"
        return Finding("axes", "warning", text, advice)
    advice = "They were guessed; name them with axes= if they are others." if guessed else ""
    if guessed and image.ndim == 3 and axes != "YXC":
        alike = _successive_planes_are_alike(image)
        which = (
            "a stack or movie (ZYX or TYX)" if alike else "separate images or channels (SYX, CYX)"
        )
        advice = f"They were guessed; the planes look like {which}. Name them with axes=."
    return Finding("axes", "note", text, advice)


def _successive_planes_are_alike(image):
    from scipy.ndimage import gaussian_filter

    middle = len(image) // 2
    pair = [np.asarray(image[i], np.float64) for i in (middle - 1, middle)]
    first, second = (gaussian_filter(p, 3.0).ravel() for p in pair)
    return first.std() > 0 and second.std() > 0 and np.corrcoef(first, second)[0, 1] > 0.7


def look_for_size(shape: tuple[int, ...], axes: str) -> list[Finding]:
    """Whether there is enough to learn from."""
    pixels = math.prod(n for n, a in zip(shape, axes, strict=True) if a != "C")
    if pixels >= _LITTLE:
        return []
    text = f"There are {pixels:,} pixels to learn from: few."
    advice = (
        "Train on more images of the same kind at once, or fit this one with Deep Image Prior "
        "(n2v-tk dip denoise)."
    )
    return [Finding("size", "warning", text, advice)]


def look_for_faults(
    planes: np.ndarray,
    noise: NoiseEstimate | None,
    structure: NoiseStructure | None,
    dtype: np.dtype,
) -> list[Finding]:
    """What cameras, programs and files did to the image."""
    # what the image shows may be periodic too; noise that is smooth tells that pixels were mixed
    smooth = structure is None or max(structure.smooth_part(a) for a in "XY") > 0.3
    findings = [*_of_grey_values(planes, noise, dtype), *_of_scaling(planes, smooth)]
    if jpeg := jpeg_blocks(planes):
        sure = jpeg == "coefficients" or smooth
        findings.append(Finding(
            "jpeg", "problem" if sure else "warning",
            "It was compressed as JPEG." if sure else "It may have been compressed as JPEG.",
            "Its blocks are not noise and stay. Use the file as it was before; for a single "
            "picture, n2v-tk dip jpeg removes traces of compression.",
        ))  # fmt: skip
    if noise is not None and structure is not None:
        share = hot_pixels(planes, noise.sigma, noise.gain)
        independent = max(structure.smooth_part(a) for a in "XY") < 0.5
        if independent and 2 / planes.size < share < 5e-3:
            findings.append(Finding(
                "hot pixels", "warning",
                f"About {max(1, round(share * planes[0].size))} pixel(s) of a plane are hot: far "
                "brighter than all their neighbours.",
                "N2V2 replaces by the median and minds them least; a median filter on just these "
                "pixels before training is better still.",
            ))  # fmt: skip
    blank = sum(np.ptp(plane) == 0 for plane in planes)
    if blank:
        findings.append(Finding(
            "blank", "warning", f"{blank} of {len(planes)} planes that were looked at are blank.",
            "Leave them out: there is nothing to learn from.",
        ))  # fmt: skip
    border = max(blank_border(plane) for plane in planes if np.ptp(plane) > 0)
    if border:
        findings.append(Finding(
            "border", "warning", f"There are {border} blank rows or columns at the edges.",
            "Cut them off: the network would learn them.",
        ))  # fmt: skip
    return findings


def _of_grey_values(planes, noise, dtype):
    found = grey_values(planes)
    for share, value, word in (
        (found.at_lowest, found.lowest, "black"), (found.at_highest, found.highest, "white"),
    ):  # fmt: skip
        if share > 5e-4:
            yield Finding(
                "clipping", "warning" if share > 0.01 else "note",
                f"{100 * share:.2g} % of the pixels are clipped at {word} ({value:g}).",
                "Their noise is cut off on one side, so denoised values there are biased; record "
                "with more offset (black) or less exposure or gain (white).",
            )  # fmt: skip
    if found.missing > 0.05:
        yield Finding(
            "rescaled", "warning",
            f"{100 * found.missing:.0f} % of the grey values in between do not occur: contrast "
            "was stretched after rounding.",
            "Start from the original file if it has finer grey values.",
        )  # fmt: skip
    elif found.step > 1:
        yield Finding(
            "step", "note",
            f"All grey values are multiples of {found.step:g} (from {found.lowest:g}): a camera of "
            "fewer bits, shifted. That does no harm.",
        )  # fmt: skip
    step = found.step or (0.0 if dtype.kind == "f" else 1.0)
    if noise is not None and step and noise.sigma < 0.5 * step:
        yield Finding(
            "rounding", "warning",
            f"Noise ({noise.sigma:.2g}) is below the step between grey values ({step:g}): rounding "
            "hides it, and what is left is not random.",
            "Use data of more bits.",
        )  # fmt: skip


def _of_scaling(planes, smooth):
    repeats = [repeated_pixels(planes, axis) for axis in (1, 2)]
    if all(repeats):
        yield Finding(
            "upsampled", "problem",
            f"Every pixel stands there {repeats[1]} times: the image was enlarged.",
            f"Shrink it again: image[..., ::{repeats[0]}, ::{repeats[1]}].",
        )  # fmt: skip
        return
    periods = [periodic(planes, axis) for axis in (1, 2)]
    if any(periods):
        seen = " and ".join(
            f"{p:.3g} pixels along {a}" for p, a in zip(periods, "YX", strict=True) if p
        )
        text = f"Sharpness comes and goes with a period of {seen}: "
        if smooth:
            text += "pixels were interpolated (scaled, registered, or colours of a mosaic sensor)."
            advice = "Interpolated noise is correlated. Use the data before that step."
            yield Finding("interpolated", "problem", text, advice)
        else:
            text += "what it shows is periodic, or lines were read in different ways."
            yield Finding("interpolated", "note", text)
