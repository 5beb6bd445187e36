"""Whether results are as bright as the image, by what stands in the place of hidden pixels.

    python -m benchmarks quality brightness [--changes NAME ...] [--seeds 0] [--steps 1200]
        [--json FOLDER]

A quarter of scikit-image's camera (256 x 256, half of it sky or coat) with normal noise of sigma 20
is all that Noise2Void sees; changes are those of the benchmark `recipe`. Brightness is judged by
the mean of prediction minus truth over windows of 32 x 32, its root mean square over them.
"""

import numpy as np
from skimage import data

import n2v_tk
from n2v_tk import psnr

from ..common import arguments
from .recipe import CHANGES
from .timed import Figures

SIDE, SIGMA, WINDOW = 256, 20, 32
# `denoise` makes the config of its own class
_SETTINGS = [name for name, change in CHANGES.items() if "config" not in change]
DEFAULT = ["recommended", "no weight for means", "uniform"]


def run(change, seed, steps):
    truth = data.camera()[:SIDE, :SIDE].astype(np.float32)
    noisy = truth + np.random.default_rng(0).normal(0, SIGMA, truth.shape).astype(np.float32)
    settings = {"train_epochs": 6, "train_steps_per_epoch": steps // 6, "verbose": 0, **change}
    result, model = n2v_tk.denoise(noisy, "YX", seed=seed, return_model=True, **settings)
    found = {"steps": steps}
    posterior = model.predict(noisy, "YX", output="posterior")
    for name, image in (("", result), ("posterior ", posterior)):
        error = np.asarray(image) - truth
        means = error.reshape(SIDE // WINDOW, WINDOW, -1, WINDOW).mean(axis=(1, 3))
        found[f"{name}psnr"] = psnr(truth, image, 255.0)
        found[f"{name}brightness"] = float(np.sqrt(np.mean(means**2)))
        found[f"{name}sky"] = float(means[:2, :2].mean())
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("--changes", nargs="*", default=DEFAULT, choices=_SETTINGS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--steps", type=int, default=1200)
    args = parser.parse_args()
    changes = {name: CHANGES[name] for name in args.changes}
    found = Figures(args.json).compare(
        changes, args.seeds, f"{args.steps} steps",
        lambda change, seed: run(change, seed, args.steps),
    )  # fmt: skip
    for name, seed, of in found:
        print(name, seed, {k: round(v, 2) for k, v in of.items() if type(v) is float}, flush=True)


if __name__ == "__main__":
    main()
