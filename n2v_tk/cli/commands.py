"""What the commands do."""

from __future__ import annotations

import time
from pathlib import Path

from ..config.files import holds_model
from ..config.masked import refuse_without_clean_images
from ..config.n2v import refuse_without_posterior
from ..errors import ConfigError, N2VTKError, OutputExistsError
from ..io import check_format, check_writable, read_image, write_image
from ..normalization import result_dtype
from .device import start_backend
from .files import find_inputs, plan_outputs, read_all
from .text import numbers, say
from .training import free_folder, make_model, refuse_single_frames, stacks_of, train_model


def denoise(
    console, inputs, output, axes, training, tta, posterior, dtype, save_model, device, overwrite
) -> None:
    """Train on images, then write them denoised."""
    refuse_without_clean_images(training["method"])
    paths = find_inputs(inputs)
    targets = plan_outputs(paths, output, overwrite)
    if posterior:
        refuse_without_posterior(training["method"], _any_store(targets))
    images = read_all(paths, axes)
    dtypes = _result_dtypes(images, targets, dtype)
    if save_model is not None:
        _check_model_folder(save_model, overwrite)
    if posterior:
        from ..models.one_call import refuse_untold_noise

        # planes tell it, in volumes too
        stacks, level = stacks_of(images, 2), training["settings"].get("noise_level")
        refuse_untold_noise(stacks, training["method"], level)
    model = make_model(images, training, save_model, device)
    rescue = save_model or free_folder(targets[0].with_suffix("").with_suffix(""))
    train_model(console, model, images, rescue, devices=training["devices"])
    try:
        options = {"tta": tta} | ({"output": "posterior"} if posterior else {})
        _write_predictions(console, model, images, targets, dtypes, overwrite, **options)
    except (N2VTKError, SystemExit, KeyboardInterrupt):
        if save_model is None:
            model.save(rescue)
        say(console, f"The trained model is in {rescue}. Go on with n2v-tk predict -m {rescue}.")
        raise
    if save_model is not None:
        say(console, f"The model is in {save_model}.")


def train(
    console, inputs, output, axes, training, device, overwrite, pairs=None, resume=False
) -> None:
    """Train a model on images and keep it in a folder."""
    paths = find_inputs(inputs)
    images = read_all(paths, axes)
    targets = None
    if pairs:
        if training["method"] != "n2n":
            raise ConfigError(
                f"--pairs are for --method n2n. Received: --method {training['method']}."
            )
        target_paths = find_inputs(pairs)
        if len(target_paths) != len(paths):
            raise ConfigError(
                f"Every image needs one pair. Received: {len(paths)} image(s) and "
                f"{len(target_paths)} pair(s)."
            )
        targets = read_all(target_paths, axes)
    elif training["method"] == "n2n":
        refuse_single_frames(images)
    if resume and overwrite:
        raise ConfigError(
            "A training is gone on with, or replaced. Received: --resume and --overwrite. Leave "
            "one of them out."
        )
    if not resume:
        _check_model_folder(output, overwrite)
    check_writable(output)
    model = make_model(images, training, output, device, resume)
    train_model(console, model, images, output, targets, training["devices"], resume)
    say(console, f"The model is in {output}. Use it: n2v-tk predict IN... -m {output} -o OUT")


def predict(
    console, inputs, folder, output, axes, weights, n_tiles, tta, posterior, dtype, running, stores,
    device, overwrite,
) -> None:  # fmt: skip
    """Denoise images with a trained model."""
    paths = find_inputs(inputs)
    targets = plan_outputs(paths, output, overwrite)
    large = _any_store(targets)
    _check_store_options(stores, large)
    images = read_all(paths, axes)
    dtypes = _result_dtypes(images, targets, dtype)
    tiles = None if n_tiles is None else numbers(n_tiles, "--n-tiles")
    running = {name: value for name, value in running.items() if value is not None}
    if folder.startswith("grpc:"):
        _refuse_for_server(
            weights=weights, tta=tta, posterior=posterior, device=device,
            precision=running.get("precision"),
            engine=running["engine"] != "keras", max_memory=running.get("max_memory"), zarr=large,
        )  # fmt: skip
        from ..export.client import ServedModel

        model, options = ServedModel(folder), {}
    else:
        start_backend(device)
        from ..models.loading import load_model

        model, options = load_model(folder, weights), {"tta": tta, **running}
        if posterior:
            refuse_without_posterior(model.config.method, large)
            options["output"] = "posterior"
    if large and tiles is not None:
        raise ConfigError(
            f"Blocks of .zarr results are chosen by --max-memory. Received: --n-tiles {n_tiles}."
        )
    for image, target in zip(images, targets, strict=True):
        model.check(image.data, image.axes, tiles, look=target.suffix != ".zarr")
    for path, image, target, of_result in zip(paths, images, targets, dtypes, strict=True):
        if target.suffix == ".zarr":
            more = {**options, "dtype": of_result, "overwrite": overwrite}
            write_store(console, model, path, target, axes, stores, more)
        else:
            _write_predictions(
                console, model, [image], [target], [of_result], overwrite, n_tiles=tiles, **options
            )


def write_store(console, model, source, target, axes, stores, options) -> None:
    """Denoise an image into an OME-Zarr store, block by block, here or on a cluster."""
    from .progress import block_progress

    options = {**options, "version": stores.get("version")}
    if stores.get("chunks") is not None:
        options["chunks"] = numbers(stores["chunks"], "--chunks")
    if stores.get("scheduler") is not None:
        from ..models.on_cluster import connect

        options["client"] = connect(stores["scheduler"])
    started = time.monotonic()
    try:
        with block_progress(console, target.name) as progress:
            model.predict_large(source, target, axes, progress=progress, **options)
    except KeyboardInterrupt:
        say(console, f"Stopped. Repeat the command to go on: what is done is in {target}.partial.")
        raise SystemExit(130) from None
    finally:
        if "client" in options:
            options["client"].close()
    say(console, f"{target}  ({time.monotonic() - started:.1f} s)")


def _any_store(targets):
    return any(target.suffix == ".zarr" for target in targets)


def _check_store_options(stores, large):
    given = [name for name, value in stores.items() if value is not None]
    names = {"version": "ome-zarr"}
    if given and not large:
        raise ConfigError(
            "Chunks, the version of OME-Zarr and a scheduler are for results that end in .zarr. "
            f"Received: {', '.join('--' + names.get(name, name) for name in given)}. Let the "
            "output end in .zarr."
        )


def export(console, source, kind, target, weights, given, test_image, overwrite) -> None:
    """Hand a model to another program."""
    from inspect import signature

    start_backend(None)
    from ..export import exporter

    options = {name: value for name, value in given.items() if value is not None}
    if test_image is not None:
        options["test_image"] = read_image(test_image)
    unfit = sorted(options.keys() - signature(exporter(kind)).parameters.keys())
    if unfit:
        raise ConfigError(
            f"--to {kind} does not take every option. Received: "
            f"{', '.join('--' + name.rstrip('s').replace('_', '-') for name in unfit)}."
        )
    if test_image is not None:
        image = options["test_image"]
        options |= {"test_image": image.data, "axes": image.axes}
    from ..models.loading import load_model

    model = load_model(source, weights)
    say(console, f"The model is in {model.export(kind, target, overwrite, **options)}.")


def convert(console, source: Path, target: Path, overwrite: bool) -> None:
    """Copy a model into one file or a fresh folder."""
    if target.suffix == ".keras":
        if target.exists() and not overwrite:
            raise OutputExistsError(
                f"The file is there already. Received: {target}. Choose another name, or replace "
                "it with --overwrite."
            )
        check_writable(target.parent)
    else:
        _check_model_folder(target, overwrite)
    start_backend(None)
    from ..models.loading import load_model

    load_model(source).save(target)
    say(console, f"The model is in {target}. Use it: n2v-tk predict IN... -m {target} -o OUT")


def _refuse_for_server(**options):
    given = [name for name, value in options.items() if value]
    if given:
        raise ConfigError(
            "A model on a server is what was exported to it. Received: "
            f"{', '.join('--' + name.replace('_', '-') for name in given)}. Leave that out, or "
            "predict with the model folder."
        )


def _write_predictions(console, model, images, targets, dtypes, overwrite, **options) -> None:
    for image, target, dtype in zip(images, targets, dtypes, strict=True):
        if target.suffix == ".zarr":
            more = {**options, "dtype": dtype, "overwrite": overwrite}
            write_store(console, model, image, target, None, {}, more)
            continue
        started = time.monotonic()
        result = model.predict(image.data, image.axes, dtype=dtype, **options)
        write_image(target, image.like(result), overwrite)
        say(console, f"{target}  ({time.monotonic() - started:.1f} s)")


def _check_model_folder(folder: Path, overwrite: bool) -> None:
    if holds_model(folder) and not overwrite:
        raise OutputExistsError(
            f"There is a model in the folder already. Received: {folder}. Choose another folder, "
            "or replace it with --overwrite."
        )
    check_writable(folder)


def _result_dtypes(images, targets, dtype):
    """Type of each result, checked against the format of its file."""
    dtypes = []
    for image, target in zip(images, targets, strict=True):
        wanted = dtype or ("same" if target.suffix.lower() == ".png" else None)
        dtypes.append(result_dtype(wanted, image.data.dtype))
        check_format(target, dtypes[-1], image.axes, image.data.shape)
    return dtypes


def value_range(text: str | None) -> tuple[float, ...] | None:
    """Two numbers with a comma between them."""
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != 2:
        raise ConfigError(f"--value-range must be LOW,HIGH. Received: {text!r}.")
    return found
