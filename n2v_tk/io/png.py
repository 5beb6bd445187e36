"""PNG files, and JPEG files to read (imagecodecs)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..errors import ImageFileError
from .image import Image
from .limits import check_decoded

# frames of JPEG; the other codes between them are tables
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# samples of a pixel, by PNG's code of its colours; a palette may come with transparency
_SAMPLES = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}


def read_png(path: Path) -> Image:
    """Grey or RGB picture of 8 or 16 bit; transparency is left out."""
    import imagecodecs

    content = path.read_bytes()
    _check_png(content, path)
    data = imagecodecs.png_decode(content)
    if data.ndim == 3 and data.shape[-1] in (2, 4):
        if data[..., -1].min() < np.iinfo(data.dtype).max:
            warnings.warn(f"The transparency of {path.name} is left out.", stacklevel=4)
        data = data[..., :-1]
        data = data[..., 0] if data.shape[-1] == 1 else data
    return Image(data, "YX" if data.ndim == 2 else "YXC", kind="png")


def read_jpeg(path: Path) -> Image:
    """Grey or RGB picture of 8 bit; results are written as PNG."""
    import imagecodecs

    content = path.read_bytes()
    _check_jpeg(content, path)
    data = imagecodecs.jpeg8_decode(content)
    return Image(data, "YX" if data.ndim == 2 else "YXC", kind="png")


def _check_png(content, path):
    """Refuse a picture that its header says is too large; the header is first and of one form."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR" or len(content) < 33:
        raise ImageFileError(f"The file cannot be read: it is no PNG or damaged. Received: {path}.")
    width, height = (int.from_bytes(content[i : i + 4]) for i in (16, 20))
    depth, colours = content[24:26]
    check_decoded(width * height * _SAMPLES.get(colours, 4) * max(1, depth // 8), path)


def _check_jpeg(content, path):
    """The same for JPEG, whose frame header stands behind tables of any length."""
    at = 2
    while content[:2] == b"\xff\xd8" and at + 10 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _FRAMES:
            height, width = (int.from_bytes(content[i : i + 2]) for i in (at + 5, at + 7))
            check_decoded(height * width * content[at + 9], path)
            return
        filling = content[at + 1] == 0xFF
        at += 1 if filling else 2 + int.from_bytes(content[at + 2 : at + 4])
    raise ImageFileError(f"The JPEG cannot be read: it is damaged or none. Received: {path}.")


def write_png(path: Path, image: Image) -> None:
    """Write a picture that `n2v_tk.io.files.check_format` lets pass."""
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(image.data))
