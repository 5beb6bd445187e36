"""Prediction with OpenVINO, where it is faster than the backend of Keras."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable

import keras
import numpy as np

from ..errors import ExtraMissingError


def compiled_by_openvino(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function of batches, run by OpenVINO on the processor.

    Convolutions are computed in bfloat16 where `network` computes in it, else in float32.

    Raises
    ------
    ExtraMissingError
        If OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise ExtraMissingError(
            "engine='openvino' needs the package openvino. Received: no such package. Install it "
            "with pip install 'n2v_tk[openvino]'."
        ) from error
    policy = {layer.compute_dtype for layer in network.layers if layer.weights}
    hint = "bf16" if "bfloat16" in policy else "f32"
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.xml")
        _in_float32(network).export(path, format="openvino", verbose=False)
        model = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": hint})

    # a request works on one batch at a time
    own = threading.local()

    def run(batch):
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        return np.array(next(iter(own.request.infer([batch]).values())), np.float32)

    return run


def _in_float32(network):
    """OpenVINO chooses the precision of each operation itself."""
    from ..nets.forms import prediction_form

    return prediction_form(network, "float32")
