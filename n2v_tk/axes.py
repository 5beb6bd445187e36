"""Axes of images as letters of 'STCZYX', and the way from any order to 'S(Z)YXC' and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .errors import AxesError
from .lazy import LazyArray


def normalize_axes(axes: str | None, ndim: int) -> str:
    """Check an axes string against a number of dimensions and return it in upper case.

    Parameters
    ----------
    axes : str
        Letters of S (sample), T (time), C (channel), Z, Y, X, each at most once; Y and X are
        needed.
    ndim : int
        Number of dimensions of the image.

    Raises
    ------
    AxesError

    Examples
    --------
    >>> normalize_axes("cyx", 3)
    'CYX'
    """
    from csbdeep.utils import axes_check_and_normalize

    if axes is None:
        raise AxesError(
            f"The axes of an image with {ndim} dimensions must be given, e.g. axes='YX', 'ZYX', "
            "'TYX' or 'YXC'. Received: None."
        )
    try:
        axes = axes_check_and_normalize(axes)
    except ValueError as error:
        raise AxesError(
            f"{str(error)[:1].upper()}{str(error)[1:]} Received: {axes!r}. Axes are letters of "
            "S (sample), T (time), C (channel), Z, Y and X, each at most once."
        ) from None
    if len(axes) != ndim:
        raise AxesError(
            f"The axes must name every dimension of the image once. Received: {axes!r} for an "
            f"image with {ndim} dimensions."
        )
    if "Y" not in axes or "X" not in axes:
        raise AxesError(f"The axes must include Y and X. Received: {axes!r}.")
    return axes


@dataclass(frozen=True)
class StackLayout:
    """How an image with some axes becomes a stack 'S(Z)YXC', and how it goes back.

    Sample and time axes, and Z where the work is in 2D, are merged into S. A missing channel
    axis is added.

    Parameters
    ----------
    axes : str
        Axes of the image.
    shape : tuple of int
        Shape of the image.
    n_dim : {2, 3}
        Number of spatial axes of the stack.

    Examples
    --------
    >>> layout = StackLayout.of(np.zeros((5, 3, 32, 48)), "TCYX", n_dim=2)
    >>> layout.to_stack(np.zeros((5, 3, 32, 48))).shape
    (5, 32, 48, 3)
    >>> layout.from_stack(np.zeros((5, 32, 48, 3))).shape
    (5, 3, 32, 48)
    """

    axes: str
    shape: tuple[int, ...]
    n_dim: int

    @classmethod
    def of(cls, image: np.ndarray, axes: str | None, n_dim: int) -> StackLayout:
        """Layout of an image, its axes checked."""
        axes = normalize_axes(axes, image.ndim)
        if n_dim == 3 and "Z" not in axes:
            raise AxesError(
                f"A 3D model needs an image with a Z axis. Received: axes {axes!r}, shape "
                f"{tuple(image.shape)}."
            )
        return cls(axes, tuple(image.shape), n_dim)

    @property
    def sample_axes(self) -> str:
        """Axes merged into S."""
        return "".join(a for a in ("STZ" if self.n_dim == 2 else "ST") if a in self.axes)

    @property
    def spatial_axes(self) -> str:
        """Axes of one sample, without channels."""
        return "ZYX"[-self.n_dim :]

    @property
    def n_channels(self) -> int:
        """Length of the channel axis, 1 without one."""
        return self.length("C") if "C" in self.axes else 1

    def length(self, axis: str) -> int:
        """Length of an axis in pixels."""
        return self.shape[self.axes.index(axis)]

    def to_stack(self, image: np.ndarray | LazyArray) -> np.ndarray | LazyArray:
        """View of an image as 'S(Z)YXC' (a copy only where numpy cannot merge the axes)."""
        if isinstance(image, LazyArray):
            groups = [self.sample_axes, *self.spatial_axes, "C" if "C" in self.axes else ""]
            return image.rearranged([[self.axes.index(a) for a in group] for group in groups])
        order = self.sample_axes + self.spatial_axes + ("C" if "C" in self.axes else "")
        stack = np.transpose(image, [self.axes.index(a) for a in order])
        n_samples = math.prod(stack.shape[: len(self.sample_axes)])
        sides = [self.length(a) for a in self.spatial_axes]
        return stack.reshape(n_samples, *sides, self.n_channels)

    def from_stack(self, stack: np.ndarray) -> np.ndarray:
        """Image of the original axes from a stack 'S(Z)YXC' (of any number of channels)."""
        channels = "C" if "C" in self.axes or stack.shape[-1] > 1 else ""
        order = self.sample_axes + self.spatial_axes + channels
        lengths = [self.length(a) for a in self.sample_axes + self.spatial_axes]
        image = stack.reshape(*lengths, *([stack.shape[-1]] if channels else []))
        target = self.axes if "C" in self.axes else self.axes + channels
        return np.transpose(image, [order.index(a) for a in target])
