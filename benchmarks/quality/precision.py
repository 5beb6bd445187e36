"""What bfloat16 costs in quality: trained and predicted in it, beside float32.

    python -m benchmarks quality precision DATA [--sets demo bsd68] [--seeds 0 1 2] [--steps 1500]
        [--json FOLDER]

'demo' is the noisy cell of `n2v-tk demo`, which Noise2Void sees alone; 'bsd68' trains on the noisy
images of Train400 but 40 (sigma 25) and judges by the middle 128 x 128 of these 40. Both trainings
have the same steps, weights to begin with and batches; both models predict in both precisions.
"""

from pathlib import Path

import numpy as np
from skimage import data

from n2v_tk import N2V, N2VConfig, psnr
from n2v_tk.cli.demo import GAIN, READ_NOISE
from n2v_tk.data.noise import poisson_gaussian

from ..common import arguments
from .images import HELD_OUT, middle, noisy_grey
from .timed import Figures

PRECISIONS = {"bfloat16": "mixed_bfloat16", "float32": "float32"}


def demo(folder):
    """Images to train on, and truths and noisy ones to judge by."""
    clean = data.cell().astype("float32")
    noisy = poisson_gaussian(clean, GAIN, READ_NOISE, seed=0)
    return noisy[np.newaxis, ..., np.newaxis], [clean], [noisy]


def bsd68(folder):
    clean, noisy = noisy_grey(folder, "train400")
    middles = [[middle(image) for image in of[-HELD_OUT:]] for of in (clean, noisy)]
    return np.stack(noisy[:-HELD_OUT])[..., np.newaxis], *middles


SETS = {"demo": demo, "bsd68": bsd68}


def run(images, trained_in, seed, steps):
    X, truths, noisy = images
    config = N2VConfig.recommended(
        X, train_precision=PRECISIONS[trained_in], train_seed=seed, train_epochs=5,
        train_steps_per_epoch=steps // 5, train_keep="last",
    )  # fmt: skip
    model = N2V(config, basedir=None)
    model.train(X, verbose=0)
    found = {"steps": steps}
    for name, precision in PRECISIONS.items():
        results = [model.predict(image, "YX", precision=precision) for image in noisy]
        scores = [psnr(t, r, 255.0) for t, r in zip(truths, results, strict=True)]
        found[f"predicted in {name}"] = float(np.mean(scores))
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    args = parser.parse_args()
    figures = Figures(args.json)
    for name in args.sets:
        images = SETS[name](args.data)
        changes = {f"{name}, {trained_in}": trained_in for trained_in in PRECISIONS}
        found = figures.compare(
            changes, args.seeds, f"{args.steps} steps",
            lambda trained_in, seed, images=images: run(images, trained_in, seed, args.steps),
        )  # fmt: skip
        for change, seed, of in found:
            print(change, seed, {k: round(v, 3) for k, v in of.items() if type(v) is float})


if __name__ == "__main__":
    main()
