"""TensorFlow Serving."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..errors import ExportError, OutputExistsError
from ..io.files import check_writable
from .graph import exported_network, input_spec, raw_pixels_function
from .writing import require, work_folder

# a tile that the client sends by default has 512 x 512 pixels
_WARM_UP_SIDES = {2: (512, 512), 3: (32, 256, 256)}

_BATCHING = """\
# For tensorflow_model_server --enable_batching --batching_parameters_file=...
# Only requests of equal size are put together, so clients should send equal tiles.
max_batch_size {{ value: {size} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 256 }}
num_batch_threads {{ value: {threads} }}
"""


def export_serving(
    model,
    path: Path,
    overwrite: bool = False,
    version: int | None = None,
    warm_up: bool = True,
) -> Path:
    """Write the next version of a model for TensorFlow Serving.

    Parameters
    ----------
    model : Denoiser
    path : path
        The model's folder of versions, ``<base>/<name>``; the name is what clients ask for.
    overwrite : bool
        Replace a version that is there. A server may be reading it: better write the next one.
    version : int, optional
        Default: one more than the greatest that is there.
    warm_up : bool
        Add requests with which the server warms up (needs the extra 'serving').

    Returns
    -------
    Path
        ``<base>/<name>/<version>``. Its signature 'serving_default' takes 'input', float32
        (B, (Z,) Y, X, C) in units of the images and of any size, and gives 'output' of the same
        shape, or 'mean' and 'scale' for a probabilistic model. A signature 'tiling' without input
        tells clients how to cut images.
    """
    if warm_up:
        require("serving", "tensorflow_serving.apis")
    check_writable(path)
    version = _next_version(path) if version is None else version
    if version < 1:
        raise ExportError(f"version must be at least 1. Received: {version}.")
    target = path / str(version)
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"The version is there already. Received: {target}. Leave version out for the next one."
        )
    with work_folder(target) as folder:
        new = folder / "new"
        _save(model, new)
        if warm_up:
            _write_warm_up(model, path.name, new)
        _write_batching(model, folder / "batching.config")
        if not (path / "batching.config").exists():
            os.replace(folder / "batching.config", path / "batching.config")
        if target.exists():
            os.rename(target, folder / "old")
        os.rename(new, target)
    return target


def _next_version(path):
    versions = [int(p.name) for p in path.glob("*") if p.name.isascii() and p.name.isdigit()]
    return max(versions, default=0) + 1


def _save(model, folder):
    network = exported_network(model)
    module = tf.Module()
    # a Keras model inside a module loads in Python but not in the server, its variables do
    module.weights = [variable.value for variable in network.variables]
    module.denoise = tf.function(
        raw_pixels_function(model, network), input_signature=[input_spec(model)]
    )
    module.tiling = tf.function(_tiling(model), input_signature=[])
    tf.saved_model.save(
        module,
        str(folder),
        signatures={"serving_default": module.denoise, "tiling": module.tiling},
    )


def _tiling(model):
    """What a client must know to cut an image so that the result equals that of the whole."""
    reach = np.array(model.reach, np.int32)
    # statistics of an image, its noise level, or zeros around it cannot be told from its parts
    by_image = model.fixed_scaling() is None or model.padding != "reflect"

    def tiling():
        return {
            "reach": tf.constant(reach),
            "divisor": tf.constant(model.divisor, tf.int32),
            "whole_images_only": tf.constant(by_image),
        }

    return tiling


def _write_warm_up(model, name, folder):
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    sides = _WARM_UP_SIDES[model.config.n_dim]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = "serving_default"
    blank = np.zeros((1, *sides, model.config.n_channel_in), np.float32)
    request.inputs["input"].CopyFrom(tf.make_tensor_proto(blank))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def _write_batching(model, file):
    size = 8 if model.config.n_dim == 2 else 2
    file.write_text(
        _BATCHING.format(size=size, threads=max(1, (os.cpu_count() or 2) // 2)), encoding="utf-8"
    )
