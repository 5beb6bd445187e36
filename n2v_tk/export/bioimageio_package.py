"""Opening packages of bioimage.io that hold a model of n2v_tk or of n2v 0.3.3."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ..archives import Archive
from ..config.files import LARGEST_JSON, method_of, parse_config
from ..config.reading import CONFIGS
from ..errors import ModelFolderError
from ..models.loading import class_of, load_model

# what is unpacked at most, in bytes
_LARGEST = 2**31
_VARIABLES = ("variables/variables.index", "variables/variables.data-00000-of-00001")


def open_package(path: Path, **changes):
    """The model in a package, kept in memory.

    Parameters
    ----------
    path : path
        A zip that `export_bioimageio` wrote, or `export_TF` of n2v 0.3.3.
    **changes
        Settings to have in place of the package's.

    Raises
    ------
    ModelFolderError
        If the package is damaged, or holds a model of another program.
    """
    with Archive(path) as package, tempfile.TemporaryDirectory() as folder:
        names = package.names
        if "weights.keras" in names:
            weights = package.unpack("weights.keras", folder, _LARGEST)
            return _renamed(load_model(weights, **changes), path)
        if {"config.json", "tf_model.zip"} <= names:
            return _of_n2v(package, path, Path(folder), changes)
    raise ModelFolderError(
        f"The package holds no model of n2v_tk or n2v 0.3.3. Received: {path} with "
        f"{', '.join(sorted(names)[:8])}. Of older n2v open the model folder; run other packages "
        "with bioimageio.core."
    )


def _renamed(model, path):
    model.name = path.name.split(".")[0]
    return model


def _of_n2v(package, path, folder, changes):
    """Settings beside a SavedModel, of which only the values of its variables are read."""
    try:
        data = parse_config(package.read("config.json", LARGEST_JSON))
        config_class = CONFIGS[method_of(data)]
    except (ValueError, KeyError) as error:
        raise ModelFolderError(
            f"The settings in the package are damaged. Received: {path}: {error}"
        ) from None
    config = config_class.from_json(data, path, **changes)
    model = class_of(config.method)(config, path.name.split(".")[0], basedir=None)
    with Archive(package.unpack("tf_model.zip", folder, _LARGEST)) as bundle:
        for member in _VARIABLES:
            bundle.unpack(member, folder, _LARGEST)
    _set_weights(model.keras_model, str(folder / "variables"), path)
    model.loaded = True
    return model


def _set_weights(network, checkpoint, path):
    import tensorflow as tf

    # n2v's layer for blur pooling has a name of its own for its kernel
    theirs = {"kernel": ("kernel", "blur_kernel", "depthwise_kernel")}
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        known = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
        layers = [layer for layer in network.layers if layer.weights]
        for number, layer in enumerate(layers):
            values = []
            for variable in layer.weights:
                keys = [
                    f"layer_with_weights-{number}/{name}/.ATTRIBUTES/VARIABLE_VALUE"
                    for name in theirs.get(variable.name, (variable.name,))
                ]
                (key,) = [key for key in keys if key in known]
                # before anything is read: a shape is a claim, and takes memory
                if tuple(known[key]) != tuple(variable.shape) or not dtypes[key].is_floating:
                    raise ValueError(
                        f"{key.split('/')[0]} has shape {known[key]}, not {tuple(variable.shape)}"
                    )
                values.append(np.asarray(reader.get_tensor(key)))
            layer.set_weights(values)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelFolderError(
            f"The weights in the package do not fit its settings, or are damaged. Received: "
            f"{path}: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error
