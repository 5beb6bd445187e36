"""What cameras, programs and files do to images that a denoiser should know of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# a peak of a periodic pattern counts when it stands so far above the others
_PEAK = 12.0
_BLOCK_EDGES = 6.0
# how nearly cosine coefficients must be multiples of a step: 1 exactly, 0 not at all
_ROUNDED = 0.4
# hot pixels stand out from all their neighbours by so many standard deviations of the noise
_HOT = 8.0


@dataclass(frozen=True)
class GreyValues:
    """Which grey values an image has.

    Parameters
    ----------
    lowest, highest : float
    at_lowest, at_highest : float
        Shares of the pixels that pile up there, beyond what their neighbours in grey value have;
        0 where nothing piles up.
    step : float
        Greatest number that all grey values are multiples of, counted from the lowest; 0 for
        values that are no whole numbers.
    missing : float
        Share of the steps between percentiles 5 and 95 that no pixel has, though pixels abound.
    distinct : int
        Number of different values.
    """

    lowest: float
    highest: float
    at_lowest: float
    at_highest: float
    step: float
    missing: float
    distinct: int


def grey_values(planes: np.ndarray) -> GreyValues:
    """Look at the histogram of planes (N, Y, X)."""
    values, counts = np.unique(planes, return_counts=True)
    whole = bool(np.all(values == np.round(values))) and np.abs(values).max() < 2**53
    step = missing = 0.0
    if whole and len(values) > 1:
        step = float(np.gcd.reduce((values - values[0]).astype(np.int64)))
        missing = _missing(values, counts, step)
    return GreyValues(
        float(values[0]), float(values[-1]), _pile(counts), _pile(counts[::-1]), step, missing,
        len(values),
    )  # fmt: skip


def _pile(counts):
    """Share of pixels at the end of the grey scale, if it stands out."""
    if len(counts) < 8:
        return 0.0
    beside = np.median(counts[1:6])
    return float(counts[0] / counts.sum()) if counts[0] > 3 * beside + 10 else 0.0


def _missing(values, counts, step):
    """Share of grey levels that are left out in the middle of the histogram."""
    share = np.cumsum(counts) / counts.sum()
    low, high = (values[np.searchsorted(share, q)] for q in (0.05, 0.95))
    levels = int((high - low) / step) + 1
    inside = counts[(values >= low) & (values <= high)]
    # by chance a level is empty where few pixels are expected in each
    if levels < 4 or inside.sum() / levels < 20:
        return 0.0
    return max(0.0, 1.0 - len(inside) / levels)


def periodic(planes: np.ndarray, axis: int) -> float | None:
    """Period of a pattern in the sharpness of an image, as interpolation leaves it.

    Between pixels that were measured, interpolated ones are smoother; so the variance of second
    differences along an axis rises and falls with a period (Gallagher, CRV 2005).

    Parameters
    ----------
    planes : ndarray (N, Y, X)
    axis : int
        1 for Y, 2 for X.

    Returns
    -------
    float or None
        Period in pixels, None where there is none.
    """
    differences = np.abs(np.diff(planes, 2, axis=axis))
    profile = differences.mean(axis=tuple(a for a in range(3) if a != axis))
    if profile.size < 64:
        return None
    profile = np.log(profile + 1e-12)
    profile = profile - np.convolve(np.pad(profile, 8, "edge"), np.ones(17) / 17, "valid")
    spectrum = np.abs(np.fft.rfft(profile * np.hanning(profile.size)))
    spectrum[: max(2, profile.size // 16)] = 0
    if not spectrum.any():
        return None
    peak = int(np.argmax(spectrum))
    typical = np.median(spectrum[spectrum > 0])
    return profile.size / peak if spectrum[peak] > _PEAK * typical else None


def repeated_pixels(planes: np.ndarray, axis: int) -> int | None:
    """How often every pixel stands beside itself, for images enlarged without interpolation."""
    equal = np.mean(np.diff(planes, axis=axis) == 0, axis=tuple(a for a in range(3) if a != axis))
    for factor in (2, 3, 4):
        phases = [equal[phase::factor].mean() for phase in range(factor)]
        if sorted(phases)[1] > 0.95 and sorted(phases)[0] < 0.7:
            return factor
    return None


def jpeg_blocks(planes: np.ndarray) -> str | None:
    """Whether an image was compressed as JPEG, wherever its blocks of 8 x 8 pixels begin.

    Returns
    -------
    {'coefficients', 'edges', None}
        What tells: cosine coefficients of the blocks pile up at multiples of the step that they
        were rounded to, or edges between the blocks stand out.
    """
    if any(_coefficients_are_rounded(plane) for plane in planes[:3]):
        return "coefficients"
    return "edges" if all(_edges_stand_out(planes, axis) for axis in (1, 2)) else None


def _coefficients_are_rounded(plane, most=600):
    """Some coefficients of all 64 ways to cut an image into blocks."""
    from scipy.fft import dctn

    rows, columns = (n // 8 - 1 for n in plane.shape)
    if rows * columns < 100:
        return False
    steps = np.arange(3, 41)
    for y in range(8):
        for x in range(8):
            cut = plane[y : y + rows * 8, x : x + columns * 8].reshape(rows, 8, columns, 8)
            blocks = cut.transpose(0, 2, 1, 3).reshape(-1, 8, 8)
            blocks = blocks[:: max(1, len(blocks) // most)]
            found = dctn(blocks, axes=(1, 2), norm="ortho")[:, (1, 2, 3, 2), (3, 2, 1, 4)].T
            for values in found:
                # a step must be exceeded, or nearly all values are zero and none tells of it
                wide = steps[steps < 1.5 * values.std()]
                if (
                    len(wide)
                    and np.abs(np.exp(2j * np.pi * values[:, None] / wide).mean(axis=0)).max()
                    > _ROUNDED
                    and _is_comb(values, wide)
                ):
                    return True
    return False


def _is_comb(values, steps):
    """Whether values pile up at multiples of a step that they exceed: not just near zero."""
    for step in steps:
        far = values[np.abs(values) > step / 2]
        if len(far) > 50 and np.cos(2 * np.pi * far / step).mean() > _ROUNDED:
            return True
    return False


def _edges_stand_out(planes, axis):
    planes = np.moveaxis(planes, axis, 2)
    if planes.shape[2] < 64:
        return False
    # a step between pixels, against those before and behind it
    step = np.abs(np.diff(planes, axis=2))
    excess = step[..., 1:-1] - (step[..., :-2] + step[..., 2:]) / 2
    profile = excess.mean(axis=(0, 1))
    phases = [profile[phase::8] for phase in range(8)]
    order = np.argsort([p.mean() for p in phases])
    best, second = phases[order[-1]], phases[order[-2]]
    # one of eight: patterns of two or four pixels have other causes
    error = np.concatenate([p - p.mean() for p in phases]).std() / math.sqrt(len(best)) + 1e-12
    return (best.mean() - second.mean()) / error > _BLOCK_EDGES


def hot_pixels(planes: np.ndarray, sigma: float, gain: float) -> float:
    """Share of pixels that stand out from all their neighbours far beyond the noise.

    Parameters
    ----------
    planes : ndarray (N, Y, X)
    sigma : float
        Standard deviation of the noise.
    gain : float
        Variance of shot noise per grey value.
    """
    from scipy.ndimage import maximum_filter, median_filter

    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    count = 0
    for plane in planes:
        around = median_filter(plane, footprint=ring)
        highest = maximum_filter(plane, footprint=ring)
        spread = np.sqrt(sigma**2 + gain * np.maximum(highest - np.median(plane), 0))
        # no neighbour takes part in it, or it is a small bright thing
        alone = plane - highest > _HOT / 2 * spread
        count += int(np.sum(alone & (plane - around > _HOT * spread)))
    return count / planes.size


def blank_border(plane: np.ndarray) -> int:
    """Rows and columns at the edges of (Y, X) of one value, as aligning images leaves them."""
    count = 0
    for side in (plane, plane[::-1], plane.T, plane.T[::-1]):
        for line in side:
            if np.ptp(line) > 0:
                break
            count += 1
    return count
