"""What default settings gain on images with real noise and ground truth.

    python -m benchmarks.real_images FOLDER [--methods n2v n2v2] [--pictures FOLDER]

FOLDER holds, per set, NAME.tif and NAME_gt.tif, or a NAME_tyx.tif of a static scene, whose first
frame is denoised and judged by the mean of the others. The ground truth is brought to the scale of
the noisy image by least squares over unsaturated pixels; the peak is its range from percentile 0.1
to 99.9; predictions are neither scaled nor clipped.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import time
from pathlib import Path

import numpy as np
import tifffile

import n2v_tk
from n2v_tk.plot import before_after

from . import common

SETS = ("w2s_dev", "fmd_confocal_fish", "trackpy_stuck_tyx")


def load(folder, name):
    """Noisy image and aligned ground truth, (Y, X) each: the first of the set."""
    noisy = tifffile.imread(folder / f"{name}.tif")
    if name.endswith("_tyx"):
        rest = noisy.astype(np.float64).sum(axis=0) - noisy[0]
        return noisy[0], rest / (len(noisy) - 1)
    truth = tifffile.imread(folder / f"{name}_gt.tif")
    first = (0,) * (noisy.ndim - 2)
    x, y = truth[first].astype(np.float64), noisy[first].astype(np.float64)
    use = (x < x.max()) & (y < y.max()) & (y > y.min())
    slope, offset = np.polyfit(x[use], y[use], 1)
    return noisy[first], slope * x + offset


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--methods", nargs="+", default=("n2v", "n2v2"))
    parser.add_argument("--pictures", type=Path, help="write before-and-after pictures here")
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        noisy, truth = load(options.folder, name)
        peak = float(np.percentile(truth, 99.9) - np.percentile(truth, 0.1))
        before = n2v_tk.psnr(truth, noisy, peak)
        for method in options.methods:
            start = time.perf_counter()
            result = n2v_tk.denoise(noisy, method=method, seed=0, verbose=0)
            spent = time.perf_counter() - start
            after = n2v_tk.psnr(truth, result, peak)
            rows.append((name, method, before, after, after - before, spent))
            print(*rows[-1], flush=True)
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                figure = before_after({"noisy": noisy, method: result, "ground truth": truth})
                figure.savefig(options.pictures / f"{name}_{method}.png", dpi=120)
    common.report(
        "Default settings on real noise",
        ["set", "method", "noisy (dB)", "denoised (dB)", "gain (dB)", "seconds"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
