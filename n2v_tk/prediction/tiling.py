"""Cutting an image into equal tiles that overlap by what the network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ..errors import ConfigError


@dataclass(frozen=True)
class Halo:
    """What a tile needs around the pixels it computes, along one axis.

    Parameters
    ----------
    left, right : int
        Reach of the network (`n2v_tk.nets.receptive_field`), in pixels.
    divisor : int
        What tile sides and tile starts must be divisible by: the network is invariant to shifts
        by that only.
    """

    left: int
    right: int
    divisor: int

    @property
    def smallest_tile(self) -> int:
        """Smallest side of a tile with halo on both sides."""
        return _up(self.left, self.divisor) + self.right + self.divisor


@dataclass(frozen=True)
class Tile:
    """One tile: what is read, what of it is kept, and where that goes. One slice per axis."""

    read: tuple[slice, ...]
    keep: tuple[slice, ...]
    write: tuple[slice, ...]


def plan_tiles(
    sides: Sequence[int], tile_sides: Sequence[int], halos: Sequence[Halo]
) -> list[Tile]:
    """Tiles of one size that together cover an image once.

    Parameters
    ----------
    sides : sequence of int
        Sides of the image, divisible by the halos' divisors.
    tile_sides : sequence of int
        Sides of a tile, halo included; cut to those of the image.
    halos : sequence of Halo
        One per axis.

    Returns
    -------
    list of Tile
        The same values as from the whole image are kept, border effects included: at the edge of
        the image a tile ends where the image does.
    """
    axes = [_plan_axis(*axis) for axis in zip(sides, tile_sides, halos, strict=True)]
    return [Tile(*(tuple(s) for s in zip(*parts, strict=True))) for parts in product(*axes)]


def tile_sides_for(
    sides: Sequence[int], halos: Sequence[Halo], n_tiles: Sequence[int] | None, budget: int
) -> tuple[int, ...]:
    """Sides of tiles, halo included.

    Parameters
    ----------
    sides : sequence of int
        Sides of the image.
    halos : sequence of Halo
    n_tiles : sequence of int, optional
        Tiles wanted per axis.
    budget : int
        Without `n_tiles`: most pixels in a tile. Tiles are as near to cubes as the image allows,
        and no larger than so many of them must be.
    """
    if n_tiles is not None:
        return tuple(
            side
            if n == 1
            else max(
                _up(-(-side // n) + h.left + h.right, h.divisor), _up(h.smallest_tile, h.divisor)
            )
            for side, n, h in zip(sides, n_tiles, halos, strict=True)
        )
    least = [min(s, _up(h.smallest_tile, h.divisor)) for s, h in zip(sides, halos, strict=True)]
    step = max(h.divisor for h in halos)
    for cap in range(_up(max(sides), step), 0, -step):
        tile = [
            _no_larger_than_needed(s, min(s, max(least_side, cap // h.divisor * h.divisor)), h)
            for s, least_side, h in zip(sides, least, halos, strict=True)
        ]
        if math.prod(tile) <= budget:
            break
    return tuple(tile)


def _no_larger_than_needed(side, tile_side, halo):
    """The smallest side of as many tiles as there are with `tile_side`: less is done twice."""
    count = len(_plan_axis(side, tile_side, halo))
    if count == 1:
        return tile_side
    # what all tiles cover together, halos once
    least = _up(-(-(side + (count - 1) * (halo.left + halo.right)) // count), halo.divisor)
    for smaller in range(least, tile_side, halo.divisor):
        if smaller >= halo.smallest_tile and len(_plan_axis(side, smaller, halo)) == count:
            return smaller
    return tile_side


def check_n_tiles(n_tiles, axes: str) -> dict[str, int]:
    """Number of tiles per axis letter, checked.

    Parameters
    ----------
    n_tiles : sequence of int
        One per axis of the image; 1 for axes other than Z, Y and X.
    axes : str
        Axes of the image.
    """
    try:
        counts = {axis: _whole(n) for axis, n in zip(axes, n_tiles, strict=True)}
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(
            f"n_tiles must hold one number per axis of the image ({axes}), a whole one. Received: "
            f"{n_tiles!r}. "
            f"E.g. {tuple(2 if a in 'YX' else 1 for a in axes)}."
        ) from None
    if any(n < 1 or (n > 1 and axis not in "ZYX") for axis, n in counts.items()):
        raise ConfigError(
            f"n_tiles must be at least 1, and 1 for axes other than Z, Y and X. "
            f"Received: {tuple(n_tiles)} for axes {axes}."
        )
    return counts


def _whole(number):
    whole = int(number)
    if whole != number:
        raise ValueError
    return whole


def _plan_axis(side, tile_side, halo):
    if tile_side >= side:
        whole = slice(0, side)
        return [(whole, whole, whole)]
    parts, done = [], 0
    while done < side:
        start = 0 if done == 0 else (done - halo.left) // halo.divisor * halo.divisor
        start = min(start, side - tile_side)
        stop = start + tile_side
        upto = side if stop == side else stop - halo.right
        parts.append((slice(start, stop), slice(done - start, upto - start), slice(done, upto)))
        done = upto
    return parts


def _up(value, divisor):
    return -(-value // divisor) * divisor
