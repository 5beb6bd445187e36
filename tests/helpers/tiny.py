"""The smallest models that work, untrained, with weights that let every pixel matter."""

import numpy as np

from n2v_tk import HQSSL, N2V, HQSSLConfig, MaskedDenoiser, N2VConfig
from n2v_tk.config.masked import MaskedDenoiserConfig

SMALL_UNET = {
    "unet_n_first": 2,
    "unet_n_depth": 1,
    "unet_kern_size": 3,
    "train_precision": "float32",
    "train_seed": 3,
}
SMALL_TRANSFORMER = {
    "net_width": 4, "net_heads": 1, "net_depths": (1,), "net_window": 2,
    "train_patch_shape": (8, 8), "train_precision": "float32", "train_seed": 3,
}  # fmt: skip


def tiny_model(kind="2D", folder=None):
    """A model with statistics, in memory or in `folder`."""
    name, basedir = ("model", None) if folder is None else (folder.name, folder.parent)
    if kind == "hqssl":
        config = HQSSLConfig(
            net_width=4, means=[100], stds=[10], train_precision="float32", train_seed=3
        )
        model = HQSSL(config, name, basedir)
    elif kind == "masked":
        config = MaskedDenoiserConfig(value_range=(0, 255), **SMALL_TRANSFORMER)
        model = MaskedDenoiser(config, name, basedir)
    else:
        n_dim, channels = (3, 1) if kind == "3D" else (2, 2 if kind == "channels" else 1)
        more = {"probabilistic": True} if kind == "probabilistic" else {}
        more |= {"n2v_patch_shape": (8,) * n_dim, "n_channel_in": channels, "n_dim": n_dim}
        more |= {"n_channel_out": channels, "means": [100] * channels, "stds": [10] * channels}
        model = N2V(N2VConfig(**SMALL_UNET, **more), name, basedir)
    rng = np.random.default_rng(5)
    weights = model.keras_model.get_weights()
    # biases and statistics of batch normalisation stay as they are
    weights = [w if w.ndim < 2 else w + rng.normal(0, 0.1, w.shape) for w in weights]
    model.keras_model.set_weights(weights)
    if folder is not None:
        model.save(folder)
    return model
