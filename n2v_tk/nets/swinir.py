"""The transformer of masked training."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import initializers, layers

from ..layers.local_means import LocalMeans
from ..layers.window_attention import AddConstant, PixelMask, TokenMask, WindowAttention

# of the published network: RGB in [0, 1]
RGB_MEANS = (0.4488, 0.4371, 0.4040)
_EPSILON = 1e-5


def build_swinir(
    channels: int = 3,
    width: int = 60,
    depths: Sequence[int] = (6, 6, 6, 6),
    heads: int = 6,
    window: int = 8,
    mlp_ratio: float = 2.0,
    stochastic_depth: float = 0.1,
    means: Sequence[float] | None = None,
    input_mask: tuple[float, float] | None = (0.8, 0.9),
    attention_mask: float = 0.75,
    attention_mask_at_test: bool = False,
    mask_value: float = -0.1,
    local_means: float | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Network of masked training, a small SwinIR without its global skip connections.

    Chen, Gu, Liu, Magid, Dong, Wang, Pfister, Zhu. Masked Image Training for Generalizable Deep
    Image Denoising. CVPR 2023. The output is added neither to the image nor to the first
    features, where the masked image would leak into it.

    Parameters
    ----------
    channels : int
        Of image and result.
    width : int
        Features of a pixel, divisible by `heads`.
    depths : sequence of int
        Attention layers in each group. Every second one has shifted windows.
    heads, window : int
        Of the attention; a window's side in pixels, by which sides must be divisible.
    mlp_ratio : float
        Hidden features of the multilayer perceptrons, relative to `width`.
    stochastic_depth : float
        Probability to leave out the last layer while training; earlier layers have less.
    means : sequence of float, optional
        Mean of each channel of images in [0, 1], which the network works without. Default: the
        published ones for three channels, their mean for others.
    input_mask : (low, high) or None
        Share of the pixels that are dropped while training.
    attention_mask : float
        Share of the pixels of each window that attention does without while training.
    attention_mask_at_test : bool
        Also when not training, as the published code does; results are then random.
    mask_value : float
        Of dropped pixels.
    local_means : float, optional
        Standard deviation in pixels of the window in which results have the mean of the image;
        see `n2v_tk.layers.local_means.LocalMeans`.
    seed : int, optional
        Of masks and stochastic depth.

    Returns
    -------
    keras.Model
        (B, Y, X, channels) to the same.

    Examples
    --------
    >>> build_swinir(channels=3).count_params(), build_swinir(channels=1).count_params()
    (824118, 822916)
    """
    if means is None:
        means = RGB_MEANS if channels == 3 else (sum(RGB_MEANS) / 3,) * channels
    numbers = None if seed is None else np.random.default_rng(seed)

    def next_seed():
        return None if numbers is None else int(numbers.integers(2**31))

    n_layers = sum(depths)
    drops = iter([stochastic_depth * i / max(1, n_layers - 1) for i in range(n_layers)])
    image = keras.Input((None, None, channels), name="input")
    x = image
    if input_mask is not None:
        x = PixelMask(*input_mask, mask_value, seed=next_seed(), name="pixel_mask")(x)
    x = AddConstant([-m for m in means], name="without_mean")(x)
    x = layers.Conv2D(width, 1, kernel_initializer=_convolution(), name="first")(x)
    x = _normalized(x, "first")
    for group, depth in enumerate(depths):
        before = x
        for i in range(depth):
            name, drop = f"g{group}_{i}", next(drops)
            shift = window // 2 if i % 2 else 0
            # attention
            y = _normalized(x, f"{name}_attention")
            if attention_mask:
                y = TokenMask(
                    attention_mask, window, attention_mask_at_test, next_seed(),
                    name=f"{name}_token_mask",
                )(y)  # fmt: skip
            y = _linear(y, 3 * width, f"{name}_qkv")
            y = WindowAttention(heads, window, shift, name=f"{name}_attention")(y)
            y = _linear(y, width, f"{name}_project")
            x = _add(x, y, drop, next_seed, f"{name}_attention_sum")
            # multilayer perceptron
            y = _normalized(x, f"{name}_mlp")
            y = _linear(y, int(mlp_ratio * width), f"{name}_mlp_a")
            y = layers.Activation("gelu", name=f"{name}_gelu")(y)
            y = _linear(y, width, f"{name}_mlp_b")
            x = _add(x, y, drop, next_seed, f"{name}_mlp_sum")
        x = layers.Add(name=f"g{group}_sum")([before, _bottleneck(x, width, f"g{group}")])
    x = _normalized(x, "body")
    x = _bottleneck(x, width, "body")
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer=_convolution(), name="head")(
        x
    )
    output = AddConstant(means, name="head_with_mean")(x)
    if local_means is not None:
        output = LocalMeans(local_means, name="local_means")([image, output])
    return keras.Model(image, output, name="swinir")


def _normalized(x, name):
    return layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)


def _linear(x, features, name):
    normal = initializers.TruncatedNormal(stddev=0.02)
    return layers.Dense(features, kernel_initializer=normal, name=name)(x)


def _add(x, y, drop, next_seed, name):
    if drop:
        # a whole image at once: stochastic depth
        y = layers.Dropout(
            drop, noise_shape=(None, 1, 1, 1), seed=next_seed(), name=f"{name}_drop"
        )(y)
    return layers.Add(name=name)([x, y])


def _bottleneck(x, width, name):
    narrow = width // 4
    for part, (filters, kernel) in enumerate(((narrow, 3), (narrow, 1), (width, 3))):
        x = layers.Conv2D(
            filters, kernel, padding="same", kernel_initializer=_convolution(),
            name=f"{name}_conv_{part}",
        )(x)  # fmt: skip
        if part < 2:
            x = layers.LeakyReLU(0.2, name=f"{name}_leaky_{part}")(x)
    return x


def _convolution():
    return initializers.VarianceScaling(1 / 3, "fan_in", "untruncated_normal")
