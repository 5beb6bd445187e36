"""Opening a model of any method, from its folder or from one .keras file."""

from __future__ import annotations

import os
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from ..archives import Archive
from ..config.files import LARGEST_JSON, parse_config
from ..config.reading import load_config, method_at
from ..errors import ModelFolderError
from ..machine import amount
from ..training.checkpoints import load_weights
from ..training.record import FILE as RECORD_FILE
from ..training.record import TrainingRecord
from .base import Denoiser

_CLASSES = {
    "n2v": (".n2v", "N2V"),
    "care": (".care", "CARE"),
    "hqssl": (".hqssl", "HQSSL"),
    "n2n": (".n2n", "N2N"),
    "r2r": (".r2r", "R2R"),
    "masked": (".masked", "MaskedDenoiser"),
}

_WEIGHTS_IN_KERAS_FILE = "model.weights.h5"
# beside four bytes for each weight: names, and as much again for each moment of Adam
_WEIGHT_BYTES, _ROOM = 16, 2**22
# of float32; networks of fewer bytes are made at once
_NUMBER, _LARGE = 4, 2**26


def load_model(path: str | os.PathLike, weights: str | None = None, **changes) -> Denoiser:
    """Open a trained model of any method.

    Parameters
    ----------
    path : path
        A model folder of n2v_tk, n2v or csbdeep, a .keras file that `Denoiser.save` wrote, or a
        package (.zip) for bioimage.io of n2v_tk or n2v.
    weights : str, optional
        Weight file of a model folder, if not the one that the settings ask for.
    **changes
        Settings to have in place of those of the file, e.g. ``channel_wiring='own'``.

    Returns
    -------
    Denoiser
        `N2V`, `CARE`, ... A model from a file is kept in memory only.

    Raises
    ------
    ModelFolderError
        If there is no model there, or it is damaged.
    ConfigError
        If its settings are invalid.
    """
    path = Path(path)
    if weights is not None and path.is_file():
        raise ModelFolderError(
            f"Only a model folder has several files of weights. Received: weights={weights!r} with "
            f"{path}. Leave it out."
        )
    if path.suffix == ".zip" and path.is_file():
        from ..export.bioimageio_package import open_package

        return open_package(path, **changes)
    model_class = class_of(method_at(path))
    if path.is_dir():
        folder = path.resolve()
        return model_class(None, folder.name, folder.parent, weights, **changes)
    config = load_config(path, **changes)
    _check_weights_are_there(config, path)
    model = model_class(config, path.stem, basedir=None)
    _load_from_keras_file(model.keras_model, path)
    model.record = _record_in(path)
    model.loaded = True
    return model


def class_of(method: str) -> type[Denoiser]:
    """The class of the models of a method, e.g. `N2V` for 'n2v'."""
    module, name = _CLASSES[method]
    return getattr(import_module(module, __package__), name)


def _check_weights_are_there(config, path):
    """Refuse settings of a large network that the file has no weights for, before it is made."""
    needed = _NUMBER * config.network_size().weights
    with Archive(path, ".keras file") as archive:
        there = archive.size_of(_WEIGHTS_IN_KERAS_FILE)
    if needed > max(_LARGE, there):
        raise ModelFolderError(
            f"The file holds fewer weights than the network of its settings. Received: "
            f"{amount(there)} in {path}, where {amount(needed)} are needed."
        )


def _load_from_keras_file(network, path):
    """Weights only: the network is built from our settings, and nothing is run from the file."""
    largest = _ROOM + _WEIGHT_BYTES * network.count_params()
    with (
        Archive(path, ".keras file") as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        load_weights(network, archive.unpack(_WEIGHTS_IN_KERAS_FILE, folder, largest))


def _record_in(path):
    with Archive(path, ".keras file") as archive:
        if RECORD_FILE not in archive.names:
            return TrainingRecord()
        try:
            text = archive.read(RECORD_FILE, LARGEST_JSON)
            return TrainingRecord.of(parse_config(text), path)
        except (ValueError, ModelFolderError) as error:
            warnings.warn(f"What is known of the training is damaged: {error}", stacklevel=3)
            return TrainingRecord()
