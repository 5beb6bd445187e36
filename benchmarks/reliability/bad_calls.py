"""Calls of the library that cannot be answered."""

import zipfile
from pathlib import Path

import numpy as np

import n2v_tk
from n2v_tk.config.masked import MaskedDenoiserConfig

NAN = float("nan")
SETTINGS = {
    n2v_tk.N2VConfig: [
        {"unet_n_depth": 0}, {"unet_n_depth": 9}, {"unet_kern_size": 4}, {"unet_n_first": -1},
        {"n2v_perc_pix": 0}, {"n2v_perc_pix": 101}, {"n2v_perc_pix": NAN},
        {"n2v_patch_shape": (63, 64)}, {"n2v_patch_shape": (64,)}, {"n2v_patch_shape": "64"},
        {"n2v_manipulator": "mode"}, {"n2v_neighborhood_radius": -1},
        {"n2v_neighborhood_radius": 2**31}, {"structN2Vmask": [[1, 1]]},
        {"structN2Vmask": [[2, 0, 2]]}, {"structN2Vmask": "cross"},
        {"structN2Vmask": [[1], [1, 0]]},
        {"axes": "XY"}, {"n_dim": 4}, {"n_channel_in": 0}, {"means": [NAN], "stds": [1]},
        {"means": [1], "stds": [0]}, {"means": [1]}, {"means": [1, 2], "stds": [1, 2]},
        {"train_epochs": 0}, {"train_epochs": 1.5}, {"train_batch_size": -4},
        {"train_learning_rate": float("inf")}, {"train_schedule": "step"},
        {"train_seed": -1}, {"train_precision": "float8"}, {"train_checkpoint": "../w.h5"},
        {"train_loss": "laplace"}, {"unet_residual": True, "skip_skipone": True}, {"epochs": 3},
    ],
    n2v_tk.HQSSLConfig: [
        {"noise_model": "salt"}, {"noise_model": "camera", "noise_level": 3},
        {"noise_model": "impulse", "noise_level": 2}, {"train_patch_shape": (100, 100)},
        {"n_dim": 3}, {"impulse_range": (1, 0)},
    ],
    n2v_tk.N2NConfig: [
        {"network": "gan"}, {"probabilistic": True}, {"train_loss": "hdr"}, {"net_width": 50},
    ],
    n2v_tk.CAREConfig: [{"axes": "QX"}, {"train_patch_shape": (3, 3)}, {"unet_dropout": 1}],
    MaskedDenoiserConfig: [{"net_window": 7}, {"value_range": (1, 1)}, {"net_depths": ()}],
    n2v_tk.DIPConfig: [{"task": "colour"}, {"factor": 3}, {"down_channels": ()}, {"stop": "now"}],
}  # fmt: skip
IMAGES = {
    "NaN": np.full((8, 8), NAN), "infinity": np.full((8, 8), np.inf), "empty": np.zeros((0, 8)),
    "complex": np.zeros((8, 8), complex), "objects": np.full((8, 8), None),
    "text": np.full((8, 8), "x"), "dates": np.zeros((8, 8), "M8[s]"), "a number": np.array(3.0),
    "a line": np.zeros(8), "a volume": np.zeros((3, 8, 8)), "None": None, "a word": "image.tif",
}  # fmt: skip
ARGUMENTS = [
    {"axes": None}, {"axes": "XX"}, {"axes": "YQ"}, {"axes": "YXC"}, {"axes": ""}, {"axes": 2},
    {"n_tiles": (0, 1)}, {"n_tiles": (1,)}, {"n_tiles": "2x2"}, {"n_tiles": (1.5, 1)},
    {"n_tiles": 4}, {"dtype": "uint7"}, {"dtype": complex}, {"dtype": "same same"},
    {"precision": "float8"}, {"engine": "onnx"}, {"max_memory": "much"}, {"max_memory": -1},
    {"max_memory": "1kB"}, {"normalizer": "own"}, {"resizer": 3},
]  # fmt: skip
TRAINING = {
    "too small": np.zeros((1, 8, 8, 1), "f4"), "no axes": np.zeros((64, 64), "f4"),
    "constant": np.ones((1, 64, 64, 1), "f4"), "NaN": np.full((1, 64, 64, 1), NAN),
    "complex": np.zeros((1, 64, 64, 1), complex), "none": [], "a word": "folder",
    "two kinds": [np.zeros((1, 64, 64, 1)), np.zeros((1, 9, 64, 64, 1))],
}  # fmt: skip


def cases():
    """By group, names and calls."""
    model = _model()
    image = np.zeros((8, 8))
    _write_files()
    files = ["none.tif", "text.npy", "broken.tif", "broken.png", "pickle.npy", "image.jpg",
             "image.txt", "folder", "broken.h5", "broken.zarr", "flat.npy", ""]  # fmt: skip
    models = ["none", "folder", "text.npy", "broken.keras", "half", "foreign", "broken.zip"]
    return {
        "settings": [
            (f"{config.__name__}({settings})", lambda c=config, s=settings: c(**s))
            for config, several in SETTINGS.items()
            for settings in several
        ],
        "images to denoise": [
            (name, lambda i=image: model.predict(i, "YX")) for name, image in IMAGES.items()
        ],
        "arguments of predict": [
            (str(more), lambda m=more: model.predict(image, **{"axes": "YX", **m}))
            for more in ARGUMENTS
        ],
        "images to train on": [
            (name, lambda i=images: n2v_tk.N2VConfig(i) and n2v_tk.N2V(
                n2v_tk.N2VConfig(i), basedir=None).train(i, i, epochs=1, steps_per_epoch=1))
            for name, images in TRAINING.items()
        ],
        "image files": [(name, lambda n=name: n2v_tk.read_image(n)) for name in files],
        "model files": [(name, lambda n=name: n2v_tk.load_model(n)) for name in models],
        "exports": [
            (kind, lambda k=kind: model.export(k, "there.zip")) for kind in ("tflite", "", "fiji")
        ],
    }  # fmt: skip


def _model():
    config = n2v_tk.N2VConfig(
        unet_n_first=2, unet_n_depth=1, unet_kern_size=3, means=[0], stds=[1],
        train_precision="float32",
    )  # fmt: skip
    return n2v_tk.N2V(config, basedir=None)


def _write_files():
    Path("there.zip").write_bytes(b"")
    Path("image.txt").write_text("0 1 2")
    Path("image.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n\0\0")
    Path("broken.zip").write_bytes(b"PK\x03\x04")
    Path("broken.zarr").mkdir()
    Path("broken.zarr/zarr.json").write_text("{")
    np.save("flat.npy", np.zeros(9))
    np.save("pickle.npy", np.array([None]), allow_pickle=True)
    Path("half").mkdir()
    Path("half/config.json").write_text('{"n_dim": 2')
    Path("foreign").mkdir()
    Path("foreign/config.json").write_text('{"n2v_tk_method": "gan"}')
    with zipfile.ZipFile("broken.keras", "w") as archive:
        archive.writestr("n2v_tk.json", "{}")
