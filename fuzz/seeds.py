"""What fuzzing begins with, made here so that it follows the formats and weighs nothing in git."""

from __future__ import annotations

import io
import json
import random
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

LEGACY = Path(__file__).parents[1] / "tests" / "data" / "legacy"
# values that settings do not expect
ODD = [
    None, True, 0, 1, 2, 3, 5, -1, 7.5, 1e-300, 1e308, float("nan"), float("inf"), 2**31, 2**63,
    10**30, 10**400, "", "1", "nan", "../x", "weights_best.h5", "\0", [], {}, [[]], [1, "a"],
    [[1, 1, 0, 1, 1]], [[1], [1, 1]], [0.1, 0.9], [1, 1], [64, 64], [2, 2, 2], [None, None, 1],
    [[[[[[]]]]]], {"factor": 0.5}, {"a": {"b": []}}, [0] * 300, "uniform_withCP", "median",
    "laplace", "unet", "best", "none", "ZYXC", "SYXC", 16, 32, 64, 1000, 10**6,
]  # fmt: skip


def config() -> Iterator[bytes]:
    """Settings of every method, and of old folders."""
    from fuzz.targets import METHODS
    from n2v_tk.config.dip import DIPConfig
    from n2v_tk.config.reading import CONFIGS

    for number, method in enumerate(METHODS):
        for settings in ({}, {"means": ["1"], "stds": ["2"]}):
            if method == "dip":
                data = DIPConfig().to_json()
            elif method in CONFIGS:
                data = CONFIGS[method](**settings).to_json()
            else:
                data = json.loads((LEGACY / "n2v2" / "config.json").read_text())
            yield bytes([number]) + json.dumps(data).encode()
    for path in sorted(LEGACY.glob("*/config.json")):
        yield bytes([len(METHODS) - 1]) + path.read_bytes()


def keras() -> Iterator[bytes]:
    """A tiny model as a file, and its parts."""
    from fuzz.targets import MARK

    with tempfile.TemporaryDirectory() as folder:
        path = _tiny_model(Path(folder, "model.keras"))
        yield path.read_bytes()
        with zipfile.ZipFile(path) as file:
            names = ("n2v_tk.json", "model.weights.h5", "training.json")
            yield MARK.join(file.read(name) for name in names)


def package() -> Iterator[bytes]:
    """A package with a .keras file, and the parts of one of n2v."""
    from fuzz.targets import MARK

    with tempfile.TemporaryDirectory() as folder:
        path = _tiny_model(Path(folder, "model.keras"))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.write(path, "weights.keras")
        yield packed.getvalue()
    with zipfile.ZipFile(LEGACY / "n2v2d_plain" / "n2v2d_plain.bioimage.io.zip") as file:
        settings, bundle = file.read("config.json"), file.read("tf_model.zip")
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        index = file.read("variables/variables.index")
        data = file.read("variables/variables.data-00000-of-00001")
    yield MARK.join([settings, index, data])


def tiff() -> Iterator[bytes]:
    """Flavours and compressions."""
    import tifffile

    def written(shape, dtype="uint16", **options):
        memory = io.BytesIO()
        values = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
        tifffile.imwrite(memory, values, **options)
        return memory.getvalue()

    yield written((4, 5))
    yield written((2, 4, 5), imagej=True, metadata={"axes": "TYX", "finterval": 2.0, "unit": "um"})
    yield written((2, 3, 4, 5), ome=True, metadata={"axes": "TZYX", "PhysicalSizeX": 0.5})
    yield written((4, 5, 3), "uint8", photometric="rgb", compression="zlib", predictor=True)
    yield written((3, 16, 16), compression="lzw", tile=(16, 16))
    yield written((16, 16), "float32", compression="zstd", bigtiff=True)
    yield written((2, 4, 5), "uint8", metadata={"axes": "ZYX"}, compression="packbits")
    yield written((2, 4, 4), "uint8", compression="lzma", photometric="minisblack")


def picture() -> Iterator[bytes]:
    """PNG, JPEG and NPY."""
    import imagecodecs

    grey = np.arange(30, dtype="uint8").reshape(5, 6)
    for values in (grey, np.stack([grey] * 3, -1), np.stack([grey] * 4, -1), grey.astype("u2")):
        yield imagecodecs.png_encode(values)
    yield imagecodecs.jpeg8_encode(grey)
    yield imagecodecs.jpeg8_encode(np.stack([grey] * 3, -1))
    for values in (grey, grey.astype("f4").T):
        memory = io.BytesIO()
        np.save(memory, values)
        yield memory.getvalue()


def hdf5() -> Iterator[bytes]:
    """Data sets in one piece, in chunks, linked, virtual."""
    import h5py

    for kind in ("plain", "chunks", "links"):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            options = {"chunks": (2, 3), "compression": "gzip"} if kind == "chunks" else {}
            made = file.create_dataset("a/b", data=np.ones((4, 6), "u2"), **options)
            for dimension, label in zip(made.dims, "yx", strict=True):
                dimension.label = label
            if kind == "links":
                file["c"] = h5py.SoftLink("/a/b")
                file["d"] = h5py.ExternalLink("other.h5", "/a")
                del file["a"]
                layout = h5py.VirtualLayout((4, 6), "u2")
                layout[:] = h5py.VirtualSource(".", "c", (4, 6))
                file.create_virtual_dataset("v", layout)
        yield memory.getvalue()


def change_setting(data: bytes, rng: random.Random) -> bytes | None:
    """One setting of a config replaced by an odd value, or taken away."""
    try:
        settings = json.loads(data[1:])
        if not isinstance(settings, dict):
            return None
        name = rng.choice([*settings, "means", "structN2Vmask", "unet_input_shape"])
    except (ValueError, TypeError, IndexError, RecursionError):
        return None
    if rng.random() < 0.1:
        settings.pop(name, None)
    elif rng.random() < 0.3 and isinstance(settings.get(name), list) and settings[name]:
        settings[name][rng.randrange(len(settings[name]))] = rng.choice(ODD)
    else:
        settings[name] = rng.choice(ODD)
    first = rng.randrange(256) if rng.random() < 0.1 else data[0]
    try:
        return bytes([first]) + json.dumps(settings).encode()
    except ValueError:  # a number of thousands of digits
        return None


def change_part(data: bytes, rng: random.Random) -> bytes | None:
    """One setting of the first part of an archive replaced."""
    from fuzz.targets import MARK

    first, mark, rest = data.partition(MARK)
    changed = change_setting(b"\0" + first, rng) if mark else None
    return None if changed is None else changed[1:] + mark + rest


def _tiny_model(path):
    from n2v_tk import N2V, N2VConfig

    settings = N2VConfig(
        unet_n_depth=1, unet_n_first=1, unet_kern_size=1, batch_norm=False, means=[0], stds=[1]
    )
    model = N2V(settings, basedir=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    f.__name__: f for f in (config, keras, package, tiff, picture, hdf5)
}
MUTATE = {"config": change_setting, "keras": change_part, "package": change_part}
WORDS = {
    "config": ["null", "true", "NaN", "-Infinity", "1e999", "[[", "{}", "unet_n_depth"],
    "keras": ["external", "vars", "layers", "PK\3\4", "PK\1\2", "PK\5\6", "PK\6\7"],
    "package": ["PK\3\4", "PK\1\2", "PK\5\6", "PK\6\7", "weights.keras", "../"],
    "tiff": ["<OME", "SizeT=", 'FileName="', "ImageJ=", "images=", '{"shape": [', "PlaneCount="],
    "picture": ["IHDR", "IDAT", "NUMPY", "'descr'", "'shape'", "PLTE", "tRNS"],
    "hdf5": ["OHDR", "TREE", "SNOD", "HEAP"],
}
