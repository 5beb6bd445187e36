"""Which settings of structN2V suit noise that runs along lines: one change at a time.

    python -m benchmarks quality lines DATA [--changes NAME ...] [--seeds 0] [--minutes 2]
        [--json FOLDER]

Trained on Train400 but for forty images, judged by these. Noise is normal, sigma 25, averaged over
five pixels along X; structN2V hides nine. Time is that of the processor by cores, compilation
included.
"""

import numpy as np

from n2v_tk import N2V, N2VConfig

from .images import HELD_OUT, SEEDS, grey, score
from .real import with_lines
from .timed import compare_in_time, train_for

LENGTH = 9
_NORMALISED = {"batch_norm": True, "train_schedule": "cosine"}
_LARGE = {"train_batch_size": 16}
# settings by name; 'method' is 'structn2v' unless it says otherwise
CHANGES = {
    "recommended": {},
    "rate 2e-3": {"train_learning_rate": 2e-3},
    "batches of 16": _LARGE,
    "batch norm": _NORMALISED,
    "batch norm, batches of 16": _NORMALISED | _LARGE,
    "batch norm, batches of 16, 3 % masked": _NORMALISED | _LARGE | {"n2v_perc_pix": 3.0},
    "batch norm, batches of 16, uniform noise hides": _NORMALISED
    | _LARGE
    | {"structN2V_fill": (-2.0, 2.0)},
    "N2V": {"method": "n2v"},
}


def run(data, change, seed, minutes):
    clean = grey(data, "train400")
    noisy = [with_lines(image, seed=[SEEDS["train400"], i]) for i, image in enumerate(clean)]
    X = np.stack(noisy[:-HELD_OUT])[..., None]
    settings = {"method": "structn2v", "train_seed": seed, **change}
    if settings["method"] == "structn2v":
        settings = {"axis": "X", "length": LENGTH, **settings}
    config = N2VConfig.recommended(X, **settings)
    model, found = train_for(N2V, config, minutes * 60, X, None)
    truths, images = clean[-HELD_OUT:], noisy[-HELD_OUT:]
    found["noisy"] = score(truths, images)["psnr"]
    found |= score(truths, [model.predict(image, "YX") for image in images])
    found["tta"] = score(truths, [model.predict(i, "YX", tta=True) for i in images])["psnr"]
    return found


def main():
    compare_in_time(__doc__, run, CHANGES, 2.0, ("noisy", "psnr", "ssim", "tta", "steps"))


if __name__ == "__main__":
    main()
