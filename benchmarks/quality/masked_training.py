"""Masked training beside the same network without masks, on noise that neither was trained on.

    python -m benchmarks quality masked_training DATA --steps 1500 --json FOLDER --pictures OUT

DATA holds bsd68/ (train400.npz and test68.npz, uint8 grey). All models are trained on train400
with normal noise of sigma 15, clipped, for the same number of steps, and scored on the middle
96 x 96 of 24 test images: PSNR with range 255, noisy images clipped. Networks are small: two
groups of two layers, 24 features.
"""

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path

import numpy as np

from n2v_tk import MaskedDenoiser, MaskedDenoiserConfig, evaluate_generalisation
from n2v_tk.data.noise import Gaussian, Poisson, SaltAndPepper, Speckle
from n2v_tk.data.structured_noise import Correlated

from ..common import machine
from .images import middle

SETTINGS = {
    "net_width": 24, "net_heads": 3, "net_depths": (2, 2), "train_patch_shape": (48, 48),
    "train_batch_size": 8, "train_learning_rate": 1e-3, "train_seed": 0, "noise_sigma": 15.0,
    "value_range": (0, 255), "train_ema": 0.99,
}  # fmt: skip
NOISES = {
    "gaussian (trained: 15)": [Gaussian(s) for s in (15.0, 25.0, 40.0, 60.0)],
    "speckle": [Speckle(s) for s in (0.15, 0.3, 0.5)],
    "salt and pepper": [SaltAndPepper(p, 0, 255) for p in (0.02, 0.05, 0.1)],
    "correlated": [Correlated(s) for s in (15.0, 30.0, 50.0)],
    "poisson": [Poisson(lam) for lam in (0.5, 0.2, 0.1)],
}
VARIANTS = {
    "not masked": MaskedDenoiserConfig.unmasked,
    "0 to 90 %": MaskedDenoiserConfig,
    "80 to 90 %": partial(MaskedDenoiserConfig, input_mask=(0.8, 0.9)),
}
CROP, IMAGES = 96, 24


def crops(folder):
    with np.load(folder / "bsd68" / "test68.npz") as data:
        for name in sorted(data.files)[:IMAGES]:
            image = data[name].astype(np.float32)
            yield middle(image, CROP)


def train(X, steps, make_config):
    model = MaskedDenoiser(make_config(X, **SETTINGS), basedir=None)
    start = time.perf_counter()
    history = model.train(X, epochs=steps // 100, steps_per_epoch=100, verbose=0)
    return model, {
        "steps": steps, "seconds": time.perf_counter() - start, "loss": history.history["loss"],
    }  # fmt: skip


def without_local_means(model):
    """The same weights, results as the network makes them."""
    config = model.config.model_copy(update={"local_means": None})
    other = MaskedDenoiser(config, basedir=None)
    other.keras_model.set_weights(model.keras_model.get_weights())
    return other


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    with np.load(args.data / "bsd68" / "train400.npz") as data:
        X = data["images"][..., None]
    models, runs = {}, {}
    for name, make_config in VARIANTS.items():
        models[name], runs[name] = train(X, args.steps, make_config)
        print(name, runs[name]["seconds"], runs[name]["loss"][-1], flush=True)
        if models[name].config.local_means is not None:
            models[f"{name}, no local means"] = without_local_means(models[name])
    images = list(crops(args.data))
    found = evaluate_generalisation(models, images, NOISES, "YX", data_range=255.0, clip=(0, 255))
    print(found)
    if args.json:
        report = {
            "rows": found.rows, "runs": runs,
            "machine": machine(), "cores used": len(os.sched_getaffinity(0)),
            "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        args.json.write_text(json.dumps(report, indent=1))
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        found.plot().savefig(args.pictures / "generalisation.png", dpi=120)
        from n2v_tk.plot import strip

        shown = {}
        for kind, noises in NOISES.items():
            noisy = np.clip(
                noises[1](images[3][None, ..., None], np.random.default_rng(0))[0, ..., 0], 0, 255
            )
            shown[kind] = noisy
            for name, model in models.items():
                shown[f"{kind}, {name}"] = model.predict(noisy, "YX")
        strip({"clean": images[3], **shown}, "YX", columns=4).savefig(
            args.pictures / "masked.png", dpi=120
        )


if __name__ == "__main__":
    main()
