"""Images beside each other, what a network sees of them, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Rectangle

from ..errors import ConfigError, ImageError
from .picture import Picture, bare, grey_scale, plane


def before_after(
    images: Mapping[str, np.ndarray], axes: str | None = None, zoom: float = 4.0
) -> Picture:
    """Images side by side at one grey scale, whole and with a detail enlarged.

    Parameters
    ----------
    images : mapping of title to ndarray
        All of one shape. The grey scale is that of the last one, percentiles 0.1 to 99.95: a clean
        or denoised image.
    axes : str, optional
        Of all images, letters of 'STCZYX'; the middle along Z and the first of S and T are shown.
        Default: those of a result of `predict`, else the last two are Y and X.
    zoom : float
        How much the detail is enlarged. It is the square of highest contrast in the last image.

    Returns
    -------
    Picture
        Save it with ``picture.savefig(path)``.

    Raises
    ------
    ImageError
        If the images differ in shape.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(100, 10, (64, 64))
    >>> picture = before_after({"noisy": noisy, "smooth": noisy * 0 + 100})
    """
    flat = _planes(images, axes)
    reference = list(flat.values())[-1]
    low, high = grey_scale(reference)
    side = max(16, int(min(reference.shape[:2]) / zoom))
    rows, columns = busiest_square(reference, side)
    height = 3.2 * reference.shape[0] / reference.shape[1]
    figure = Picture(figsize=(3.2 * len(flat), height + 3.5))
    cells = figure.subplots(
        2, len(flat), squeeze=False, gridspec_kw={"height_ratios": [height, 3.2]}
    )
    for column, (title, picture) in enumerate(flat.items()):
        shown = np.clip((picture - low) / (high - low), 0, 1)
        options = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        whole, detail = cells[:, column]
        whole.imshow(shown, **options)
        whole.set_title(title)
        corner = (columns.start, rows.start)
        side = rows.stop - rows.start
        whole.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="tab:orange"))
        detail.imshow(shown[rows, columns], **options)
        bare(whole)
        bare(detail)
    return figure


def strip(images: Mapping[str, np.ndarray], axes: str | None = None, columns: int = 5) -> Picture:
    """Pictures of one scene one after the other, at one grey scale.

    Parameters
    ----------
    images : mapping of title to ndarray
        Sizes may differ. The grey scale is that of the first, percentiles 0.1 to 99.95.
    axes : str, optional
        As in `before_after`.
    columns : int
        Pictures in a row.

    Returns
    -------
    Picture
    """
    flat = {title: plane(image, axes) for title, image in images.items()}
    first = next(iter(flat.values()))
    low, high = grey_scale(first)
    columns = min(columns, len(flat))
    rows = -(-len(flat) // columns)
    height = 2.6 * first.shape[0] / first.shape[1] + 0.3
    figure = Picture(figsize=(2.6 * columns, height * rows))
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, (title, picture) in zip(cells, flat.items(), strict=False):
        shown = np.clip((picture - low) / (high - low), 0, 1)
        cell.imshow(shown, cmap="gray", vmin=0, vmax=1)
        cell.set_title(title, fontsize=8)
    return figure


def masked_patch(method, image: np.ndarray, axes: str | None = None, seed: int = 0) -> Picture:
    """What the network of a method with masks sees of a patch, beside the patch itself.

    Parameters
    ----------
    method : model or config
        Of Noise2Void and its variants.
    image : ndarray
        Image to cut a patch from, where its contrast is highest.
    axes : str, optional
        As in `before_after`.
    seed : int
        Of the blind spots.

    Returns
    -------
    Picture
        The patch, what the network gets (blind spots filled from around them), and the spots:
        those it is trained on, and with structN2V those that are hidden beside them.

    Raises
    ------
    ConfigError
        If the method hides no pixels.
    """
    config = getattr(method, "config", method)
    if not hasattr(config, "masker"):
        raise ConfigError(
            "Only Noise2Void, structN2V and N2V2 replace pixels by others. Received: method "
            f"{getattr(config, 'method', type(config).__name__)!r}."
        )
    picture = plane(image, axes)
    picture = picture if picture.ndim == 2 else picture[..., 0]
    rows, columns = busiest_square(picture, config.patch_shape[-1])
    patch = np.ascontiguousarray(picture[rows, columns])
    seen, spots = _hidden(config, patch, seed)
    low, high = grey_scale(patch)
    figure = Picture(figsize=(9.6, 3.6))
    cells = figure.subplots(1, 3)
    options = {"cmap": "gray", "vmin": low, "vmax": high, "interpolation": "nearest"}
    cells[0].imshow(patch, **options)
    cells[0].set_title("patch")
    cells[1].imshow(seen, **options)
    cells[1].set_title("what the network sees")
    marks = np.where(spots, 2, (seen != patch).astype(int))
    cells[2].imshow(marks, cmap="magma", vmin=0, vmax=2, interpolation="nearest")
    more = "" if config.structN2Vmask is None else ", and what is hidden with them"
    cells[2].set_title(f"{int(spots.sum())} blind spots{more}", fontsize=9)
    for cell in cells:
        bare(cell)
    return figure


def _hidden(config, patch, seed):
    """The patch as the network gets it, and where its blind spots are."""
    mean, scale = float(patch.mean()), float(patch.std()) or 1.0
    masker = config.masker()
    depth = (1,) * (config.n_dim - 2)
    if depth:  # a plane of a volume whose planes are all alike
        depth = (config.patch_shape[0],)
    normal = np.broadcast_to((patch - mean) / scale, (*depth, *patch.shape))
    batch = np.array(normal[np.newaxis, ..., np.newaxis], np.float32, order="C")
    mask = np.zeros(batch.shape, bool)
    mask[masker(batch, np.random.default_rng(seed))] = True
    middle = (0, *(n // 2 for n in depth), slice(None), slice(None), 0)
    untouched = np.isclose(batch[middle], (patch - mean) / scale, atol=1e-6)
    seen = np.where(untouched, patch, batch[middle] * scale + mean)
    return seen, mask[middle]


def uncertainty(prediction, axes: str | None = None) -> Picture:
    """A denoised image beside its standard deviation, in its own units.

    Parameters
    ----------
    prediction : dict or ProbabilisticPrediction
        What `HQSSL.predict(..., output='all')` or `predict_probabilistic` returns.
    axes : str, optional
        As in `before_after`.

    Returns
    -------
    Picture
        The denoised image; the standard deviation of the clean value given the noisy image; and
        for HQ-SSL that without the pixel itself. Where it is high the image tells little, and
        what is seen there is a guess.

    Raises
    ------
    ImageError
        If the prediction holds no variances.
    """
    if isinstance(prediction, Mapping) and "posterior_variance" in prediction:
        panels = {
            "denoised": prediction["posterior_mean"],
            "standard deviation": np.sqrt(prediction["posterior_variance"]),
            "without the pixel itself": np.sqrt(prediction["prior_variance"]),
        }
        axes = axes or getattr(prediction["posterior_mean"], "axes", None)
    elif hasattr(prediction, "scale") and hasattr(prediction, "mean"):
        deviation = np.sqrt(prediction.var())
        panels = {"denoised": prediction.mean(), "standard deviation": deviation}
    else:
        raise ImageError(
            "An uncertainty needs variances: predict(..., output='all') of HQ-SSL, or "
            f"predict_probabilistic. Received: {type(prediction).__name__}."
        )
    flat = {title: plane(image, axes) for title, image in panels.items()}
    flat = {
        # one map for all colours
        title: p if p.ndim == 2 or title == "denoised" else p.mean(axis=-1)
        for title, p in flat.items()
    }
    first = next(iter(flat.values()))
    height = 3.6 * first.shape[0] / first.shape[1] + 0.5
    figure = Picture(figsize=(3.9 * len(flat), height))
    cells = figure.subplots(1, len(flat))
    highest = max(np.percentile(p, 99.8) for t, p in flat.items() if t != "denoised")
    for cell, (title, picture) in zip(cells, flat.items(), strict=True):
        if title == "denoised":
            low, high = grey_scale(picture)
            cell.imshow(np.clip((picture - low) / (high - low), 0, 1), cmap="gray", vmin=0, vmax=1)
        else:
            drawn = cell.imshow(picture, cmap="magma", vmin=0, vmax=highest)
            figure.colorbar(drawn, ax=cell, fraction=0.046, label="grey values")
        cell.set_title(title)
        bare(cell)
    return figure


def _planes(images, axes):
    flat = {title: plane(image, axes) for title, image in images.items()}
    shapes = {title: picture.shape for title, picture in flat.items()}
    if len({shape[:2] for shape in shapes.values()}) != 1:
        raise ImageError(
            f"Images that are compared must have one shape. Received: {shapes}. Use "
            "n2v_tk.plot.strip for images of several sizes."
        )
    return flat


def busiest_square(image: np.ndarray, side: int) -> tuple[slice, slice]:
    """Rows and columns of the square of an image (Y, X[, 3]) where its contrast is highest."""
    from skimage.util import view_as_blocks

    grey = image if image.ndim == 2 else image.mean(axis=-1)
    side = min(side, *grey.shape)
    rows, columns = (s // side for s in grey.shape)
    blocks = view_as_blocks(
        np.ascontiguousarray(grey[: rows * side, : columns * side]), (side, side)
    )
    row, column = np.unravel_index(np.argmax(blocks.std(axis=(2, 3))), (rows, columns))
    return (
        slice(row * side, (row + 1) * side),
        slice(column * side, (column + 1) * side),
    )
