"""What the settings of all methods that train a model share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pydantic
from pydantic import Field

from ..errors import ConfigError
from ..normalization import channel_statistics
from .checks import check_plateau, image_list, number
from .files import WEIGHTS
from .settings import Settings
from .size import NetworkSize, check_network, check_step, step_bytes

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# what backends count with 32 bits
Count = Annotated[int, Field(ge=1, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
# each halves the learning rate: after so many nothing is left of it
_MOST_MILESTONES = 100


class DenoiserConfig(Settings):
    """Settings of every method that trains a model.

    Every assignment is checked as the constructor checks it.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
        Training images, from which `n_dim`, `axes`, the number of channels, `means` and `stds`
        are taken.
    n_dim : {2, 3}
        Number of spatial axes.
    axes : {'YXC', 'ZYXC'}
        Axes of one image.
    n_channel_in, n_channel_out : int
        Channels of image and result.
    means, stds : list of str
        Mean and standard deviation of each channel of the training images.
    normalization : {'dataset', 'image', 'percentile', 'none'}
        What brings images to the scale of the network: mean and standard deviation of the
        training images (n2v's way, the default) or of each image, percentiles 1 and 99.8 of
        each image, or nothing.
    train_epochs, train_steps_per_epoch, train_batch_size : int
    train_learning_rate : float
        Of Adam, at its highest.
    train_schedule : {'plateau', 'cosine', 'ramps', 'milestones'}
        Reduce the learning rate when the validation loss stands still, as `train_reduce_lr`
        says (the default), along half a cosine to zero over all steps, up at the start and
        down at the end, as `train_ramps` says, or to a half after each of `train_milestones`.
    train_ramps : (up, down)
        Shares of all steps over which the learning rate rises (cosine) and falls (squared
        cosine).
    train_milestones : tuple of int
        Steps, in rising order.
    train_betas : (first, second)
        Momenta of Adam.
    train_reduce_lr : dict or None
        Arguments of `keras.callbacks.ReduceLROnPlateau`.
    train_ema : float or None
        Momentum of an exponential moving average of the weights, e.g. 0.999; validation and the
        saved weights then use the average.
    train_early_stop : int or None
        Stop when the validation loss has not fallen for so many epochs. Off by default: on blind
        spots the loss is mostly noise.
    train_keep : {'best', 'last'}
        Weights to go on with after training: of the lowest validation loss, or the last.
    train_checkpoint : str or None
        File name for the best weights in the model folder.
    train_seed : int or None
        Seed of initial weights, patches, blind spots and augmentation; a given one also has
        TensorFlow compute in ways that repeat exactly. None draws one.
    train_state_minutes : float
        Minutes, at least, from one writing of the state of the training to the next, of which
        `train` goes on with ``resume=True``. 0 (the default) writes it after every epoch.
    train_precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
        'auto' is mixed_bfloat16 where the hardware computes it fast, else float32. Weights,
        losses, statistics and the output layer are float32 in any case.
    train_workers : int
        Threads that prepare batches.
    train_tensorboard : bool
        Write losses, metrics, learning rate and, after some epochs, pictures for TensorBoard into
        logs in the model folder, where it is installed (extra ``n2v_tk[tensorboard]``) and the
        backend is TensorFlow. Set by hand, it warns where nothing can be written.
    """

    n_dim: Literal[2, 3] = 2
    axes: str = "YXC"
    n_channel_in: Count = 1
    n_channel_out: Count = 1
    means: list[str] | None = None
    stds: list[str] | None = None
    normalization: Literal["dataset", "image", "percentile", "none"] = "dataset"

    train_epochs: Count = 100
    train_steps_per_epoch: Count = 400
    train_batch_size: Count = 16
    train_learning_rate: Positive = 4e-4
    train_schedule: Literal["plateau", "cosine", "ramps", "milestones"] = "plateau"
    train_ramps: tuple[Share, Share] = (0.1, 0.3)
    train_milestones: tuple[Count, ...] = ()
    train_betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    train_reduce_lr: dict[str, Any] | None = {"factor": 0.5, "patience": 10}
    train_ema: Fraction | None = None
    train_early_stop: Count | None = None
    train_keep: Literal["best", "last"] = "best"
    train_checkpoint: str | None = "weights_best.h5"
    train_seed: Seed | None = None
    train_state_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    train_precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    train_workers: Annotated[int, Field(ge=1, le=256)] = 1
    train_tensorboard: bool = True

    # settings that make networks and patches large, for messages
    size_settings: ClassVar[tuple[str, ...]] = ()
    size_of_patch: ClassVar[tuple[str, ...]] = ()
    # steps whose gradients are not finite are left out
    skips_bad_steps: ClassVar[bool] = False

    def __init__(self, X=None, **settings):
        if X is not None:
            self._refuse_unknown(settings)
            settings = self._settings_from(X) | settings
        super().__init__(**settings)

    @classmethod
    def _settings_from(cls, X):
        images = image_list(X)
        # which goes through all values and refuses those that are not finite
        means, stds = channel_statistics(images)
        n_dim = images[0].ndim - 2
        n_channels = images[0].shape[-1]
        return {
            "n_dim": n_dim,
            "axes": "ZYXC"[-n_dim - 1 :],
            "n_channel_in": n_channels,
            "n_channel_out": n_channels,
            "means": [str(m) for m in means],
            "stds": [str(s) for s in stds],
        }

    @pydantic.field_validator("means", "stds", mode="before")
    @classmethod
    def _as_strings(cls, values):
        # n2v keeps these numbers as strings; json files of both kinds are read
        return None if values is None else [str(v) for v in np.atleast_1d(values)]

    @pydantic.field_validator("train_checkpoint")
    @classmethod
    def _file_name_only(cls, name):
        if name is not None and (not name or Path(name).name != name or "\\" in name):
            raise ConfigError(
                "train_checkpoint must be a file name in the model folder, without any folder. "
                f"Received: {name!r}."
            )
        if name is not None and not name.endswith(WEIGHTS):
            raise ConfigError(f"train_checkpoint must end in '.h5' or '.hdf5'. Received: {name!r}.")
        return name

    @pydantic.model_validator(mode="after")
    def _check_shared(self):
        if self.axes != "ZYXC"[-self.n_dim - 1 :]:
            raise ConfigError(
                f"axes must be 'YXC' in 2D and 'ZYXC' in 3D. Received: axes={self.axes!r} with "
                f"n_dim={self.n_dim}."
            )
        if (self.means is None) != (self.stds is None):
            raise ConfigError(
                f"means and stds belong together. Received: means={self.means}, stds={self.stds}."
            )
        if self.train_schedule == "milestones" and not self.train_milestones:
            raise ConfigError(
                "train_schedule='milestones' needs train_milestones, steps after which the "
                "learning rate is halved. Received: ()."
            )
        if len(self.train_milestones) > _MOST_MILESTONES:
            raise ConfigError(
                f"train_milestones holds at most {_MOST_MILESTONES} steps, each of which halves "
                f"the learning rate. Received: {len(self.train_milestones)} of them."
            )
        if list(self.train_milestones) != sorted(set(self.train_milestones)):
            raise ConfigError(f"train_milestones must rise. Received: {self.train_milestones}.")
        check_plateau(self.train_reduce_lr)
        for name in ("means", "stds"):
            values = getattr(self, name)
            if values is None:
                continue
            numbers = [number(v, name) for v in values]
            if len(numbers) != self.n_channel_in:
                raise ConfigError(
                    f"{name} must hold one number per channel ({self.n_channel_in}). "
                    f"Received: {values}."
                )
            if name == "stds" and min(numbers) <= 0:
                raise ConfigError(
                    f"A channel of the training images is constant: its standard deviation is 0. "
                    f"Received: stds={values}. There is nothing to learn from a constant image; "
                    "leave the channel out."
                )
        return self

    @property
    def patch_shape(self) -> tuple[int, ...] | None:
        """Of training patches; None where whole images are trained on."""
        return None

    def network_size(self) -> NetworkSize:
        """Weights and layers of the network, reckoned without making it."""
        return NetworkSize()

    def step_bytes(self) -> float:
        """About what a step of training takes in memory, that of the GPU if there is one."""
        return step_bytes(self.network_size(), self._pixels(), self.train_batch_size)

    def check_size(self) -> None:
        """Refuse a network or a step of training that no memory holds; nothing is made for it.

        Raises
        ------
        ConfigError
        """
        size = self.network_size()
        shown = {name: getattr(self, name) for name in self.size_settings}
        check_network(size, shown)
        patch = {name: getattr(self, name) for name in ("train_batch_size", *self.size_of_patch)}
        check_step(size, self._pixels(), self.train_batch_size, patch | shown)

    def _pixels(self):
        return math.prod(self.patch_shape or (1,))

    @property
    def training_steps(self) -> int:
        """Steps of a whole training."""
        return self.train_epochs * self.train_steps_per_epoch

    def is_valid(self, return_invalid: bool = False):
        """True: a config that exists is valid. Kept for code written for n2v.

        With `return_invalid` also an empty tuple of invalid keys.
        """
        return (True, ()) if return_invalid else True
