"""What was taken away from an image, and how its noise is made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..data.correlation import autocorrelation, mean_by_brightness, radial_spectrum
from ..errors import ImageError
from .picture import Picture, bare, plane

_REACH = 8


def residual(noisy: np.ndarray, denoised: np.ndarray, axes: str | None = None) -> Picture:
    """What denoising took away: it should be noise and nothing else.

    Parameters
    ----------
    noisy, denoised : ndarray of one shape
    axes : str, optional
        As in `before_after`.

    Returns
    -------
    Picture
        The residual, noisy minus denoised; its autocorrelation, which is flat beside the middle
        unless structure was taken away or the noise is correlated; its profiles along X and Y; and
        its mean where the image is dark or bright, which is zero unless brightness was changed.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(100, 10, (64, 64))
    >>> picture = residual(noisy, np.full((64, 64), 100.0))
    """
    if np.shape(noisy) != np.shape(denoised):
        raise ImageError(
            "A residual needs the noisy image and its denoised version. Received: shapes "
            f"{np.shape(noisy)} and {np.shape(denoised)}."
        )
    axes = axes or getattr(denoised, "axes", None) or getattr(noisy, "axes", None)
    before, after = plane(noisy, axes), plane(denoised, axes)
    before, after = (p if p.ndim == 2 else p.mean(axis=-1) for p in (before, after))
    taken = before - after
    figure = Picture(figsize=(9.5, 7.6))
    cells = figure.subplots(2, 2)
    _draw_residual(figure, cells[0, 0], taken)
    _draw_correlation(figure, cells[0, 1], autocorrelation(taken, _REACH))
    _draw_profiles(cells[1, 0], taken)
    _draw_bias(cells[1, 1], after, taken)
    return figure


def _draw_residual(figure, cell, taken):
    extent = 3 * float(taken.std()) or 1.0
    drawn = cell.imshow(taken, cmap="gray", vmin=-extent, vmax=extent, interpolation="nearest")
    figure.colorbar(drawn, ax=cell, fraction=0.046, label="grey values")
    cell.set_title("what was taken away: noise only?")
    bare(cell)


def _draw_correlation(figure, cell, found):
    reach = len(found) // 2
    shown = found.copy()
    shown[reach, reach] = np.nan
    extent = max(0.05, float(np.nanmax(np.abs(shown))))
    span = (-reach - 0.5, reach + 0.5) * 2
    drawn = cell.imshow(shown, cmap="RdBu_r", vmin=-extent, vmax=extent, extent=span)
    figure.colorbar(drawn, ax=cell, fraction=0.046, label="correlation")
    cell.set_title("its autocorrelation")
    cell.set_xlabel("pixels along X")
    cell.set_ylabel("along Y")


def _draw_profiles(cell, taken):
    found = autocorrelation(taken, _REACH)
    reach = len(found) // 2
    lags = np.arange(1, reach + 1)
    cell.plot(lags, found[reach, reach + 1 :], "o-", label="along X")
    cell.plot(lags, found[reach + 1 :, reach], "s-", label="along Y")
    chance = 3 / np.sqrt(taken.size)
    cell.axhspan(-chance, chance, color="tab:green", alpha=0.2, label="chance")
    low, high = cell.get_ylim()
    cell.set_ylim(min(low, -0.1), max(high, 0.1))
    cell.set_title("correlation of neighbours")
    cell.set_xlabel("pixels apart")
    cell.legend(fontsize=8)
    cell.grid(alpha=0.3)


def _draw_bias(cell, after, taken):
    brightness, mean, error = mean_by_brightness(after, taken)
    cell.errorbar(brightness, mean, 2 * error, fmt="o-", markersize=3)
    cell.axhline(0, color="black", linewidth=0.8)
    extent = max(float(taken.std()) / 5, float(np.abs(mean).max()) * 1.2)
    cell.set_ylim(-extent, extent)
    cell.set_title("its mean by brightness: zero?")
    cell.set_xlabel("grey value after denoising")
    cell.set_ylabel("mean residual")
    cell.grid(alpha=0.3)


def spectrum(images: Mapping[str, np.ndarray], axes: str | None = None) -> Picture:
    """Power over spatial frequency, averaged over all directions.

    Parameters
    ----------
    images : mapping of title to ndarray
        E.g. the noisy and the denoised image.
    axes : str, optional
        As in `before_after`.

    Returns
    -------
    Picture
        Independent noise is a level that does not fall towards high frequencies. The signal
        stands out above it on the left; what lies below the level cannot be told from noise. A
        peak at the right end after denoising is a checkerboard pattern (see N2V2).
    """
    figure = Picture(figsize=(6.4, 3.8))
    cell = figure.subplots()
    for title, image in images.items():
        picture = plane(image, axes)
        frequency, power = radial_spectrum(picture if picture.ndim == 2 else picture.mean(axis=-1))
        cell.semilogy(frequency, power, label=title)
    cell.set_xlabel("spatial frequency (cycles per pixel)")
    cell.set_ylabel("power (squared grey values)")
    cell.set_xlim(0, 0.5)
    cell.legend(fontsize=8)
    cell.grid(alpha=0.3)
    return figure
