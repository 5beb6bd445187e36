"""Deep Image Prior on pictures of its paper: quality, when to stop, time and memory.

    python -m benchmarks quality deep_image_prior FOLDER [NAME ...] --json FOLDER --pictures OUT

FOLDER holds the pictures of the paper's published code (denoising_F16_GT.png, inpainting_kate.png
with its _mask, restoration_kate.png, set14_monarch.png, inpainting_library.png, sr_zebra_GT.png).
NAMEs choose runs; all by default. Every run is kept in the JSON file at once and not repeated.

Crops of 192 x 192 in the middle, networks of 32 filters on five scales, which a CPU fits in
minutes. 'denoise ...' adds normal noise of sigma 25 (numpy's default_rng(0), not clipped), runs all
steps with pixels held out and notes, at every look, what each rule would do; 'stop ...' does so on
crops of 96 x 96 with 64 filters, which come to fit the noise; 'inpaint' covers the
crop with a part of the paper's mask; 'superres' halves twice; 'restore' drops half of the pixels of
a grey picture. 'cost' times a step on 512 x 512 with the paper's network beside the bare forward
and backward pass of the same network. PSNR in decibels, range 255.
"""

import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from n2v_tk import DeepImagePrior, DIPConfig, psnr, read_image

from ..common import arguments
from .timed import Figures

SIDE, SIGMA, FILTERS = 192, 25.0, (32,) * 5
DENOISE = {
    "denoise F16": "denoising_F16_GT", "denoise kate": "restoration_kate",
    "denoise monarch": "set14_monarch", "denoise library": "inpainting_library",
    "denoise zebra": "sr_zebra_GT",
}  # fmt: skip


def middle(folder, name, side=SIDE):
    data = read_image(folder / f"{name}.png").data
    y, x = ((length - side) // 2 for length in data.shape[:2])
    return data[y : y + side, x : x + side].astype(np.float32)


def noisy_of(clean):
    return clean + SIGMA * np.random.default_rng(0).standard_normal(clean.shape, np.float32)


def fit(image, axes, iterations, **options):
    names = ("mask", "reference")
    given = {name: options.pop(name) for name in names if name in options}
    settings = {"value_range": (0, 255), "seed": 0, "down_channels": FILTERS} | options
    return DeepImagePrior(DIPConfig(iterations=iterations, **settings)).fit(image, axes, **given)


def best_of(history, name="psnr_average"):
    at = int(np.argmax(history[name]))
    return {"psnr": history[name][at], "iteration": history["iteration"][at]}


def would_stop(history, name, patience):
    """Where a rule stops, and the look whose picture it gives."""
    best = 0
    for i, value in enumerate(history[name]):
        if value < history[name][best]:
            best = i
        elif history["iteration"][i] - history["iteration"][best] >= patience:
            break
    return {
        "stops at": history["iteration"][i],
        "iteration": history["iteration"][best],
        "psnr": history["psnr_average"][best],
    }


def denoise(folder, name, iterations, side=SIDE, filters=FILTERS):
    clean = middle(folder, DENOISE[f"denoise {name.split()[1]}"], side)
    noisy = noisy_of(clean)
    result = fit(
        noisy, "YXC", iterations, stop="held_out", patience=10**6, check_every=25,
        reference=clean, down_channels=filters,
    )  # fmt: skip
    history = result.history
    rules = {
        f"{rule}, patience {patience}": would_stop(history, rule, patience)
        for rule in ("held_out", "variance")
        for patience in (300, 500, 1000)
    }
    found = {
        "noisy": psnr(clean, noisy, 255.0),
        "best, averaged": best_of(history),
        "best, not averaged": best_of(history, "psnr"),
        "last": history["psnr"][-1],
        "rules": rules,
        "history": history,
    }
    return found, result, {"noisy": noisy, "result": result.image, "clean": clean}


def stop(folder, name, iterations):
    """Small crops and large networks, which come to fit the noise within the steps."""
    return denoise(folder, name, iterations, side=96, filters=(64,) * 5)


def inpaint(folder, name, iterations):
    clean = middle(folder, "inpainting_kate")
    mask = middle(folder, "inpainting_kate_mask") > 127
    spoiled = clean * mask[..., np.newaxis]
    result = fit(spoiled, "YXC", iterations, task="inpaint", mask=mask, skip_channels=FILTERS)
    found = {
        "spoiled": psnr(clean, spoiled, 255.0),
        "psnr": psnr(clean, result.image, 255.0),
        "psnr in the holes": psnr(clean[~mask], result.image[~mask], 255.0),
        "spoiled in the holes": psnr(clean[~mask], spoiled[~mask], 255.0),
    }
    return found, result, {"spoiled": spoiled, "result": result.image, "clean": clean}


def superres(folder, name, iterations):
    from skimage.transform import resize

    from n2v_tk.layers.lanczos import downsample

    clean = middle(folder, "sr_zebra_GT")
    small = np.asarray(downsample(clean[np.newaxis], 4))[0]
    result = fit(small, "YXC", iterations, task="superres", factor=4)
    bicubic = resize(small, clean.shape, order=3, mode="edge", anti_aliasing=False)
    found = {"bicubic": psnr(clean, bicubic, 255.0), "psnr": psnr(clean, result.image, 255.0)}
    return found, result, {"bicubic": bicubic, "result": result.image, "clean": clean}


def restore(folder, name, iterations):
    clean = middle(folder, "set14_monarch").mean(axis=-1)
    mask = np.random.default_rng(0).random(clean.shape) < 0.5
    spoiled = clean * mask
    result = fit(spoiled, "YX", iterations, task="restore", mask=mask, learning_rate=0.01)
    found = {
        "spoiled": psnr(clean, spoiled, 255.0),
        "psnr": psnr(clean, result.image, 255.0),
        "psnr, not averaged": psnr(clean, result.current, 255.0),
    }
    return found, result, {"spoiled": spoiled, "result": result.image, "clean": clean}


def cost(folder, name, iterations):
    """Each in a process of its own, so that the peaks are theirs, in turn, the best of three."""
    runs = {"bare": [], "fit": []}
    for _ in range(3):
        for kind, answers in runs.items():
            command = [
                sys.executable,
                "-m",
                "benchmarks.quality.deep_image_prior",
                str(folder),
                f"cost {kind}",
            ]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            answers.append(json.loads(answer.splitlines()[-1]))
    found = {kind: min(answers, key=lambda a: a["seconds"]) for kind, answers in runs.items()}
    found["ratio of seconds"] = found["fit"]["seconds"] / found["bare"]["seconds"]
    found["ratio of memory"] = found["fit"]["peak MB"] / found["bare"]["peak MB"]
    return found, None, None


def one_cost(kind):
    """Seconds of a step on 512 x 512 with the paper's network, and the peak of memory.

    The fit is looked at every ten steps, five times as often as by default.
    """
    rng = np.random.default_rng(0)
    picture = rng.random((512, 512, 3)).astype(np.float32)
    times = []
    if kind == "fit":
        config = DIPConfig(iterations=20, check_every=10, stop="iterations", seed=0)
        DeepImagePrior(config).fit(
            picture, "YXC", on_look=lambda _: times.append(time.perf_counter())
        )
        seconds = min(np.diff(times)) / 10
    else:
        import keras
        import tensorflow as tf

        from n2v_tk.nets.forms import training_form
        from n2v_tk.nets.hourglass import build_hourglass
        from n2v_tk.training.precision import resolve_precision

        network = training_form(build_hourglass(32, 3, sides=(512, 512)), resolve_precision("auto"))
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(network.trainable_variables)
        z = tf.constant(rng.random((1, 512, 512, 32)), tf.float32)
        target = tf.constant(picture[np.newaxis])

        @tf.function
        def steps():
            for _ in tf.range(10):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(network(z, training=True) - target))
                variables = network.trainable_variables
                optimizer.apply(tape.gradient(loss, variables), variables)

        for _ in range(2):
            steps()
            times.append(time.perf_counter())
        seconds = min(np.diff(times)) / 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak MB": peak}))


RUNS = {
    **dict.fromkeys(DENOISE, (denoise, 1500)),
    **{f"stop {name.split()[1]}": (stop, 1200) for name in DENOISE},
    "inpaint": (inpaint, 600),
    "superres": (superres, 600),
    "restore": (restore, 800),
    "cost": (cost, None),
}


def measured(name, folder, pictures):
    """Figures of a run; `pictures`, a dict, gets what there is to be seen of it."""
    work, iterations = RUNS[name]
    found, result, shown = work(folder, name, iterations)
    if result is None:
        return found
    pictures |= {**shown, **{f"step {step}": picture for step, picture in result.way.items()}}
    return found | {"iterations": iterations, "seconds": result.seconds}


def main():
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(RUNS))
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    if args.names[0].startswith("cost "):
        return one_cost(args.names[0].split()[1])
    figures = Figures(args.json)
    for name in args.names:
        pictures = {}
        found = figures.measure(name, partial(measured, name, args.folder, pictures))
        if args.pictures and pictures:
            from n2v_tk.plot import strip

            args.pictures.mkdir(parents=True, exist_ok=True)
            figure = strip(pictures, "YXC"[: pictures["clean"].ndim], columns=3)
            figure.savefig(args.pictures / f"{name.replace(' ', '_')}.png", dpi=130)
        hidden = ("machine", "versions", "history")
        print(name, {k: v for k, v in found.items() if k not in hidden}, flush=True)


if __name__ == "__main__":
    main()
