"""Masked training beside the same network without masks, on noise that neither was trained on.

    python -m benchmarks quality masked_training DATA [--variants NAME ...] [--seeds 0]
        [--steps 1500] [--pictures FOLDER] [--json FOLDER]

Trains on the clean images of Train400 but the last 40, with normal noise of sigma 15, clipped, for
the same number of steps. What masks there are, and whether results have the local means of the
noisy image, is compared on the middle 96 x 96 of 24 of those 40 ('held out'). Of the test images of
BSD68 as many judge ('test'), but only the default and the network without masks: they have no part
in the choice. PSNR with range 255, noisy images clipped. Networks are small: two groups of two
layers, 24 features.
"""

import time
from functools import partial
from pathlib import Path

import numpy as np

from n2v_tk import MaskedDenoiser, MaskedDenoiserConfig, evaluate_generalisation
from n2v_tk.data.noise import Gaussian, Poisson, SaltAndPepper, Speckle
from n2v_tk.data.structured_noise import Correlated
from n2v_tk.evaluation.generalisation import Generalisation

from ..common import arguments
from .images import HELD_OUT, grey, middle
from .timed import Figures

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
# judged by the test images too: the default, and what it is compared with
FINAL = ("not masked", "0 to 90 %")
CROP, IMAGES = 96, 24


def run(data, name, seed, steps, models):
    """Figures of a variant; `models`, a dict, gets what was trained."""
    clean = grey(data, "train400")
    X = np.stack(clean[:-HELD_OUT])[..., None]
    model = MaskedDenoiser(VARIANTS[name](X, **{**SETTINGS, "train_seed": seed}), basedir=None)
    start, per_epoch = time.perf_counter(), min(steps, 100)
    history = model.train(X, epochs=steps // per_epoch, steps_per_epoch=per_epoch, verbose=0)
    found = {
        "steps": steps, "seconds": time.perf_counter() - start, "loss": history.history["loss"],
    }  # fmt: skip
    models[name] = model
    compared = {name: model}
    if model.config.local_means is not None:
        compared[f"{name}, no local means"] = without_local_means(model)
    found["held out"] = rows(compared, clean[-HELD_OUT:])
    if name in FINAL:
        found["test"] = rows({name: model}, grey(data, "test68"))
    return found


def without_local_means(model):
    """The same weights, results as the network makes them."""
    config = model.config.model_copy(update={"local_means": None})
    other = MaskedDenoiser(config, basedir=None)
    other.keras_model.set_weights(model.keras_model.get_weights())
    return other


def crops(images):
    return [middle(image, CROP) for image in images[:IMAGES]]


def rows(models, images):
    options = {"axes": "YX", "data_range": 255.0, "clip": (0, 255)}
    return evaluate_generalisation(models, crops(images), NOISES, **options).rows


def joined(variants, split):
    """Rows of all variants, which saw the same noisy images, in one table."""
    found = {}
    for of in variants:
        for row in of.get(split, ()):
            found.setdefault((row["noise"], row["strength"]), {}).update(row)
    names = dict.fromkeys(name for row in found.values() for name in row)
    models = [name for name in names if name not in ("noise", "strength", "noisy")]
    return Generalisation(list(found.values()), models)


def draw(path, models, clean):
    """What models make of the second strength of every noise."""
    from n2v_tk.plot import strip

    shown = {"clean": clean}
    for kind, noises in NOISES.items():
        noisy = noises[1](clean[None, ..., None], np.random.default_rng(0))[0, ..., 0]
        shown[kind] = np.clip(noisy, 0, 255)
        for name, model in models.items():
            shown[f"{kind}, {name}"] = model.predict(shown[kind], "YX")
    strip(shown, "YX", columns=4).savefig(path, dpi=120)


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--pictures", type=Path, help="draw diagrams, and images where it trains")
    args = parser.parse_args()
    figures, variants = Figures(args.json), {name: name for name in args.variants}
    for seed in args.seeds:
        models, found = {}, []
        for name, _, of in figures.compare(
            variants, [seed], f"{args.steps} steps",
            lambda name, seed, made=models: run(args.data, name, seed, args.steps, made),
        ):  # fmt: skip
            found.append(of)
            print(name, seed, round(of["seconds"], 1), of["loss"][-1], flush=True)
        for split in ("held out", "test"):
            if any(split in of for of in found):
                print(f"\n{split}, seed {seed}\n\n{joined(found, split)}", flush=True)
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            diagrams = joined(found, "held out").plot()
            diagrams.savefig(args.pictures / f"generalisation_{seed}.png", dpi=120)
            if models:
                (clean,) = crops(grey(args.data, "train400")[-HELD_OUT:][3:4])
                draw(args.pictures / f"masked_{seed}.png", models, clean)


if __name__ == "__main__":
    main()
