"""What stands in the place of a blind spot.

Every manipulator is a function ``f(batch, spots, neighbourhood, rng)`` that returns one value per
blind spot and changes nothing. Values are read from the batch as it was before any blind spot was
filled. `MANIPULATORS` holds them by the names that configs use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .coordinates import BlindSpots

_WINDOW_VALUES = 2**21  # read at once: 8 MB, and as much again for indices
_MOST_DRAWS = 1000


@dataclass(frozen=True)
class Neighbourhood:
    """The pixels around a blind spot from which its replacement is taken.

    Parameters
    ----------
    radius : int
        The window has side ``2 * radius + 1`` along every spatial axis and is clipped at the
        edge of the patch.
    n_dim : int
        Number of spatial axes.
    hidden : ndarray of int (N, n_dim), optional
        Offsets that structN2V hides: never used as a replacement.
    sigma : float
        Standard deviation for `normal_additive`, in units of the batch.
    """

    radius: int
    n_dim: int
    hidden: np.ndarray | None = None
    sigma: float = 1.0

    def __post_init__(self):
        if self.radius < 1:
            raise ConfigError(
                "n2v_neighborhood_radius must be at least 1, since a window of the pixel alone "
                f"holds no replacement. Received: {self.radius}."
            )
        if (2 * self.radius + 1) ** self.n_dim > _WINDOW_VALUES:
            raise ConfigError(
                "n2v_neighborhood_radius is so large that the window would hold more pixels than "
                f"an image. Received: {self.radius} in {self.n_dim}D. Take a few pixels, e.g. 5."
            )
        if hides_window(self.hidden, self.radius, self.n_dim):
            raise ConfigError(
                "structN2Vmask hides every pixel of the window at an edge of the patch. "
                f"Received: n2v_neighborhood_radius={self.radius}. Use a larger radius or a "
                "smaller mask."
            )

    def offsets(self, centre: bool) -> np.ndarray:
        """Offsets of the window's pixels, (N, n_dim), with or without its `centre`."""
        return _offsets(self.radius, self.n_dim, self.hidden, centre)


def hides_window(hidden: np.ndarray | None, radius: int, n_dim: int) -> bool:
    """Whether hidden offsets leave a blind spot in a corner of a patch without any neighbour.

    Parameters
    ----------
    hidden : ndarray of int (N, n_dim) or None
        As of `Neighbourhood`, like the others.
    radius, n_dim : int
    """
    if hidden is None:
        return False
    offsets = _offsets(radius, n_dim, hidden, centre=False)
    # the window of a pixel in a corner of the patch is one orthant
    signs = 1 - 2 * np.indices((2,) * n_dim).reshape(n_dim, -1).T
    return not all(np.any(np.all(offsets * sign >= 0, axis=1)) for sign in signs)


def _offsets(radius, n_dim, hidden, centre):
    side = 2 * radius + 1
    offsets = np.indices((side,) * n_dim).reshape(n_dim, -1).T - radius
    keep = np.ones(len(offsets), bool)
    if hidden is not None:
        within = hidden[np.all(np.abs(hidden) <= radius, axis=1)]
        keep[np.ravel_multi_index((within + radius).T, (side,) * n_dim)] = False
    keep[len(offsets) // 2] = centre
    return offsets[keep]


Manipulator = Callable[[np.ndarray, BlindSpots, Neighbourhood, np.random.Generator], np.ndarray]


def uniform_withCP(batch, spots, neighbourhood, rng):
    """A pixel of the window, drawn uniformly, the centre pixel included."""
    return draw_neighbours(batch, spots, neighbourhood.offsets(centre=True), None, rng)


def uniform_withoutCP(batch, spots, neighbourhood, rng):
    """A pixel of the window, drawn uniformly, never the centre pixel."""
    return draw_neighbours(batch, spots, neighbourhood.offsets(centre=False), None, rng)


def normal_withoutCP(batch, spots, neighbourhood, rng):
    """A pixel of the window, near ones more often, never the centre pixel.

    Weights fall off as a Gaussian of the distance with standard deviation ``0.8 * radius``, which
    is n2v's fixed 4 pixels at its default radius of 5.
    """
    offsets = neighbourhood.offsets(centre=False)
    weights = np.exp(-0.5 * np.sum(offsets**2, axis=1) / (0.8 * neighbourhood.radius) ** 2)
    return draw_neighbours(batch, spots, offsets, weights, rng)


def normal_additive(batch, spots, neighbourhood, rng):
    """The pixel itself plus normal noise of standard deviation ``neighbourhood.sigma``."""
    noise = rng.standard_normal(spots[0].size, dtype=np.float32)
    return batch[spots] + np.float32(neighbourhood.sigma) * noise


def normal_fitted(batch, spots, neighbourhood, rng):
    """A draw from the normal distribution fitted to the window, the centre pixel included."""

    def mean_and_std(values, inside):
        mean = _mean(values, inside)
        deviation = np.where(inside, values - mean[:, None], 0)
        return np.stack([mean, np.sqrt(np.sum(deviation**2, axis=1) / inside.sum(axis=1))])

    mean, std = _over_windows(mean_and_std, batch, spots, neighbourhood.offsets(centre=True))
    return mean + std * rng.standard_normal(mean.size, dtype=np.float32)


def identity(batch, spots, neighbourhood, rng):
    """The pixel itself: no blind spot at all, as a negative control."""
    return batch[spots]


def mean(batch, spots, neighbourhood, rng):
    """Mean of the window without the centre pixel (N2V2)."""
    return _over_windows(_mean, batch, spots, neighbourhood.offsets(centre=False))


def median(batch, spots, neighbourhood, rng):
    """Median of the window without the centre pixel (N2V2)."""
    return _over_windows(_median, batch, spots, neighbourhood.offsets(centre=False))


def _median(values, inside):
    n = values.shape[1]
    low = (n - 1) // 2
    missing = n - inside.sum(axis=1)
    (edge,) = np.nonzero(missing)
    if edge.size:
        # pixels past the edge sort to both ends in turn, the low end first, so that the middle
        # of the pixels inside stays in the middle of the row
        outside = ~inside[edge]
        turn = np.cumsum(outside, axis=1) % 2 == 1
        values[edge] = np.where(
            outside, np.where(turn, np.float32(-np.inf), np.float32(np.inf)), values[edge]
        )
    values.partition((low, low + 1), axis=1)
    lower, upper = values[:, low], values[:, low + 1]
    single = upper if n % 2 == 0 else lower
    return np.where((n - missing) % 2 == 0, (lower + upper) / 2, single)


MANIPULATORS: dict[str, Manipulator] = {
    f.__name__: f
    for f in (
        uniform_withCP,
        uniform_withoutCP,
        normal_withoutCP,
        normal_additive,
        normal_fitted,
        identity,
        mean,
        median,
    )
}


def draw_neighbours(
    batch: np.ndarray,
    spots: BlindSpots,
    offsets: np.ndarray,
    weights: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """One pixel of the batch for each spot, at one of `offsets` (N, n_dim) from it.

    Offsets are drawn uniformly or by `weights` (N,); draws that fall outside the patch are drawn
    again.
    """
    if weights is not None:
        cumulative = np.cumsum(weights) / np.sum(weights)
    sides = batch.shape[1:-1]
    by_axis = [np.ascontiguousarray(offsets[:, axis]) for axis in range(len(sides))]
    steps = offsets @ _strides(batch.shape)[1:-1]
    centre = np.ravel_multi_index(spots, batch.shape)
    source = np.empty_like(centre)
    positions, open_draws = spots[1:-1], slice(None)
    for _ in range(_MOST_DRAWS):
        n = centre[open_draws].size
        if weights is None:
            choice = rng.integers(0, len(offsets), n, dtype=np.int32)
        else:
            choice = np.searchsorted(cumulative, rng.random(n), "right")
            choice = np.minimum(choice, len(offsets) - 1)
        inside = np.ones(n, bool)
        for side, position, offset in zip(sides, positions, by_axis, strict=True):
            # below 0 becomes a very large unsigned number
            inside &= (position[open_draws] + offset[choice]).view(np.uint64) < side
        source[open_draws] = centre[open_draws] + steps[choice]
        (outside,) = np.nonzero(~inside)
        open_draws = outside if isinstance(open_draws, slice) else open_draws[outside]
        if not open_draws.size:
            return batch.reshape(-1)[source]
    raise _nothing_visible(batch)


def _over_windows(statistic, batch, spots, offsets):
    """A statistic of the window around each spot, over a few windows at a time."""
    together = max(1, _WINDOW_VALUES // len(offsets))
    results = []
    for first in range(0, max(1, spots[0].size), together):
        piece = tuple(s[first : first + together] for s in spots)
        values, inside = _window(batch, piece, offsets)
        if not inside.any(axis=1).all():
            raise _nothing_visible(batch)
        results.append(statistic(values, inside))
    return np.concatenate(results, axis=-1)


def _nothing_visible(batch):
    return ConfigError(
        "A blind spot has no visible pixel in its window within the patch. Received: a patch of "
        f"{tuple(batch.shape[1:-1])}. Use a larger patch, a larger n2v_neighborhood_radius or a "
        "smaller structN2Vmask."
    )


def _window(batch, spots, offsets):
    """Values around each blind spot, (K, N), and which of them lie inside the patch."""
    inside = np.ones((spots[0].size, len(offsets)), bool)
    reach = np.abs(offsets).max(axis=0)
    for axis, side in enumerate(batch.shape[1:-1]):
        position = spots[axis + 1]
        (edge,) = np.nonzero((position < reach[axis]) | (position >= side - reach[axis]))
        moved = position[edge, None] + offsets[None, :, axis]
        inside[edge] &= (moved >= 0) & (moved < side)
    steps = (offsets @ _strides(batch.shape)[1:-1]).astype(np.intp)
    centre = np.ravel_multi_index(spots, batch.shape)
    return batch.reshape(-1).take(centre[:, None] + steps, mode="clip"), inside


def _mean(values, inside):
    count = inside.sum(axis=1, dtype=np.float32)
    return np.einsum("ij,ij->i", values, inside.astype(np.float32)) / count


def _strides(shape):
    """Steps between neighbours along each axis, in elements."""
    return np.cumprod((1, *shape[:0:-1]))[::-1]
