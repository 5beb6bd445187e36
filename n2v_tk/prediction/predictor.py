"""Running a network over images of any size."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import keras
import numpy as np

from ..masking.structn2v import symmetries, transform, transform_back
from .tiling import Halo, plan_tiles, tile_sides_for

# pixels of a tile, halo included: 512 x 512, measured fastest on CPUs; volumes pay more for halos
TILE_PIXELS = {2: 2**18, 3: 2**21}


class Predictor:
    """Applies a network to stacks of normalised images, tile by tile.

    Parameters
    ----------
    network : keras.Model
        What is run, e.g. `n2v_tk.nets.forms.prediction_form` of a model's network.
    reach : sequence of (left, right)
        Receptive field, one per spatial axis (`n2v_tk.nets.receptive_field`).
    divisor : int
        What sides must be divisible by.
    """

    def __init__(self, network: keras.Model, reach: Sequence[tuple[int, int]], divisor: int):
        self.network = network
        self.halos = [Halo(left, right, divisor) for left, right in reach]
        self.budget = TILE_PIXELS[len(self.halos)]

    @property
    def n_channels_out(self) -> int:
        """Channels of the output."""
        return self.network.output_shape[-1]

    def __call__(
        self,
        stack: np.ndarray,
        n_tiles: Sequence[int] | None = None,
        tta: bool = False,
        structN2Vmask=None,
        resizer=None,
    ) -> np.ndarray:
        """Output of the network for a stack.

        Parameters
        ----------
        stack : ndarray of float32 (S, (Z,) Y, X, C)
        n_tiles : sequence of int, optional
            Tiles per spatial axis. By default tiles have about `TILE_PIXELS` pixels; when memory
            runs out, tiles are halved and the work begun again.
        tta : bool
            Test-time augmentation: mean over turns and flips of the XY plane, as far as
            `structN2Vmask` allows.
        structN2Vmask : array_like, optional
            Mask the model was trained with.
        resizer : csbdeep.data.Resizer, optional
            Brings sides to multiples of the divisor and back. Default: reflection.

        Returns
        -------
        ndarray of float32 (S, (Z,) Y, X, C_out)
        """
        turned = symmetries(structN2Vmask) if tta else ((0, False),)
        total = None
        for symmetry in turned:
            tiles = n_tiles
            if n_tiles is not None and symmetry[0] % 2:
                tiles = (*n_tiles[:-2], n_tiles[-1], n_tiles[-2])
            result = self._resized(
                transform(stack, *symmetry, axes=(-3, -2)), tiles, resizer or _reflection()
            )
            result = transform_back(result, *symmetry, axes=(-3, -2))
            total = result if total is None else total + result
        return total / np.float32(len(turned)) if len(turned) > 1 else total

    def _resized(self, stack, n_tiles, resizer):
        axes = "SZYXC" if stack.ndim == 5 else "SYXC"
        divide_by = (1, *(h.divisor for h in self.halos), 1)
        padded = resizer.before(stack, axes, divide_by)
        return resizer.after(self._tiled(padded, n_tiles), axes)

    def _tiled(self, stack, n_tiles):
        sides = stack.shape[1:-1]
        tile_sides = tile_sides_for(sides, self.halos, n_tiles, self.budget)
        while True:
            try:
                return self._run(stack, plan_tiles(sides, tile_sides, self.halos))
            except Exception as error:
                smaller = self._halved(sides, tile_sides)
                if not _is_out_of_memory(error) or smaller == tile_sides:
                    raise
                warnings.warn(
                    f"Memory ran out with tiles of {tile_sides} pixels; trying again with "
                    f"{smaller}.",
                    stacklevel=4,
                )
                tile_sides = smaller
                self.budget = math.prod(smaller)

    def _halved(self, sides, tile_sides):
        tile_sides = [min(t, s) for t, s in zip(tile_sides, sides, strict=True)]
        return tile_sides_for(sides, self.halos, None, math.prod(tile_sides) // 2)

    def _run(self, stack, tiles):
        tile_shape = stack[(0, *tiles[0].read)].shape
        together = max(1, self.budget // math.prod(tile_shape[:-1]))
        jobs = [(sample, tile) for sample in range(len(stack)) for tile in tiles]
        output = np.empty((*stack.shape[:-1], self.n_channels_out), np.float32)
        for first in range(0, len(jobs), together):
            chunk = jobs[first : first + together]
            batch = np.stack([stack[(sample, *tile.read)] for sample, tile in chunk])
            result = np.asarray(self.network.predict_on_batch(batch), np.float32)
            for (sample, tile), part in zip(chunk, result, strict=True):
                output[(sample, *tile.write)] = part[tile.keep]
        return output


def _reflection():
    from csbdeep.data import PadAndCropResizer

    return PadAndCropResizer()


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error of any backend means that memory ran out."""
    names = {cls.__name__ for cls in type(error).__mro__}
    text = str(error)
    return (
        bool(names & {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError"})
        or "RESOURCE_EXHAUSTED" in text
        or "out of memory" in text.lower()
    )
