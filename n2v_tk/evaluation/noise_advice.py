"""From what the noise is like to the method that removes it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..data.noise_estimation import NoiseEstimate
from .findings import Finding
from .noise_structure import NoiseStructure
from .sampled import Sampled

# correlation with the next pixel below which noise counts as independent, and that from which it
# spoils what a blind spot predicts
INDEPENDENT, CORRELATED = 0.03, 0.1
# skewness below which it counts as normal
NORMAL = 0.05
# share of what is left of the image that is smooth from pixel to pixel, along both axes
SMOOTH = 0.55
_LONGEST_LINE = 21


@dataclass
class Advice:
    """A method, its settings, why, and what it was told from."""

    method: str
    settings: dict
    reason: str
    correlation: dict[str, float]
    findings: list[Finding] = field(default_factory=list)


def advise(
    structure: NoiseStructure | None,
    noise: NoiseEstimate | None,
    sampled: Sampled,
) -> Advice:
    """What to do about noise of such structure."""
    if structure is None:
        text = (
            "There are too few pixels, or too many at the ends of the grey scale, to tell noise "
            "from structure."
        )
        advice = "Whether blind spots work shows after training."
        finding = Finding("correlation", "warning", text, advice)
        return Advice("n2v", {}, "It is the usual choice.", {}, [finding])
    correlation = {a: float(structure.along(a)[0]) for a in "XY"}
    if structure.between is not None:
        correlation[sampled.along] = structure.between
    advice = _advise(structure, correlation)
    shared = advice.method in ("structn2v", "none")
    advice.findings[:0] = _level(noise, sampled.planes, structure, shared)
    advice.findings += _between_planes(correlation)
    if sampled.along == "T" and _still(sampled):
        advice.findings.append(Finding(
            "repeats", "note", "The frames seem to show one still scene.",
            "If nothing moves, Noise2Noise on the frames (method n2n) learns from pairs, whatever "
            "the noise is like within a frame.",
        ))  # fmt: skip
        if advice.method == "none":
            advice.method, advice.settings = "n2n", {}
            advice.reason = "Frames of a still scene have noise that is drawn anew each time."
    if advice.method == "none":
        advice.method = "structn2v"
    return advice


def with_medians(advice: Advice) -> Advice:
    """For hot pixels: N2V2 in place of Noise2Void, since its medians leave them out.

    `N2VConfig.recommended` replaces hidden pixels by the mean of the nearest, which takes them in.
    """
    if advice.method == "n2v":
        advice.method = "n2v2"
        advice.reason += " Its medians leave out hot pixels."
    return advice


def with_r2r(advice: Advice, noise: NoiseEstimate | None) -> Advice:
    """For normal noise: R2R beside Noise2Void, since it sees all pixels and learns from all."""
    if advice.method == "n2v" and noise is not None and abs(noise.skewness) < NORMAL:
        advice.reason += (
            " The noise looks normal: compare with r2r, which may keep more fine structure."
        )
    return advice


def _advise(structure, correlation):
    x, y = correlation["X"], correlation["Y"]
    # texture hangs together along all axes, noise from a scan line along one
    common = max(0.0, min(x, y))
    excess = {"X": x - common, "Y": y - common}
    axis = max(excess, key=excess.get)
    both = min(structure.smooth_part(a) for a in "XY")
    numbers = f"next pixel along X {x:.2f}, along Y {y:.2f}"
    if both > SMOOTH:
        return _correlated_both_ways(structure, correlation, numbers)
    if excess[axis] > CORRELATED:
        return _correlated_along(structure, correlation, axis, numbers)
    if common > CORRELATED:
        finding = Finding(
            "correlation", "warning",
            f"Neighbouring pixels hang together a little along both axes ({numbers}).",
            "That is fine texture without flat parts, or slightly correlated noise; look at the "
            "residual after training.",
        )  # fmt: skip
        reason = "The larger part of the noise is independent."
        return Advice("n2v", {}, reason, correlation, [finding])
    if excess[axis] > INDEPENDENT + 3 * structure.error:
        finding = Finding(
            "correlation", "note",
            f"Noise is nearly independent; it hangs together slightly along {axis} ({numbers}).",
            f"If faint lines along {axis} remain, use structn2v with axis={axis!r} and length=3.",
        )  # fmt: skip
    else:
        text = f"Noise is independent from pixel to pixel ({numbers}): blind spots work."
        finding = Finding("correlation", "good", text)
    reason = "It removes independent noise from the image alone."
    return Advice("n2v", {}, reason, correlation, [finding])


def _correlated_along(structure, correlation, axis, numbers):
    along = structure.along(axis)
    far = int(np.argmin(along > max(0.05, 3 * structure.error)))
    far = len(along) if along.min() > 0.05 else max(1, far)
    length = min(2 * far + 1, _LONGEST_LINE)
    finding = Finding(
        "correlation", "warning",
        f"Noise runs along {axis}, over {far} pixel(s) to either side ({numbers}).",
        f"Plain N2V would copy it. structN2V hides {length} pixels along {axis}.",
    )  # fmt: skip
    reason = f"It hides what the noise of a pixel can be told from along {axis}."
    settings = {"axis": axis, "length": length}
    return Advice("structn2v", settings, reason, correlation, [finding])


def _correlated_both_ways(structure, correlation, numbers):
    far = 1
    for axis in "XY":
        along = structure.along(axis)
        far = max(far, int(np.argmin(along > 0.15)) or (1 if along[0] <= 0.15 else len(along)))
    finding = Finding(
        "correlation", "problem",
        f"What is left in the flattest parts is smooth from pixel to pixel ({numbers}, over about "
        f"{far} pixel(s)): noise is correlated along both axes, or there is hardly any.",
        "Methods that learn from single images would keep it as signal. Use the raw data, before "
        "filtering, scaling, registration or compression; or repeated frames with Noise2Noise.",
    )  # fmt: skip
    side = 2 * min(far, 3) + 1
    mask = np.ones((side, side), int)
    reason = (
        f"If there are no raw data: hiding the {side} × {side} pixels around each blind spot "
        "removes noise at the price of fine detail."
    )
    return Advice("none", {"structN2Vmask": mask.tolist()}, reason, correlation, [finding])


def _level(noise, planes, structure, shared):
    """`shared`: neighbours have part of their noise in common, of which differences tell little."""
    if noise is None:
        return []
    extent = float(np.subtract(*np.percentile(planes, (99.9, 0.1))))
    share = noise.sigma / max(extent, 1e-12)
    about, note = "about", ""
    if shared:
        about, note = "more than", " Neighbours share noise, and differences of theirs hide it."
    text = (
        f"Noise: standard deviation {about} {noise.sigma:.3g} grey values, {100 * share:.2g} % of "
        f"the image's range.{note}"
    )
    findings = [Finding("level", "note", text)]
    if share < 0.005:
        findings[0] = Finding(
            "level", "warning", text, "That is hardly any noise: there is little to gain."
        )
    if min(structure.smooth_part(a) for a in "XY") > SMOOTH:
        return findings  # the model of the noise does not hold
    dark, light = np.percentile(planes, (1, 99))
    gained = noise.gain * (light - dark)
    if gained > 0.5 * max(noise.variance_in_the_dark, 1e-12):
        dark_noise = max(0.0, noise.variance_in_the_dark) ** 0.5
        findings.append(Finding(
            "signal-dependent", "note",
            f"It grows with brightness: shot noise of about {noise.gain:.3g} grey values per "
            f"photo-electron; its standard deviation in the dark is {dark_noise:.3g}.",
            "All methods here take that as it is; do not transform the image.",
        ))  # fmt: skip
    else:
        text = "It is alike in dark and bright places: read noise, or noise that was made normal."
        findings.append(Finding("signal-dependent", "note", text))
    return findings


def _between_planes(correlation):
    for axis, name in (("T", "frames"), ("Z", "planes"), ("C", "channels")):
        value = correlation.get(axis, 0.0)
        if value <= 0.3:
            continue
        if axis == "C":
            text = f"Noise of neighbouring channels is alike (correlation {value:.2f})."
            advice = (
                "They come from one measurement (colours of one sensor, or bleed-through): train "
                "one network per channel (the default), not one for all."
            )
        else:
            text = (
                f"What is left in flat parts is alike in neighbouring {name} (correlation "
                f"{value:.2f})."
            )
            advice = (
                "That is fine structure, a fixed pattern of the camera, or a filter over "
                f"{name}: train on planes rather than volumes, and look whether the pattern stays."
            )
        return [Finding("between", "note", text, advice)]
    return []


def _still(sampled):
    """Whether the first and the last frame hardly differ but for their noise."""
    from scipy.ndimage import gaussian_filter

    first, last = sampled.following[0][0], sampled.following[-1][1]
    pair = [gaussian_filter(sampled.planes[i], 4.0).ravel() for i in (first, last)]
    if min(p.std() for p in pair) == 0:
        return False
    return bool(np.corrcoef(*pair)[0, 1] > 0.97)
