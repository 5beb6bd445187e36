"""What methods reach on real noise in equal time, and whether the advice of `check_noise` holds.

    python -m benchmarks quality real DATA [--sets NAME ...] [--methods NAME ...] [--minutes 3]
        [--seeds 0] [--pictures FOLDER] [--json FOLDER]

DATA/real holds, per set, NAME.tif and NAME_gt.tif, or a NAME_tyx.tif of a static scene, whose first
frame is denoised and judged by the mean of the others. Methods train on that one plane alone. The
ground truth is brought to the scale of the noisy image by least squares over unsaturated pixels;
the peak is its range from percentile 0.1 to 99.9; results are neither scaled nor clipped. Time is
that of the processor by cores, compilation included.
"""

from pathlib import Path

import numpy as np
import tifffile

from n2v_tk import HQSSL, N2V, HQSSLConfig, N2VConfig, check_noise, psnr, ssim
from n2v_tk.plot import before_after

from ..common import arguments
from .timed import Figures, train_for

SETS = (
    "w2s_dev", "fmd_confocal_fish", "fmd_confocal_mice", "hagen_nucleus", "hagen_mito60x_noise2",
    "cellmigration_lowhigh_u16", "trackpy_stuck_tyx", "ncs_eb3_scmos_tyx",
)  # fmt: skip


def load(folder, name):
    """Noisy image and aligned ground truth, (Y, X) each: the first of the set."""
    noisy = tifffile.imread(folder / f"{name}.tif")
    if name.endswith("_tyx"):
        rest = noisy.astype(np.float64).sum(axis=0) - noisy[0]
        return noisy[0], rest / (len(noisy) - 1)
    truth = tifffile.imread(folder / f"{name}_gt.tif")
    first = (0,) * (noisy.ndim - 2)
    return noisy[first], aligned(truth[first], noisy[first])


def aligned(truth, noisy):
    """Ground truth on the scale of the noisy image, by least squares over unsaturated pixels."""
    x, y = truth.astype(np.float64), noisy.astype(np.float64)
    use = (x < x.max()) & (y < y.max()) & (y > y.min())
    slope, offset = np.polyfit(x[use], y[use], 1)
    return slope * x + offset


def extent(truth):
    """The peak of PSNR and SSIM: the range of the ground truth but for the outermost 0.1 %."""
    return float(np.percentile(truth, 99.9) - np.percentile(truth, 0.1))


def blind_spots(method="n2v", **changes):
    def run(image, seed, minutes):
        X = image.astype(np.float32)[None, ..., None]
        config = N2VConfig.recommended(X, method, train_seed=seed, **changes)
        model, found = train_for(N2V, config, minutes * 60, X, None)
        results = {"": model.predict(image, "YX"), "tta": model.predict(image, "YX", tta=True)}
        if model.config.structN2Vmask is None:
            results["posterior"] = model.predict(image, "YX", output="posterior")
        return found, results

    return run


def hqssl(image, seed, minutes):
    """With a camera whose parameters are learned from the image."""
    X = image.astype(np.float32)[None, ..., None]
    config = HQSSLConfig(
        X, noise_model="camera", net_width=24, train_patch_shape=(128, 128), train_batch_size=1,
        train_learning_rate=1e-3, train_seed=seed,
    )  # fmt: skip
    model, found = train_for(HQSSL, config, minutes * 60, X, None)
    both = model.predict(image, "YX", output="all")
    return found, {"": both["posterior_mean"], "prior": both["prior_mean"]}


METHODS = {
    "n2v": blind_spots(),
    "n2v2": blind_spots("n2v2"),
    "structn2v": blind_spots("structn2v", length=5),
    "hqssl": hqssl,
    "n2v with batch norm": blind_spots(
        batch_norm=True, train_batch_size=16, train_learning_rate=1e-3, train_schedule="cosine"
    ),
}


def run(method, data, name, seed, minutes, pictures):
    noisy, truth = load(data / "real", name)
    peak = extent(truth)
    found, results = METHODS[method](noisy, seed, minutes)
    for kind, result in results.items():
        found[f"{kind} psnr".strip()] = psnr(truth, result, peak)
        found[f"{kind} ssim".strip()] = ssim(truth, result, peak)
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        shown = {"noisy": noisy, method: results[""], "ground truth": truth}
        before_after(shown).savefig(pictures / f"{name}_{method.replace(' ', '_')}.png", dpi=120)
    return found


def advice(data, name):
    """What `check_noise` recommends, and the PSNR of the noisy image."""
    noisy, truth = load(data / "real", name)
    peak = extent(truth)
    return {
        "psnr": psnr(truth, noisy, peak),
        "ssim": ssim(truth, noisy.astype(float), peak),
        "method": check_noise(noisy, "YX").method,
    }


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--pictures", type=Path, help="write before-and-after pictures here")
    args = parser.parse_args()
    figures = Figures(args.json)
    for name in args.sets:
        noisy = figures.measure(f"{name}, noisy", lambda name=name: advice(args.data, name))
        print(name, "noisy", round(noisy["psnr"], 3), "advice:", noisy["method"], flush=True)
        for seed in args.seeds:
            for method in args.methods:
                found = figures.measure(
                    f"{name}, {method}, {args.minutes:g} min, seed {seed}",
                    lambda method=method, name=name, seed=seed: run(
                        method, args.data, name, seed, args.minutes, args.pictures
                    ),
                )
                shown = {k: round(v, 3) for k, v in found.items() if "psnr" in k or k == "steps"}
                print(name, method, seed, shown, flush=True)


if __name__ == "__main__":
    main()
