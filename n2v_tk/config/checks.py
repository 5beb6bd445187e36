"""Helpers for checking settings."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np
import pydantic

from ..errors import ConfigError, ImageError
from ..normalization import check_image

_PLATEAU: dict[str, Any] = {
    "monitor": lambda v: isinstance(v, str),
    "mode": lambda v: v in ("auto", "min", "max"),
    "factor": lambda v: _is_number(v) and 0 <= v < 1,
    "patience": lambda v: _is_number(v) and v >= 0,
    "cooldown": lambda v: _is_number(v) and v >= 0,
    "verbose": lambda v: _is_number(v),
    "min_delta": lambda v: _is_number(v),
    "min_lr": lambda v: _is_number(v) and v >= 0,
}


def refuse_unknown(names: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuse settings that do not exist, naming the nearest that does, or `where` all stand.

    Raises
    ------
    ConfigError
    """
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1, cutoff=0.5)
            raise ConfigError(
                f"Unknown setting. Received: {name!r}. "
                + (f"Did you mean {near[0]!r}?" if near else where)
            )


def check_plateau(arguments: dict[str, Any] | None) -> None:
    """Refuse what `keras.callbacks.ReduceLROnPlateau` does not take.

    Raises
    ------
    ConfigError
    """
    for name, value in (arguments or {}).items():
        if name not in _PLATEAU or not _PLATEAU[name](value):
            shown = repr(value)[:60]
            raise ConfigError(
                "train_reduce_lr holds arguments of keras.callbacks.ReduceLROnPlateau: "
                f"{', '.join(_PLATEAU)}. Received: {name}={shown}."
            )


def _is_number(value):
    return isinstance(value, numbers.Real) and math.isfinite(value) and abs(value) < 1e12


def plain(value):
    """numpy numbers and arrays as Python's own, so that np.int64(3) is as good as 3."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    return value


def image_list(X) -> list:
    """Training images as a list of arrays 'S(Z)YXC'.

    Raises
    ------
    ImageError
        For anything else, and for dtypes and shapes that nothing can be learned from.
    """
    try:
        images = [X] if hasattr(X, "ndim") else list(X)
    except TypeError:
        images = [X]
    n_axes = {getattr(image, "ndim", None) for image in images}
    if n_axes not in ({4}, {5}):
        raise ImageError(
            "Training images must be 'SYXC' (2D) or 'SZYXC' (3D), all alike. Received: shapes "
            f"{[getattr(i, 'shape', type(i).__name__) for i in images][:8]}. Add missing axes, "
            "e.g. image[np.newaxis, ..., np.newaxis] for one grey image 'YX'."
        )
    for image in images:
        check_image(image, "A training image", look=False)
    return images


def number(text: str, name: str) -> float:
    """The finite number that a string holds."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise ConfigError(f"{name} must hold finite numbers. Received: {text!r}.")
    return number


def explain(error: pydantic.ValidationError) -> str:
    """pydantic's findings as sentences: setting, what is wrong, value received."""
    lines = []
    for found in error.errors():
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] == "value_error" and "Received:" in message:
            lines.append(message)
        else:
            where = ".".join(str(part) for part in found["loc"])
            message = message[:1].lower() + message[1:]
            lines.append(f"{where}: {message}. Received: {found['input']!r}.")
    return "\n".join(dict.fromkeys(lines))


def noise_numbers(level) -> np.ndarray | None:
    """A standard deviation, or gain, offset and read noise of a camera; None for other things."""
    try:
        values = np.asarray(level, float).reshape(-1)
    except (TypeError, ValueError):
        return None
    if values.size not in (1, 3) or not np.isfinite(values).all() or values[0] <= 0:
        return None
    return values if values[-1] >= 0 else None
