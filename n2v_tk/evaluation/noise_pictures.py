"""What a check of the noise looked at."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from ..data.noise_estimation import NoiseEstimate, noise_over_signal
from ..plot.picture import Picture, bare, grey_scale
from .noise_structure import NoiseStructure


def draw_check(
    planes: np.ndarray, structure: NoiseStructure | None, noise: NoiseEstimate | None
) -> Picture:
    """Four pictures: the image and its flat parts, correlation, noise over signal, histogram."""
    figure = Picture(figsize=(9.5, 7.6))
    cells = figure.subplots(2, 2)
    _draw_image(cells[0, 0], planes, structure)
    _draw_correlation(figure, cells[0, 1], structure)
    _draw_noise(cells[1, 0], planes, noise)
    _draw_histogram(cells[1, 1], planes)
    return figure


def _draw_image(cell, planes, structure):
    low, high = grey_scale(planes[0])
    cell.imshow(planes[0], cmap="gray", vmin=low, vmax=high)
    cell.set_title("image, and the flat parts that were looked at")
    bare(cell)
    if structure is not None:
        for index, y, x in structure.blocks:
            if index == 0:
                side = structure.side
                cell.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="tab:orange"))


def _draw_correlation(figure, cell, structure):
    cell.set_title("correlation of the noise")
    if structure is None:
        cell.text(0.5, 0.5, "too few pixels", ha="center")
        bare(cell)
        return
    reach = len(structure.map) // 2
    shown = structure.map.copy()
    shown[reach, reach] = np.nan
    extent = max(0.1, float(np.nanmax(np.abs(shown))))
    span = (-reach - 0.5, reach + 0.5) * 2
    drawn = cell.imshow(shown, cmap="RdBu_r", vmin=-extent, vmax=extent, extent=span)
    figure.colorbar(drawn, ax=cell, fraction=0.046)
    cell.set_xlabel("pixels along X")
    cell.set_ylabel("along Y")


def _draw_noise(cell, planes, noise):
    cell.set_title("noise over brightness")
    cell.set_xlabel("grey value")
    cell.set_ylabel("variance of the noise")
    if noise is None:
        return
    signal, variance = noise_over_signal(planes)
    cell.plot(signal, variance, "o", markersize=4)
    ends = np.array([signal.min(), signal.max()])
    cell.plot(ends, noise.gain * ends + noise.variance_at_zero, color="tab:orange")
    cell.set_ylim(0, 1.3 * variance.max())
    cell.grid(alpha=0.3)


def _draw_histogram(cell, planes):
    low, high = planes.min(), planes.max()
    edges = np.linspace(low, max(high, low + abs(low) * 1e-9 + 1e-12), 257)
    cell.hist(planes.ravel(), edges, color="tab:blue", log=True)
    cell.set_title("histogram")
    cell.set_xlabel("grey value")
    cell.set_ylabel("pixels")
