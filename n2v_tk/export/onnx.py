"""ONNX, for runtimes of any language."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .graph import exported_network, input_spec, raw_pixels_function
from .writing import check_target, require, work_folder


def export_onnx(model, path: Path, overwrite: bool = False, opset: int = 17) -> Path:
    """Write a model as one .onnx file that takes raw pixels of any size.

    Parameters
    ----------
    model : Denoiser
    path : path
        Ends in .onnx.
    overwrite : bool
        Replace a file that is there.
    opset : int
        Version of the ONNX operators.

    Returns
    -------
    Path
        Input 'input', float32 (B, (Z,) Y, X, C) in units of the images; output 'output', or
        'mean' and 'scale' for a probabilistic model.
    """
    check_target(path, ".onnx", overwrite)
    require("onnx", "tf2onnx", "onnx")
    import tensorflow as tf
    import tf2onnx

    network = exported_network(model)
    function = tf.function(raw_pixels_function(model, network))
    with work_folder(path) as folder:
        temporary = folder / "model.onnx"
        tf2onnx.convert.from_function(
            function, [input_spec(model)], opset=opset, output_path=str(temporary),
            custom_op_handlers={"Erfc": (_erfc, [])},
        )  # fmt: skip
        os.replace(temporary, path)
    return path


def _erfc(graph, node, name, _):
    """1 - erf, since ONNX has the error function (of GELU), but not its complement."""
    (source,), shapes, dtypes = node.input, node.output_shapes, node.output_dtypes
    outputs = list(node.output)
    graph.remove_node(name)
    erf = graph.make_node("Erf", [source], shapes=shapes, dtypes=dtypes)
    one = graph.make_const(f"{name}_one", np.ones((), np.float32))
    return graph.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=outputs, shapes=shapes, dtypes=dtypes
    )
