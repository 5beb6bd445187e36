"""The settings of a trained model of any method, in its folder or .keras file."""

from __future__ import annotations

import os
from pathlib import Path

from ..archives import Archive
from ..errors import ModelFolderError
from .base import DenoiserConfig
from .care import CAREConfig
from .files import LARGEST_JSON, method_of, parse_config, read_config
from .hqssl import HQSSLConfig
from .masked import MaskedDenoiserConfig
from .n2n import N2NConfig
from .n2v import N2VConfig
from .r2r import R2RConfig

CONFIGS = {
    config.method: config
    for config in (
        N2VConfig,
        CAREConfig,
        HQSSLConfig,
        N2NConfig,
        R2RConfig,
        MaskedDenoiserConfig,
    )
}

# methods that are settings of another
VARIANTS = {"n2v2": N2VConfig.method, "structn2v": N2VConfig.method}

# beside what Keras writes into a .keras file
CONFIG_IN_KERAS_FILE = "n2v_tk.json"


def load_config(path: str | os.PathLike, **changes) -> DenoiserConfig:
    """Read the settings of a trained model.

    Parameters
    ----------
    path : path
        Model folder of n2v_tk, n2v or csbdeep, or a .keras file of n2v_tk.
    **changes
        Settings to have in place of those in the file.

    Raises
    ------
    ModelFolderError
        If there is no model, or of a method that is not known.
    ConfigError
        If its settings are invalid.
    """
    data, config_class = _read(Path(path))
    return config_class.from_json(data, path, **changes)


def method_at(path: str | os.PathLike) -> str:
    """The method of a trained model, e.g. 'n2v'; errors as in `load_config`."""
    return _read(Path(path))[1].method


def _read(path):
    if path.is_file():
        data = _in_keras_file(path)
    elif path.is_dir():
        data = read_config(path / "config.json")
    else:
        raise ModelFolderError(
            f"There is no such model folder or .keras file. Received: {path}. Train one: n2v-tk "
            "train IN... -o FOLDER"
        )
    method = method_of(data)
    if method not in CONFIGS:
        raise ModelFolderError(
            f"The model is of a method that this version does not know. Received: {method!r} in "
            f"{path}. Update n2v_tk."
        )
    return data, CONFIGS[method]


def _in_keras_file(path):
    with Archive(path, ".keras file of n2v_tk") as archive:
        if CONFIG_IN_KERAS_FILE not in archive.names:
            raise ModelFolderError(
                f"The file holds no settings of n2v_tk. Received: {path}. Only what `n2v-tk "
                "convert` or `model.save` wrote says how images are normalised; open other .keras "
                "files with keras.saving.load_model."
            )
        text = archive.read(CONFIG_IN_KERAS_FILE, LARGEST_JSON)
    try:
        return parse_config(text)
    except ValueError as error:
        raise ModelFolderError(
            f"The settings in the file are damaged. Received: {path}: {error}"
        ) from None
