"""Statistics of images, and bringing them to the scale of the network and back."""

from __future__ import annotations

import math
import mmap
import weakref
from collections.abc import Sequence

import numpy as np

from .errors import ConfigError, ImageError
from .lazy import LazyArray, let_go, pieces

PERCENTILES = (1.0, 99.8)
# files all of whose values are known to be finite
_finite: weakref.WeakSet = weakref.WeakSet()


def check_image(image: np.ndarray | LazyArray, what: str = "The image", look: bool = True) -> None:
    """Refuse what no network can learn from; `look` is whether to look at every value.

    Raises
    ------
    ImageError
        For complex, object and other non-numeric dtypes, empty arrays, NaN, infinity or what
        float32 does not hold (with their number and first position).
    """
    if image.dtype.kind not in "uifb":
        raise ImageError(
            f"{what} must hold real numbers. Received: dtype {image.dtype}. "
            "Take the magnitude of complex images, and convert others to float32."
        )
    if image.size == 0:
        raise ImageError(f"{what} is empty. Received: shape {tuple(image.shape)}.")
    if look and image.dtype.kind == "f" and _file_of(image)[0] not in _finite:
        _check_finite(image, what)
        _remember_finite(image)


def _file_of(image):
    """What an array reads from a file with, and the bytes there; None for arrays in memory."""
    if isinstance(image, LazyArray):
        source = image.source
        return source, math.prod(source.shape) * image.dtype.itemsize
    if isinstance(image, np.memmap) and image.mode == "r" and image._mmap is not None:
        # maps begin at a multiple of the granularity
        return image._mmap, len(image._mmap) - image.offset % mmap.ALLOCATIONGRANULARITY
    return None, 0


def _remember_finite(image):
    """Large files need not be gone through again for every view of them."""
    file, size = _file_of(image)
    if file is not None and size == image.nbytes:
        _finite.add(file)


def not_finite(values: np.ndarray) -> np.ndarray:
    """Where values of a floating point type are no finite numbers in float32."""
    bad = ~np.isfinite(values)
    if values.dtype.itemsize > 4:
        bad |= np.abs(values) > np.finfo(np.float32).max
    return bad


def _check_finite(image, what):
    n_bad, first = 0, None
    for piece in pieces(image):
        bad = not_finite(np.asarray(image[piece]))
        let_go(image)
        if n := int(np.count_nonzero(bad)):
            n_bad += n
            if first is None:
                within = np.argwhere(bad)[0]
                first = tuple(int(s.start + i) for s, i in zip(piece, within, strict=True))
    if n_bad:
        raise ImageError(
            f"{what} holds values that are not finite in float32. Received: {n_bad} of "
            f"{image.size} pixels are NaN, infinite or beyond 3.4e38, the first at index {first}. "
            "Replace them first, e.g. with numpy.nan_to_num or the median of their neighbours."
        )


def channel_statistics(
    images: Sequence[np.ndarray | LazyArray],
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every channel over all pixels of all images.

    Parameters
    ----------
    images : sequence of ndarray (..., C)
        Read piece by piece, once; nothing is copied as a whole.

    Returns
    -------
    means, stds : ndarray of float64 (C,)

    Raises
    ------
    ImageError
        For values that are not finite.

    Examples
    --------
    >>> channel_statistics([np.arange(4.0).reshape(1, 2, 2, 1)])
    (array([1.5]), array([1.11803399]))
    """
    count, mean, spread = 0, 0.0, 0.0
    for image in images:
        for piece in pieces(image):
            pixels = np.asarray(image[piece], np.float64).reshape(-1, image.shape[-1])
            n, part_mean = len(pixels), pixels.mean(axis=0)
            if not np.isfinite(part_mean).all():
                _check_finite(image, "A training image")
            part_spread = ((pixels - part_mean) ** 2).sum(axis=0)
            delta = part_mean - mean
            # Chan, Golub, LeVeque: pairwise update of mean and sum of squares
            let_go(image)
            spread = spread + part_spread + delta**2 * count * n / (count + n)
            mean = mean + delta * n / (count + n)
            count += n
        if image.dtype.kind == "f":
            _remember_finite(image)
    return np.asarray(mean), np.sqrt(np.asarray(spread) / count)


def image_statistics(
    image: np.ndarray | LazyArray,
    normalization: str,
    percentiles: tuple[float, float] = PERCENTILES,
) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of every channel of one image ((Z,) Y, X, C).

    ``(image - offset) / scale`` is the normalised image: mean and standard deviation for 'image',
    `percentiles` brought to 0 and 1 for 'percentile'. Both (C,).
    """
    if normalization == "image":
        offset, scale = channel_statistics([image])
    else:
        pixels = np.asarray(image).reshape(-1, image.shape[-1])
        low, high = np.percentile(pixels, percentiles, axis=0)
        offset, scale = low, high - low
    # a blank field of view stays blank instead of becoming infinite
    return offset, np.where(scale > 0, scale, 1.0)


def normalize(image: np.ndarray, offset: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """``(image - offset) / scale`` in float32, offset and scale per channel."""
    # float32 holds every value of these types; wider ones lose small differences on a large offset
    if image.dtype not in (np.uint8, np.int8, np.uint16, np.int16, np.float16, np.float32, bool):
        return ((image - offset) / scale).astype(np.float32)
    result = image.astype(np.float32)
    result -= np.asarray(offset, np.float32)
    result /= np.asarray(scale, np.float32)
    return result


def denormalize(image: np.ndarray, offset: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Inverse of `normalize`, in float32."""
    result = image * np.asarray(scale, np.float32)
    result += np.asarray(offset, np.float32)
    return result


def result_dtype(dtype, source) -> np.dtype:
    """The dtype of a result, in the byte order of the machine.

    Parameters
    ----------
    dtype : dtype, 'same' or None
        'same' is that of the source, None is float32.
    source : dtype
        That of the noisy image.

    Raises
    ------
    ConfigError
        For types that are unknown or do not hold grey values.
    """
    wanted = np.float32 if dtype is None else dtype
    try:
        result = np.dtype(source if isinstance(dtype, str) and dtype == "same" else wanted)
    except Exception:  # of many kinds, by what is taken for the description of a structure
        result = None
    if result is None or result.kind not in "uif":
        raise ConfigError(
            "The dtype of the result must be 'same' or a real type such as 'float32' or 'uint16'. "
            f"Received: {dtype!r}{f' for an image of {source}' if result is not None else ''}."
        )
    return result.newbyteorder("=")


def to_dtype(image: np.ndarray, dtype) -> np.ndarray:
    """Convert, integers rounded to the nearest and clipped to the range of the type."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "ui":
        return image.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    # float32 cannot hold the largest int32, nor float64 the largest int64
    rounded = np.rint(image.astype(np.float64) if dtype.itemsize > 2 else image)
    largest = limits.max if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
    result = np.clip(rounded, limits.min, largest).astype(dtype)
    result[rounded >= limits.max] = limits.max
    return result
