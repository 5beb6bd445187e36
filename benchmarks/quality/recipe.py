"""Which settings make Noise2Void good soonest: one change at a time.

    python -m benchmarks quality recipe DATA [--changes NAME ...] [--seeds 0 1 2]
        [--minutes 2] [--json FOLDER]

Trains on the noisy images of Train400 (sigma 25) but the last 40, for equal time of the processor,
and scores on those 40 against their truth. The test images have no part in it. Every change is one
from `N2VConfig.recommended`. Time is that of the processor by cores, compilation included: other
work on the machine does not count.
"""

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.masking.masker import BlindSpotMasker

from .images import HELD_OUT, noisy_grey, score
from .timed import compare_in_time, train_for

# what hides pixels in n2v
_UNIFORM = {
    "n2v_manipulator": "uniform_withCP", "n2v_neighborhood_radius": 5, "n2v_mean_weight": 0.0,
}  # fmt: skip
_NO_WEIGHT = {"n2v_mean_weight": 0.0}
# what `recommended` leaves out for other losses and replacements
_WITH_WEIGHT = {"n2v_neighborhood_radius": 1, "n2v_mean_weight": 1.0}
_N2V2 = _NO_WEIGHT | {"blurpool": True, "skip_skipone": True}


class GridMasker(BlindSpotMasker):
    """Hides pixels of a grid, which lies elsewhere in every patch."""

    def coordinates(self, batch_shape, rng):
        n_patches, *sides, n_channels = batch_shape
        pitch = round((100 / self.perc_pix) ** (1 / len(sides)))
        found = []
        for patch, channel in np.ndindex(n_patches, n_channels):
            axes = [np.arange(rng.integers(pitch), side, pitch) for side in sides]
            found.append(np.stack(np.meshgrid([patch], *axes, [channel], indexing="ij"), -1))
        return tuple(np.concatenate([f.reshape(-1, len(batch_shape)) for f in found]).T)


class OnGrid(N2VConfig):
    def masker(self, offset=0.0, scale=1.0):
        return GridMasker(
            self.n_dim, self.n2v_perc_pix, self.n2v_manipulator, self.n2v_neighborhood_radius
        )


# settings by name; 'config' is the class that takes them
CHANGES = {
    "recommended": {},
    "uniform": _UNIFORM,
    "no weight for means": _NO_WEIGHT,
    "weight for means 0.1": {"n2v_mean_weight": 0.1},
    "weight for means 10": {"n2v_mean_weight": 10.0},
    "radius 2": {"n2v_neighborhood_radius": 2},
    "median": _WITH_WEIGHT | {"n2v_manipulator": "median"},
    "N2V2": _N2V2 | {"n2v_manipulator": "median", "n2v_neighborhood_radius": 5},
    "N2V2, mean, radius 1": _N2V2,
    "1 % masked": {"n2v_perc_pix": 1.0},
    "12 % masked": {"n2v_perc_pix": 12.0},
    "2.8 % masked, on a grid": {"config": OnGrid},
    "mean absolute error": _WITH_WEIGHT | {"n2v_manipulator": "mean", "train_loss": "mae"},
    "rate falls early": {"train_ramps": (0.05, 0.95)},
    "rate never falls": {"train_ramps": (0.05, 0.0)},
    "half a cosine": {"train_schedule": "cosine"},
    "one cycle": {"train_ramps": (0.3, 0.7)},
    "rate 1e-3": {"train_learning_rate": 1e-3},
    "rate 4e-3": {"train_learning_rate": 4e-3},
    "average of weights, 0.99": {"train_ema": 0.99},
    "average of weights, 0.999": {"train_ema": 0.999},
    "no turns and flips": {"train_augment": False},
    "batches of 2": {"train_batch_size": 2},
    "batches of 16": {"train_batch_size": 16},
    "patches of 96": {"n2v_patch_shape": (96, 96), "train_batch_size": 2},
    "batch norm": {"batch_norm": True},
    "residual": {"unet_residual": True},
    "16 filters": {"unet_n_first": 16},
    "48 filters": {"unet_n_first": 48},
    "depth 3, 16 filters": {"unet_n_depth": 3, "unet_n_first": 16},
    "depth 3, 24 filters": {"unet_n_depth": 3, "unet_n_first": 24},
}


def run(data, change, seed, minutes):
    clean, noisy = noisy_grey(data, "train400")
    X = np.stack(noisy[:-HELD_OUT])[..., None]
    settings = dict(change)
    config = settings.pop("config", N2VConfig).recommended(X, train_seed=seed, **settings)
    model, found = train_for(N2V, config, minutes * 60, X, None)
    truths, images = clean[-HELD_OUT:], noisy[-HELD_OUT:]
    found |= score(truths, [model.predict(image, "YX") for image in images])
    found["tta"] = score(truths, [model.predict(i, "YX", tta=True) for i in images])["psnr"]
    found["posterior"] = score(
        truths, [model.predict(i, "YX", output="posterior") for i in images]
    )["psnr"]
    if not change:
        found["blind"] = score(truths, [blind(model, i) for i in images])["psnr"]
    return found


def blind(model, image, side=5):
    """Each pixel as it is predicted while it is hidden, with those of a grid of this pitch."""
    c = model.config
    masker = BlindSpotMasker(2, 1, c.n2v_manipulator, c.n2v_neighborhood_radius)
    rng = np.random.default_rng(0)
    hidden, places = [], []
    for y, x in np.ndindex(side, side):
        ys, xs = np.mgrid[y : image.shape[0] : side, x : image.shape[1] : side]
        spots = tuple(a.ravel() for a in (np.zeros_like(ys), ys, xs, np.zeros_like(ys)))
        batch = image[None, ..., None].copy()
        batch[spots] = masker.manipulator(batch, spots, masker.neighbourhood, rng)
        hidden.append(batch[0, ..., 0])
        places.append((ys, xs))
    result = np.empty_like(image)
    for plane, place in zip(model.predict(np.stack(hidden), "SYX"), places, strict=True):
        result[place] = plane[place]
    return result


def main():
    shown = ("psnr", "ssim", "tta", "posterior", "steps")
    compare_in_time(__doc__, run, CHANGES, 2.0, shown, seeds=(0, 1, 2))


if __name__ == "__main__":
    main()
