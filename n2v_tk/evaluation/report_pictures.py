"""Histogram and linearity of a denoised image."""

from __future__ import annotations

import numpy as np

from ..data.correlation import mean_by_brightness
from ..plot.picture import Picture


def draw_brightness(noisy: np.ndarray, denoised: np.ndarray) -> Picture:
    """Histograms of both, and mean noisy over denoised grey values."""
    figure = Picture(figsize=(9.5, 3.6))
    left, right = figure.subplots(1, 2)
    low, high = np.percentile(noisy, (0.05, 99.95))
    edges = np.linspace(low, high, 129)
    for image, name in ((noisy, "noisy"), (denoised, "denoised")):
        left.hist(np.ravel(image), edges, histtype="step", log=True, label=name)
    left.set_title("histogram")
    left.set_xlabel("grey value")
    left.set_ylabel("pixels")
    left.legend(fontsize=8)
    brightness, mean, error = mean_by_brightness(denoised, noisy, 32)
    right.errorbar(brightness, mean, 2 * error, fmt="o", markersize=3)
    ends = [brightness.min(), brightness.max()]
    right.plot(ends, ends, color="black", linewidth=0.8, label="equal")
    right.set_title("linearity")
    right.set_xlabel("grey value after denoising")
    right.set_ylabel("mean before")
    right.legend(fontsize=8)
    right.grid(alpha=0.3)
    return figure
