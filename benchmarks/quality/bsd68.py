"""What methods reach on BSD68 in equal time, beside n2v 0.3.3 and CAREamics.

    python -m benchmarks quality bsd68 DATA [--noise 'sigma 25'] [--methods NAME ...]
        [--minutes 15] [--seeds 0] [--keep FOLDER] [--json FOLDER]

Trains on Train400 with noise (numpy's default_rng([400, index])), of which four images validate,
and scores on all of BSD68 (default_rng([68, index])): PSNR with range 255, nothing clipped, mean
over images; SSIM likewise. Noise is 'sigma S' (normal, not clipped) or 'poisson P' (P photons where
an image is white). Time is that on the clock, from the start of the training with its compilation
to its end; other work on the machine spoils it. Networks have 32 filters at first (N2V, N2V2, n2v,
CAREamics, Noise2Noise and supervised training alike), 141,379 weights (HQ-SSL) or two groups of two
layers with 24 features (masked training, on clean images and this noise). Deep Image Prior has its
share of the time for each of four images, number 0, 17, 34 and 51; 'each' of the figures of other
methods compares with that.

`best` is of the weights with the lowest validation loss, `last` of the last ones, and `tta` of the
last ones averaged over eight turns and flips (not of masked training). `prior` is what a
network with blind spots says of a pixel without itself, `posterior` with it; N2V takes the noise
for that from each image.
"""

import numpy as np

from . import equal_time
from .images import baselines, grey, noisy_grey, score, with_noise

VALIDATION = 4


def make_task(args):
    truth, noisy = noisy_grey(args.data, "test68", args.noise)
    clean = grey(args.data, "train400")

    def stack(images):
        return np.stack(images)[..., None]

    return equal_time.Task(
        args.noise,
        truth,
        noisy,
        stack(noisy_grey(args.data, "train400", args.noise)[1]),
        lambda: stack(with_noise(clean, 401, args.noise)),
        lambda: stack(clean),
        VALIDATION,
    )


def bm3d(folder):
    """As measured on these images by others, told the standard deviation."""
    found = baselines(folder, "bsd68/baselines_test68.json")
    name = next(n for n in found if n.lower().startswith("bm3d"))
    return {key: found[name][key] for key in ("psnr", "ssim")}


def main():
    args = equal_time.timed(equal_time.parser(__doc__, list(equal_time.METHODS)))

    untrained = {"noisy": lambda task: score(task.truth, task.noisy)}
    if args.noise == "sigma 25":
        untrained["bm3d"] = lambda task: bm3d(args.data)
    equal_time.run(args, make_task, untrained)


if __name__ == "__main__":
    main()
