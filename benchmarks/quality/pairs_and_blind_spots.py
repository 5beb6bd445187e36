"""Noise2Void, HQ-SSL, Noise2Noise and supervised training in equal time, on small networks.

    python -m benchmarks quality pairs_and_blind_spots DATA [NAME ...] --minutes 4 --json FOLDER

DATA holds bsd68/ (train400.npz and test68.npz, uint8 grey). NAMEs choose runs; all by default.
Every run is kept in the JSON file at once and not repeated.

Grey images: train400 with normal noise of sigma 25 (numpy's default_rng([400, index]), not
clipped), scored on the middle 128 x 128 of the 68 test images (default_rng([68, index])), PSNR with
range 255, mean over images. Networks have 140,000 weights, N2V's 289,000 (narrower ones are slower
in bfloat16). The number of steps is what fits into the time, told by a first short training that is
thrown away. Time is that of the processor, by cores: other work on the machine does not count.
"""

import argparse
import json
import os
import time
from pathlib import Path

import keras
import numpy as np

from n2v_tk import HQSSL, N2N, N2V, HQSSLConfig, N2NConfig, N2VConfig, psnr

from ..common import machine
from .images import middle
from .timed import processor_seconds

SIGMA = 25.0
N2V_RECIPE = {
    "unet_kern_size": 3, "unet_n_first": 32, "train_loss": "mse", "n2v_perc_pix": 3.0,
    "train_batch_size": 32, "train_learning_rate": 1e-3, "train_schedule": "cosine",
}  # fmt: skip
HQSSL_RECIPE = {
    "net_width": 16, "train_patch_shape": (96, 96), "train_batch_size": 8,
    "train_learning_rate": 1e-3,
}  # fmt: skip
N2N_RECIPE = {
    "net_width": 18, "train_patch_shape": (96, 96), "train_batch_size": 16,
    "train_learning_rate": 1e-3,
}  # fmt: skip


def grey(folder, split, seed, draws=1):
    """Clean images and `draws` noisy versions of each, lists of (Y, X)."""
    with np.load(folder / "bsd68" / f"{split}.npz") as data:
        if split == "train400":
            clean = list(data["images"].astype(np.float32))
        else:
            clean = [data[name].astype(np.float32) for name in sorted(data.files)]
    noisy = []
    for index, image in enumerate(clean):
        rng = np.random.default_rng([seed, index])
        noise = rng.standard_normal((draws, *image.shape))
        noisy.append((image + SIGMA * noise).astype(np.float32))
    return clean, noisy


def timed(model_class, config, train, minutes):
    """A model trained for some minutes, and its number of steps."""
    trial = model_class(config, basedir=None)
    times = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = processor_seconds()

        def on_epoch_end(self, epoch, logs=None):
            times.append(processor_seconds() - self.start)

    trial.prepare_for_training()
    trial.callbacks.append(Clock())
    train(trial, 3, 20)
    steps = max(50, int(minutes * 60 / (min(times[1:]) / 20)))
    epochs = max(1, steps // 100)
    model = model_class(config, basedir=None)
    start = processor_seconds()
    train(model, epochs, 100)
    return model, epochs * 100, processor_seconds() - start


def parameters(model):
    return int(sum(np.prod(v.shape) for v in model.keras_model.trainable_variables))


def on_grey(name, folder, minutes):
    clean, noisy = grey(folder, "train400", 400, draws=2)
    X = np.stack([n[0] for n in noisy])[..., None]
    Y = np.stack([n[1] for n in noisy])[..., None]
    C = np.stack(clean)[..., None]
    seed = {"train_seed": 0, "train_keep": "last"}
    if name == "n2v":
        config = N2VConfig(X, **N2V_RECIPE, **seed)
        run = timed(N2V, config, lambda m, e, s: m.train(X, None, e, s, verbose=0), minutes)
    elif name.startswith("hqssl"):
        level = {"hqssl known": SIGMA, "hqssl learned": None}[name]
        config = HQSSLConfig(X, noise_level=level, **HQSSL_RECIPE, **seed)
        run = timed(HQSSL, config, lambda m, e, s: m.train(X, None, e, s, verbose=0), minutes)
    else:
        target = {"n2n": Y, "supervised": C}[name]
        config = N2NConfig(X, **N2N_RECIPE, **seed)
        run = timed(N2N, config, lambda m, e, s: m.train(X, target, None, e, s, verbose=0), minutes)
    model, steps, seconds = run
    scores = {}
    for truth, image in zip(*grey(folder, "test68", 68), strict=True):
        truth, image = middle(truth), middle(image[0])
        results = {"psnr": model.predict(image, "YX")}
        if name.startswith("hqssl"):
            both = model.predict(image, "YX", output="all")
            results = {"posterior": both["posterior_mean"], "prior": both["prior_mean"]}
        for key, result in {**results, "noisy": image}.items():
            scores.setdefault(key, []).append(psnr(truth, result, 255.0))
    found = {key: float(np.mean(values)) for key, values in scores.items()}
    if name == "hqssl learned":
        found["learned sigma"] = model.noise_level()["sigma"]
    return {**found, "steps": steps, "seconds": seconds, "weights": parameters(model)}


RUNS = dict.fromkeys(("n2v", "hqssl known", "hqssl learned", "n2n", "supervised"), on_grey)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=list(RUNS))
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    done = {}
    if args.json and args.json.exists():
        done = json.loads(args.json.read_text())
    for name in args.names:
        if name not in done:
            done[name] = RUNS[name](name, args.data, args.minutes)
            done[name] |= {
                "minutes": args.minutes,
                "machine": machine(),
                "cores used": len(os.sched_getaffinity(0)),
                "date": time.strftime("%Y-%m-%d"),
            }
            if args.json:
                args.json.write_text(json.dumps(done, indent=1))
        print(name, {k: v for k, v in done[name].items() if k != "machine"}, flush=True)


if __name__ == "__main__":
    main()
