"""Settings of Deep Image Prior."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from ..errors import ConfigError
from .base import Count, Positive, Seed
from .checks import plain
from .settings import Settings
from .size import NetworkSize, check_network, hourglass

Channels = tuple[Count, ...]
# sides are halved at each, and a picture has some thousand pixels along a side
_MOST_SCALES = 12
Upsampling = Literal["linear", "nearest"]

_HOURGLASS = {"down_channels": (128,) * 5, "skip_channels": (4,) * 5}

# the rows of the paper's table of settings
PRESETS: dict[str, dict[str, Any]] = {
    "denoise": {**_HOURGLASS, "iterations": 3000, "input_noise": 1 / 30},
    "jpeg": {
        "down_channels": (8, 16, 32, 64, 128), "skip_channels": (0, 0, 0, 4, 4),
        "input_channels": 3, "iterations": 2400, "input_noise": 1 / 30,
    },
    "superres": {**_HOURGLASS, "iterations": 2000, "input_noise": 0.03},
    "inpaint": {
        **_HOURGLASS, "skip_channels": (128,) * 5, "upsampling": "nearest", "iterations": 6001,
        "input_noise": 0.03,
    },
    "inpaint_grid": {
        **_HOURGLASS, "skip_channels": (0,) * 5, "upsampling": "nearest", "input": "grid",
        "iterations": 5001, "input_noise": 0.03,
    },
    "inpaint_large": {
        "down_channels": (16, 32, 64, 128, 128, 128), "skip_channels": (0,) * 6,
        "kernel_down": 5, "one_by_one": False, "upsampling": "nearest", "input_channels": 1,
        "iterations": 3001, "input_noise": 0.0, "parameter_noise": 0.02,
    },
    "restore": {
        **_HOURGLASS, "iterations": 11000, "input_noise": 0.03, "learning_rate": 1e-3,
    },
    "restore_sparse": {
        "down_channels": (16, 32, 64, 128, 128), "skip_channels": (0,) * 5,
        "pooling": "average", "iterations": 1000, "input_noise": 0.0,
    },
    "flash": {
        **_HOURGLASS, "upsampling": ("nearest", "nearest", "linear", "linear", "linear"),
        "input": "image", "iterations": 601, "input_noise": 0.0, "learning_rate": 0.1,
    },
}  # fmt: skip
# enlarging by 8 takes more steps and noise
_BY_EIGHT = {"iterations": 4000, "input_noise": 0.05}


class DIPConfig(Settings):
    """Settings of a Deep Image Prior.

    Defaults depend on the task; they are those of Ulyanov, Vedaldi, Lempitsky. Deep Image Prior.
    CVPR 2018, supplement.

    Parameters
    ----------
    task : {'denoise', 'jpeg', 'inpaint', 'superres', 'restore', 'flash'}
        Remove noise; remove the traces of JPEG; fill holes such as scratches or text; enlarge;
        bring back pixels that are missing at random; denoise a picture with the help of another
        one of the same scene (taken with flash).
    preset : str, optional
        Defaults to take: a task's name (the default), or 'inpaint_grid' (large smooth holes),
        'inpaint_large' (large holes in textures), 'restore_sparse' (98 % of the pixels missing).
    factor : {2, 4, 8}
        Of the enlargement ('superres').
    down_channels, up_channels, skip_channels : tuple of int
        Filters at each scale, the finest first: on the way down, on the way up (default: as down),
        and of the skip connection, where 0 is none.
    kernel_down, kernel_up : int
        Sides of the convolutions, odd.
    one_by_one : bool
        A convolution of side 1 after each one on the way up.
    upsampling : {'linear', 'nearest'} or tuple of such
        Also for each scale, the finest first.
    pooling : {'stride', 'average'}
        How sides are halved.
    input : {'noise', 'grid', 'image'}
        What the network is given: uniform noise in [0, 0.1], coordinates, or the guide image.
    input_channels : int
        Of the noise.
    input_noise : float
        Standard deviation of the noise added to the input, anew at every step.
    parameter_noise : float
        Standard deviation of noise added to kernels at every step, relative to theirs.
    iterations : int
        Steps, at most.
    learning_rate : float
        Of Adam.
    average : float
        Momentum of the exponential average of the output, which is the result.
    stop : {'auto', 'iterations', 'held_out', 'variance'}
        When to stop. 'held_out' leaves some pixels out of the fit and stops when they are
        predicted no better; 'variance' when the output changes more and more (Wang et al. Early
        stopping for Deep Image Prior. 2021); 'iterations' after all of them. 'auto' is 'held_out'
        for the tasks 'denoise' and 'jpeg', and 'iterations' for the others, whose pixels are
        known to be right.
    held_out : float
        Share of the pixels that 'held_out' leaves out.
    patience : int
        Steps without a better result after which an automatic rule stops.
    check_every : int
        Steps between two looks at the result; what lies between is compiled.
    backtrack : float or None
        Go back to the parameters of the last look when the fit became so many decibels worse.
    keep_known : bool, optional
        The result has the given values wherever they are known. Default: for 'inpaint' and
        'restore'.
    value_range : (low, high), optional
        Grey values that the output can reach. Default: 0 to 255 for 8 bit, else the range of the
        image.
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        As `train_precision` of the other methods.
    seed : int or None
        Of the input, the initial weights and all noise. None draws one.

    Raises
    ------
    ConfigError
        For unknown settings (the nearest known one is named) and invalid values.

    Examples
    --------
    >>> DIPConfig(task="inpaint").skip_channels
    (128, 128, 128, 128, 128)
    >>> DIPConfig(task="superres", factor=8).iterations
    4000
    """

    task: Literal["denoise", "jpeg", "inpaint", "superres", "restore", "flash"] = "denoise"
    preset: str | None = None
    factor: Literal[2, 4, 8] = 4
    down_channels: Channels = (128,) * 5
    up_channels: Channels | None = None
    skip_channels: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = (4,) * 5
    kernel_down: Count = 3
    kernel_up: Count = 3
    one_by_one: bool = True
    upsampling: Upsampling | tuple[Upsampling, ...] = "linear"
    pooling: Literal["stride", "average"] = "stride"
    input: Literal["noise", "grid", "image"] = "noise"
    input_channels: Count = 32
    input_noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.03
    parameter_noise: Annotated[float, Field(ge=0, lt=1)] = 0.0
    iterations: Count = 3000
    learning_rate: Positive = 0.01
    average: Annotated[float, Field(ge=0, lt=1)] = 0.99
    stop: Literal["auto", "iterations", "held_out", "variance"] = "auto"
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    patience: Count = 500
    check_every: Count = 50
    backtrack: Positive | None = 5.0
    keep_known: bool | None = None
    value_range: tuple[float, float] | None = None
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    seed: Seed | None = None

    method: ClassVar[str] = "dip"

    def __init__(self, **settings):
        preset = settings.get("preset") or settings.get("task", "denoise")
        if not isinstance(preset, str) or preset not in PRESETS:
            what = "preset" if settings.get("preset") else "task"
            known = PRESETS if what == "preset" else [p for p in PRESETS if "_" not in p]
            raise ConfigError(f"{what} must be one of {', '.join(known)}. Received: {preset!r}.")
        defaults = dict(PRESETS[preset])
        if preset == "superres" and settings.get("factor") == 8:
            defaults |= _BY_EIGHT
        if isinstance(plain(settings.get("down_channels")), list | tuple):
            # the tables' values of each scale, for as many scales as are asked for
            n_scales = len(settings["down_channels"])
            for name, values in list(defaults.items()):
                if isinstance(values, tuple):
                    defaults[name] = (*values, *values[-1:] * n_scales)[:n_scales]
        super().__init__(**{**defaults, **settings})

    @pydantic.model_validator(mode="after")
    def _check_dip(self):
        scales = len(self.down_channels)
        if not 1 <= scales <= _MOST_SCALES:
            raise ConfigError(
                f"down_channels needs 1 to {_MOST_SCALES} scales, each of which halves the sides. "
                f"Received: {scales}."
            )
        lengths = {"skip_channels": self.skip_channels, "up_channels": self.up_channels}
        if isinstance(self.upsampling, tuple):
            lengths["upsampling"] = self.upsampling
        for name, values in lengths.items():
            if values is not None and len(values) != scales:
                raise ConfigError(
                    f"{name} must have a value for each of the {scales} scales of down_channels. "
                    f"Received: {values}."
                )
        for name in ("kernel_down", "kernel_up"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name} must be odd. Received: {getattr(self, name)}.")
        bounds = self.value_range
        if bounds is not None and not float("-inf") < bounds[0] < bounds[1] < float("inf"):
            raise ConfigError(f"value_range must be (low, high). Received: {bounds}.")
        if self.keep_known and self.task == "superres":
            raise ConfigError(
                "An enlarged picture has no pixels that are known. Received: keep_known=True with "
                "task='superres'."
            )
        if (self.task == "flash") != (self.input == "image"):
            raise ConfigError(
                "The task 'flash' and input='image' belong together: the guide image is the "
                f"network's input. Received: task={self.task!r}, input={self.input!r}."
            )
        return self

    def network_size(self) -> NetworkSize:
        """Weights and layers of the network for a picture of three channels."""
        return hourglass(
            self.input_channels, 3, 2, self.down_channels, self.up_channels or self.down_channels,
            self.skip_channels, self.kernel_down, self.kernel_up, self.one_by_one,
        )  # fmt: skip

    def check_size(self) -> None:
        names = (
            "input_channels", "down_channels", "up_channels", "skip_channels", "kernel_down",
            "kernel_up",
        )  # fmt: skip
        check_network(self.network_size(), {name: getattr(self, name) for name in names})

    @property
    def stop_rule(self) -> str:
        """The rule that `stop` stands for: 'iterations', 'held_out' or 'variance'."""
        if self.stop != "auto":
            return self.stop
        return "held_out" if self.task in ("denoise", "jpeg") else "iterations"

    @property
    def keeps_known(self) -> bool:
        """Whether the result has the given values wherever they are known."""
        if self.keep_known is None:
            return self.task in ("inpaint", "restore")
        return self.keep_known

    @property
    def divisor(self) -> int:
        """What the sides of the network's input are brought to multiples of."""
        return 2 ** len(self.down_channels)

    @property
    def smallest_side(self) -> int:
        """Of the picture that is made; at the coarsest scale reflection needs more pixels."""
        return self.divisor * (max(self.kernel_down, self.kernel_up) // 2) + 1
