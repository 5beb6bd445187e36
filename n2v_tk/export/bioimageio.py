"""Packages for bioimage.io."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pydantic

from ..axes import StackLayout
from ..errors import ExportError
from .citation import citation_of
from .fiji import halo_of
from .graph import exported_network, input_spec
from .writing import check_target, require, work_folder, zip_folder

# bioimage.io adds this to the standard deviation
_EPS = 1e-6
_LARGEST_TEST_SIDE = {2: 256, 3: 64}
_AXIS_NAMES = {"Z": "z", "Y": "y", "X": "x"}


def export_bioimageio(
    model,
    path: Path,
    overwrite: bool = False,
    name: str | None = None,
    description: str = "Denoises images.",
    authors: Sequence[str] = ("unknown",),
    license: str = "BSD-3-Clause",
    test_image: np.ndarray | None = None,
    axes: str | None = None,
    documentation: str = "",
) -> Path:
    """Write a package that `bioimageio test` passes. Needs the extra 'bioimageio'.

    Parameters
    ----------
    model : Denoiser
        Normalised by mean and standard deviation of its training images or not at all; CARE by
        percentiles, whose result the package leaves normalised.
    path : path
        Ends in .zip.
    overwrite : bool
        Replace a file that is there.
    name, description, license : str
        As shown on bioimage.io; `name` has 5 letters at least, `license` is an SPDX name.
    authors : sequence of str
        Names.
    test_image : ndarray, optional
        A noisy image, of which the middle becomes the package's test image and cover. Default:
        noise of the training images' mean and standard deviation.
    axes : str, optional
        Axes of `test_image`.
    documentation : str
        Markdown to add to the package's README.

    Returns
    -------
    Path
        Weights as .keras and as SavedModel, test images, cover, README.
    """
    check_target(path, ".zip", overwrite)
    require("bioimageio", "bioimageio.spec")
    config = model.config
    if config.normalization == "image" or (
        config.normalization == "percentile" and config.method != "care"
    ):
        raise ExportError(
            "A package for bioimage.io cannot scale back what was normalised image by image. "
            f"Received: normalization={config.normalization!r}. Train with "
            "normalization='dataset'."
        )
    image = _test_image(model, test_image, axes)
    with work_folder(path) as folder:
        result = _result(model, image)
        np.save(folder / "test_input.npy", image)
        np.save(folder / "test_output.npy", result)
        model.save(folder / "weights.keras")
        _save_bundle(model, folder / "tf_saved_model_bundle.zip")
        _save_cover(folder / "cover.png", image, result)
        name = name or f"Denoiser {model.name}"
        readme = _readme(model, name, description, documentation)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        model.config.save(folder / "config.json")
        package = _package(model, folder, name, description, authors, license)
        os.replace(package, path)
    return path


def _package(model, folder, name, description, authors, license):
    """The zip of what lies in the folder, checked by bioimage.io's own rules."""
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    # everything is in the folder: nothing is looked up elsewhere. bioimageio.spec 0.5.12 warns
    # of files it finds all the same, and leaves them open until they are collected
    with warnings.catch_warnings(), ValidationContext(root=folder, perform_io_checks=True):
        warnings.filterwarnings("ignore", "Found mapping with 'source'", UserWarning)
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            described = _describe(model, folder, name, description, authors, license)
        except pydantic.ValidationError as error:
            found = error.errors()[0]
            raise ExportError(
                f"bioimage.io does not accept the package: {found['msg']}. Received: "
                f"{'.'.join(str(part) for part in found['loc'])}={found['input']!r}."
            ) from None
        package = save_bioimageio_package(described, output_path=folder / "package.zip")
        del described
        gc.collect()
    return package


def _test_image(model, image, axes):
    """(1, (Z,) Y, X, C) of a size that the network takes, at least twice its halo."""
    config = model.config
    divisor, smallest = model.divisor, _smallest_side(model)
    if image is None:
        side = {2: max(smallest, 128), 3: smallest}[config.n_dim]
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(1, *[side] * config.n_dim, config.n_channel_in))
        known = config.means is not None
        means, stds = (np.array(v, float) for v in (config.means, config.stds)) if known else (0, 1)
        return (means + stds * noise).astype(np.float32)
    image = np.asarray(image)
    layout = StackLayout.of(image, axes, config.n_dim)
    if layout.n_channels != config.n_channel_in:
        raise ExportError(
            f"The test image must have the {config.n_channel_in} channel(s) of the model. "
            f"Received: {layout.n_channels} in an image of {image.shape} with axes {axes}."
        )
    stack = layout.to_stack(image)[:1]
    limit = max(_LARGEST_TEST_SIDE[config.n_dim], smallest)
    for axis in range(1, config.n_dim + 1):
        side = stack.shape[axis]
        wanted = min(max(side // divisor * divisor, smallest), limit)
        if side < wanted:
            pad = [(0, 0)] * stack.ndim
            pad[axis] = (0, wanted - side)
            stack = np.pad(stack, pad, mode="reflect" if side > 1 else "edge")
        start = (stack.shape[axis] - wanted) // 2
        stack = np.take(stack, range(start, start + wanted), axis=axis)
    return stack.astype(np.float32)


def _smallest_side(model):
    """Smallest multiple of the divisor above twice the halo."""
    return 2 * halo_of(model) + model.divisor


def _result(model, image):
    """What the package must give for an image: as bioimage.io normalises and scales back."""
    config = model.config
    if config.normalization == "none":
        normalized = image
    elif config.normalization == "dataset":
        means, stds = (np.array(v, float) for v in (config.means, config.stds))
        normalized = (image - means) / (stds + _EPS)
    else:
        spatial = tuple(range(1, config.n_dim + 1))
        low, high = np.percentile(image, model.percentiles, axis=spatial, keepdims=True)
        normalized = (image - low) / (high - low + _EPS)
    network = exported_network(model)
    result = np.asarray(network.predict_on_batch(normalized.astype(np.float32)))
    if config.normalization == "dataset":
        gain, offset = _scale_back(model)
        result = result * gain + offset
    return result.astype(np.float32)


def _scale_back(model):
    """Gain and offset of the result's channels; a scale is not shifted."""
    means, stds = (np.array(v, float) for v in (model.config.means, model.config.stds))
    if not getattr(model.config, "probabilistic", False):
        return stds, means
    return np.concatenate([stds, stds]), np.concatenate([means, np.zeros_like(means)])


def _save_bundle(model, target):
    import tensorflow as tf

    network = exported_network(model)
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    module.apply = tf.function(
        lambda x: {"output": network(x, training=False)}, input_signature=[input_spec(model)]
    )
    folder = target.with_suffix("")
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.apply})
    zip_folder(folder, target)


def _save_cover(path, image, result):
    """The test image before and after, as a picture twice as wide as high."""
    from matplotlib.image import imsave

    n_channels = 3 if image.shape[-1] >= 3 else 1
    before, after = (_plane(i)[..., :n_channels] for i in (image, result))
    side = min(before.shape[:2])
    low, high = np.percentile(before, (1, 99.5))
    halves = [np.clip((p[:side, :side] - low) / max(high - low, 1e-9), 0, 1)
              for p in (before, after)]  # fmt: skip
    picture = np.concatenate(halves, axis=1)
    imsave(path, picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray")


def _plane(image):
    image = image[0]
    return image[len(image) // 2] if image.ndim == 4 else image


def _readme(model, name, description, documentation):
    config = model.config
    method = citation_of(config).text
    return f"""# {name}

{description}

{documentation}

## Method

{method} Trained with n2v_tk: {config.train_epochs} epochs of {config.train_steps_per_epoch} steps.

## Validation

The model learned from the images it was trained on and is good for images like them: same
microscope, same settings, same kind of specimen. Compare the denoised image with the noisy one:
their difference should look like noise, without any trace of structures. Where a few pairs of noisy
and good images can be recorded, measure PSNR and SSIM on them before relying on the result.
"""


def _describe(model, folder, name, description, authors, license):
    import tensorflow as tf
    from bioimageio.spec.model import v0_5

    def file(source):
        return v0_5.FileDescr(source=folder / source)

    before, after = _processing(model, v0_5)
    cite = citation_of(model.config)
    return v0_5.ModelDescr(
        name=name,
        description=description,
        authors=[v0_5.Author(name=author) for author in authors],
        cite=[v0_5.CiteEntry(text=cite.text, doi=cite.doi)],
        license=license,
        documentation=file("README.md"),
        covers=[file("cover.png")],
        attachments=[file("config.json")],
        tags=["denoising", "unet", f"{model.config.n_dim}d", model.config.method, "n2v_tk"],
        inputs=[
            v0_5.InputTensorDescr(
                id="input",
                description="Noisy image",
                axes=_input_axes(model, v0_5),
                test_tensor=file("test_input.npy"),
                data=v0_5.IntervalOrRatioDataDescr(type="float32"),
                preprocessing=before,
            )
        ],
        outputs=[
            v0_5.OutputTensorDescr(
                id="output",
                description="Denoised image",
                axes=_output_axes(model, v0_5),
                test_tensor=file("test_output.npy"),
                data=v0_5.IntervalOrRatioDataDescr(type="float32"),
                postprocessing=after,
            )
        ],
        weights=v0_5.WeightsDescr(
            keras_v3=v0_5.KerasV3WeightsDescr(
                source=folder / "weights.keras",
                keras_version=keras.__version__,
                backend=("tensorflow", tf.__version__),
            ),
            tensorflow_saved_model_bundle=v0_5.TensorflowSavedModelBundleWeightsDescr(
                source=folder / "tf_saved_model_bundle.zip",
                tensorflow_version=tf.__version__,
                parent="keras_v3",
            ),
        ),
    )


def _input_axes(model, v0_5):
    size = v0_5.ParameterizedSize(min=_smallest_side(model), step=model.divisor)
    spatial = [v0_5.SpaceInputAxis(id=_AXIS_NAMES[a], size=size) for a in model.config.axes[:-1]]
    names = [f"channel{i}" for i in range(model.config.n_channel_in)]
    return [v0_5.BatchAxis(), *spatial, v0_5.ChannelAxis(channel_names=names)]


def _output_axes(model, v0_5):
    spatial = [
        v0_5.SpaceOutputAxisWithHalo(
            id=_AXIS_NAMES[a],
            size=v0_5.SizeReference(tensor_id="input", axis_id=_AXIS_NAMES[a]),
            halo=halo_of(model),
        )
        for a in model.config.axes[:-1]
    ]
    count = model.config.n_channel_out
    names = [f"channel{i}" for i in range(count)]
    if getattr(model.config, "probabilistic", False):
        names = [f"mean{i}" for i in range(count)] + [f"scale{i}" for i in range(count)]
    return [v0_5.BatchAxis(), *spatial, v0_5.ChannelAxis(channel_names=names)]


def _processing(model, v0_5):
    """What is done before and after the network."""
    config = model.config
    if config.normalization == "none":
        return [], []
    if config.normalization == "percentile":
        low, high = model.percentiles
        within = [_AXIS_NAMES[a] for a in config.axes[:-1]]
        kwargs = v0_5.ScaleRangeKwargs(
            min_percentile=low, max_percentile=high, axes=within,
            eps=_EPS,
        )  # fmt: skip
        return [v0_5.ScaleRangeDescr(kwargs=kwargs)], []
    fixed = v0_5.FixedZeroMeanUnitVarianceAlongAxisKwargs(
        mean=[float(m) for m in config.means], std=[float(s) for s in config.stds], axis="channel"
    )
    gain, offset = _scale_back(model)
    linear = v0_5.ScaleLinearAlongAxisKwargs(
        gain=gain.tolist(), offset=offset.tolist(), axis="channel"
    )
    return (
        [v0_5.FixedZeroMeanUnitVarianceDescr(kwargs=fixed)],
        [v0_5.ScaleLinearDescr(kwargs=linear)],
    )
