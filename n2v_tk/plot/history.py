"""How a training went."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from ..errors import ConfigError
from .picture import Picture


def history(training) -> Picture:
    """Losses over the epochs, and the learning rate where it changed.

    Parameters
    ----------
    training : History, dict, model, or path of a model folder
        What `train` returned, a mapping such as ``{"loss": [...], "val_loss": [...]}``, a model
        that was trained, or the folder that training wrote.

    Returns
    -------
    Picture
        The epoch of the lowest validation loss is marked: by default a model ends with its
        weights. On blind spots the loss is a distance to noisy pixels, so it falls to the noise,
        never to zero, and a denoised image still gets better while the curve looks flat.

    Raises
    ------
    ConfigError
        If there is no training in it.

    Examples
    --------
    >>> picture = history({"loss": [1.0, 0.6, 0.5], "val_loss": [0.9, 0.6, 0.55]})
    """
    curves = curves_of(training)
    rates = curves.get("learning_rate", [])
    changes = len(set(np.round(rates, 12))) > 1
    figure = Picture(figsize=(6.4, 4.6 if changes else 3.4))
    if changes:
        above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        below.plot(np.arange(1, len(rates) + 1), rates, color="tab:green")
        below.set_ylabel("learning rate")
        below.set_xlabel("epoch")
    else:
        above = figure.subplots()
        above.set_xlabel("epoch")
    draw_curves(above, curves)
    return figure


def curves_of(training) -> dict[str, list[float]]:
    """Values per epoch by name, from whatever tells of a training."""
    if isinstance(training, str | os.PathLike):
        from ..training.record import TrainingRecord

        found = TrainingRecord.load(training).curves()
    elif hasattr(training, "record"):  # a model
        found = training.record.curves()
    else:
        found = getattr(training, "history", training)
    if not isinstance(found, Mapping) or not found.get("loss"):
        raise ConfigError(
            "There is no training to be shown. Received: "
            f"{type(training).__name__} without losses. Train the model, or name its folder."
        )
    return {name: [float(v) for v in values] for name, values in found.items()}


def draw_curves(axis, curves: Mapping[str, list[float]]) -> None:
    """Draw losses into axes, the lowest validation loss marked."""
    loss = np.asarray(curves["loss"])
    axis.plot(np.arange(1, len(loss) + 1), loss, label="training", color="tab:blue")
    held_out = np.asarray(curves.get("val_loss", []), float)
    if len(held_out):
        epochs = np.arange(1, len(held_out) + 1)
        axis.plot(epochs, held_out, label="validation", color="tab:orange")
        if np.isfinite(held_out).any():
            best = int(np.nanargmin(held_out))
            axis.plot(epochs[best], held_out[best], "o", color="tab:orange", markersize=5)
            axis.annotate(
                f"best: epoch {best + 1}", (epochs[best], held_out[best]), (0, 8),
                textcoords="offset points", fontsize=8,
                ha="right" if best > 0.8 * len(held_out) else "center",
            )  # fmt: skip
    axis.set_ylabel("loss")
    axis.margins(y=0.15)
    axis.locator_params(axis="x", integer=True)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
