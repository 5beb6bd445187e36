"""Weight files in the layout of n2v and Keras 2 (HDF5, topological order)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from ..config.files import weight_files, written_whole
from ..errors import ModelFolderError
from ..io.hdf5 import check_weight_file

# bytes: as float64, and as much again for the moments of an optimiser; names and small things
_MOST_PER_WEIGHT, _ROOM = 32, 2**22


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of a file in a model folder if all went well.

    Raises
    ------
    ModelFolderError
        If it cannot be written.
    """
    try:
        with written_whole(path) as temporary:
            yield temporary
    except (OSError, RuntimeError) as error:
        # h5py tells of a full disk as either
        raise ModelFolderError(
            f"The file could not be written. Received: {path}: {_in_short(error)}. What was "
            "written there before is as it was, and the model in memory has its weights. Make "
            "room or mend the folder, then go on with resume=True (--resume)."
        ) from error


def _in_short(error):
    return (str(error) or type(error).__name__).splitlines()[0]


def save_weights(network: keras.Model, path: str | os.PathLike, weights=None) -> None:
    """Write the weights of a network, under a temporary name first.

    Parameters
    ----------
    network : keras.Model
        Its layers give names and order.
    path : path
        A file name that ends in .h5.
    weights : list of ndarray, optional
        Values to write in place of the network's own.
    """
    import h5py

    values = iter(network.get_weights() if weights is None else weights)
    with replacing(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = keras.__version__.encode()
        _write_names(file, "layer_names", [layer.name for layer in network.layers])
        for layer in network.layers:
            group = file.create_group(layer.name)
            # in a network within the network, names are unique with their path only
            inside = isinstance(layer, keras.Model)
            names = [f"{layer.name}/{v.path if inside else v.name}:0" for v in layer.weights]
            _write_names(group, "weight_names", names)
            for name in names:
                group.create_dataset(name, data=next(values))


def load_weights(network: keras.Model, path: str | os.PathLike) -> None:
    """Read a weight file of n2v_tk, n2v or CSBDeep into a network of the same structure.

    Raises
    ------
    ModelFolderError
        If the file is missing, damaged, or of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFolderError(
            f"There is no such weight file. Received: {path}. Weights there are: "
            f"{', '.join(p.name for p in weight_files(path.parent)) or 'none'}."
        )
    try:
        # Keras follows links and takes what shapes claim
        check_weight_file(path, _ROOM + _MOST_PER_WEIGHT * network.count_params())
        network.load_weights(path)
    except Exception as error:
        raise ModelFolderError(
            f"The weights do not fit the network of config.json, or the file is damaged. "
            f"Received: {path}: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error


def _write_names(group, attribute, names):
    """Names as an attribute, in several where HDF5's limit of 64 kB for one asks for it."""
    names = np.array([name.encode() for name in names], dtype="S") if names else np.array([], "S1")
    parts = max(1, -(-names.nbytes // 60000))
    if parts == 1:
        group.attrs[attribute] = names
    else:
        for i, part in enumerate(np.array_split(names, parts)):
            group.attrs[f"{attribute}{i}"] = part
