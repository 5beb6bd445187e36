"""Training from the command line: options, the model to train, what is said meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..axes import StackLayout
from ..config.files import holds_model
from ..errors import ConfigError, ImageError
from ..io import Image
from ..lazy import LazyArray
from ..normalization import check_image
from .device import start_backend
from .settings import configs_of, settings_of
from .text import numbers, say


def training_options(
    method, epochs, steps, seed, dim, patch, struct_axis, struct_length, source=None,
    noise_model=None, noise_level=None, devices=None, learning_rate=None, named=None,
    resume=False,
) -> dict:  # fmt: skip
    """Method or old model, dimensions and settings from the options of the commands."""
    if source is not None and method != "n2v":
        raise ConfigError(
            f"A model that is trained further keeps its method. Received: --method {method} with "
            f"--from {source}. Leave one of them out."
        )
    if method != "hqssl" and noise_model:
        raise ConfigError(f"--noise-model is for --method hqssl. Received: --method {method}.")
    if method not in ("hqssl", "r2r") and noise_level:
        raise ConfigError(
            f"--noise-level is for --method hqssl and r2r. Received: --method {method}."
        )
    own_patch = method in ("r2r", "hqssl", "n2n", "masked")
    patch_setting = "train_patch_shape" if own_patch else "n2v_patch_shape"
    options = {
        "train_epochs": ("--epochs", epochs),
        "train_steps_per_epoch": ("--steps", steps),
        "train_seed": ("--seed", seed),
        "train_learning_rate": ("--learning-rate", learning_rate),
        patch_setting: ("--patch", None if patch is None else numbers(patch, "--patch")),
        "noise_model": ("--noise-model", noise_model),
        "noise_level": ("--noise-level", _level(noise_level)),
    }
    # what goes on in a folder may be of any method
    configs = configs_of(None if resume and method == "n2v" else method)
    settings = settings_of(options, named, configs)
    if method == "structn2v":
        settings |= _line(struct_axis, struct_length, settings)
    return {
        "method": method,
        "n_dim": dim,
        "settings": settings,
        "source": source,
        "devices": devices,
    }


def _line(axis, length, settings):
    """What structN2V hides, as the options say."""
    options = {"--struct-axis": axis, "--struct-length": length}
    given = [option for option, value in options.items() if value is not None]
    if given and "structN2Vmask" in settings:
        raise ConfigError(
            f"A mask says all that structn2v hides. Received: {' and '.join(given)} and --set "
            "structN2Vmask. Leave the mask or the rest out."
        )
    return {n: v for n, v in (("axis", axis), ("length", length)) if v is not None}


def _level(text: str | None):
    """A noise level: one number, or three with commas."""
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise ConfigError(
            f"--noise-level must be a number, or gain,offset,read-noise. Received: {text!r}."
        )
    return numbers[0] if len(numbers) == 1 else numbers


def make_model(images: Sequence[Image], training, folder, device, resume=False):
    """An untrained model for checked images, in `folder` or in memory, or one to go on with."""
    for image in images:
        # stores are gone through once, for their statistics
        check_image(image.data, look=not isinstance(image.data, LazyArray))
    start_backend(device)
    from ..models.loading import load_model
    from ..models.one_call import choose_n_dim, go_on_with, interrupted_model, new_model

    if resume:
        model = interrupted_model(folder, training["method"], **training["settings"])
        if model is not None:
            return model
    if training["source"] is not None:
        old = load_model(training["source"])
        n_dim = old.config.n_dim
        if training["n_dim"] not in (None, n_dim):
            raise ConfigError(
                f"A model that is trained further keeps its dimensions. Received: --dim "
                f"{training['n_dim']} for a {n_dim}D model. Leave --dim out."
            )
        return go_on_with(old, stacks_of(images, n_dim), folder, **training["settings"])
    shapes = [(i.data.shape, i.axes) for i in images]
    n_dim = training["n_dim"] or choose_n_dim(shapes, training["method"])
    return new_model(stacks_of(images, n_dim), training["method"], folder, **training["settings"])


def train_model(
    console: Console,
    model,
    images: Sequence[Image],
    rescue: Path,
    pairs: Sequence[Image] | None = None,
    devices: int | None = None,
    resume: bool = False,
) -> None:
    """Train with a progress line; on Ctrl-C or SIGTERM say what is kept and how to go on."""
    from ..models.one_call import train_with_validation
    from ..training.stopping import Terminated
    from .progress import TrainingProgress

    config = model.config
    model.prepare_for_training(devices=devices)
    progress = TrainingProgress(console, config.train_epochs, config.train_steps_per_epoch)
    model.callbacks.append(progress)
    console.print(
        f"Training on {len(images)} image(s), {config.training_steps} steps, patches of "
        f"{' × '.join(str(s) for s in config.patch_shape)}, {config.train_precision}.",
        highlight=False,
    )
    try:
        stacks = [None if i is None else stacks_of(i, config.n_dim) for i in (images, pairs)]
        train_with_validation(model, stacks[0], verbose=0, pairs=stacks[1], resume=resume)
        if not progress.began:
            say(console, "Training had ended already. Go on with more --epochs than it had.")
    except (KeyboardInterrupt, Terminated) as stopped:
        progress.close()
        _explain_interrupt(console, model, rescue, resume)
        raise SystemExit(getattr(stopped, "code", 130)) from None
    finally:
        progress.close()


def stacks_of(images: Sequence[Image], n_dim: int) -> list:
    """Images as (S, (Z,) Y, X, C)."""
    return [StackLayout.of(i.data, i.axes, n_dim).to_stack(i.data) for i in images]


def _explain_interrupt(console, model, folder, resume):
    use = f"n2v-tk predict IN... -m {folder} -o OUT"
    if not model.trained and not (resume and holds_model(folder)):
        console.print("Stopped before the first epoch ended; there is nothing to keep.")
        return
    how = f"go on training or use them:\n  n2v-tk train IN... -o {folder} --resume\n  {use}"
    if model.logdir is None:
        model.save(folder)
        how = f"go on with them:\n  {use}"
    say(console, f"Stopped. The best weights so far are in {folder}; {how}")


def refuse_single_frames(images):
    for image in images:
        layout = StackLayout.of(image.data, image.axes, 2)
        if all(layout.length(axis) == 1 for axis in layout.sample_axes):
            raise ImageError(
                "Noise2Noise learns from two noisy frames of each scene at least. Received: one "
                f"frame of shape {tuple(image.data.shape)}, axes {image.axes}. Name its pair with "
                "--pairs, or take --method n2v."
            )


def free_folder(beside: Path) -> Path:
    """A folder for a model that does not exist: BESIDE_model, BESIDE_model_2, ..."""
    folder, number = beside.with_name(f"{beside.name}_model"), 1
    while folder.exists():
        number += 1
        folder = beside.with_name(f"{beside.name}_model_{number}")
    return folder
