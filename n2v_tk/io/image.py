"""An image with what its file says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..lazy import LazyArray


@dataclass
class Image:
    """An image from a file.

    Parameters
    ----------
    data : ndarray or LazyArray
        Pixels; memory-mapped where the file allows, and read as they are needed from stores of
        chunks and large compressed files.
    axes : str
        Letters of 'STCZYX', one per dimension of `data`.
    pixel_sizes : dict of str to float
        Size of a pixel along axes of 'ZYX', and seconds between time points for 'T', where known.
    unit : str
        Unit of length, e.g. 'micron' or 'µm'.
    kind : {'ome', 'imagej', 'tiff', 'png', 'npy', 'zarr', 'hdf5', 'czi', 'nd2', 'lif'}
        What the file was. Of TIFF, the flavour in which a result is written.
    """

    data: np.ndarray | LazyArray
    axes: str
    pixel_sizes: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    kind: str = "tiff"

    def like(self, data: np.ndarray) -> Image:
        """The same image with other pixels."""
        return Image(data, self.axes, self.pixel_sizes, self.unit, self.kind)
