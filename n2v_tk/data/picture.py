"""One picture with what is known of it, brought to the range of a network's output."""

from __future__ import annotations

import hashlib

import numpy as np

from ..axes import StackLayout, normalize_axes
from ..errors import AxesError, ImageError
from ..normalization import check_image


class Picture:
    """A picture or small volume as a batch of one, in [0, 1].

    Parameters
    ----------
    image : ndarray
        Any real dtype and units.
    axes : str
        Y, X, perhaps Z and C, in any order.
    mask : ndarray, optional
        1 where the picture is known and 0 where it is missing; of the shape of `image`, or of it
        without channels.
    value_range : (low, high), optional
        Grey values that become 0 and 1. Default: 0 and 255 for 8 bit, else the range of what is
        known.
    factor : int
        The result is so many times larger along Y and X.

    Attributes
    ----------
    axes : str
        As given, in upper case.
    values, weight : ndarray of float32 (1, (Z,) Y, X, C)
        The picture in [0, 1], and 1 where it is known.
    n_dim : {2, 3}
    sides : tuple of int
        Spatial sides of the result.

    Raises
    ------
    AxesError, ImageError
        If picture and mask do not fit, or cannot be worked with.
    """

    def __init__(self, image: np.ndarray, axes: str, mask=None, value_range=None, factor: int = 1):
        axes = normalize_axes(axes, image.ndim)
        if set(axes) & set("ST"):
            raise AxesError(
                f"One picture is needed. Received: axes {axes!r}, shape {image.shape}. Work on "
                "samples and time points one by one."
            )
        if factor > 1 and "Z" in axes:
            raise AxesError(
                f"Only pictures are enlarged, not volumes. Received: axes {axes!r}. Work on "
                "planes one by one."
            )
        check_image(image)
        self._image, self.axes = image, axes
        self.factor = factor
        self._layout = StackLayout.of(image, axes, 3 if "Z" in axes else 2)
        self.n_dim = self._layout.n_dim
        stack = self._layout.to_stack(image)
        self.sides = tuple(side * factor for side in stack.shape[1:-1])
        self.weight = (
            np.ones(stack.shape, np.float32) if mask is None else self._weight(np.asanyarray(mask))
        )
        self.low, self.high = self._range(stack[self.weight > 0], value_range)
        self.values = self._to_unit(stack)

    def _weight(self, mask):
        shape, axes = self._image.shape, self.axes
        without = tuple(n for n, a in zip(shape, axes, strict=True) if a != "C")
        if mask.shape == without and "C" in axes:
            mask = np.expand_dims(mask, axes.index("C"))
        elif mask.shape != shape:
            raise ImageError(
                "The mask must have the shape of the picture, with or without its channels. "
                f"Received: {mask.shape} for a picture of {shape} with axes {axes!r}."
            )
        if not np.isin(mask, (0, 1)).all():
            found = ", ".join(f"{v:g}" for v in np.unique(mask)[:6])
            raise ImageError(
                "The mask must hold 1 where the picture is known and 0 where it is missing. "
                f"Received: values {found}. Compare it with a number, e.g. mask > 127."
            )
        if not mask.any():
            raise ImageError("No pixel of the picture is known. Received: a mask of zeros.")
        return self._layout.to_stack(np.broadcast_to(mask, shape)).astype(np.float32)

    def _range(self, known, value_range):
        if value_range is not None:
            return value_range
        if self._image.dtype == np.uint8:
            return 0.0, 255.0
        low, high = float(known.min()), float(known.max())
        if low == high:
            raise ImageError(
                f"The picture is constant. Received: {low:g} wherever it is known. There is "
                "nothing to fit."
            )
        return low, high

    def _to_unit(self, stack):
        """Clipped, since the output of the network is bound to [0, 1]."""
        unit = (np.asarray(stack, np.float64) - self.low) / (self.high - self.low)
        return np.clip(unit, 0, 1).astype(np.float32)

    def companion(self, image: np.ndarray, what: str, enlarged: bool = False) -> np.ndarray:
        """Another picture of the same scene, as this one: (1, (Z,) Y, X, C) in its scale.

        `enlarged` is whether it has the size of the result. Channels may differ if it is not.
        """
        image = np.asanyarray(image)
        wanted = self._enlarged_shape() if enlarged else self._image.shape
        spatial = [i for i, a in enumerate(self.axes) if a != "C"]
        fits = image.ndim == len(wanted) and all(image.shape[i] == wanted[i] for i in spatial)
        if not fits or (enlarged and image.shape != wanted):
            raise ImageError(
                f"{what} must have the shape {tuple(wanted)} (axes {self.axes!r}). Received: "
                f"{image.shape}."
            )
        check_image(image, what)
        return StackLayout.of(image, self.axes, self.n_dim).to_stack(image)

    def in_unit_range(self, image: np.ndarray, what: str) -> np.ndarray:
        """A picture of the size of the result, in the scale of this one."""
        return self._to_unit(self.companion(image, what, enlarged=True))

    def restore(self, output: np.ndarray, keep_known: bool = False) -> np.ndarray:
        """From a network's output (1, (Z,) Y, X, C) to the axes and units of the picture.

        With `keep_known` the given values stand wherever they are known.
        """
        layout = StackLayout(self.axes, self._enlarged_shape(), self.n_dim)
        stack = np.asarray(output, np.float32) * np.float32(self.high - self.low)
        restored = np.ascontiguousarray(layout.from_stack(stack + np.float32(self.low)))
        if keep_known:
            known = layout.from_stack(self.weight) > 0
            restored[known] = self._image[known]
        return restored

    def _enlarged_shape(self):
        return tuple(
            length * (self.factor if axis in "YX" else 1)
            for axis, length in zip(self.axes, self._image.shape, strict=True)
        )

    def fingerprint(self) -> str:
        """Tells whether it is the same picture with the same mask."""
        digest = hashlib.sha256(f"{self.values.shape} {self.low} {self.high}".encode())
        digest.update(self.values.tobytes())
        digest.update(self.weight.tobytes())
        return digest.hexdigest()
