"""Models trained here, opened by the genuine n2v 0.3.3 on TensorFlow 2.15.

    benchmarks/peers/check_models_go_back.sh FOLDER

makes its environment in FOLDER and runs this. For every option that both know, a small model is
trained, saved, and applied to one image by either; the largest difference in standard deviations
of the result must be below 1e-4.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.errors import CompatibilityWarning

from .common import arguments, in_process, report

TOLERANCE = 1e-4
LINE = [[1, 1, 1, 1, 0, 1, 1, 1, 1]]
CASES = {
    "2D": ("YX", {}),
    "2D, kernel 3, mse": ("YX", {"unet_kern_size": 3, "train_loss": "mse"}),
    "2D, depth 3": ("YX", {"unet_n_depth": 3, "unet_kern_size": 3}),
    "2D, no batch norm": ("YX", {"batch_norm": False}),
    "2D, residual": ("YX", {"unet_residual": True}),
    "2D, last activation": ("YX", {"unet_last_activation": "relu"}),
    "2D, dropout": ("YX", {"unet_dropout": 0.2}),
    "2D, bfloat16": ("YX", {"train_precision": "mixed_bfloat16"}),
    "2D, cosine, average": ("YX", {"train_schedule": "cosine", "train_ema": 0.9}),
    "structN2V": ("YX", {"structN2Vmask": LINE}),
    "N2V2": ("YX", {"blurpool": True, "skip_skipone": True, "n2v_manipulator": "median"}),
    "RGB, one network": ("YXC", {"single_net_per_channel": False}),
    "3D": ("ZYX", {"n2v_patch_shape": (8, 32, 32), "train_batch_size": 2}),
}


def train(axes, settings, folder):
    """A model trained for a moment, and an image for it."""
    rng = np.random.default_rng(0)
    shape = {"YX": (2, 93, 110, 1), "YXC": (2, 93, 110, 3), "ZYX": (1, 14, 50, 61, 1)}[axes]
    y, x = np.mgrid[: shape[-3], : shape[-2]][..., None] / 7
    X = (100 + 60 * np.sin(x) * np.cos(y) + rng.normal(0, 20, shape)).astype(np.float32)
    defaults = {
        "unet_n_first": 8, "n2v_patch_shape": (32, 32), "train_epochs": 2,
        "train_steps_per_epoch": 10, "train_batch_size": 8, "train_learning_rate": 2e-3,
        "train_seed": 1,
    }  # fmt: skip
    model = N2V(N2VConfig(X, **{**defaults, **settings}), folder.name, folder.parent)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CompatibilityWarning)
        model.train(X, X, verbose=0)
    return X[0] if "C" in axes else X[0, ..., 0]


def main():
    parser = arguments(__doc__, ["n2v"])
    args = parser.parse_args()
    if not args.n2v_python:
        parser.error("--n2v-python is needed; benchmarks/peers/check_models_go_back.sh gives it")
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory() as base:
        for number, (name, (axes, settings)) in enumerate(CASES.items()):
            folder = Path(base, f"model_{number}")
            image = train(axes, settings, folder)
            np.save(folder / "input.npy", image)
            target = folder / "theirs.npz"
            in_process(
                args.n2v_python, "peers/predict_n2v.py", folder, folder / "input.npy", axes, target
            )
            theirs = np.load(target)
            model = N2V(None, folder.name, folder.parent)
            difference = 0.0
            for file in ("best", "last"):
                model.load_weights(f"weights_{file}.h5")
                ours = model.predict(image, axes, precision="float32")
                difference = max(difference, float(np.abs(ours - theirs[file]).max() / ours.std()))
            rows.append((name, difference))
            worst = max(worst, difference)
    report("Models that go back", ("model", "largest difference / std"), rows, args)
    print(f"largest of all: {worst:.1e}, allowed: {TOLERANCE:.0e}")
    return int(worst >= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
