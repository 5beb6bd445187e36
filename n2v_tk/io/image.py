"""An image with what its file says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Image:
    """An image from a file.

    Parameters
    ----------
    data : ndarray
        Pixels; memory-mapped where the file allows.
    axes : str
        Letters of 'STCZYX', one per dimension of `data`.
    pixel_sizes : dict of str to float
        Size of a pixel along axes of 'ZYX', and seconds between time points for 'T', where known.
    unit : str
        Unit of length, e.g. 'micron' or 'µm'.
    kind : {'ome', 'imagej', 'tiff', 'png', 'npy'}
        What the file was, and what a result is written as.
    """

    data: np.ndarray
    axes: str
    pixel_sizes: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    kind: str = "tiff"

    def like(self, data: np.ndarray) -> Image:
        """The same image with other pixels."""
        return Image(data, self.axes, self.pixel_sizes, self.unit, self.kind)
