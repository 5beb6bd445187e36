"""Denoising in one call, with settings that work for most images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np

from ..axes import StackLayout, normalize_axes
from ..config.files import method_of
from ..config.hqssl import HQSSLConfig
from ..config.masked import MaskedDenoiserConfig, refuse_without_clean_images
from ..config.n2n import N2NConfig
from ..config.n2v import N2VConfig, refuse_without_posterior
from ..config.r2r import R2RConfig
from ..config.reading import CONFIGS, VARIANTS
from ..data.noise_moments import noise_moments
from ..data.patches import as_image_list, check_patch_fits, hold_out
from ..errors import ConfigError, ImageError, ModelFolderError
from ..normalization import check_image, result_dtype
from ..training.state import refuse_other_settings, settings_in
from .base import Denoiser
from .loading import class_of
from .n2v import N2V
from .predicting import as_image
from .r2r import noise_of_channels

# Planes fewer than these are denoised one by one: a 3D network needs depth to see anything.
LEAST_PLANES = 8

# of a model that is trained further: an eighth of the usual one
_RATE_FURTHER = 2.5e-4
# what its weights are for, which stays
_NETWORK = {name for name in N2VConfig.model_fields if name.startswith("unet_")} | {
    "batch_norm", "blurpool", "probabilistic", "single_net_per_channel", "skip_skipone",
}  # fmt: skip
# and beside its network
_KEPT = {
    "n2v_additive_sigma", "n2v_manipulator", "n2v_mean_weight", "n2v_neighborhood_radius",
    "normalization", "structN2Vmask", "train_keep", "train_loss",
}  # fmt: skip
METHODS = {
    **{name: partial(N2VConfig.recommended, method=name) for name in ("n2v", "n2v2", "structn2v")},
    # pools five times and looks far, so the config makes patches large, and of those a step has few
    "hqssl": partial(
        HQSSLConfig, train_learning_rate=1e-3, train_epochs=20, train_steps_per_epoch=100,
        train_batch_size=2,
    ),
    "n2n": N2NConfig.recommended,
    "r2r": R2RConfig,
    "masked": partial(
        MaskedDenoiserConfig, train_learning_rate=3e-4, train_epochs=20, train_steps_per_epoch=100,
        train_batch_size=8,
    ),
}  # fmt: skip


def denoise(
    image: np.ndarray,
    axes: str | None = None,
    method: str = "n2v",
    *,
    n_dim: int | None = None,
    seed: int | None = None,
    dtype=None,
    tta: bool = False,
    posterior: bool = False,
    verbose: int | str = "auto",
    return_model: bool = False,
    **settings,
):
    """Denoise an image by training on the image itself.

    Parameters
    ----------
    image : ndarray
        Noisy image in its own units, any real dtype.
    axes : str, optional
        Letters of 'STCZYX', one per dimension. Needed unless `image` has two dimensions ('YX').
    method : {'n2v', 'n2v2', 'structn2v', 'r2r', 'hqssl', 'n2n'}
        'n2v' for noise that is independent from pixel to pixel; 'n2v2' for the same where 'n2v'
        leaves a checkerboard pattern; 'structn2v' for noise that runs along lines: give `axis`
        ('X' by default) and `length` (odd, 11 pixels by default), or `structN2Vmask`; 'r2r' for
        independent noise that is about normal: give `noise_level`, or it is estimated; 'hqssl' for
        independent noise of a known kind: give `noise_model` and, if it is known, `noise_level`;
        'n2n' for repeated frames of a still scene, along T or S.
    n_dim : {2, 3}, optional
        Train a network for planes or for volumes. Default: 3 with at least 8 planes along Z.
    seed : int, optional
        Seed of everything that is drawn.
    dtype : dtype or 'same', optional
        Of the result; 'same' is that of `image`. Default: float32.
    tta : bool
        Average over turns and flips of the XY plane: a little better, eight times slower.
    posterior : bool
        For 'n2v', 'n2v2' and 'r2r': bring back what each noisy pixel itself tells and training
        left out (`N2V.predict` with ``output='posterior'``, which predicts twice). Sharper
        and nearer to the clean image where the noise is as independent as the method takes it to
        be. 'hqssl' always does.
    verbose : {'auto', 0, 1, 2}
        As in `keras.Model.fit`.
    return_model : bool
        Return the trained model too.
    **settings
        Any setting of `N2VConfig`, `R2RConfig`, `HQSSLConfig` or `N2NConfig`, e.g.
        ``train_epochs=40``.

    Returns
    -------
    ndarray of the shape of `image`, or (ndarray, model)

    Raises
    ------
    AxesError, ImageError, ConfigError
        Before any work, if the image or a setting cannot be used.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(100, 10, (64, 64))
    >>> clean = denoise(noisy, train_epochs=1, train_steps_per_epoch=2, unet_n_first=4, verbose=0)
    >>> clean.shape
    (64, 64)
    """
    image = np.asanyarray(as_image(image))
    axes = "YX" if axes is None and image.ndim == 2 else normalize_axes(axes, image.ndim)
    check_image(image)
    result_dtype(dtype, image.dtype)
    refuse_without_clean_images(method)
    if posterior:
        refuse_without_posterior(method)
    if n_dim not in (None, 2, 3):
        raise ConfigError(f"n_dim must be 2 or 3. Received: {n_dim}.")
    n_dim = choose_n_dim([(image.shape, axes)], method) if n_dim is None else n_dim
    stack = StackLayout.of(image, axes, n_dim).to_stack(image)
    if posterior:
        refuse_untold_noise([stack], method, settings.get("noise_level"))
    if seed is not None:
        settings = {"train_seed": seed} | settings
    model = new_model([stack], method, None, **settings)
    train_with_validation(model, [stack], verbose=verbose)
    options = {"output": "posterior"} if posterior else {}
    result = model.predict(image, axes, dtype=dtype, tta=tta, **options)
    return (result, model) if return_model else result


def refuse_untold_noise(
    stacks: Sequence[np.ndarray], method: str, level: float | tuple | None = None
) -> None:
    """Refuse images to which a posterior cannot be made, before the training.

    Parameters
    ----------
    stacks : sequence of ndarray (S, (Z,) Y, X, C)
    method : str
        'hqssl' learns the noise and needs nothing of the images.
    level : float or (gain, offset, read noise), optional
        As `noise_level` of the settings.

    Raises
    ------
    ImageError
        If there are too few pixels to tell the noise from.
    ConfigError
        If `level` is none.
    """
    if method != "hqssl":
        for stack in stacks:
            noise_moments(stack, level)


def choose_n_dim(
    shapes_and_axes: Sequence[tuple[tuple[int, ...], str]], method: str = "n2v"
) -> int:
    """2 or 3: whether all images have planes enough along Z for a 3D network of the method."""
    if method in ("hqssl", "masked"):
        return 2
    for shape, axes in shapes_and_axes:
        axes = normalize_axes(axes, len(shape))
        if "Z" not in axes or shape[axes.index("Z")] < LEAST_PLANES:
            return 2
    return 3


def make_config(
    images: Sequence[np.ndarray], method: str = "n2v", **settings
) -> N2VConfig | R2RConfig | HQSSLConfig | N2NConfig | MaskedDenoiserConfig:
    """Settings that work for most images, with patches that fit them.

    Parameters
    ----------
    images : sequence of ndarray (S, (Z,) Y, X, C)
    method : {'n2v', 'n2v2', 'structn2v', 'r2r', 'hqssl', 'n2n', 'masked'}
        For 'masked' the images are clean ones.
    **settings
        In place of ours; for 'structn2v' also `axis` and `length`.
    """
    if method not in METHODS:
        raise ConfigError(f"method must be one of {', '.join(METHODS)}. Received: {method!r}.")
    images = as_image_list(images)
    config = METHODS[method](images, **settings)
    if isinstance(config, N2VConfig):
        check_patch_fits(images, config.n2v_patch_shape, 2**config.unet_n_depth)
    if isinstance(config, R2RConfig) and config.noise_level is None:
        noise_of_channels(images)
    return config


def train_with_validation(
    model: Denoiser,
    images: Sequence[np.ndarray],
    verbose: int | str = "auto",
    pairs: Sequence[np.ndarray] | None = None,
    resume: bool = False,
) -> keras.callbacks.History:
    """Train on images of which a tenth is kept for validation (`n2v_tk.data.patches.hold_out`).

    Images too small to be split are validated on as a whole, with blind spots of their own.

    Parameters
    ----------
    model : Denoiser
    images : sequence of ndarray (S, (Z,) Y, X, C)
        For Noise2Noise without `pairs`, the samples of each are repeated frames of one scene, all
        of which are trained on.
    verbose : {'auto', 0, 1, 2}
    pairs : sequence of ndarray, optional
        For Noise2Noise: of the same scenes.
    resume : bool
        As in `Denoiser.train`.
    """
    images = as_image_list(images)
    config = model.config
    if config.method == "n2n" and pairs is None:
        return model.train_on_frames(images, verbose=verbose, resume=resume)
    # images of one size are split alike, and again when a training goes on
    seed = config.train_seed or 0
    training, validation = hold_out(images, config.patch_shape, 0.1, seed)
    if pairs is None:
        return model.train(training, validation or images, verbose=verbose, resume=resume)
    targets, held_out = hold_out(pairs, config.patch_shape, 0.1, seed)
    validation = (validation, held_out) if validation else None
    return model.train(training, targets, validation, verbose=verbose, resume=resume)


def new_model(
    images: Sequence[np.ndarray],
    method: str,
    folder: str | os.PathLike | None,
    **settings,
) -> Denoiser:
    """An untrained model with settings that work for most images, in `folder` or in memory."""
    return _in_folder(make_config(images, method, **settings), folder)


def interrupted_model(folder: str | os.PathLike, method: str, **settings) -> Denoiser | None:
    """The model whose training was interrupted in a folder, to go on with; None if there is none.

    Parameters
    ----------
    folder : path
    method : str
        Asked for; 'n2v' stands for whatever was trained.
    **settings
        Asked for, in place of those in the folder.

    Raises
    ------
    ModelFolderError
        If the training is of another method or other settings, or its state is damaged.
    """
    settings_there = settings_in(folder)
    if settings_there is None:
        return None
    there = method_of(settings_there)
    if method != "n2v" and VARIANTS.get(method, method) != there:
        raise ModelFolderError(
            f"A training goes on with its method. Received: {method!r} for {there!r} in {folder}. "
            "Leave the method out, or choose another folder."
        )
    if there not in CONFIGS:
        raise ModelFolderError(
            f"The training is of a method that this version does not know. Received: {there!r} in "
            f"{folder}. Update n2v_tk."
        )
    folder = Path(folder).resolve()
    # the bars of structN2V are in the settings already
    settings = {n: v for n, v in settings.items() if n not in ("axis", "length")}
    model_class = class_of(there)
    config = model_class.config_class.from_json(settings_there, folder, **settings)
    # before a network is made that its weights do not fit
    refuse_other_settings(config, settings_there, folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a model in")
        return model_class(config, folder.name, folder.parent)


def go_on_with(
    old: Denoiser,
    images: Sequence[np.ndarray],
    folder: str | os.PathLike | None,
    **settings,
) -> N2V:
    """A model to be trained on new images from the weights of another, in `folder` or in memory.

    It has the network of the old model, the statistics of the new images, and the training of
    `make_config` at a lower learning rate. What n2v did by mistake does not live on: every
    network of a model with one per channel reads its own.

    Parameters
    ----------
    old : N2V
    images : sequence of ndarray (S, (Z,) Y, X, C)
    folder : path or None
    **settings
        In place of ours, except those of the network.

    Raises
    ------
    ModelFolderError
        If `old` is of another method.
    ConfigError, ImageError
        If images and model do not fit each other.
    """
    if not isinstance(old, N2V):
        raise ModelFolderError(
            f"Only models of N2V are trained further on new images. Received: {old!r}. Train a new "
            "model, or give a model of N2V."
        )
    images = as_image_list(images, old.config.n_dim)
    if images[0].shape[-1] != old.config.n_channel_in:
        raise ImageError(
            f"The images must have the {old.config.n_channel_in} channel(s) of the model. "
            f"Received: {images[0].shape[-1]} channels."
        )
    changed = sorted(_NETWORK & settings.keys())
    if changed:
        raise ConfigError(
            f"The network of a model cannot be changed. Received: {', '.join(changed)}. Leave that "
            "out, or train a new model."
        )
    kept = {name: value for name, value in old.config if name in _NETWORK | _KEPT}
    recipe = {"train_learning_rate": _RATE_FURTHER} | kept | settings
    model = _in_folder(make_config(images, "n2v", **recipe), folder)
    model.keras_model.set_weights(old.keras_model.get_weights())
    return model


def _in_folder(config, folder):
    if folder is None:
        return class_of(config.method)(config, basedir=None)
    folder = os.path.abspath(folder)
    return class_of(config.method)(config, os.path.basename(folder), os.path.dirname(folder))
