"""Running a network over images of any size."""

from __future__ import annotations

import copy
import math
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import keras
import numpy as np

from ..errors import ConfigError
from ..masking.structn2v import symmetries, transform, transform_back
from .memory import SCRATCH, activation_bytes, free_within, remembering_what_is_kept
from .tiling import Halo, plan_tiles, tile_sides_for

# pixels of a tile, halo included: 512 x 512, as fast as any on CPUs; volumes pay more for halos
TILE_PIXELS = {2: 2**18, 3: 2_700_000}
# networks are built, copied and traced by one thread at a time: Keras keeps its names and
# TensorFlow its graphs in state that threads share. What is built runs in any number of threads.
BUILDING = threading.RLock()


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
    engine : {'keras', 'openvino'}
        What runs it: the backend of Keras, or OpenVINO (`n2v_tk.prediction.openvino_engine`).
    budget : int, optional
        Most pixels of a tile, halo included. Default: `TILE_PIXELS`.
    """

    def __init__(
        self,
        network: keras.Model,
        reach: Sequence[tuple[int, int]],
        divisor: int,
        engine: str = "keras",
        budget: int | None = None,
    ):
        self.network = network
        self.run_network = compiled(network, engine)
        self.halos = [Halo(left, right, divisor) for left, right in reach]
        # shared with what `for_one_call` gives: once memory ran out, all make smaller tiles
        self._largest = [budget or TILE_PIXELS[len(self.halos)]]
        self.budget = self.largest
        self._limited = False

    @property
    def largest(self) -> int:
        """Most pixels of a tile, where memory is not limited."""
        return self._largest[0]

    def for_one_call(self) -> Predictor:
        """The same network with a memory limit of its own, whatever other threads ask for."""
        predictor = copy.copy(self)
        predictor.budget = self.largest
        return predictor

    @property
    def n_channels_out(self) -> int:
        """Channels of the output."""
        return self.network.output_shape[-1]

    def limit_memory(self, most: int | None, image_bytes: int = 0) -> None:
        """Choose tiles such that the process stays below some bytes.

        Parameters
        ----------
        most : int or None
            Bytes that the process may take; None is no limit.
        image_bytes : int
            What image and result take beside the tiles.

        Raises
        ------
        ConfigError
            If not even the smallest tile fits.
        """
        self.budget = self.largest
        self._limited = most is not None
        if most is None:
            return
        per_pixel = self.bytes_per_pixel()
        free, taken = free_within(most)
        free -= image_bytes
        least = math.prod(h.smallest_tile for h in self.halos)
        if free < least * per_pixel:
            needed = most - free + least * per_pixel
            raise ConfigError(
                "The memory target is too small for this image and network. Received: "
                f"{most / 1e6:.0f} MB, of which the process takes {taken / 1e6:.0f} MB "
                f"already and image and result {image_bytes / 1e6:.0f} MB. Give at least "
                f"{needed / 1e6 + 1:.0f} MB, or write the result as OME-Zarr (.zarr), which is "
                "done block by block."
            )
        self.budget = min(self.largest, int(free / per_pixel))

    def bytes_per_pixel(self) -> float:
        """What a tile takes, about, per pixel of it."""
        divisor = self.halos[0].divisor
        side = -(-(64 if len(self.halos) == 2 else 16) // divisor) * divisor
        with BUILDING:
            return SCRATCH * activation_bytes(self.network, side)

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
            result = self._resized(transform(stack, *symmetry, axes=(-3, -2)), tiles, resizer)
            result = transform_back(result, *symmetry, axes=(-3, -2))
            total = result if total is None else total + result
        return total / np.float32(len(turned)) if len(turned) > 1 else total

    def _resized(self, stack, n_tiles, resizer):
        if resizer is None:
            odd = any(n % h.divisor for n, h in zip(stack.shape[1:-1], self.halos, strict=True))
            if not odd:
                return self._tiled(stack, n_tiles)
            resizer = _reflection()
        # it remembers the image it was used for
        resizer = copy.copy(resizer)
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
                self.budget = self._largest[0] = math.prod(smaller)

    def _halved(self, sides, tile_sides):
        tile_sides = [min(t, s) for t, s in zip(tile_sides, sides, strict=True)]
        return tile_sides_for(sides, self.halos, None, math.prod(tile_sides) // 2)

    def _run(self, stack, tiles):
        tile_shape = stack[(0, *tiles[0].read)].shape
        together = max(1, self.budget // math.prod(tile_shape[:-1]))
        jobs = [(sample, tile) for sample in range(len(stack)) for tile in tiles]
        output = np.empty((*stack.shape[:-1], self.n_channels_out), np.float32)
        watched = remembering_what_is_kept(output.nbytes) if self._limited else nullcontext()
        with watched:
            self._run_jobs(stack, jobs, together, output)
        return output

    def _run_jobs(self, stack, jobs, together, output):
        for first in range(0, len(jobs), together):
            chunk = jobs[first : first + together]
            batch = np.stack([stack[(sample, *tile.read)] for sample, tile in chunk])
            if len(chunk) < together < len(jobs):
                # one shape for all batches, since some backends compile for each
                rest = [(0, together - len(chunk)), *[(0, 0)] * (batch.ndim - 1)]
                batch = np.pad(batch, rest)
            result = self.run_network(batch)
            for (sample, tile), part in zip(chunk, result, strict=False):
                output[(sample, *tile.write)] = part[tile.keep]


def compiled(network: keras.Model, engine: str = "keras") -> Callable[[np.ndarray], np.ndarray]:
    """A network as a function of batches (N, (Z,) Y, X, C) in float32."""
    if engine == "openvino":
        from .openvino_engine import compiled_by_openvino

        return compiled_by_openvino(network)
    if keras.backend.backend() == "tensorflow":
        from .compiled_tf import compiled as compiled_by_tensorflow

        return compiled_by_tensorflow(network)
    running = threading.Lock()

    def run(batch):
        # what runs keeps its state in the network
        with running:
            return np.asarray(network.predict_on_batch(batch), np.float32)

    return run


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
