"""Which settings make Noise2Void good soonest: one change at a time.

    python -m benchmarks quality recipe DATA [--changes NAME ...] [--seeds 0 1 2]
        [--minutes 4] [--json FOLDER]

Trains on the noisy images of Train400 (sigma 25) but the last 40, for equal time of the processor,
and scores on those 40 against their truth. The test images have no part in it. Time is that of the
processor by cores, compilation included: other work on the machine does not count.
"""

from pathlib import Path

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.masking.masker import BlindSpotMasker

from ..common import arguments
from .images import HELD_OUT, noisy_grey, score
from .timed import NO_SCHEDULE, Figures, train_for

BASE = {
    "unet_kern_size": 3, "unet_n_first": 32, "train_loss": "mse", "n2v_perc_pix": 3.0,
    "train_batch_size": 16, "train_learning_rate": 1e-3,
}  # fmt: skip
CHANGES = {
    "base": {},
    "0.2 % masked": {"n2v_perc_pix": 0.198},
    "6 % masked": {"n2v_perc_pix": 6.0},
    "12 % masked": {"n2v_perc_pix": 12.0},
    "25 % masked": {"n2v_perc_pix": 25.0},
    "12 %, without centre": {"n2v_perc_pix": 12.0, "n2v_manipulator": "uniform_withoutCP"},
    "12 %, radius 2": {"n2v_perc_pix": 12.0, "n2v_neighborhood_radius": 2},
    "12 %, mean": {"n2v_perc_pix": 12.0, "n2v_manipulator": "mean", "n2v_neighborhood_radius": 1},
    "25 %, mean": {"n2v_perc_pix": 25.0, "n2v_manipulator": "mean", "n2v_neighborhood_radius": 1},
    "12 %, median": {"n2v_perc_pix": 12.0, "n2v_manipulator": "median"},
}


def run(data, change, seed, minutes):
    clean, noisy = noisy_grey(data, "train400")
    X = np.stack(noisy[:-HELD_OUT])[..., None]
    change = dict(change)
    warm_up = change.pop("warm up", 0.02)
    config = N2VConfig(X, **{**BASE, **NO_SCHEDULE, "train_seed": seed, **change})
    model = N2V(config, basedir=None)
    found = train_for(model, minutes * 60, X, None, warm_up=warm_up)
    truths, images = clean[-HELD_OUT:], noisy[-HELD_OUT:]
    found |= score(truths, [model.predict(image, "YX") for image in images])
    found["tta"] = score(truths, [model.predict(i, "YX", tta=True) for i in images])["psnr"]
    found["blind"] = score(truths, [blind(model, i) for i in images])["psnr"]
    return found


def blind(model, image):
    """Each pixel as it is predicted while it is hidden, on grids of the share of the training."""
    c = model.config
    side = max(2, round((100 / c.n2v_perc_pix) ** 0.5)) if c.n2v_perc_pix > 3 else 5
    masker = BlindSpotMasker(2, 1, c.n2v_manipulator, c.n2v_neighborhood_radius)
    result = np.empty_like(image)
    rng = np.random.default_rng(0)
    hidden = []
    for y, x in np.ndindex(side, side):
        ys, xs = np.mgrid[y : image.shape[0] : side, x : image.shape[1] : side]
        spots = tuple(a.ravel() for a in (np.zeros_like(ys), ys, xs, np.zeros_like(ys)))
        batch = image[None, ..., None].copy()
        batch[spots] = masker.manipulator(batch, spots, masker.neighbourhood, rng)
        hidden.append((batch[0, ..., 0], ys, xs))
    predicted = model.predict(np.stack([h[0] for h in hidden]), "SYX")
    for plane, (_, ys, xs) in zip(predicted, hidden, strict=True):
        result[ys, xs] = plane[ys, xs]
    return result


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--changes", nargs="*", default=list(CHANGES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=4.0)
    args = parser.parse_args()
    figures = Figures(args.json)
    for seed in args.seeds:
        for name in args.changes:
            found = figures.measure(
                f"{name}, seed {seed}, {args.minutes:g} min",
                lambda change=CHANGES[name], seed=seed: run(args.data, change, seed, args.minutes),
            )
            print(
                name,
                seed,
                {k: found[k] for k in ("psnr", "ssim", "tta", "blind", "steps")},
                flush=True,
            )


if __name__ == "__main__":
    main()
