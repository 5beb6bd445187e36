"""Denoising images larger than memory, block by block, into OME-Zarr."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..axes import StackLayout
from ..errors import ConfigError, ImageError, ImageFileError, OutputExistsError
from ..io import Image, check_writable, split_inner
from ..io.ome_zarr import (
    VERSIONS,
    Level,
    OMEZarr,
    axes_metadata,
    create_ome_zarr,
    finish_ome_zarr,
    need_zarr,
)
from ..normalization import not_finite, result_dtype, to_dtype
from ..prediction.blocks import BlockPlan
from ..prediction.memory import parse_bytes
from ..prediction.scaled import ScaleByStatistics
from ..prediction.tiling import Halo
from ..training.precision import resolve_precision
from .large_plan import chunks_for, fit, level_shapes, open_source, state_of
from .large_state import Progress, UnwrittenError

if TYPE_CHECKING:
    from distributed import Client

    from .base import Denoiser

# pixels of a block without a memory target, divided by the mean number of channels
BLOCK_PIXELS = 2**23
Job = tuple[int, int]


def predict_large(
    model: Denoiser,
    source: str | os.PathLike | np.ndarray,
    target: str | os.PathLike,
    axes: str | None = None,
    *,
    dtype=None,
    tta: bool = False,
    precision: str | None = None,
    engine: str = "keras",
    chunks: tuple[int, ...] | None = None,
    version: str | None = None,
    max_memory: int | str | None = None,
    client: Client | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Denoise an image of any size into an OME-Zarr store. See `Denoiser.predict_large`."""
    need_zarr()
    target = Path(target)
    if target.suffix != ".zarr":
        raise ConfigError(
            f"Large results are written as OME-Zarr. Received: {target}. Let its name end in .zarr."
        )
    partial = target.with_name(f"{target.name}.partial")
    _check_target(source, target, overwrite)
    work = LargePrediction.plan(
        model, source, axes, dtype, tta, precision, engine, chunks, version, max_memory
    )
    state = Progress(partial, work.request, work.plan_settings, overwrite)
    try:
        if state.resumed:
            work.use(state.plan)
        arrays = work.open_target(partial, new=state.n_done == 0)
        run = _in_this_process
        if client is not None:
            from .on_cluster import on_cluster

            run = on_cluster(client, model, work, partial, state.run)
        total, done = work.n_jobs(arrays), state.n_done
        for level in range(len(arrays)):
            jobs = [(level, i) for i in range(work.n_blocks(level)) if (level, i) not in state]
            for job in run(work, jobs):
                state.add(job)
                done += 1
                if progress is not None:
                    progress(done, total)
        finish_ome_zarr(partial, work.metadata(arrays))
        state.move_to(target)
    except UnwrittenError as error:
        raise state.explain(error) from error
    finally:
        state.close()
    return target


def _check_target(source, target, overwrite):
    """Refuse to replace what is no store, or what holds the source."""
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"The output is there already. Received: {target}. Choose another name, or overwrite "
            "it with overwrite=True (--overwrite)."
        )
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ImageFileError(
            f"The output is no folder, as stores are. Received: {target}. Choose another name, or "
            "remove it."
        )
    if isinstance(source, str | os.PathLike):
        read, written = split_inner(source)[0].resolve(), target.resolve()
        if read == written or written in read.parents or read in written.parents:
            raise ImageFileError(
                f"A result would overwrite its input. Received: output {target} for {source}. "
                "Choose another folder or name."
            )
    check_writable(target.parent)


def _in_this_process(work: LargePrediction, jobs: list[Job]) -> Iterator[Job]:
    """Do jobs one after the other; the next is read and the last written meanwhile."""
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        coming = reader.submit(work.read, jobs[0]) if jobs else None
        writing = None
        for i, job in enumerate(jobs):
            data = coming.result()
            if i + 1 < len(jobs):
                coming = reader.submit(work.read, jobs[i + 1])
            result = work.compute(job, data)
            if writing is not None:
                writing[1].result()
                yield writing[0]
            writing = job, writer.submit(work.write, job, result)
        if writing is not None:
            writing[1].result()
            yield writing[0]


class LargePrediction:
    """What is to be denoised into what, and how each block is done.

    Jobs are pairs (level, block): level 0 is denoised, the others are made from the one before.

    Parameters
    ----------
    model : Denoiser
    image : Image
        The source.
    request : dict
        What was asked for, as JSON holds it: equal for runs that go on with each other.
    plan_settings : dict
        Sides of blocks and tiles: what a run that goes on takes from the one before.
    store : OMEZarr or None
        The source's metadata, where it is OME-Zarr.
    """

    def __init__(
        self,
        model: Denoiser,
        image: Image,
        request: dict[str, Any],
        plan_settings: dict[str, Any],
        store: OMEZarr | None = None,
    ):
        self.model, self.image, self.request, self.store = model, image, request, store
        self.target_axes = request["target_axes"]
        self.dtype = np.dtype(request["result"])
        self.shapes = [tuple(shape) for shape in request["shapes"]]
        self.arrays: list = []
        self._scaling: dict[int, tuple] = {}
        self.use(plan_settings)

    def use(self, plan_settings: dict[str, Any]) -> None:
        """Take the sides of blocks and tiles from another run."""
        self.plan_settings = plan_settings
        request, axes = self.request, self.image.axes
        shape = self.image.data.shape
        inner = dict(zip(self.target_axes, request["chunks"], strict=True))
        chunks = [inner.get(a, 1) for a in axes]
        # what nobody asked for is no reason to refuse
        free = request["max_memory"] is None
        most = plan_settings["block_pixels"]
        self.blocks = BlockPlan(axes, shape, chunks, self._halos(), most, at_least_a_chunk=free)
        unmoved = {a: Halo(0, 0, 0) for a in "YX"}
        self.level_blocks = [
            BlockPlan(self.target_axes, s, request["chunks"], unmoved, most // 4, True)
            for s in self.shapes[1:]
        ]

    @classmethod
    def plan(
        cls, model, source, axes, dtype, tta, precision, engine, chunks, version, max_memory
    ) -> LargePrediction:
        """Decide everything about a run, without working."""
        image, store = open_source(source, axes)
        layout, _ = model.check(image.data, image.axes, look=False)
        model.refuse_blocks()
        if version not in (None, *VERSIONS):
            raise ConfigError(
                f"version must be one of {', '.join(VERSIONS)}. Received: {version!r}."
            )
        n_out = model.config.n_channel_out
        lengths = dict(zip(image.axes, image.data.shape, strict=True))
        target_axes = "".join(a for a in "TCZYX" if a in lengths or (a == "C" and n_out > 1))
        lengths["C"] = n_out
        shape = [lengths[a] for a in target_axes]
        chunks = chunks_for(chunks, target_axes, shape, store, image, model.config.n_dim)
        shapes, of_source = level_shapes(target_axes, shape, store)
        request = {
            "source": os.path.abspath(source) if isinstance(source, str | os.PathLike) else None,
            "source_state": state_of(source, image.data),
            "source_shape": list(image.data.shape),
            "source_dtype": str(image.data.dtype),
            "source_axes": image.axes,
            "model": model.fingerprint(),
            "target_axes": target_axes,
            "shapes": shapes,
            "levels_of_source": of_source,
            "chunks": chunks,
            "result": str(result_dtype(dtype, image.data.dtype)),
            "tta": tta,
            "precision": resolve_precision(precision or model._own_precision(), model.keras_model),
            "engine": engine,
            "max_memory": None if max_memory is None else parse_bytes(max_memory),
            "version": version or (store.version if store is not None else "0.4"),
        }
        predictor = model._predictor(request["precision"], engine)
        channels = (layout.n_channels + n_out) / 2
        tile, block = predictor.budget, int(BLOCK_PIXELS / channels)
        if max_memory is not None:
            tile, block = fit(predictor, request["max_memory"], channels)
        return cls(model, image, request, {"block_pixels": block, "tile_pixels": tile}, store)

    def _halos(self):
        reach = self.model.reach
        letters = "ZYX"[-len(reach) :]
        # turned images see as far to either side
        return {
            a: Halo(max(r), max(r), self.model.divisor) for a, r in zip(letters, reach, strict=True)
        }

    # what there is to do -----------------------------------------------------------------------

    def n_blocks(self, level: int) -> int:
        """Blocks of a level."""
        return len(self.blocks if level == 0 else self.level_blocks[level - 1])

    def n_jobs(self, arrays) -> int:
        """Blocks of all levels."""
        return sum(self.n_blocks(level) for level in range(len(arrays)))

    def open_target(self, path: Path, new: bool) -> list:
        """The arrays of the target, made if the run is new."""
        if new:
            self.arrays = create_ome_zarr(
                path, self.request["version"], self._axes_metadata()[0], self.shapes,
                self.request["chunks"], self.dtype,
            )  # fmt: skip
        else:
            group = need_zarr().open_group(path, mode="r+")
            self.arrays = [group[str(level)] for level in range(len(self.shapes))]
        return self.arrays

    def read(self, job: Job) -> np.ndarray:
        """What a job needs of the source, or of the level before."""
        level, index = job
        if level:
            block = self.level_blocks[level - 1][index]
            factors = self._factors(level)
            before = self.arrays[level - 1]
            window = [
                slice(w.start * f, min(w.stop * f, n))
                for w, f, n in zip(block.write, factors, before.shape, strict=True)
            ]
            return before[tuple(window)]
        block = self.blocks[index]
        data = np.asarray(self.image.data[block.read])
        if data.dtype.kind == "f" and not_finite(data).any():
            where = ", ".join(f"{w.start}:{w.stop}" for w in block.read)
            raise ImageError(
                f"The image holds values that are not finite in float32. Received: NaN or "
                f"infinity in [{where}] ({self.image.axes}). Replace them first."
            )
        return data

    def compute(self, job: Job, data: np.ndarray) -> np.ndarray:
        """The block of the result that a job is for, axes as in the target."""
        level, index = job
        if level:
            return self._smaller(level, self.level_blocks[level - 1][index], data)
        block = self.blocks[index]
        mode = self.model.padding
        data = np.pad(data, block.pad, mode=mode) if any(map(any, block.pad)) else data
        layout = StackLayout.of(data, self.image.axes, self.model.config.n_dim)
        stack = layout.to_stack(data)
        predictor = self.model._predictor(self.request["precision"], self.request["engine"])
        # smaller only where memory ran out before
        predictor.budget = min(self.plan_settings["tile_pixels"], predictor.largest)
        fixed = self.model.fixed_scaling()
        if fixed is None:
            scalings = [self._scaling_of(sample) for sample in self._samples(block)]
            parts = [(stack[i : i + 1], scaling) for i, scaling in enumerate(scalings)]
        else:
            parts = [(stack, fixed)]
        results = []
        for part, scaling in parts:
            normalizer = ScaleByStatistics(lambda _, values=scaling: values)
            results.append(
                self.model.denoise_stack(predictor, part, normalizer, self.request["tta"])
            )
        result = layout.from_stack(np.concatenate(results))
        axes = self.image.axes if result.ndim == data.ndim else f"{self.image.axes}C"
        keep = dict(zip(self.image.axes, block.keep, strict=True)) | {"C": slice(None)}
        result = result[tuple(keep[a] for a in axes)]
        order = [axes.index(a) for a in self.target_axes]
        return to_dtype(np.transpose(result, order), self.dtype)

    def write(self, job: Job, result: np.ndarray) -> None:
        """Write the result of a job where it belongs."""
        level, index = job
        if level:
            window = self.level_blocks[level - 1][index].write
        else:
            along = dict(zip(self.image.axes, self.blocks[index].write, strict=True))
            along["C"] = slice(None)
            window = tuple(along[a] for a in self.target_axes)
        try:
            self.arrays[level][window] = result
        except OSError as error:
            raise UnwrittenError(*error.args) from error

    def do(self, job: Job) -> Job:
        """A job from start to end."""
        self.write(job, self.compute(job, self.read(job)))
        return job

    # how it is done ----------------------------------------------------------------------------

    def _samples(self, block):
        """Numbers of the samples of a block in the whole stack, in order."""
        sample_axes = StackLayout.of(self.image.data, self.image.axes, self.model.config.n_dim)
        letters = sample_axes.sample_axes
        lengths = [sample_axes.length(a) for a in letters]
        read = dict(zip(self.image.axes, block.read, strict=True))
        places = np.meshgrid(*[range(read[a].start, read[a].stop) for a in letters], indexing="ij")
        if not letters:
            return [0]
        return [int(i) for i in np.ravel_multi_index([p.ravel() for p in places], lengths)]

    def _scaling_of(self, sample):
        """Offset and scale of one sample, from all of it."""
        if sample not in self._scaling:
            layout = StackLayout.of(self.image.data, self.image.axes, self.model.config.n_dim)
            while len(self._scaling) > 1000:
                self._scaling.pop(next(iter(self._scaling)))
            self._scaling[sample] = self.model._scaling(layout.to_stack(self.image.data)[sample])
        return self._scaling[sample]

    def _factors(self, level):
        pairs = zip(self.shapes[level - 1], self.shapes[level], strict=True)
        return [max(1, round(before / after)) for before, after in pairs]

    def _smaller(self, level, block, data):
        """Means of the pixels that become one."""
        factors = self._factors(level)
        lengths = [w.stop - w.start for w in block.write]
        missing = [
            (0, n * f - have) for n, f, have in zip(lengths, factors, data.shape, strict=True)
        ]
        data = np.pad(data, missing, mode="edge") if any(map(any, missing)) else data
        split = [part for n, f in zip(lengths, factors, strict=True) for part in (n, f)]
        means = data.reshape(split).mean(axis=tuple(range(1, len(split), 2)), dtype=np.float64)
        return to_dtype(means, self.dtype)

    def _axes_metadata(self):
        if self.store is not None and self.store.letters == self.target_axes:
            return self.store.axes, self.store.levels[0].scale
        sizes = dict(self.image.pixel_sizes)
        return axes_metadata(
            Image(self.image.data, self.target_axes, sizes, self.image.unit, "zarr")
        )

    def metadata(self, arrays) -> OMEZarr:
        """What makes the arrays an image: axes, units, sizes of pixels at every level."""
        axes, scale = self._axes_metadata()
        known = self.store is not None and self.store.letters == self.target_axes
        start = self.store.levels[0].translation if known else [0.0] * len(scale)
        levels = []
        for number, array in enumerate(arrays):
            if known and (number == 0 or self.request["levels_of_source"]):
                old = self.store.levels[number]
                levels.append(Level(str(number), array, old.scale, old.translation))
                continue
            total = [round(a / b) for a, b in zip(self.shapes[0], self.shapes[number], strict=True)]
            # the first pixel of a level lies in the middle of those it is the mean of
            levels.append(
                Level(
                    str(number),
                    array,
                    [s * f for s, f in zip(scale, total, strict=True)],
                    [t + s * (f - 1) / 2 for t, s, f in zip(start, scale, total, strict=True)],
                )
            )
        name = self.store.name if self.store is not None else ""
        same_channels = self.model.config.n_channel_out == self.model.config.n_channel_in
        omero = dict(self.store.omero) if self.store is not None and same_channels else {}
        return OMEZarr(Path(), self.request["version"], list(axes), levels, name, omero)
