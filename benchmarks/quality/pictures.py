"""What methods make of the pictures that come with scikit-image: scores, and crops to look at.

    python -m benchmarks quality pictures [--noise 'sigma 25'] [--methods NAME ...] [--minutes 15]
        [--seeds 0] [--keep FOLDER [--pictures FOLDER]] [--json FOLDER]

Needs no other data. Nine grey pictures with noise (numpy's default_rng([9, index]), nothing
clipped) are all that a method sees, and it is judged on them; Noise2Noise has them with other noise
too. --pictures draws, from what the first of the seeds has in --keep, the squares of 96 pixels that
the posterior of Noise2Void is nearest to and furthest from, flat ones left out: best.png and
worst.png, one square of each photograph.
Otherwise as in bsd68.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from n2v_tk import psnr
from n2v_tk.plot.picture import Picture, grey_scale

from . import equal_time
from .images import score, with_noise

NAMES = ("camera", "cell", "coins", "moon", "brick", "gravel", "grass", "page", "clock")
SEED, SIDE, SHOWN = 9, 96, 3
# standard deviation that a square must have to be shown, in grey values
CONTRAST = 20.0
METHODS = ["n2v", "n2v2", "r2r", "n2n", "hqssl known", "hqssl estimated", "dip"]
# (method, result) by the title that they are shown with
COLUMNS = {
    "N2V": ("n2v", "prior last"),
    "N2V, posterior": ("n2v", "posterior last"),
    "N2V2": ("n2v2", "prior last"),
    "R2R, posterior": ("r2r", "posterior last"),
    "HQ-SSL": ("hqssl estimated", "posterior last"),
    "Noise2Noise": ("n2n", "last"),
}


def make_task(args):
    truth = [getattr(data, name)().astype(np.float32) for name in NAMES]
    noisy = with_noise(truth, SEED, args.noise)

    def stacked(images):
        return [image[None, ..., None] for image in images]

    return equal_time.Task(
        args.noise, truth, noisy, stacked(noisy),
        again=lambda: stacked(with_noise(truth, SEED + 1000, args.noise)),
    )  # fmt: skip


def draw(args):
    """The squares that Noise2Void is nearest to and furthest from."""
    task = make_task(args)
    shown = {"noisy": task.noisy}
    for title, (method, result) in COLUMNS.items():
        path = equal_time.kept(args, method, args.seeds[0], result)
        if path.exists():
            with np.load(path) as file:
                shown[title] = [file[str(i)].astype(np.float32) for i in range(len(task.truth))]
    shown["without noise"] = task.truth
    squares = []
    for i, truth in enumerate(task.truth):
        corners = np.mgrid[: truth.shape[0] - SIDE : SIDE, : truth.shape[1] - SIDE : SIDE]
        found = []
        for y, x in corners.reshape(2, -1).T:
            square = slice(y, y + SIDE), slice(x, x + SIDE)
            if truth[square].std() < CONTRAST:
                continue
            result = shown["N2V, posterior"][i][square]
            found.append((psnr(truth[square], result, 255.0), i, y, x))
        squares += [("best", max(found)), ("worst", min(found))] if found else []
    args.pictures.mkdir(parents=True, exist_ok=True)
    for which in ("best", "worst"):
        found = sorted((s for w, s in squares if w == which), reverse=which == "best")[:SHOWN]
        picture = Picture(figsize=(1.75 * len(shown), 2.0 * SHOWN))
        rows = picture.subplots(SHOWN, len(shown))
        for row, (cells, (_, i, y, x)) in enumerate(zip(rows, found, strict=True)):
            square = slice(y, y + SIDE), slice(x, x + SIDE)
            truth = task.truth[i][square]
            low, high = grey_scale(truth)
            for cell, (title, images) in zip(cells, shown.items(), strict=True):
                reached = ""
                if images is not task.truth:
                    reached = f"{psnr(truth, images[i][square], 255.0):.1f} dB"
                cell.imshow(images[i][square], cmap="gray", vmin=low, vmax=high)
                cell.set_axis_off()
                cell.set_title(f"{title}\n{reached}" if row == 0 else reached, fontsize=8)
        path = args.pictures / f"{which}.png"
        picture.savefig(path, dpi=90)
        Image.open(path).convert("L").save(path, optimize=True)


def check(args, parser):
    """Whether there will be what pictures are drawn from, before anything is measured."""
    if args.pictures is None:
        return
    if args.keep is None:
        parser.error("--pictures draws what is kept. Received: no --keep. Give it a folder.")
    method, result = COLUMNS["N2V, posterior"]
    path = equal_time.kept(args, method, args.seeds[0], result)
    if method not in args.methods and not path.exists():
        parser.error(
            f"--pictures needs the images of {method}, which are not in --keep. Received: "
            f"--methods {' '.join(args.methods)}. Add {method}."
        )


def main():
    options = equal_time.parser(__doc__, METHODS, data=False)
    options.add_argument("--pictures", type=Path, help="draw best.png and worst.png here")
    args = equal_time.timed(options)
    check(args, options)
    equal_time.run(args, make_task, {"noisy": lambda task: score(task.truth, task.noisy)})
    if args.pictures is not None:
        draw(args)


if __name__ == "__main__":
    main()
