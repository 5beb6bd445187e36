"""What to fill hidden pixels with in structN2V: neighbours, or n2v's uniform noise of -2 to 2.

    python -m benchmarks.structn2v_fill [--steps 600]

A micrograph (skimage.data.cell) with made noise that is correlated over 7 pixels along x, sigma
20, denoised with a mask of 1x13. PSNR on the range of the clean image.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from skimage.data import cell

import n2v_tk

from . import common


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    clean = cell()[150:470, 200:520].astype(np.float32)
    white = np.random.default_rng(0).normal(0, 20, (320, 326))
    noisy = clean + sum(white[:, i : i + 320] for i in range(7)) / np.sqrt(7)
    rows = [("noisy", "", n2v_tk.psnr(clean, noisy))]
    quick = {"train_epochs": 6, "train_steps_per_epoch": options.steps // 6, "seed": 0}
    rows.append(("N2V", "", n2v_tk.psnr(clean, n2v_tk.denoise(noisy, verbose=0, **quick))))
    for fill in ("neighbours", (-2, 2)):
        for percent in (1, 3):
            result = n2v_tk.denoise(
                noisy, method="structn2v", axis="X", length=13, structN2V_fill=fill,
                n2v_perc_pix=percent, verbose=0, **quick,
            )  # fmt: skip
            rows.append((f"structN2V, fill {fill}", percent, n2v_tk.psnr(clean, result)))
    common.report(
        f"structN2V after {options.steps} steps", ["", "% masked", "PSNR (dB)"], rows, options
    )


if __name__ == "__main__":
    main()
