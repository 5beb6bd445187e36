"""Which settings make Noise2Void good soonest: one change at a time.

    python -m benchmarks quality recipe DATA [--changes NAME ...] [--seeds 0 1 2]
        [--minutes 4] [--json FOLDER]

Trains on the noisy images of Train400 (sigma 25) but the last 40, for equal time of the processor,
and scores on those 40 against their truth. The test images have no part in it. Every change is one
from `N2VConfig.recommended`. Time is that of the processor by cores, compilation included: other
work on the machine does not count.
"""

from pathlib import Path

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.masking.masker import BlindSpotMasker

from ..common import arguments
from .images import HELD_OUT, noisy_grey, score
from .timed import Figures, train_for

# before hidden pixels were replaced by means
_UNIFORM = {
    "n2v_manipulator": "uniform_withCP", "n2v_neighborhood_radius": 5, "n2v_mean_weight": 0.0,
}  # fmt: skip
_EARLY = {"train_ramps": (0.05, 0.95)}
_OF_UNIFORM = {
    "": {},
    "rate falls early": _EARLY,
    "half a cosine": {"train_schedule": "cosine"},
    "rate falls early, 48 filters": _EARLY | {"unet_n_first": 48},
    "rate falls early, residual": _EARLY | {"unet_residual": True},
    "rate falls early, batches of 2": _EARLY | {"train_batch_size": 2},
}
# before their loss had a weight for means
_NO_WEIGHT = {"n2v_mean_weight": 0.0}
_OF_NO_WEIGHT = {
    "": {},
    "rate falls early": _EARLY,
    "radius 2": {"n2v_neighborhood_radius": 2},
    "radius 2, rate falls early": {"n2v_neighborhood_radius": 2, **_EARLY},
    "radius 5": {"n2v_neighborhood_radius": 5},
    "radius 5, rate falls early": {"n2v_neighborhood_radius": 5, **_EARLY},
}
# the settings of `n2v_tk.denoise` until they were chosen by this benchmark
BEFORE = _UNIFORM | {
    "batch_norm": True, "train_batch_size": 16, "train_learning_rate": 1e-3,
    "train_schedule": "cosine",
}  # fmt: skip
_N2V2 = {"blurpool": True, "skip_skipone": True}


def _named(name, base, changes):
    return {", ".join(filter(None, (name, k))): base | v for k, v in changes.items()}


CHANGES = {
    "recommended": {},
    "before": BEFORE,
    **_named("uniform", _UNIFORM, _OF_UNIFORM),
    **_named("no weight for means", _NO_WEIGHT, _OF_NO_WEIGHT),
    "weight for means 0.1": {"n2v_mean_weight": 0.1},
    "weight for means 10": {"n2v_mean_weight": 10.0},
    "uniform, weight for means": _UNIFORM | {"n2v_mean_weight": 1.0},
    "rate falls early": _EARLY,
    "rate never falls": {"train_ramps": (0.05, 0.0)},
    "half a cosine": {"train_schedule": "cosine"},
    "one cycle": {"train_ramps": (0.3, 0.7)},
    "radius 2": {"n2v_neighborhood_radius": 2},
    "median": {"n2v_manipulator": "median", "n2v_neighborhood_radius": 1},
    "N2V2": _NO_WEIGHT | _N2V2 | {"n2v_manipulator": "median", "n2v_neighborhood_radius": 5},
    "N2V2, radius 1": _NO_WEIGHT | _N2V2 | {"n2v_manipulator": "median"},
    "N2V2, mean, radius 1": _NO_WEIGHT | _N2V2,
    "batch norm": {"batch_norm": True},
    "batches of 2": {"train_batch_size": 2},
    "batches of 16": {"train_batch_size": 16},
    "rate 1e-3": {"train_learning_rate": 1e-3},
    "rate 4e-3": {"train_learning_rate": 4e-3},
    "1 % masked": {"n2v_perc_pix": 1.0},
    "12 % masked": {"n2v_perc_pix": 12.0},
    "residual": {"unet_residual": True},
    "mean absolute error": {"train_loss": "mae"},
    "no turns and flips": {"train_augment": False},
    "average of weights": {"train_ema": 0.999},
    "depth 3, 16 filters": {"unet_n_depth": 3, "unet_n_first": 16},
    "depth 3, 24 filters": {"unet_n_depth": 3, "unet_n_first": 24},
    "16 filters": {"unet_n_first": 16},
    "48 filters": {"unet_n_first": 48},
    "patches of 96": {"n2v_patch_shape": (96, 96), "train_batch_size": 2},
}


def run(data, change, seed, minutes):
    clean, noisy = noisy_grey(data, "train400")
    X = np.stack(noisy[:-HELD_OUT])[..., None]
    config = N2VConfig.recommended(X, train_seed=seed, **change)
    model, found = train_for(N2V, config, minutes * 60, X, None)
    truths, images = clean[-HELD_OUT:], noisy[-HELD_OUT:]
    found |= score(truths, [model.predict(image, "YX") for image in images])
    found["tta"] = score(truths, [model.predict(i, "YX", tta=True) for i in images])["psnr"]
    found["posterior"] = score(
        truths, [model.predict(i, "YX", output="posterior") for i in images]
    )["psnr"]
    if not change:
        found["blind"] = score(truths, [blind(model, i) for i in images])["psnr"]
    return found


def blind(model, image, side=5):
    """Each pixel as it is predicted while it is hidden, with those of a grid of this pitch."""
    c = model.config
    masker = BlindSpotMasker(2, 1, c.n2v_manipulator, c.n2v_neighborhood_radius)
    rng = np.random.default_rng(0)
    hidden, places = [], []
    for y, x in np.ndindex(side, side):
        ys, xs = np.mgrid[y : image.shape[0] : side, x : image.shape[1] : side]
        spots = tuple(a.ravel() for a in (np.zeros_like(ys), ys, xs, np.zeros_like(ys)))
        batch = image[None, ..., None].copy()
        batch[spots] = masker.manipulator(batch, spots, masker.neighbourhood, rng)
        hidden.append(batch[0, ..., 0])
        places.append((ys, xs))
    result = np.empty_like(image)
    for plane, place in zip(model.predict(np.stack(hidden), "SYX"), places, strict=True):
        result[place] = plane[place]
    return result


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--changes", nargs="*", default=list(CHANGES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=4.0)
    args = parser.parse_args()
    changes = {name: CHANGES[name] for name in args.changes}
    found = Figures(args.json).compare(
        changes, args.seeds, f"{args.minutes:g} min",
        lambda change, seed: run(args.data, change, seed, args.minutes),
    )  # fmt: skip
    for name, seed, of in found:
        kinds = ("psnr", "ssim", "tta", "posterior", "steps")
        print(name, seed, {kind: of.get(kind) for kind in kinds}, flush=True)


if __name__ == "__main__":
    main()
