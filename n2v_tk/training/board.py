"""Whether a training writes logs for TensorBoard."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.base import DenoiserConfig

if TYPE_CHECKING:
    import keras

FOLDER = "logs"


def has_tensorboard() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def tensorboard_for(config: DenoiserConfig, folder: Path | None) -> keras.callbacks.Callback | None:
    """The callback that writes logs into `folder`, None where there can be or shall be none.

    Parameters
    ----------
    config : DenoiserConfig
    folder : Path or None
        Model folder; the logs go into logs in it.

    Returns
    -------
    n2v_tk.training.tensorboard_tf.TensorBoard or None

    Warns
    -----
    UserWarning
        If `train_tensorboard` was set by hand, not left at its default or read from a file, and
        nothing can be written.
    """
    if not config.train_tensorboard:
        return None
    reason = _why_not(folder)
    if reason is None:
        from .tensorboard_tf import TensorBoard

        return TensorBoard(folder / FOLDER)
    if "train_tensorboard" in config.model_fields_set and not config.made_with:
        warnings.warn(
            f"Training writes no logs for TensorBoard, although train_tensorboard=True: {reason}",
            stacklevel=6,
        )
    return None


def _why_not(folder):
    import keras

    if folder is None:
        return "a model that is kept in memory has no folder. Received: basedir=None."
    if keras.backend.backend() != "tensorflow":
        return (
            f"they need the TensorFlow backend. Received: KERAS_BACKEND={keras.backend.backend()}."
        )
    if not has_tensorboard():
        return 'it is not installed. Install it with pip install "n2v_tk[tensorboard]".'
    return None
