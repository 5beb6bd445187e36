"""What methods reach on colour photographs in equal time, with nothing but the noisy ones.

    python -m benchmarks quality kodak DATA [--noise 'sigma 25'] [--methods NAME ...]
        [--minutes 15] [--seeds 0] [--keep FOLDER] [--json FOLDER]

DATA/colour holds kodim*.png, photographs of 768 x 512 in RGB. All are trained on and judged: noise
(numpy's default_rng([24, index]), nothing clipped) is all that a method sees; Noise2Noise has
every photograph with other noise too. Colours are learned together. PSNR with range 255 over all
colours, mean over images. Otherwise as in bsd68, networks included; Deep Image Prior shares the
time among one photograph of every seventeen.
"""

from pathlib import Path

import numpy as np

from n2v_tk import read_image

from . import equal_time
from .images import score, with_noise

SEED = 24
METHODS = ["n2v", "n2v2", "r2r", "n2n", "hqssl known", "hqssl estimated", "dip"]


def make_task(args):
    paths = sorted(Path(args.data, "colour").glob("kodim*.png"))
    truth = [read_image(path).data.astype(np.float32) for path in paths]
    # upright ones are laid down: they are trained on together
    truth = [i if i.shape[0] < i.shape[1] else np.rot90(i) for i in truth]
    noisy = with_noise(truth, SEED, args.noise)
    return equal_time.Task(
        args.noise, truth, noisy, np.stack(noisy),
        again=lambda: np.stack(with_noise(truth, SEED + 1000, args.noise)),
    )  # fmt: skip


def main():
    args = equal_time.timed(equal_time.parser(__doc__, METHODS))
    equal_time.run(args, make_task, {"noisy": lambda task: score(task.truth, task.noisy)})


if __name__ == "__main__":
    main()
