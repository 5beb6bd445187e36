"""Figures that show themselves, and images as a screen takes them."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.figure import Figure

from ..axes import normalize_axes
from ..errors import AxesError

# that a clean image leaves outside of its grey scale, in percent
LOWEST, HIGHEST = 0.1, 99.95


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, pyplot or not.

    Save it with ``picture.savefig(path)``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"layout": "constrained", **kwargs})

    def _repr_png_(self) -> bytes:
        return as_png(self)


def as_png(figure: Figure, dpi: int = 100) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def as_img(png: bytes, alt: str, style: str = "") -> str:
    """An HTML element that holds a PNG file."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{alt}" style="{style}">'


def grey_png(image: np.ndarray, low: float, high: float) -> bytes:
    """A grey or colour image (Y, X) or (Y, X, 3) as a PNG file of its own size."""
    from matplotlib.image import imsave

    shown = np.clip((np.asarray(image, np.float32) - low) / max(high - low, 1e-12), 0, 1)
    file = io.BytesIO()
    imsave(file, shown, cmap="gray", vmin=0, vmax=1, format="png")
    return file.getvalue()


def guess_axes(image: np.ndarray) -> str:
    """Axes of an image for showing it, where nobody names them.

    Those the image has itself (what `predict` returns), else the last two are Y and X, unless the
    last one has three values: colours.
    """
    if (axes := getattr(image, "axes", None)) is not None:
        return axes
    if image.ndim == 3 and image.shape[-1] == 3 and image.shape[0] > 3:
        return "YXC"
    if not 2 <= image.ndim <= 5:
        raise AxesError(
            "An image to be shown has two to five axes, e.g. 'YX' or 'ZYX'. Received: shape "
            f"{image.shape}."
        )
    return "STZYX"[5 - image.ndim :]


def plane(image: np.ndarray, axes: str | None = None) -> np.ndarray:
    """What of an image is shown: (Y, X) or (Y, X, 3).

    The middle along Z, the first along S and T; three channels are shown as colours, of others
    the first.

    Examples
    --------
    >>> plane(np.zeros((4, 3, 20, 30)), "TCYX").shape
    (20, 30, 3)
    """
    image = image if hasattr(image, "ndim") else np.asarray(image)
    axes = normalize_axes(axes or guess_axes(image), image.ndim)
    index = {"S": 0, "T": 0, "Z": image.shape[axes.index("Z")] // 2 if "Z" in axes else 0}
    if "C" in axes and image.shape[axes.index("C")] != 3:
        index["C"] = 0
    # one index at a time: lazy arrays are read only here
    shown = np.asarray(image[tuple(index.get(a, slice(None)) for a in axes)])
    kept = [a for a in axes if a not in index]
    order = [kept.index(a) for a in "YXC" if a in kept]
    return np.asarray(np.transpose(shown, order), np.float32)


def grey_scale(picture: np.ndarray) -> tuple[float, float]:
    """Grey values that are shown black and white."""
    low, high = np.percentile(picture, (LOWEST, HIGHEST))
    return float(low), float(max(high, low + 1e-6 * abs(low) + 1e-12))


def bare(axis) -> None:
    """Take ticks off."""
    axis.set_xticks([])
    axis.set_yticks([])
