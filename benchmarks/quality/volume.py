"""Which settings of Noise2Void and Noise2Noise suit a volume, one change at a time; and R2R.

    python -m benchmarks quality volume DATA [--changes NAME ...] [--seeds 0] [--minutes 2]
        [--json FOLDER]

DATA/real holds neubias_drosophila_envelope_zyx.tif, a confocal volume (14, 224, 305). Smoothed with
a Gaussian of one pixel and scaled to 0 to 255 it is the truth; with normal noise of sigma 25 it is
all that Noise2Void and R2R see, and Noise2Noise sees it with other noise too. Time is that of the
processor by cores, compilation included.
"""

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

from n2v_tk import N2N, N2V, R2R, N2NConfig, N2VConfig, R2RConfig, psnr

from . import recipe
from .images import with_normal_noise
from .timed import compare_in_time, train_for

_UNIFORM = recipe.CHANGES["uniform"]
_NORMALISED = {"batch_norm": True, "train_learning_rate": 1e-3, "train_schedule": "cosine"}
# settings by name; 'method' is that of Noise2Void, 'n2n' and 'r2r' are others
CHANGES = {
    "recommended": {},
    "uniform": _UNIFORM,
    "uniform, batch norm": _NORMALISED | _UNIFORM,
    "batch norm": _NORMALISED,
    "rate 1e-3": {"train_learning_rate": 1e-3},
    "N2V2": {"method": "n2v2"},
    "N2V2, batch norm": _NORMALISED | {"method": "n2v2"},
    "R2R": {"method": "r2r"},
    "Noise2Noise": {"method": "n2n"},
    "Noise2Noise, batch norm": {"method": "n2n", "batch_norm": True},
}


def volume(data):
    """Truth and two noisy ones, (Z, Y, X)."""
    found = tifffile.imread(data / "real" / "neubias_drosophila_envelope_zyx.tif")
    smooth = gaussian_filter(found.astype(np.float32), 1.0)
    low, high = smooth.min(), np.percentile(smooth, 99.9)
    truth = (smooth - low) / (high - low) * np.float32(255)
    return truth, *with_normal_noise([truth, truth], 14)


def run(data, change, seed, minutes):
    truth, noisy, again = volume(data)
    X, Y = noisy[None, ..., None], again[None, ..., None]
    settings = {"method": "n2v", "train_seed": seed, **change}
    if settings["method"] == "n2n":
        del settings["method"]
        model, found = train_for(N2N, N2NConfig.recommended(X, **settings), minutes * 60, X, Y)
    else:
        if settings["method"] == "r2r":
            del settings["method"]
            model_class, config = R2R, R2RConfig(X, **settings)
        else:
            model_class, config = N2V, N2VConfig.recommended(X, **settings)
        model, found = train_for(model_class, config, minutes * 60, X, None)
        posterior = model.predict(noisy, "ZYX", output="posterior")
        found["posterior"] = psnr(truth, posterior, 255.0)
    found["psnr"] = psnr(truth, model.predict(noisy, "ZYX"), 255.0)
    return found


def main():
    compare_in_time(__doc__, run, CHANGES, 2.0, ("psnr", "posterior", "steps"))


if __name__ == "__main__":
    main()
