"""What the numbers of a report mean, in a sentence each."""

from __future__ import annotations

import numpy as np

from .trust import HeldOut, Residual

# severity and sentence
Verdict = list[tuple[str, str]]

# correlation of what was taken away from which on structure is lost, or noise was correlated
_SOME, _MUCH = 0.05, 0.15


def verdict_of_residual(found: Residual) -> Verdict:
    """Whether only noise was taken away."""
    number = f"neighbours in what was taken away correlate by {found.correlation:.2f}"
    limit = max(_SOME, found.chance)
    if found.correlation > _MUCH:
        text = (
            f"Structure was taken away, or the noise is correlated: {number}. Look at the "
            "residual; check the noise (n2v-tk check) and train longer."
        )
        return [("problem", text)]
    if found.correlation > limit:
        return [("warning", f"A little structure was taken away with the noise: {number}.")]
    if found.correlation < -limit:
        text = (
            f"Some noise was left: {number}, as when part of a pixel's own noise stays in its "
            "neighbours. Train longer, or see whether the noise is correlated (n2v-tk check)."
        )
        return [("warning", text)]
    return [("good", f"What was taken away looks like independent noise: {number}.")]


def verdict_of_linearity(slope: float, offset: float, denoised: np.ndarray) -> Verdict:
    """Whether brightness was kept."""
    low, high = np.percentile(denoised, (0.5, 99.5))
    # of both ends of the grey scale
    wrong = max(abs((slope - 1) * v + offset) for v in (low, high)) / max(high - low, 1e-12)
    if wrong > 0.1:
        text = (
            f"Brightness was changed by up to {100 * wrong:.0f} % of the range (slope {slope:.2f})."
        )
        return [("problem" if wrong > 0.2 else "warning", text)]
    return [("good", f"Brightness was kept: within {100 * wrong:.1f} % of the range.")]


def verdict_of_held_out(found: HeldOut, extent: float) -> Verdict:
    """How well hidden pixels are told."""
    if found.mse < 0.8 * found.noise:
        text = (
            "Hidden pixels are told better than independent noise allows: the noise is "
            "correlated, and the network tells it from neighbours, or texture was taken for noise "
            "(n2v-tk check)."
        )
        return [("warning", text)]
    share = found.error / max(extent, 1e-12)
    text = (
        f"Hidden pixels are told to about {found.error:.2g} grey values ({100 * share:.1f} % of "
        f"the range); their noise is {found.noise**0.5:.2g}."
    )
    return [("good" if found.error < found.noise**0.5 else "warning", text)]
