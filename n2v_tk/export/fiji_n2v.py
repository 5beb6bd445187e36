"""N2V in Fiji."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from ..errors import ExportError
from .citation import citation_of
from .fiji import halo_of, save_frozen
from .graph import exported_network, input_spec
from .writing import check_target, work_folder, zip_folder


def export_fiji_n2v(
    model,
    path: Path,
    overwrite: bool = False,
    name: str | None = None,
    description: str = "Denoises images.",
    authors: tuple[str, ...] = (),
) -> Path:
    """Write an archive for N2V in Fiji ('N2V predict').

    Parameters
    ----------
    model : N2V
        Normalised by mean and standard deviation of its training images; not probabilistic.
    path : path
        Ends in .zip, best in .bioimage.io.zip.
    overwrite : bool
        Replace a file that is there.
    name, description : str
        Shown in Fiji. `name` is the model's by default.
    authors : tuple of str
        Names.

    Returns
    -------
    Path
        rdf.yaml of format 0.3.0 beside tf_model.zip (frozen, for TensorFlow 1.15) and a test
        image with its result.
    """
    check_target(path, ".zip", overwrite)
    config = model.config
    if getattr(config, "probabilistic", False):
        raise ExportError(
            "N2V in Fiji shows one result per image and cannot hold a probabilistic model. "
            "Received: probabilistic=True. Export kind 'fiji', whose result has the scale as a "
            "second channel."
        )
    if config.normalization != "dataset":
        raise ExportError(
            "N2V in Fiji normalises by fixed means and standard deviations. Received: "
            f"normalization={config.normalization!r}. Train with normalization='dataset'."
        )
    network = exported_network(model)
    with work_folder(path) as folder:
        archive = folder / "archive"
        archive.mkdir()
        bundle = folder / "bundle"
        save_frozen(lambda x: network(x, training=False), input_spec(model), bundle)
        zip_folder(bundle, archive / "tf_model.zip")
        _save_test_images(config, network, archive)
        (archive / "README.md").write_text(f"# {name or model.name}\n\n{description}\n", "utf-8")
        rdf = _rdf(model, name or model.name, description, authors, archive / "tf_model.zip")
        # JSON is YAML
        text = json.dumps(rdf, indent=1, ensure_ascii=False)
        (archive / "rdf.yaml").write_text(text, encoding="utf-8")
        zip_folder(archive, folder / "archive.zip")
        os.replace(folder / "archive.zip", path)
    return path


def _save_test_images(config, network, folder):
    means, stds = (np.array(v, np.float64) for v in (config.means, config.stds))
    sides = {2: (64, 64), 3: (16, 64, 64)}[config.n_dim]
    rng = np.random.default_rng(0)
    image = means + stds * rng.normal(size=(1, *sides, config.n_channel_in))
    image = image.astype(np.float32)
    normalized = ((image - means) / stds).astype(np.float32)
    result = np.asarray(network(normalized, training=False)) * stds + means
    np.save(folder / "test_input.npy", image)
    np.save(folder / "test_output.npy", result.astype(np.float32))


def _rdf(model, name, description, authors, weights):
    config = model.config
    means, stds = ([float(v) for v in values] for values in (config.means, config.stds))
    within = config.axes[:-1].lower()
    cite = citation_of(config)
    before = {"mode": "fixed", "axes": within, "mean": means, "std": stds}
    after = {"axes": within, "gain": stds, "offset": means}
    inputs, outputs = _tensors(model)
    inputs["preprocessing"] = [{"name": "zero_mean_unit_variance", "kwargs": before}]
    outputs["postprocessing"] = [{"name": "scale_linear", "kwargs": after}]
    return {
        "format_version": "0.3.0",
        "type": "model",
        "name": name,
        "description": description,
        "authors": list(authors or ("unknown",)),
        "cite": [{"text": cite.text, "doi": cite.doi}],
        "documentation": "README.md",
        "tags": ["denoising", "n2v", "unet", f"{config.n_dim}d"],
        "license": "BSD-3-Clause",
        "language": "java",
        "framework": "tensorflow",
        "timestamp": datetime.datetime.now().isoformat(timespec="seconds"),
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "inputs": [inputs],
        "outputs": [outputs],
        "weights": {
            "tensorflow_saved_model_bundle": {
                "source": weights.name,
                "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
                "tensorflow_version": "1.15.0",
            }
        },
    }


def _tensors(model):
    """Names, axes, sizes and halo of what goes in and comes out."""
    config, halo, divisor = model.config, halo_of(model), model.divisor
    axes = f"b{config.axes.lower()}"
    smallest = -(-(2 * halo + 1) // divisor) * divisor
    sizes = {"b": (1, 0, 0), "c": (config.n_channel_in, 0, 0)}
    # per axis: smallest size, step, halo
    by_axis = [sizes.get(axis, (smallest, divisor, halo)) for axis in axes]
    least, steps, halos = (list(values) for values in zip(*by_axis, strict=True))
    tensor = {"axes": axes, "data_type": "float32", "data_range": ["-inf", "inf"]}
    same_size = {"reference_input": "input", "scale": [1] * len(axes), "offset": [0] * len(axes)}
    return (
        {"name": "input", **tensor, "shape": {"min": least, "step": steps}},
        {"name": "output", **tensor, "halo": halos, "shape": same_size},
    )
