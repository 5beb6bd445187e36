"""`n2v-tk info`: what a model or an image file is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..config import DenoiserConfig
from ..config.files import weight_files
from ..config.reading import load_config
from ..io import is_in_store, read_image
from ..lazy import LazyArray
from ..normalization import check_image


def info(path: Path, axes: str | None) -> None:
    """Say what a model is and how it was trained, or what is in an image file."""
    table = Table(show_header=False, box=None)
    is_model = (path.is_dir() or path.suffix == ".keras") and not is_in_store(path)
    for name, text in _model_rows(path) if is_model else _image_rows(path, axes):
        table.add_row(name, text)
    Console().print(table, highlight=False)


def _model_rows(path):
    config = load_config(path)
    yield "model", describe(config)
    yield "made with", config.made_with
    yield "channels", f"{config.n_channel_in} in, {config.n_channel_out} out, axes {config.axes}"
    yield "network", _network(config)
    yield "trained", _training(config)
    yield "normalisation", _normalization(config)
    if path.is_dir():
        yield "weights", ", ".join(p.name for p in weight_files(path)) or "none"
    reasons = config.strange_to_predecessor()
    if reasons:
        yield "only n2v_tk", f"{config.predecessor} cannot predict with {'; '.join(reasons)}"
    if getattr(config, "channel_wiring", "own") == "last":
        yield (
            "warning",
            f"every network of it reads channel {config.n_channel_in - 1} (the last) only: train "
            "it again",
        )
    yield "", ""
    yield from ((name, str(value)) for name, value in config)


def _network(config):
    if config.method == "hqssl":
        return f"blind-spot network, {config.net_width} filters in the encoder"
    if config.method == "masked":
        groups = " + ".join(str(depth) for depth in config.net_depths)
        return f"transformer, {groups} layers, {config.net_width} features, windows of " + (
            f"{config.net_window} pixels"
        )
    if config.method == "n2n" and config.network == "n2n":
        return f"Noise2Noise's, {config.net_width} filters in the encoder"
    norm = ", batch normalisation" if config.batch_norm else ""
    return (
        f"U-Net of depth {config.unet_n_depth}, kernel {config.unet_kern_size}, "
        f"{config.unet_n_first} filters at the top{norm}"
    )


def describe(config: DenoiserConfig) -> str:
    """The method and its variant in a few words."""
    dimensions = f"{config.n_dim}D"
    probabilistic = ", probabilistic" if getattr(config, "probabilistic", False) else ""
    if config.method == "hqssl":
        level = "learned" if config.noise_level is None else config.noise_level
        return f"HQ-SSL, {dimensions}, {config.noise_model} noise, level {level}"
    if config.method == "masked":
        low, high = config.input_mask or (0, 0)
        return (
            f"masked training, {dimensions}, {100 * low:g} to {100 * high:g} % of the pixels and "
            f"{100 * config.attention_mask:g} % of the tokens hidden"
        )
    if config.method == "r2r":
        level = "estimated" if config.noise_level is None else config.noise_level
        return f"R2R, {dimensions}, noise {level}"
    if config.method != "n2v":
        return f"{config.method.upper()}, {dimensions}{probabilistic}"
    name = "N2V2" if config.blurpool and config.skip_skipone else "N2V"
    struct = "struct" if config.structN2Vmask else ""
    per_channel = config.single_net_per_channel and config.n_channel_in > 1
    networks = ", one network per channel" if per_channel else ""
    return f"{struct}{name}, {dimensions}{networks}{probabilistic}"


def _training(config):
    loss = getattr(config, "train_loss", "likelihood")
    loss = f"loss {loss}, learning rate {config.train_learning_rate:g}"
    text = (
        f"{config.train_epochs} epochs of {config.train_steps_per_epoch} steps, batches of "
        f"{config.train_batch_size}, {loss}"
    )
    if config.method == "n2v":
        patch = " × ".join(str(side) for side in config.n2v_patch_shape)
        text += (
            f", patches of {patch}, {config.n2v_perc_pix:g} % blind spots by "
            f"{config.n2v_manipulator} within {config.n2v_neighborhood_radius} pixels"
        )
    return text


def _normalization(config):
    if config.normalization == "dataset" and config.means is not None:
        pairs = zip(config.means, config.stds, strict=True)
        values = "; ".join(f"mean {float(m):.6g}, std {float(s):.6g}" for m, s in pairs)
        return f"of the training images: {values}"
    return {
        "image": "mean and standard deviation of each image",
        "percentile": "percentiles of each image brought to 0 and 1",
        "none": "none",
        "dataset": "of the training images, not known yet",
    }[config.normalization]


def _image_rows(path, axes):
    image = read_image(path, axes)
    data = image.data
    yield "shape", " × ".join(str(s) for s in data.shape)
    yield "axes", image.axes
    yield "dtype", str(data.dtype)
    if not isinstance(data, LazyArray):  # of others only what the file says: they may be large
        check_image(data)
        yield "range", f"{data.min()} to {data.max()}"
        yield "mean, std", f"{data.mean(dtype=float):.6g}, {data.std(dtype=float):.6g}"
    else:
        yield "chunks", " × ".join(str(s) for s in data.chunks)
    sizes = [f"{a} {s:.6g} {'s' if a == 'T' else image.unit}" for a, s in image.pixel_sizes.items()]
    yield "pixel", ", ".join(sizes) or "size unknown"
