"""Images with a known truth, and how results are scored against it."""

import json
from pathlib import Path

import numpy as np

from n2v_tk import psnr, ssim

# of Train400, for choosing settings; the test images are never used for that
HELD_OUT = 40
SEEDS = {"train400": 400, "test68": 68}


def grey(folder, split):
    """Clean grey images of a split, float32 (Y, X), range 255."""
    with np.load(Path(folder) / "bsd68" / f"{split}.npz") as data:
        if split == "train400":
            return [image.astype(np.float32) for image in data["images"]]
        return [data[name].astype(np.float32) for name in sorted(data.files)]


def with_normal_noise(images, seed, sigma=25.0):
    """Normal noise, one stream per image, neither clipped nor rounded."""
    found = []
    for index, image in enumerate(images):
        noise = np.random.default_rng([seed, index]).standard_normal(image.shape)
        found.append((image.astype(np.float64) + sigma * noise).astype(np.float32))
    return found


def with_poisson_noise(images, seed, peak=30.0):
    """Counts of photons, `peak` of them where the image is white, in the units of the image."""
    return [
        (
            np.random.default_rng([seed, index]).poisson(image / 255.0 * peak) * (255.0 / peak)
        ).astype(np.float32)
        for index, image in enumerate(images)
    ]


def with_noise(images, seed, noise):
    """`noise` is 'sigma S' or 'poisson P'."""
    kind, level = noise.split()
    draw = {"sigma": with_normal_noise, "poisson": with_poisson_noise}[kind]
    return draw(images, seed, float(level))


def noisy_grey(folder, split, noise="sigma 25"):
    """Clean and noisy images of a split."""
    clean = grey(folder, split)
    return clean, with_noise(clean, SEEDS[split], noise)


def middle(image, side=128):
    """The middle of an image (Y, X), a square."""
    y, x = ((n - side) // 2 for n in image.shape)
    return image[y : y + side, x : x + side]


def score(truths, results):
    """PSNR and SSIM for range 255, means over images, and the PSNR of each in decibel."""
    pairs = list(zip(truths, results, strict=True))
    each = [psnr(t, r, 255.0) for t, r in pairs]
    return {
        "psnr": float(np.mean(each)),
        "ssim": float(np.mean([ssim(t, r, 255.0, -1 if t.ndim == 3 else None) for t, r in pairs])),
        "each": [round(value, 3) for value in each],
    }


def baselines(folder, name):
    """What others measured on exactly these images: the JSON file beside them."""
    return json.loads((Path(folder) / name).read_text(encoding="utf-8"))
