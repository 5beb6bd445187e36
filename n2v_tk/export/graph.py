"""A model as one TensorFlow function: raw pixels in, denoised pixels out."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from ..errors import ExportError
from ..nets.forms import prediction_form


def exported_network(model) -> keras.Model:
    """The network of a model in float32, batch normalisation folded."""
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Exports are made with TensorFlow. Received: KERAS_BACKEND="
            f"{keras.backend.backend()!r}. Export in a process that has KERAS_BACKEND=tensorflow; "
            "model folders are the same for all backends."
        )
    return prediction_form(model.keras_model, "float32")


def raw_pixels_function(model, network: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Normalise, pad by reflection, denoise, crop and scale back, for images of any size.

    Parameters
    ----------
    model : Denoiser
        Its config says how images are normalised.
    network : keras.Model
        `exported_network` of it.

    Returns
    -------
    callable
        From float32 (B, (Z,) Y, X, C), in units of the images, to ``{'output': ...}``, or
        ``{'mean': ..., 'scale': ...}`` for a probabilistic model.
    """
    config = model.config
    n_out = config.n_channel_out
    back = config.n_channel_in == n_out

    def denoise(image):
        offset, scale = statistics(model, image)
        normalized = (image - offset) / scale
        x, sides, starts = normalized, tf.shape(image)[1:-1], []
        for axis in range(1, config.n_dim + 1):
            pad = _pad_by_reflection if model.padding == "reflect" else _pad_by_zeros
            x, start = pad(x, axis, model.divisor)
            starts.append(start)
        x = network(x, training=False)
        x = tf.slice(x, [0, *starts, 0], tf.concat([[-1], sides, [-1]], 0))
        x.set_shape([None] * (config.n_dim + 1) + [network.output_shape[-1]])
        finish = getattr(model, "result_in_graph", None)
        mean = x[..., :n_out] if finish is None else finish(normalized, x)
        mean = mean * scale + offset if back else mean
        if not getattr(config, "probabilistic", False):
            return {"output": mean}
        spread = x[..., n_out:]
        return {"mean": mean, "scale": spread * scale if back else spread}

    return denoise


def input_spec(model, name: str = "input") -> tf.TensorSpec:
    """What goes in: any batch, any sides, the channels of the model."""
    sides = [None] * model.config.n_dim
    return tf.TensorSpec([None, *sides, model.config.n_channel_in], tf.float32, name=name)


def statistics(model, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Offset and scale of a batch, that broadcast to it."""
    fixed = model.fixed_scaling()
    if fixed is not None:
        return tuple(tf.constant(np.asarray(values, np.float32)) for values in fixed)
    axes = list(range(1, model.config.n_dim + 1))
    if model.config.normalization == "image":
        offset = tf.reduce_mean(image, axes, keepdims=True)
        scale = tf.sqrt(tf.reduce_mean(tf.square(image - offset), axes, keepdims=True))
    else:
        offset, high = _percentiles(image, model.percentiles)
        scale = high - offset
    return offset, tf.where(scale > 0, scale, tf.ones_like(scale))


def _percentiles(image, percentiles):
    """As `numpy.percentile` per image and channel, each (B, 1, ..., C)."""
    n_dim = len(image.shape) - 2
    n_channels = image.shape[-1]
    pixels = tf.reshape(image, [tf.shape(image)[0], -1, n_channels])
    pixels = tf.sort(pixels, axis=1)
    last = tf.cast(tf.shape(pixels)[1] - 1, tf.float32)
    results = []
    for percentile in percentiles:
        position = last * np.float32(percentile / 100)
        low = tf.floor(position)
        values = [
            tf.gather(pixels, tf.cast(index, tf.int32), axis=1)
            for index in (low, tf.minimum(low + 1, last))
        ]
        value = values[0] + (values[1] - values[0]) * (position - low)
        results.append(tf.reshape(value, [-1, *([1] * n_dim), n_channels]))
    return results


def _pad_by_reflection(x, axis, divisor):
    """Pad an axis to a multiple of the divisor as `numpy.pad` reflects, also far past the edge."""
    side = tf.shape(x)[axis]
    before, missing = _missing(side, divisor)
    period = tf.maximum(2 * (side - 1), 1)
    index = tf.abs(tf.range(side + missing) - before) % period
    return tf.gather(x, tf.minimum(index, period - index), axis=axis), before


def _pad_by_zeros(x, axis, divisor):
    """Pad an axis to a multiple of the divisor with the mean of normalised images."""
    before, missing = _missing(tf.shape(x)[axis], divisor)
    padding = [[0, 0] for _ in x.shape]
    padding[axis] = [before, missing - before]
    return tf.pad(x, padding), before


def _missing(side, divisor):
    """Pixels to add before, and in all; nothing negative, of which ONNX takes other remainders."""
    missing = (divisor - side % divisor) % divisor
    return missing // 2, missing
