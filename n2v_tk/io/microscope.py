"""Files of microscopes (CZI, ND2, LIF) through bioio's readers, plane by plane."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..errors import ExtraMissingError, ImageFileError
from ..lazy import LazyArray
from .chunks import CachedChunks
from .image import Image

MICROSCOPE_SUFFIXES = (".czi", ".nd2", ".lif")


def read_microscope(path: Path, scene: str | None = None) -> Image:
    """One scene of a file.

    Parameters
    ----------
    path : Path
    scene : str, optional
        Name or number (from 0) of the scene. Default: the first.
    """
    suffix = path.suffix.lower()
    try:
        from bioio import BioImage

        __import__(f"bioio_{suffix[1:]}")
    except ImportError as error:
        raise ExtraMissingError(
            f"{suffix[1:].upper()} files need the package bioio-{suffix[1:]}. Received: "
            f"{error.name}: no such package. Install it with pip install 'n2v_tk[bio]'."
        ) from error
    # chunks are planes; ND2 is read by planes anyway
    options = {} if suffix == ".nd2" else {"chunk_dims": ["Y", "X", "S"]}
    file = BioImage(path, **options)
    scenes = list(file.scenes)
    if scene is None:
        if len(scenes) > 1:
            shown = ", ".join(scenes[:6]) + (", ..." if len(scenes) > 6 else "")
            warnings.warn(
                f"{path.name} holds {len(scenes)} scenes; the first is used. Others are named by "
                f"FILE::SCENE: {shown}.",
                stacklevel=4,
            )
    elif scene in scenes:
        file.set_scene(scene)
    elif scene.isdecimal() and int(scene) < len(scenes):
        file.set_scene(int(scene))
    else:
        raise ImageFileError(
            f"There is no such scene. Received: {scene!r} for {path}, which holds "
            f"{', '.join(scenes)}."
        )
    pixels = file.dask_data
    order = file.dims.order
    # single planes, channels and time points are no axes of ours
    kept = [i for i, (axis, n) in enumerate(zip(order, pixels.shape, strict=True))
            if n > 1 or axis in "YX"]  # fmt: skip
    pixels = pixels[tuple(slice(None) if i in kept else 0 for i in range(len(order)))]
    axes = "".join(order[i] for i in kept)
    if axes.endswith("S") and "C" not in axes:
        axes = axes[:-1] + "C"  # the samples of colour
    chunks = tuple(n if axis in "YX" or (axis == "C" and axes.endswith("C")) else 1
                   for axis, n in zip(axes, pixels.shape, strict=True))  # fmt: skip
    source = CachedChunks(
        pixels.shape, pixels.dtype, chunks, lambda w: pixels[w].compute(scheduler="synchronous")
    )
    sizes = file.physical_pixel_sizes
    found = {a: float(size) for a, size in zip("ZYX", sizes, strict=True) if size}
    return Image(LazyArray(source), axes, found, "µm" if found else "", suffix[1:])
