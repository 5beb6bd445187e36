"""What every comparison of two images checks first."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ConfigError, ImageError


def pair(truth, image) -> list[np.ndarray]:
    """Both images as float64, refused unless they are real, finite and of the same shape."""
    both = []
    for name, array in (("first", truth), ("second", image)):
        array = np.asarray(array)
        if array.dtype.kind not in "uifb" or array.size == 0:
            raise ImageError(
                f"Images to compare must hold real numbers. Received: dtype {array.dtype}, shape "
                f"{array.shape} as the {name}."
            )
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ImageError(
                f"Images to compare must be finite. Received: {np.sum(~np.isfinite(array))} of "
                f"{array.size} pixels NaN or infinite in the {name}. Replace them first, e.g. with "
                "numpy.nan_to_num."
            )
        both.append(array)
    if both[0].shape != both[1].shape:
        raise ImageError(
            f"Images to compare must have the same shape. Received: {both[0].shape} and "
            f"{both[1].shape}. Crop them to the same pixels."
        )
    return both


def range_of(truth: np.ndarray, data_range: float | None) -> float:
    """The range asked for, else that of the truth."""
    if data_range is None:
        refuse_constant(truth)
        return float(truth.max() - truth.min())
    if not (data_range > 0 and math.isfinite(data_range)):
        raise ConfigError(f"data_range must be a number above 0. Received: {data_range}.")
    return float(data_range)


def refuse_constant(image: np.ndarray, what: str = "The truth") -> None:
    """Refuse an image without any detail."""
    if image.min() == image.max():
        raise ImageError(
            f"{what} is constant, so it has no range and no detail to compare with. Received: "
            f"{image.flat[0]:g} everywhere. Leave it out, or for psnr and ssim give data_range."
        )
