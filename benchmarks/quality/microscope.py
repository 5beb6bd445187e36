"""Noise2Void and HQ-SSL on eight fields of a microscope, with networks of one size in equal time.

    python -m benchmarks quality microscope DATA [--methods NAME ...] [--minutes 20] [--seeds 0]
        [--json FOLDER]

DATA/real holds w2s_dev.tif and w2s_dev_gt.tif, of which the first channel is taken. Methods train
on the noisy fields and are judged on them: the ground truth is brought to the scale of each noisy
field by least squares over unsaturated pixels; the peak is its range from percentile 0.1 to 99.9.
Networks have 136,000 (Noise2Void, 22 filters at first) and 141,000 weights. HQ-SSL takes gain,
offset and read noise of every field from `estimate_noise`, and works in photons, to which so many
are added that all fields have the noise of one camera. Time is that of the processor by cores,
compilation included: other work on the machine does not count.
"""

import numpy as np
import tifffile

from n2v_tk import HQSSL, N2V, HQSSLConfig, N2VConfig, estimate_noise, psnr

from .real import HQSSL_RECIPE, aligned, extent
from .recipe import CHANGES
from .timed import compare_in_time, predicted, train_for


def load(data):
    """Noisy fields and their ground truth, aligned, lists of (Y, X)."""
    noisy, truth = (
        list(tifffile.imread(data / "real" / f"w2s_dev{end}.tif")[:, 0].astype(np.float64))
        for end in ("", "_gt")
    )
    return noisy, [aligned(t, n) for t, n in zip(truth, noisy, strict=True)]


def blind_spots(**changes):
    def run(noisy, seed, minutes):
        X = np.stack(noisy)[..., None].astype(np.float32)
        config = N2VConfig.recommended(X, unet_n_first=22, train_seed=seed, **changes)
        return trained(N2V, config, X, noisy, minutes)

    return run


def hqssl(noisy, seed, minutes):
    """In units in which all fields have one noise."""
    noise = [estimate_noise(image) for image in noisy]
    read = min(own / gain for gain, _, own in (of.camera() for of in noise))
    counts = [of.to_photons(image, read) for image, of in zip(noisy, noise, strict=True)]
    X = np.stack(counts)[..., None].astype(np.float32)
    config = HQSSLConfig(X, noise_level=(1.0, 0.0, read), train_seed=seed, **HQSSL_RECIPE)
    found, results = trained(HQSSL, config, X, counts, minutes)
    found["cameras"] = [[float(v) for v in of.camera()] for of in noise]
    return found, {
        kind: [of.from_photons(i, read) for of, i in zip(noise, images, strict=True)]
        for kind, images in results.items()
    }


def trained(model_class, config, X, images, minutes):
    """Figures of a training, and results by kind, plain and averaged over turns and flips."""
    model, found = train_for(model_class, config, minutes * 60, X, None)
    results = {}
    for name, options in {"": {}, " tta": {"tta": True}}.items():
        for kind, made in predicted(model, images, "YX", ("prior", "posterior"), **options).items():
            results[f"{kind}{name}"] = made
    return found, results


METHODS = {
    "n2v": blind_spots(),
    "n2v uniform": blind_spots(**CHANGES["uniform"]),
    "hqssl estimated": hqssl,
}


def run(data, method, seed, minutes):
    noisy, truth = load(data)
    found, results = METHODS[method](noisy, seed, minutes)
    for kind, images in {"noisy": noisy, **results}.items():
        each = [psnr(t, i, extent(t)) for t, i in zip(truth, images, strict=True)]
        found |= {kind: float(np.mean(each)), f"{kind} each": [round(v, 3) for v in each]}
    return found


def main():
    shown = ("noisy", "prior", "prior tta", "posterior", "posterior tta", "steps", "weights")
    methods = {name: name for name in METHODS}
    compare_in_time(__doc__, run, methods, 20.0, shown, option="methods")


if __name__ == "__main__":
    main()
