"""What is fuzzed: functions of bytes that may raise errors of n2v_tk, and nothing else."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from n2v_tk.config.dip import DIPConfig
from n2v_tk.config.files import parse_config
from n2v_tk.config.reading import CONFIGS, load_config
from n2v_tk.errors import N2VTKError
from n2v_tk.io import read_image, write_image

METHODS = [*CONFIGS, "dip", "", "none"]
# parts of an archive are put together here, so that changes of them keep its checksums right
MARK = b"\0--\0"
_FOLDER = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
_PLACE = Path(_FOLDER.name)
_KNOWN: dict = {}
# larger images are not unpacked
_LARGEST = 2**24


def config(data: bytes) -> None:
    """A config.json, of the method that the first byte says."""
    method = METHODS[data[0] % len(METHODS)] if data else ""
    path = _PLACE / "config.json"
    try:
        settings = parse_config(data[1:])
        if method:
            settings["n2v_tk_method"] = method
        made = (DIPConfig if method == "dip" else CONFIGS.get(method, CONFIGS["n2v"])).from_json(
            settings, path
        )
    except (N2VTKError, ValueError) as error:
        if not isinstance(error, N2VTKError) and "parse_config" not in _raised_by(error):
            raise
        path.write_bytes(data[1:])
        with contextlib.suppress(N2VTKError):
            load_config(_PLACE)
        return
    made._repr_html_()
    made.strange_to_predecessor()
    made.save(path)
    again = type(made).load(path)
    # a number that is none equals nothing
    assert again == made or "nan" in path.read_text().lower()


def keras(data: bytes) -> None:
    """A .keras file: as it is, or settings, weights and record to put into one."""
    from keras.backend import clear_session

    from n2v_tk.models import loading

    path = _PLACE / "model.keras"
    _write_zip(path, data, ("n2v_tk.json", "model.weights.h5", "training.json"))
    with contextlib.suppress(N2VTKError):
        settings = load_config(path).to_json()
        if settings == _KNOWN.get("settings"):
            # making the network anew takes ten times as long as all else
            loading._load_from_keras_file(_KNOWN["network"], path)
            repr(loading._record_in(path).curves())
            return
        clear_session()
        model = loading.load_model(path)
        _KNOWN.setdefault("settings", settings)
        _KNOWN.setdefault("network", model.keras_model)
        repr(model.record.curves())


def package(data: bytes) -> None:
    """A package of bioimage.io: as it is, or the parts of one of n2v."""
    from keras.backend import clear_session

    from n2v_tk.models.loading import load_model

    path = _PLACE / "package.zip"
    parts = data.split(MARK)
    if len(parts) == 3:
        bundle = _PLACE / "tf_model.zip"
        names = ("variables/variables.index", "variables/variables.data-00000-of-00001")
        _write_zip(bundle, MARK.join(parts[1:]), names)
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("config.json", parts[0])
            file.write(bundle, "tf_model.zip")
    else:
        path.write_bytes(data)
    with contextlib.suppress(N2VTKError):
        load_model(path)
    clear_session()


def tiff(data: bytes) -> None:
    """A TIFF: read, unpacked, and written again with what it says of itself."""
    image = _read("image.tif", data)
    if image is not None:
        try:
            write_image(_PLACE / "copy.ome.tif", image, overwrite=True)
            write_image(_PLACE / "copy.tif", image, overwrite=True)
        except N2VTKError:
            pass


def picture(data: bytes) -> None:
    """A PNG, JPEG or NPY file, told by how it begins."""
    name = {b"\x89P": "image.png", b"\xff\xd8": "image.jpg"}.get(data[:2], "image.npy")
    _read(name, data)


def hdf5(data: bytes) -> None:
    """An HDF5 file."""
    _read("image.h5", data)


def _read(name, data):
    path = _PLACE / name
    path.unlink(missing_ok=True)  # it may be mapped still
    path.write_bytes(data)
    try:
        image = read_image(path, lossy=True)
        if image.data.nbytes > _LARGEST:
            return None
        return image.like(np.asarray(image.data))
    except N2VTKError:
        return None


def _write_zip(path, data, names):
    parts = data.split(MARK)
    if len(parts) == 1:
        path.write_bytes(data)
        return
    with zipfile.ZipFile(path, "w") as file:
        for name, part in zip(names, parts, strict=False):
            file.writestr(name, part)


def _raised_by(error):
    names, trace = [], error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return names


TARGETS = {f.__name__: f for f in (config, keras, package, tiff, picture, hdf5)}
