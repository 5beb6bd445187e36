"""Fast forms of a network: the same function, laid out for training or for prediction.

A model keeps its network as plain float32 Keras layers, which is what is saved and exported.
Work is done by forms derived from it: copies with another precision, with TensorFlow's fused
batch normalisation, or with batch normalisation folded into the convolutions.
"""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
from keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.Conv3D)


def training_form(
    network: keras.Model, precision: str = "float32", synchronized: bool = False
) -> keras.Model:
    """Copy of a network for training.

    Parameters
    ----------
    network : keras.Model
        A functional float32 network. Layers with 'head' in their name stay float32, but for a
        'head_0'.
    precision : {'float32', 'mixed_bfloat16', 'mixed_float16'}
        Keras dtype policy of the other layers. Variables are float32 in any case.
    synchronized : bool
        Batch normalisation over the parts of a batch that other replicas have, too
        (TensorFlow's strategies).

    Returns
    -------
    keras.Model
        Weights in the order of the network's, so ``a.set_weights(b.get_weights())`` works both
        ways.
    """

    def clone(layer):
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=clone)
        config = _config_in(layer, precision)
        if type(layer) is layers.BatchNormalization and synchronized:
            config["synchronized"] = True
        elif type(layer) is layers.BatchNormalization and keras.backend.backend() == "tensorflow":
            from ..layers.batch_norm_tf import FusedBatchNormalization

            return FusedBatchNormalization(**config)
        return type(layer).from_config(config)

    form = keras.models.clone_model(network, clone_function=clone)
    form.set_weights(network.get_weights())
    return form


def prediction_form(network: keras.Model, precision: str = "float32") -> keras.Model:
    """Copy of a network for prediction, batch normalisation folded into the convolutions.

    ``gamma * (w * x + b - mean) / sqrt(variance + epsilon) + beta`` is one convolution with
    weights ``w * s`` and bias ``(b - mean) * s + beta``, where ``s = gamma / sqrt(variance +
    epsilon)``. The result is the same up to rounding.

    Parameters
    ----------
    network : keras.Model
        A functional float32 network.
    precision : {'float32', 'mixed_bfloat16', 'mixed_float16'}
        As in `training_form`.

    Returns
    -------
    keras.Model
        Does not follow later changes of the network's weights.
    """
    norm_after = _foldable(network)
    skipped = {norm.name for norm in norm_after.values()}

    def clone(layer):
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=clone)
        config = _config_in(layer, precision)
        if layer.name in norm_after:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in skipped else layer(*args, **kwargs)

    form = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer in form.layers:
        if layer.weights:
            weights = network.get_layer(layer.name).get_weights()
            if layer.name in norm_after:
                weights = _fold(weights, norm_after[layer.name])
            layer.set_weights(weights)
    return form


def _config_in(layer, precision):
    config = layer.get_config()
    if isinstance(layer, layers.Layer):
        config["dtype"] = "float32" if _decides(layer.name) else precision
    return config


def _decides(name):
    """Whether a layer is among the last, whose rounding would be that of the result.

    The first of the convolutions in the head of HQ-SSL is not: it takes a sixth of a training step
    in float32, and rounds as little as what comes before it.
    """
    return "head" in name and "head_0" not in name


def _foldable(network):
    """Names of linear convolutions, each with the batch normalisation that alone reads it."""
    operations = [op for op in network.operations if not isinstance(op, layers.InputLayer)]
    maker = {id(op.output): op for op in operations}
    readers = Counter(id(tensor) for op in operations for tensor in keras.tree.flatten(op.input))
    found = {}
    for op in operations:
        if type(op) is layers.BatchNormalization and op.axis in (-1, len(op.output.shape) - 1):
            source = maker.get(id(op.input))
            linear = (
                isinstance(source, _CONVOLUTIONS) and source.activation is keras.activations.linear
            )
            if linear and readers[id(op.input)] == 1:
                found[source.name] = op
    return found


def _fold(weights, norm):
    kernel, bias = (*weights, np.float32(0))[:2]
    values = dict(zip((v.name for v in norm.weights), norm.get_weights(), strict=True))
    scale = values.get("gamma", 1) / np.sqrt(values["moving_variance"] + norm.epsilon)
    return [kernel * scale, (bias - values["moving_mean"]) * scale + values.get("beta", 0)]
