"""Anti-aliased max-pooling as one layer, for people who build their own networks."""

from __future__ import annotations

import keras
from keras import ops

from ..errors import NetworkError


@keras.saving.register_keras_serializable(package="n2v_tk")
class MaxBlurPool(keras.layers.Layer):
    """Maximum over 2 pixels at stride 1, then a binomial blur at stride 2, in 2D and 3D.

    Zhang. Making convolutional networks shift-invariant again. ICML 2019. Both steps pad with
    padding 'same' as TensorFlow does: nothing before and one pixel after the image for even
    sides, one pixel on either side of the blur for odd ones. The blur pads with zeros, so the
    last row and column of a constant image come out darker.

    The U-Nets of n2v_tk hold the same pooling as stock layers (`n2v_tk.nets.unet`), so that
    Keras can load them without n2v_tk.

    Parameters
    ----------
    **kwargs
        Those of `keras.layers.Layer`.

    Examples
    --------
    >>> MaxBlurPool()(keras.ops.ones((1, 5, 8, 3))).shape
    TensorShape([1, 3, 4, 3])
    """

    def build(self, input_shape):
        if len(input_shape) not in (4, 5):
            raise NetworkError(
                "MaxBlurPool pools images (B, Y, X, C) or volumes (B, Z, Y, X, C). Received: "
                f"input shape {tuple(input_shape)}."
            )
        self.built = True

    def call(self, inputs):
        x = ops.max_pool(inputs, 2, strides=1, padding="same")
        for axis in range(1, len(inputs.shape) - 1):
            x = _blur(x, axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(None if s is None else -(-s // 2) for s in sides), channels)


def _blur(x, axis):
    """[1 2 1] / 4 along one axis at stride 2."""
    side = ops.shape(x)[axis]
    padded = ops.pad(x, [(int(i == axis),) * 2 for i in range(len(x.shape))])
    # an even side is padded behind only: leave out the pixel put in front
    first = 1 - side % 2
    length = (side + 1) // 2 * 2 - 1

    def every_second(start):
        index = [slice(None)] * len(x.shape)
        index[axis] = slice(start, start + length, 2)
        return padded[tuple(index)]

    return (every_second(first) + 2 * every_second(first + 1) + every_second(first + 2)) / 4
