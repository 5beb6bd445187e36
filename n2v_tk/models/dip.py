"""Deep Image Prior: one picture and an untrained network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from ..config.dip import DIPConfig
from ..data.picture import Picture
from ..errors import ConfigError, ImageError
from ..layers.lanczos import downsample
from ..nets.forms import training_form
from ..nets.hourglass import build_hourglass
from ..nets.initialize import initialize
from ..plot import LivePictures, in_notebook
from ..training.locking import in_use
from ..training.picture_fit import Backtracking, PictureFit, StopRule
from ..training.precision import resolve_precision
from ..training.repeating import repeatable
from ..training.stopping import ending_in_order
from .dip_folder import DIPFolder
from .shown import DenoisedImage

# largest value of the random input
_INPUT_SCALE = 0.1
# seconds between two writings of the state
_SAVE_EVERY = 30.0


@dataclass
class DIPResult:
    """What a Deep Image Prior made of a picture.

    Attributes
    ----------
    image : ndarray of float32
        The averaged output at the best look, axes as given, in the units of the picture.
    current : ndarray of float32
        The output at the last step, not averaged.
    history : dict of str to list
        For each look 'iteration', 'loss' (mean squared error of the fit, in [0, 1]) and 'psnr_fit'
        (decibels to the given picture); 'held_out' (mean squared error of the averaged output
        there) where pixels are held out; 'variance' of the output around its latest average;
        'psnr' and 'psnr_average' where a reference was given.
    iteration : int
        At which `image` was made.
    stopped_by : str
        'iterations', 'held_out', 'variance', 'caller', or 'interrupt' (Ctrl-C after a look).
    way : dict of int to ndarray
        The averaged output on the way, at iterations that double.
    seconds : float
        That this call took.
    """

    image: np.ndarray
    current: np.ndarray
    history: dict[str, list]
    iteration: int
    stopped_by: str
    way: dict[int, np.ndarray]
    seconds: float

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        text = f"step {self.iteration}, {self.seconds:.0f} s, stopped by {self.stopped_by}"
        return f"{self.image._repr_html_()}<br>{text}"


@dataclass
class DIPProgress:
    """What `on_look` of `DeepImagePrior.fit` is called with.

    Attributes
    ----------
    iteration, iterations : int
        Made, and to make at most.
    history : dict of str to list
        As in `DIPResult`, so far.
    """

    iteration: int
    iterations: int
    history: dict[str, list]
    _fit: PictureFit = field(repr=False)
    _picture: Picture = field(repr=False)

    def current(self) -> np.ndarray:
        """The output now, in the axes and units of the picture."""
        return self._picture.restore(ops.convert_to_numpy(self._fit.now))

    def averaged(self) -> np.ndarray:
        """The averaged output, in the axes and units of the picture."""
        return self._picture.restore(ops.convert_to_numpy(self._fit.averaged))


class DeepImagePrior:
    """Deep Image Prior: a network fits natural structure sooner than noise.

    An untrained hourglass network is fitted to the one picture at hand from a fixed random input.
    What it finds first is the picture; noise, scratches and missing pixels come late or never
    (Ulyanov, Vedaldi, Lempitsky. CVPR 2018). Nothing is learned from other pictures, so every
    picture takes minutes.

    Parameters
    ----------
    config : DIPConfig

    Examples
    --------
    >>> config = DIPConfig(down_channels=(8, 8), iterations=20, check_every=10, stop="iterations",
    ...                    seed=0)
    >>> picture = np.random.default_rng(0).normal(100, 20, (24, 30))
    >>> result = DeepImagePrior(config).fit(picture, "YX")
    >>> result.image.shape, result.history["iteration"]
    ((24, 30), [10, 20])
    """

    def __init__(self, config: DIPConfig):
        if not isinstance(config, DIPConfig):
            raise ConfigError(f"config must be a DIPConfig. Received: {type(config).__name__}.")
        self.config = config.model_copy(deep=True)

    def fit(
        self,
        image: np.ndarray,
        axes: str,
        mask: np.ndarray | None = None,
        guide: np.ndarray | None = None,
        reference: np.ndarray | None = None,
        folder: str | os.PathLike | None = None,
        resume: bool = False,
        on_look: Callable[[DIPProgress], bool | None] | None = None,
    ) -> DIPResult:
        """Fit the network to a picture.

        Parameters
        ----------
        image : ndarray
            Picture or small volume, any real dtype and units.
        axes : str
            Of `image`: Y, X, perhaps Z and C, in any order.
        mask : ndarray, optional
            1 where the picture is known and 0 where it is missing; of the shape of `image`, or of
            it without channels. Needed by the tasks 'inpaint' and 'restore'.
        guide : ndarray, optional
            Picture of the same scene and size ('flash'), with the same axes.
        reference : ndarray, optional
            Clean picture, of the result's shape, to measure the way by (`history`); nothing is
            learned from it.
        folder : path, optional
            Where the state is kept (every half minute, at the end, and when the fit is
            interrupted), and config.json.
        resume : bool
            Go on from the state in `folder`; start where there is none.
        on_look : callable, optional
            Called with a `DIPProgress` at every look; True ends the fit. Default: in a notebook,
            `n2v_tk.plot.LivePictures`.

        Returns
        -------
        DIPResult

        Raises
        ------
        AxesError, ImageError, ConfigError
            If picture, mask, guide or reference do not fit.
        OutputExistsError
            If `folder` holds a state and `resume` is False.
        FolderInUseError
            If another fit uses `folder`.
        ModelFolderError
            If the state in `folder` is of another picture, or of other settings.
        TrainingError
            If the output stays infinite or NaN.
        """
        c = self.config
        picture, state = self.check(image, axes, mask, guide, folder, resume)
        if guide is not None:
            guide = picture.companion(guide, "The guide")
        if reference is not None:
            reference = picture.in_unit_range(reference, "The reference")
        seed = c.seed
        if state is not None:
            seed = int(state["seed"])
        elif seed is None:
            seed = int(np.random.SeedSequence().entropy % 2**32)
        fit, held_out = self._prepare(picture, guide, seed)
        store = None
        if folder is not None:
            store = DIPFolder(Path(folder), picture.fingerprint())
        if on_look is None and in_notebook():
            on_look = LivePictures(np.asanyarray(image), axes)
        way = _Way(c, picture, fit, held_out, reference, on_look)
        if state is not None:
            way.set_state(state)
        started = time.perf_counter()
        with repeatable(c.seed), nullcontext() if store is None else in_use(store.path):
            if store is not None:
                store.claim(c)
            self._run(fit, way, store, seed)
        return way.result(time.perf_counter() - started)

    def _run(self, fit, way, store, seed):
        """Fit until it is enough; the state is kept from time to time and however that ends."""
        c = self.config
        saved, kept = time.perf_counter(), None

        def look(step):
            nonlocal saved, kept
            enough = way.look(step)
            if store is not None:
                kept = {"seed": seed, **way.state()}
                late = time.perf_counter() - saved > _SAVE_EVERY
                if enough or late or step >= c.iterations:
                    store.save(kept)
                    saved, kept = time.perf_counter(), None
            return enough

        if way.stopped_by:
            return
        try:
            with ending_in_order():
                fit.run(c.iterations, c.check_every, look)
        except KeyboardInterrupt:
            if way.best is None:
                raise
            way.stopped_by = "interrupt"
        finally:
            if kept is not None:
                store.save(kept)

    def check(
        self, image, axes: str, mask=None, guide=None, folder=None, resume: bool = False
    ) -> tuple[Picture, dict | None]:
        """Refuse what `fit` could not work with, without working.

        Parameters and errors as in `fit`.

        Returns
        -------
        picture : Picture
            In the scale of the network.
        state : dict of str to ndarray, or None
            What a resumed fit goes on from.
        """
        c = self.config
        factor = c.factor if c.task == "superres" else 1
        picture = Picture(np.asanyarray(image), axes, mask, c.value_range, factor)
        self._check(picture, mask, guide)
        if guide is not None and np.ptp(picture.companion(guide, "The guide")) == 0:
            raise ImageError(f"The guide is constant. Received: {np.min(guide):g} everywhere.")
        if folder is None:
            return picture, None
        return picture, DIPFolder(Path(folder), picture.fingerprint()).read(c, resume)

    def _check(self, picture, mask, guide):
        c = self.config
        if min(picture.sides) < c.smallest_side:
            raise ImageError(
                f"With {len(c.down_channels)} scales every side must have at least "
                f"{c.smallest_side} pixels. Received: {picture.sides}. Take fewer scales, e.g. "
                "down_channels=(64, 64, 64)."
            )
        if c.stop_rule == "held_out" and picture.weight.sum() * c.held_out < 20:
            raise ImageError(
                "Too few pixels are known to hold some out. Received: "
                f"{int(picture.weight.sum())} known values, held_out={c.held_out}. Take "
                "stop='iterations'."
            )
        if mask is None and c.task in ("inpaint", "restore"):
            raise ConfigError(
                f"The task {c.task!r} needs a mask: 1 where the picture is known, 0 where it is "
                "missing. Received: mask=None."
            )
        if (guide is None) == (c.input == "image"):
            raise ConfigError(
                "A guide image is for the task 'flash', which needs one. Received: "
                f"task={c.task!r}, guide={'None' if guide is None else 'an image'}."
            )

    def _prepare(self, picture, guide, seed):
        """What is fitted, and where pixels are held out of the fit (or None)."""
        c = self.config
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
        z = self._input(picture, guide, rng)
        shape = (1, *picture.sides, picture.values.shape[-1])
        network = build_hourglass(
            z.shape[-1], shape[-1], c.down_channels, c.up_channels, c.skip_channels,
            c.kernel_down, c.kernel_up, c.one_by_one, c.upsampling, c.pooling, picture.n_dim,
            z.shape[1:-1],
        )  # fmt: skip
        initialize(network, seed)
        weight, held_out = picture.weight, None
        if c.stop_rule == "held_out":
            # a pixel with all its channels
            chosen = rng.random((*weight.shape[:-1], 1)) < c.held_out
            held_out = (weight * chosen) > 0
            weight = weight * ~chosen
        precision = resolve_precision(c.precision)
        fit = PictureFit(
            training_form(network, precision), z, picture.values, weight, shape,
            (lambda x: downsample(x, picture.factor)) if picture.factor > 1 else (lambda x: x),
            c.input_noise, c.parameter_noise, c.average, seed,
        )  # fmt: skip
        optimizer = keras.optimizers.Adam(c.learning_rate)
        if precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        fit.compile(optimizer=optimizer)
        optimizer.build(fit.trainable_variables)
        return fit, held_out

    def _input(self, picture, guide, rng):
        c = self.config
        sides = [-(-side // c.divisor) * c.divisor for side in picture.sides]
        if c.input == "noise":
            shape = (1, *sides, c.input_channels)
            return (_INPUT_SCALE * rng.random(shape)).astype(np.float32)
        if c.input == "grid":
            steps = [np.linspace(0, 1, side, dtype=np.float32) for side in sides]
            return np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)[np.newaxis]
        low, high = guide.min(), guide.max()
        extra = [wanted - have for wanted, have in zip(sides, picture.sides, strict=True)]
        pads = [(0, 0), *((e // 2, e - e // 2) for e in extra), (0, 0)]
        return np.pad((guide - low) / (high - low), pads, mode="reflect").astype(np.float32)


class _Way:
    """What is seen on the way of a fit, and what it comes to."""

    def __init__(self, config, picture, fit, held_out, reference, on_look):
        self.config, self.picture, self.fit = config, picture, fit
        self.held_out, self.reference, self.on_look = held_out, reference, on_look
        self.history: dict[str, list] = {}
        self.backtracking = Backtracking(fit, config.backtrack)
        self.rule = StopRule(config.patience) if config.stop_rule != "iterations" else None
        self.best, self.best_step = None, 0
        self.pictures: dict[int, np.ndarray] = {}
        self.stopped_by = ""
        self._went_back = False

    def look(self, step: int) -> bool:
        """Whether that is enough."""
        now, averaged = (ops.convert_to_numpy(v) for v in (self.fit.now, self.fit.averaged))
        loss = float(ops.convert_to_numpy(self.fit.compute_loss(y_pred=now)))
        seen = {"iteration": step, "loss": loss, "psnr_fit": _decibels(loss)}
        if self.held_out is not None:
            fitted = ops.convert_to_numpy(self.fit.measure(averaged))
            seen["held_out"] = float(np.square(fitted - self.picture.values)[self.held_out].mean())
        seen["variance"] = float(self.fit.variance)
        if self.reference is not None:
            for name, output in (("psnr", now), ("psnr_average", averaged)):
                seen[name] = _decibels(np.square(output - self.reference).mean())
        for name, number in seen.items():
            self.history.setdefault(name, []).append(number)
        finite = np.isfinite(averaged).all()
        went_back = self.backtracking.look(seen["psnr_fit"] if finite else float("nan"))
        self._went_back = went_back
        best, enough = True, False
        if self.rule is not None and not went_back:
            best, enough = self.rule.look(step, seen[self.config.stop_rule])
        if best and not went_back:
            self.best, self.best_step = averaged, step
        # at the first look and whenever the number of looks has doubled
        looks = len(self.history["iteration"])
        if looks & (looks - 1) == 0:
            self.pictures[step] = averaged
        if enough:
            self.stopped_by = self.config.stop_rule
        elif self.on_look is not None and self.on_look(
            DIPProgress(step, self.config.iterations, self.history, self.fit, self.picture)
        ):
            self.stopped_by = "caller"
        return bool(self.stopped_by)

    def result(self, seconds: float) -> DIPResult:
        now = ops.convert_to_numpy(self.fit.now)
        best = now if self.best is None else self.best
        keep = self.config.keeps_known
        return DIPResult(
            DenoisedImage(self.picture.restore(best, keep_known=keep), self.picture.axes),
            DenoisedImage(self.picture.restore(now, keep_known=keep), self.picture.axes),
            self.history,
            self.best_step,
            self.stopped_by or "iterations",
            {step: self.picture.restore(x) for step, x in self.pictures.items()},
            seconds,
        )

    def state(self) -> dict[str, np.ndarray]:
        """What a resumed fit needs."""
        rule = self.rule or StopRule(1)
        state = {f"fit_{k}": v for k, v in self.fit.state().items()}
        state |= {f"history_{k}": np.array(v) for k, v in self.history.items()}
        state |= {f"picture_{k}": v for k, v in self.pictures.items()}
        if self._went_back:
            # else it is the state of the fit
            state |= {f"good_{k}": v for k, v in self.backtracking.good.items()}
        return state | {
            "best": self.best,
            "numbers": np.array(
                [self.best_step, rule.best_value, rule.best_step, self.backtracking.before]
            ),
            "stopped_by": np.array(self.stopped_by),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `state` returned."""

        def part(prefix):
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self.fit.set_state(part("fit_"))
        self.history = {k: v.tolist() for k, v in part("history_").items()}
        self.pictures = {int(k): v for k, v in part("picture_").items()}
        self.best = state["best"]
        best_step, best_value, rule_step, before = state["numbers"]
        self.best_step = int(best_step)
        self.backtracking.good = part("good_") or part("fit_")
        self.backtracking.before = float(before)
        if self.rule is not None:
            self.rule.best_value, self.rule.best_step = float(best_value), int(rule_step)
        # a caller who resumes wants to go on, and so does one with more patience
        stopped_by = str(state["stopped_by"])
        if self.rule is not None and stopped_by == self.config.stop_rule:
            waited = self.history["iteration"][-1] - self.rule.best_step
            self.stopped_by = stopped_by if waited >= self.config.patience else ""


def _decibels(error):
    """Of a mean squared error in [0, 1]."""
    return float(-10 * np.log10(max(error, 1e-12))) if np.isfinite(error) else float("nan")
