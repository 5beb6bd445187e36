"""Fiji: bundles for CSBDeep and for N2V, which run TensorFlow 1.15 at most."""

from __future__ import annotations

import json
import os
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from .. import __version__
from ..errors import ExportError
from .graph import exported_network, input_spec, statistics
from .writing import check_target, work_folder, zip_folder


def export_fiji(model, path: Path, overwrite: bool = False) -> Path:
    """Write a bundle for CSBDeep in Fiji ('Run your network'), as csbdeep's `export_TF` did.

    A model whose normalisation is that of its training images has it in the bundle: switch
    'Normalize image' off. Other models expect what their `normalization` says.

    Parameters
    ----------
    model : Denoiser
    path : path
        Ends in .zip.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        saved_model.pb (frozen, for TensorFlow 1.15 and later), variables/ and meta.json in a zip.
    """
    check_target(path, ".zip", overwrite)
    if model.config.normalization == "image":
        raise ExportError(
            "CSBDeep in Fiji cannot normalise by mean and standard deviation of each image. "
            "Received: normalization='image'. Train with normalization='dataset'."
        )
    network = exported_network(model)
    with work_folder(path) as folder:
        bundle = folder / "bundle"
        function = _with_fixed_normalization(model, network)
        save_frozen(function, input_spec(model), bundle)
        meta = json.dumps(_meta(model), indent=1)
        (bundle / "meta.json").write_text(meta, encoding="utf-8")
        zip_folder(bundle, folder / "bundle.zip")
        os.replace(folder / "bundle.zip", path)
    return path


def _with_fixed_normalization(model, network):
    config = model.config
    if config.normalization != "dataset":
        return lambda image: network(image, training=False)

    def function(image):
        offset, scale = statistics(model, image)
        result = network((image - offset) / scale, training=False)
        mean = result[..., : config.n_channel_out] * scale + offset
        spread = result[..., config.n_channel_out :]
        if not spread.shape[-1]:
            return mean
        return tf.concat([mean, spread * scale], axis=-1)

    return function


def save_frozen(function, spec: tf.TensorSpec, folder: Path) -> None:
    """Write a SavedModel as TensorFlow 1 knew it, weights as constants.

    TensorFlow 1.15 knows neither the variables of later versions nor some attributes that equal
    their defaults.
    """
    concrete = tf.function(function, input_signature=[spec]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph.as_graph_def(), name="")
        with v1.Session(graph=graph) as session:
            signature = v1.saved_model.predict_signature_def(
                {"input": graph.get_tensor_by_name(frozen.inputs[0].name)},
                {"output": graph.get_tensor_by_name(frozen.outputs[0].name)},
            )
            builder = v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(
                session, ["serve"], {"serving_default": signature}, strip_default_attrs=True
            )
            builder.save()
    (folder / "variables").mkdir(exist_ok=True)


def halo_of(model) -> int:
    """Pixels around a tile that its result depends on, a multiple of the divisor."""
    reach = max(max(axis) for axis in model.reach)
    return -(-reach // model.divisor) * model.divisor


def _meta(model):
    config = model.config
    spatial = [axis != "C" for axis in config.axes]
    return {
        "type": type(model).__name__,
        "version": f"n2v_tk {__version__}",
        "probabilistic": bool(getattr(config, "probabilistic", False)),
        "axes": config.axes,
        "axes_div_by": [model.divisor if s else 1 for s in spatial],
        "tile_overlap": [halo_of(model) if s else 0 for s in spatial],
    }
