"""PNG files, and JPEG files to read (imagecodecs)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from .image import Image


def read_png(path: Path) -> Image:
    """Grey or RGB picture of 8 or 16 bit; transparency is left out."""
    import imagecodecs

    data = imagecodecs.png_decode(path.read_bytes())
    if data.ndim == 3 and data.shape[-1] in (2, 4):
        if data[..., -1].min() < np.iinfo(data.dtype).max:
            warnings.warn(f"The transparency of {path.name} is left out.", stacklevel=4)
        data = data[..., :-1]
        data = data[..., 0] if data.shape[-1] == 1 else data
    return Image(data, "YX" if data.ndim == 2 else "YXC", kind="png")


def read_jpeg(path: Path) -> Image:
    """Grey or RGB picture of 8 bit; results are written as PNG."""
    import imagecodecs

    data = imagecodecs.jpeg8_decode(path.read_bytes())
    return Image(data, "YX" if data.ndim == 2 else "YXC", kind="png")


def write_png(path: Path, image: Image) -> None:
    """Write a picture that `n2v_tk.io.files.check_format` lets pass."""
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(image.data))
