"""Pictures for people."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def before_after(images: Mapping[str, np.ndarray], zoom: float = 4.0) -> Figure:
    """Images side by side at one grey scale, whole and with a detail enlarged.

    Parameters
    ----------
    images : mapping of title to ndarray (Y, X)
        All of one shape. The grey scale is that of the last one, percentiles 0.1 to 99.95: a clean
        or denoised image.
    zoom : float
        How much the detail is enlarged. It is the square of highest contrast in the last image.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``figure.savefig(path)``.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    reference = np.asarray(list(images.values())[-1], np.float32)
    low, high = np.percentile(reference, (0.1, 99.95))
    rows, columns = _busiest_square(reference, max(16, int(min(reference.shape) / zoom)))
    height = 3.2 * reference.shape[0] / reference.shape[1]
    figure = Figure(figsize=(3.2 * len(images), height + 3.5), layout="constrained")
    axes = figure.subplots(
        2, len(images), squeeze=False, gridspec_kw={"height_ratios": [height, 3.2]}
    )
    for column, (title, image) in enumerate(images.items()):
        options = {"cmap": "gray", "vmin": low, "vmax": high, "interpolation": "nearest"}
        whole, detail = axes[:, column]
        whole.imshow(image, **options)
        whole.set_title(title)
        corner = (columns.start, rows.start)
        side = rows.stop - rows.start
        whole.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="tab:orange"))
        detail.imshow(image[rows, columns], **options)
        for axis in (whole, detail):
            axis.set_xticks([])
            axis.set_yticks([])
    return figure


def strip(images: Mapping[str, np.ndarray], axes: str, columns: int = 5) -> Figure:
    """Pictures of one scene one after the other, at one grey scale.

    Parameters
    ----------
    images : mapping of title to ndarray
        Sizes may differ. The grey scale is that of the first, percentiles 0.1 to 99.9.
    axes : str
        Of all images: Y, X, perhaps C (three are shown as colours, of others the first) and Z
        (the middle plane is shown).
    columns : int
        Pictures in a row.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    flat = {title: _as_picture(np.asarray(image), axes) for title, image in images.items()}
    first = next(iter(flat.values()))
    low, high = np.percentile(first, (0.1, 99.9))
    columns = min(columns, len(flat))
    rows = -(-len(flat) // columns)
    height = 2.6 * first.shape[0] / first.shape[1] + 0.3
    figure = Figure(figsize=(2.6 * columns, height * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, (title, picture) in zip(cells, flat.items(), strict=False):
        shown = np.clip((picture - low) / max(high - low, 1e-12), 0, 1)
        cell.imshow(shown, cmap="gray", vmin=0, vmax=1)
        cell.set_title(title, fontsize=8)
    return figure


class LivePictures:
    """Pictures of a Deep Image Prior on its way, in the output of a notebook cell.

    Called with a `n2v_tk.models.dip.DIPProgress` at every look, it shows the given picture, the
    output as it is, and its average.

    Parameters
    ----------
    image : ndarray
        The given picture.
    axes : str
    """

    def __init__(self, image: np.ndarray, axes: str):
        self.image, self.axes = image, axes
        self._handle = None

    def __call__(self, progress) -> None:
        """Show how far it is."""
        from IPython.display import Image, display

        fit = progress.history["psnr_fit"][-1]
        step = f"step {progress.iteration} of {progress.iterations}"
        figure = strip(
            {
                "given": self.image,
                f"{step}, fit {fit:.1f} dB": progress.current(),
                "averaged": progress.averaged(),
            },
            self.axes,
        )
        # a bare figure is text to a notebook that has not imported pyplot
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
        picture = Image(data=file.getvalue())
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


def in_notebook() -> bool:
    """Whether code runs in a notebook, whose cells can show pictures."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def _as_picture(image, axes):
    """(Y, X) or (Y, X, 3) of an image with such axes."""
    axes = axes.upper()
    order = [axes.index(a) for a in "ZYXC" if a in axes]
    image = np.transpose(np.asarray(image, np.float32), order)
    if "Z" in axes:
        image = image[len(image) // 2]
    if "C" in axes and image.shape[-1] != 3:
        image = image[..., 0]
    return image


def _busiest_square(image, side):
    from skimage.util import view_as_blocks

    side = min(side, *image.shape)
    rows, columns = (s // side for s in image.shape)
    blocks = view_as_blocks(image[: rows * side, : columns * side], (side, side))
    row, column = np.unravel_index(np.argmax(blocks.std(axis=(2, 3))), (rows, columns))
    return (
        slice(row * side, (row + 1) * side),
        slice(column * side, (column + 1) * side),
    )
