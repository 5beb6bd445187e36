"""The U-Net of Noise2Void and CSBDeep, and of N2V2, from stock Keras layers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from ..config.unet import UNetConfig
from ..errors import ConfigError

_BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]).astype("float32") / 16


def build_unet(
    input_shape: Sequence[int | None],
    last_activation: str,
    n_depth: int = 2,
    n_filter_base: int = 16,
    kernel_size: Sequence[int] = (3, 3, 3),
    n_conv_per_depth: int = 2,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    pool_size: Sequence[int] = (2, 2, 2),
    residual: bool = False,
    prob_out: bool = False,
    eps_scale: float = 1e-3,
    blurpool: bool = False,
    skip_skipone: bool = False,
    n_channel_out: int | None = None,
    wide_decoder: bool = False,
) -> keras.Model:
    """One U-Net that reads all channels and returns all channels.

    Parameters
    ----------
    input_shape : tuple (Y, X, C) or (Z, Y, X, C)
        Spatial sides may be None. At run time they must be divisible by ``pool_size**n_depth``.
    last_activation : str
        Activation of the output, 'linear' or 'relu'.
    n_depth : int
        Number of poolings.
    n_filter_base : int
        Filters of the first level; doubled on every level.
    kernel_size : tuple of odd int
        One side per spatial axis. The default of three is cut to the number of axes, as is that
        of `pool_size`.
    n_conv_per_depth : int
        Convolutions per level.
    activation : str
        Activation of the hidden layers.
    batch_norm : bool
        Batch normalisation between convolution and activation.
    dropout : float
        Dropout rate after each activation.
    pool_size : tuple of int
        Pooling per spatial axis.
    residual : bool
        Add the input to the output.
    prob_out : bool
        Return mean and scale of a Laplace distribution per channel (means first): 2*C channels.
        The scale is ``softplus + eps_scale``.
    eps_scale : float
        Smallest scale.
    blurpool : bool
        N2V2: maximum at stride 1 and a binomial blur at stride 2 in place of max-pooling.
    skip_skipone : bool
        N2V2: no skip connection on the top level.
    n_channel_out : int, optional
        Channels of the output. Default: those of the input.
    wide_decoder : bool
        On the way up as many filters as on the way down, as csbdeep has it, N2V2, and n2v before
        0.3.2. N2V keeps those of the first level.

    Returns
    -------
    keras.Model
        Made of layers that Keras itself can load. Weights stand in the order of n2v's, so its
        weight files fit.

    Raises
    ------
    ConfigError
        For even kernels, tuples that do not fit the number of axes, and residual N2V2 networks.

    References
    ----------
    .. [1] Krull, Buchholz, Jug. Noise2Void. CVPR 2019.
    .. [2] Hoeck, Buchholz, Brachmann, Jug, Freytag. N2V2. ECCV Workshops 2022.

    Examples
    --------
    >>> from n2v_tk.nets.unet import build_unet
    >>> net = build_unet((None, None, 1), "linear", n_filter_base=32, batch_norm=True)
    >>> net.count_params()
    288577
    """
    kernel_size, pool_size = _check(
        input_shape, last_activation, kernel_size, pool_size, residual, blurpool, skip_skipone
    )
    inputs = keras.Input(tuple(input_shape), name="input")
    features = _body(
        inputs, n_depth, n_filter_base, kernel_size, n_conv_per_depth, activation, batch_norm,
        dropout, pool_size, blurpool, skip_skipone, wide_decoder, "",
    )  # fmt: skip
    channels = n_channel_out or input_shape[-1]
    outputs = _head(features, inputs, channels, last_activation, residual, prob_out, eps_scale, "")
    if prob_out:
        outputs = layers.Concatenate(axis=-1, name="head_mean_and_scale")(outputs)
    else:
        (outputs,) = outputs
    return keras.Model(inputs, outputs, name="unet")


def build_single_unet_per_channel(
    input_shape: Sequence[int | None],
    last_activation: str,
    n_depth: int = 2,
    n_filter_base: int = 16,
    kernel_size: Sequence[int] = (3, 3, 3),
    n_conv_per_depth: int = 2,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    pool_size: Sequence[int] = (2, 2, 2),
    residual: bool = False,
    prob_out: bool = False,
    eps_scale: float = 1e-3,
    blurpool: bool = False,
    skip_skipone: bool = False,
    wide_decoder: bool = False,
    channel_wiring: str = "own",
) -> keras.Model:
    """Independent U-Nets, one per channel, side by side in one model.

    Each network reads, and with `residual` adds, its own channel only. Parameters, returns and
    errors as in `build_unet`; with `prob_out` the output is all means, then all scales.
    `channel_wiring` 'last' lets every network read the last channel, as n2v 0.3.3 does by mistake:
    weights that were trained so know nothing else.

    Examples
    --------
    >>> from n2v_tk.nets.unet import build_single_unet_per_channel
    >>> net = build_single_unet_per_channel((None, None, 3), "linear", n_filter_base=8)
    >>> net.output_shape
    (None, None, None, 3)
    """
    kernel_size, pool_size = _check(
        input_shape, last_activation, kernel_size, pool_size, residual, blurpool, skip_skipone
    )
    inputs = keras.Input(tuple(input_shape), name="input")
    n_channels = input_shape[-1]
    means_and_scales = []
    for i in range(n_channels):
        prefix = f"channel_{i}_"
        channel = i if channel_wiring == "own" else n_channels - 1
        own = inputs[..., channel : channel + 1] if n_channels > 1 else inputs
        features = _body(
            own, n_depth, n_filter_base, kernel_size, n_conv_per_depth, activation, batch_norm,
            dropout, pool_size, blurpool, skip_skipone, wide_decoder, prefix,
        )  # fmt: skip
        means_and_scales.append(
            _head(features, own, 1, last_activation, residual, prob_out, eps_scale, prefix)
        )
    outputs = [part for parts in zip(*means_and_scales, strict=True) for part in parts]
    if len(outputs) > 1:
        outputs = layers.Concatenate(axis=-1, name="head_channels")(outputs)
    else:
        (outputs,) = outputs
    return keras.Model(inputs, outputs, name="unet_per_channel")


def network_options(config: UNetConfig) -> dict:
    """Arguments of `build_unet` and `build_single_unet_per_channel` from a model's settings."""
    return {
        "input_shape": config.unet_input_shape,
        "last_activation": config.unet_last_activation,
        "n_depth": config.unet_n_depth,
        "n_filter_base": config.unet_n_first,
        "kernel_size": (config.unet_kern_size,) * config.n_dim,
        "batch_norm": config.batch_norm,
        "dropout": config.unet_dropout,
        "pool_size": (2,) * config.n_dim,
        "residual": config.unet_residual,
        "prob_out": config.probabilistic,
        "blurpool": config.blurpool,
        "skip_skipone": config.skip_skipone,
        "wide_decoder": config.has_wide_decoder,
    }


def _check(input_shape, last_activation, kernel_size, pool_size, residual, blurpool, skip_skipone):
    n_dim = len(input_shape) - 1
    if n_dim not in (2, 3):
        raise ConfigError(
            f"input_shape must be (Y, X, C) or (Z, Y, X, C). Received: {tuple(input_shape)}."
        )
    if last_activation is None:
        raise ConfigError("last_activation must be given, e.g. 'linear'. Received: None.")
    kernel_size, pool_size = (
        tuple(t)[:n_dim] if tuple(t) in ((2, 2, 2), (3, 3, 3)) else tuple(t)
        for t in (kernel_size, pool_size)
    )
    if len(kernel_size) != n_dim or len(pool_size) != n_dim:
        raise ConfigError(
            f"kernel_size and pool_size need one entry per spatial axis ({n_dim}). "
            f"Received: kernel_size={kernel_size}, pool_size={pool_size}."
        )
    if any(k % 2 == 0 for k in kernel_size):
        raise ConfigError(
            f"kernel_size must be odd along every axis, e.g. 3 or 5. Received: {kernel_size}."
        )
    if blurpool and set(pool_size) != {2}:
        raise ConfigError(f"blurpool pools by 2 along every axis. Received: pool_size={pool_size}.")
    if residual and skip_skipone:
        raise ConfigError(
            "A residual network cannot go without its top skip connection (skip_skipone), since "
            "adding the input is that connection. Received: residual=True, skip_skipone=True. "
            "Set residual=False (unet_residual=False in a config)."
        )
    return kernel_size, pool_size


def _body(
    x, n_depth, n_filter_base, kernel_size, n_conv_per_depth, activation, batch_norm, dropout,
    pool_size, blurpool, skip_skipone, wide_decoder, prefix,
):  # fmt: skip
    """Encoder and decoder. Every layer is created in the order in which n2v creates it."""

    def convolve(x, filters, name):
        return _conv_block(x, filters, kernel_size, activation, batch_norm, dropout, prefix + name)

    upsampling = layers.UpSampling2D if len(kernel_size) == 2 else layers.UpSampling3D
    skips = []
    for level in range(n_depth):
        for i in range(n_conv_per_depth):
            x = convolve(x, n_filter_base * 2**level, f"down_{level}_{i}")
        skips.append(x)
        pool = _blur_pool if blurpool else _max_pool
        x = pool(x, pool_size, f"{prefix}pool_{level}")

    for i in range(n_conv_per_depth - 1):
        x = convolve(x, n_filter_base * 2**n_depth, f"middle_{i}")
    x = convolve(x, n_filter_base * 2 ** max(0, n_depth - 1), f"middle_{n_conv_per_depth - 1}")

    for level in reversed(range(n_depth)):
        x = upsampling(pool_size, name=f"{prefix}up_{level}")(x)
        if level > 0 or not skip_skipone:
            x = layers.Concatenate(axis=-1, name=f"{prefix}skip_{level}")([x, skips[level]])
        width = n_filter_base * 2**level if skip_skipone or wide_decoder else n_filter_base
        for i in range(n_conv_per_depth - 1):
            x = convolve(x, width, f"up_{level}_{i}")
        x = convolve(
            x, n_filter_base * 2 ** max(0, level - 1), f"up_{level}_{n_conv_per_depth - 1}"
        )
    return x


def _conv_block(x, filters, kernel_size, activation, batch_norm, dropout, name):
    conv = layers.Conv2D if len(kernel_size) == 2 else layers.Conv3D
    x = conv(
        filters,
        kernel_size,
        padding="same",
        activation=None if batch_norm else activation,
        name=name,
    )(x)
    if batch_norm:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.Activation(activation, name=f"{name}_{activation}")(x)
    if dropout:
        # a seed of its own for every layer, the same in every run
        seed = zlib.crc32(name.encode())
        x = layers.Dropout(dropout, seed=seed, name=f"{name}_dropout")(x)
    return x


def _max_pool(x, pool_size, name):
    pool = layers.MaxPooling2D if len(pool_size) == 2 else layers.MaxPooling3D
    return pool(pool_size, name=name)(x)


def _blur_pool(x, pool_size, name):
    """Zhang's anti-aliased pooling in stock layers, for even sides (`n2v_tk.layers.MaxBlurPool`).

    In 2D the blur is a frozen depthwise convolution, which n2v's weight files hold too. Keras has
    no depthwise convolution in 3D; two averages over neighbours are the same binomial.
    """
    if len(pool_size) == 2:
        x = layers.MaxPooling2D(2, strides=1, padding="same", name=f"{name}_max")(x)
        blur = layers.DepthwiseConv2D(
            3, strides=2, padding="same", use_bias=False, trainable=False, name=f"{name}_blur"
        )
        channels = x.shape[-1]
        x = blur(x)
        blur.set_weights([np.repeat(_BINOMIAL[:, :, None, None], channels, axis=2)])
        return x
    x = layers.MaxPooling3D(2, strides=1, padding="same", name=f"{name}_max")(x)
    x = layers.ZeroPadding3D(((0, 1),) * 3, name=f"{name}_pad")(x)
    x = layers.AveragePooling3D(2, strides=1, name=f"{name}_blur_0")(x)
    return layers.AveragePooling3D(2, strides=2, name=f"{name}_blur_1")(x)


def _head(features, inputs, channels, last_activation, residual, prob_out, eps_scale, prefix):
    """Output layers, as a list of mean and, with `prob_out`, scale."""
    n_dim = len(features.shape) - 2
    conv = layers.Conv2D if n_dim == 2 else layers.Conv3D
    mean = conv(channels, 1, name=f"{prefix}head")(features)
    if residual:
        mean = layers.Add(name=f"{prefix}head_residual")([mean, inputs])
    mean = layers.Activation(last_activation, name=f"{prefix}head_activation")(mean)
    if not prob_out:
        return [mean]
    scale = conv(channels, 1, activation="softplus", name=f"{prefix}head_scale")(features)
    return [mean, scale + eps_scale]
