"""What methods reach on real noise in equal time, and whether the advice of `check_noise` holds.

    python -m benchmarks quality real DATA [--sets NAME ...] [--methods NAME ...] [--minutes 2.5]
        [--seeds 0] [--pictures FOLDER] [--json FOLDER]

DATA/real holds, per set, NAME.tif and NAME_gt.tif, or a NAME_tyx.tif of a static scene, whose first
frame is denoised and judged by the mean of the others; baselines_real.json there has what BM3D
reaches after a transform that makes the variance of the noise constant, told the noise.
'camera_lines' is a picture of scikit-image with noise that runs along X: normal noise averaged over
five pixels, sigma 25. Methods train on that one plane alone. HQ-SSL has its camera from
`estimate_noise`, and R2R the noise over the signal; structN2V has the settings that `check_noise`
recommends, or hides five pixels along X where that recommends something else. The ground truth is
brought to the scale of the noisy image by least squares over unsaturated pixels; the peak is its
range from percentile 0.1 to 99.9; results are neither scaled nor clipped. Time is that of the
processor by cores, compilation included.
"""

from pathlib import Path

import numpy as np
import tifffile
from skimage.data import camera

from n2v_tk import (
    HQSSL,
    N2V,
    R2R,
    HQSSLConfig,
    N2VConfig,
    R2RConfig,
    check_noise,
    estimate_noise,
    psnr,
    ssim,
)
from n2v_tk.plot import before_after

from ..common import arguments
from .equal_time import fit_for
from .images import baselines
from .timed import Figures, predicted, processor_seconds, train_for

SETS = (
    "w2s_dev", "fmd_confocal_fish", "fmd_confocal_mice", "hagen_nucleus", "hagen_mito60x_noise2",
    "cellmigration_lowhigh_u16", "trackpy_stuck_tyx", "ncs_eb3_scmos_tyx", "camera_lines",
)  # fmt: skip
HQSSL_RECIPE = {
    "noise_model": "camera", "net_width": 16, "train_patch_shape": (128, 128),
    "train_batch_size": 1, "train_learning_rate": 1e-3,
}  # fmt: skip


def load(folder, name):
    """Noisy image and aligned ground truth, (Y, X) each: the first of the set."""
    if name == "camera_lines":
        return with_lines(camera()), camera().astype(np.float64)
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


def with_lines(image, sigma=25.0, length=5, seed=5):
    """The image with normal noise that is averaged over so many pixels along X."""
    white = np.random.default_rng(seed).standard_normal(image.shape)
    lines = sum(np.roll(white, i, axis=1) for i in range(length)) / np.sqrt(length)
    return (image + sigma * lines).astype(np.float32)


def extent(truth):
    """The peak of PSNR and SSIM: the range of the ground truth but for the outermost 0.1 %."""
    return float(np.percentile(truth, 99.9) - np.percentile(truth, 0.1))


def blind_spots(method):
    def run(image, seed, minutes):
        settings, kinds = {}, ("prior", "posterior")
        if method == "structn2v":
            check = check_noise(image, "YX")
            settings = check.settings if check.method == method else {"length": 5}
            # an image does not tell noise that is correlated
            kinds = ("prior",)
        config = N2VConfig.recommended(stacked(image), method, train_seed=seed, **settings)
        return trained(N2V, config, image, minutes, kinds, turned=True)

    return run


def r2r(image, seed, minutes):
    """With noise that is estimated."""
    return trained(R2R, R2RConfig(stacked(image), train_seed=seed), image, minutes, turned=True)


def hqssl(image, seed, minutes):
    """With the camera that `estimate_noise` finds."""
    level = estimate_noise(image).camera()
    config = HQSSLConfig(stacked(image), noise_level=level, train_seed=seed, **HQSSL_RECIPE)
    return trained(HQSSL, config, image, minutes)


def stacked(image):
    """What is trained on, (1, Y, X, 1)."""
    return image.astype(np.float32)[None, ..., None]


def trained(model_class, config, image, minutes, kinds=("prior", "posterior"), turned=False):
    """Figures of a training, and results: that of the prior has no name."""
    model, found = train_for(model_class, config, minutes * 60, stacked(image), None)
    results = predicted(model, [image], "YX", kinds)
    if turned:
        results["tta"] = predicted(model, [image], "YX", ("prior",), tta=True)["prior"]
    return found, {"" if kind == "prior" else kind: images[0] for kind, images in results.items()}


def deep_image_prior(image, seed, minutes):
    start = processor_seconds()
    result = fit_for(image, "YX", minutes * 60, processor_seconds, seed=seed)
    spent = processor_seconds() - start
    return {"steps": result.history["iteration"][-1], "seconds": spent}, {"": result.image}


METHODS = {
    "n2v": blind_spots("n2v"),
    "n2v2": blind_spots("n2v2"),
    "structn2v": blind_spots("structn2v"),
    "r2r": r2r,
    "hqssl": hqssl,
    "dip": deep_image_prior,
}


def scored(results, truth):
    """PSNR and SSIM of every kind of result; that of the plain one has no name."""
    measures, peak = {"psnr": psnr, "ssim": ssim}, extent(truth)
    return {
        f"{kind} {name}".strip(): measure(truth, result.astype(np.float64), peak)
        for kind, result in results.items()
        for name, measure in measures.items()
    }


def run(method, data, name, seed, minutes, pictures):
    noisy, truth = load(data / "real", name)
    found, results = METHODS[method](noisy, seed, minutes)
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        shown = {"noisy": noisy, method: results[""], "ground truth": truth}
        before_after(shown).savefig(pictures / f"{name}_{method}.png", dpi=120)
    return found | scored(results, truth)


def untrained(data, name):
    """Of the noisy image, of BM3D if it is known, what `check_noise` recommends, and how lopsided
    the noise is."""
    noisy, truth = load(data / "real", name)
    bm3d = None
    if name != "camera_lines":
        of_set = baselines(data / "real", "baselines_real.json")[name]
        bm3d = next(iter(of_set["per_image"].values()))["vst_bm3d"]
    method = check_noise(noisy, "YX").method
    found = {"bm3d psnr": bm3d, "method": method, "skewness": estimate_noise(noisy).skewness}
    return scored({"": noisy}, truth) | found


def main():
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--pictures", type=Path, help="write before-and-after pictures here")
    args = parser.parse_args()
    figures = Figures(args.json)
    for name in args.sets:
        noisy = figures.measure(f"{name}, noisy", lambda name=name: untrained(args.data, name))
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
