"""Whether noise is independent from pixel to pixel, told from the flat parts of noisy images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.correlation import autocorrelation

# sides of blocks that are looked at, the largest that gives enough of them
_SIDES = (32, 24, 16, 12)
_ENOUGH = 600
_FEWEST = 25
# share of blocks, at every brightness, that have the least structure
_FLATTEST = 0.1
_BINS = 5
# pixels in a block at one of the ends of the grey scale, at most
_CLIPPED = 0.02


@dataclass(frozen=True)
class NoiseStructure:
    """Correlation of the noise.

    Parameters
    ----------
    map : ndarray (2r + 1, 2r + 1)
        Correlation of the noise with itself moved along Y and X, 1 in the middle.
    error : float
        Standard error of its values, chance and structure of the image together.
    blocks : list of (plane, y, x)
        Corners of the blocks that were looked at.
    side : int
        Their side in pixels.
    between : float or None
        Mean correlation of noise at one place in two successive planes; None for one plane.
    """

    map: np.ndarray
    error: float
    blocks: list[tuple[int, int, int]]
    side: int
    between: float | None

    def along(self, axis: str) -> np.ndarray:
        """Correlation with the first, second, ... neighbour along 'Y' or 'X'."""
        reach = len(self.map) // 2
        return self.map[reach, reach + 1 :] if axis == "X" else self.map[reach + 1 :, reach]

    def smooth_part(self, axis: str) -> float:
        """What the correlation comes to at no distance if it goes on as between neighbours.

        Near 1 there is no independent noise: what is left of the image is smooth, or its noise is
        correlated. The rest is independent from pixel to pixel (the nugget of geostatistics).
        """
        first, second = self.along(axis)[:2]
        return float(max(0.0, 2 * first - max(second, 0.0)))

    def diagonal(self) -> float:
        """Mean correlation with the four diagonal neighbours."""
        reach = len(self.map) // 2
        return float(self.map[reach - 1 : reach + 2 : 2, reach - 1 : reach + 2 : 2].mean())


def noise_structure(
    planes: np.ndarray, neighbours: list[tuple[int, int]], sides: tuple[int, ...] = _SIDES
) -> NoiseStructure | None:
    """Tell how noise hangs together from the flattest blocks of images.

    A surface of second order is taken off each block; what is left is noise, and its
    autocorrelations are averaged. What the choice of blocks and the surface do to white noise is
    found by doing the same to white noise, and taken off.

    Parameters
    ----------
    planes : ndarray (N, Y, X) of float
        Noisy planes.
    neighbours : list of (int, int)
        Indices of planes that follow each other.
    sides : tuple of int
        Of blocks, in pixels; the first that gives enough of them is taken. Large ones see far,
        small ones leave out more of the structure of the image.

    Returns
    -------
    NoiseStructure or None
        None if the images are too small or too clipped.
    """
    side = _side(planes.shape, sides)
    if side is None:
        return None
    found = _flattest(planes, side)
    if found is None:
        return None
    blocks, places = found
    mean, error = _mean_correlation(blocks)
    rng = np.random.default_rng(0)
    white = rng.standard_normal(planes.shape)
    of_white = _flattest(white, side)
    expected, _ = _mean_correlation(of_white[0])
    corrected = mean - expected
    corrected[len(mean) // 2, len(mean) // 2] = 1.0
    return NoiseStructure(
        corrected, error, places, side, _between(planes, places, side, neighbours)
    )


def _side(shape, sides):
    n, height, width = shape
    for side in sides:
        count = n * (height // side) * (width // side)
        if count >= _ENOUGH or (side == sides[-1] and count >= _FEWEST):
            return side
    return None


def _flattest(planes, side):
    """Residuals of the flattest blocks (N, side, side) and where they are."""
    from scipy.ndimage import gaussian_filter

    low, high = planes.min(), planes.max()
    corners, scores, means = [], [], []
    for index, plane in enumerate(planes):
        smooth = gaussian_filter(plane, 2.0)
        slopes = np.hypot(*np.gradient(smooth)) ** 2
        ends = (plane <= low) | (plane >= high)
        rows, columns = (n // side for n in plane.shape)
        for values, target in ((slopes, scores), (plane, means)):
            target.append(_block_means(values, side).ravel())
        scores[-1] = np.where(_block_means(ends, side).ravel() > _CLIPPED, np.inf, scores[-1])
        y, x = np.mgrid[:rows, :columns] * side
        corners.append(np.stack([np.full(y.size, index), y.ravel(), x.ravel()], axis=1))
    corners, scores, means = map(np.concatenate, (corners, scores, means))
    usable = np.isfinite(scores)
    corners, scores, means = corners[usable], scores[usable], means[usable]
    if len(scores) < 10:
        return None
    chosen = []
    for group in np.array_split(np.argsort(means), min(_BINS, max(1, len(means) // 20))):
        count = max(3, int(_FLATTEST * len(group)))
        chosen.extend(group[np.argsort(scores[group])[:count]])
    places = [tuple(int(v) for v in corners[i]) for i in chosen]
    surface = _surface(side)
    blocks = [_rest(planes[index, y : y + side, x : x + side], surface) for index, y, x in places]
    return np.stack(blocks), places


def _rest(block, surface):
    """A block without its surface of second order."""
    flat = block.ravel()
    return (flat - surface @ (surface.T @ flat)).reshape(block.shape)


def _block_means(values, side):
    rows, columns = (n // side for n in values.shape)
    cut = values[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).mean(axis=(1, 3))


def _surface(side):
    """Orthonormal surfaces of up to second order over a block, (side * side, 6)."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2]).reshape(6, -1)
    return np.linalg.qr(terms.T)[0]


def _mean_correlation(blocks):
    """Mean autocorrelation of blocks, each of weight one, and its typical error."""
    reach = min(10, blocks.shape[1] // 3)
    alive = blocks[blocks.std(axis=(1, 2)) > 0]
    if not len(alive):
        return np.zeros((2 * reach + 1,) * 2), 0.0
    single = np.stack([autocorrelation(block, reach) for block in alive])
    # the median: a block with an edge in it does not count for more than one
    error = float(single[:, reach, reach + 1].std() / np.sqrt(len(single)))
    return np.median(single, axis=0), error


def _between(planes, places, side, neighbours):
    """Mean correlation of what is left of blocks in planes that follow each other."""
    following = dict(neighbours)
    surface = _surface(side)
    found = []
    for index, y, x in places:
        if index not in following:
            continue
        window = (slice(y, y + side), slice(x, x + side))
        first, second = (_rest(planes[i][window], surface) for i in (index, following[index]))
        norm = np.sqrt(np.sum(first**2) * np.sum(second**2))
        if norm > 0:
            found.append(float(np.sum(first * second) / norm))
    return float(np.median(found)) if found else None
