"""What methods reach on BSD68 in equal time, beside n2v 0.3.3 and CAREamics.

    python -m benchmarks quality bsd68 DATA [--noise 'sigma 25'] [--methods NAME ...]
        [--minutes 15] [--seeds 0] [--json FOLDER]

Trains on Train400 with noise (numpy's default_rng([400, index])), of which four images validate,
and scores on all of BSD68 (default_rng([68, index])): PSNR with range 255, nothing clipped, mean
over images; SSIM likewise. Noise is 'sigma S' (normal, not clipped) or 'poisson P' (P photons where
an image is white). Time is that on the clock, from the start of the training with its compilation
to its end; other work on the machine spoils it. Networks have 32 filters at first (N2V, N2V2, n2v,
CAREamics, Noise2Noise and supervised training alike) or 141,379 weights (HQ-SSL).

`best` is of the weights with the lowest validation loss, `last` of the last ones, and `tta` of the
last ones averaged over eight turns and flips. `prior` is what a network with blind spots says of a
pixel without itself, `posterior` with it; N2V takes the noise for that from each image.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from n2v_tk import HQSSL, N2N, N2V, HQSSLConfig, N2NConfig, N2VConfig

from .. import common
from .images import baselines, noisy_grey, score, with_normal_noise, with_poisson_noise
from .timed import NO_SCHEDULE, Figures, train_for

VALIDATION = 4
WARM_UP = 0.02
HQSSL_RECIPE = {
    "net_width": 16, "train_patch_shape": (96, 96), "train_batch_size": 8,
    "train_learning_rate": 1e-3,
}  # fmt: skip
PAIRS_RECIPE = {
    "network": "unet", "unet_kern_size": 3, "train_patch_shape": (64, 64), "train_batch_size": 16,
    "train_learning_rate": 1e-3,
}  # fmt: skip
PEERS = {"n2v 0.3.3": "n2v", "CAREamics": "careamics"}


def noisy(args):
    """Noisy images and nothing else."""
    truth, images = noisy_grey(args.data, "test68", args.noise)
    return score(truth, images)


def bm3d(args):
    """As measured on these images by others, told the standard deviation."""
    if args.noise != "sigma 25":
        return {}
    found = baselines(args.data, "bsd68/baselines_test68.json")
    name = next(n for n in found if n.lower().startswith("bm3d"))
    return {key: found[name][key] for key in ("psnr", "ssim")}


def blind_spots(make):
    def run(args, seed):
        X = training_images(args)
        config = make(X, **NO_SCHEDULE, train_seed=seed, train_batch_size=16)
        data = (X[VALIDATION:], X[:VALIDATION])
        return trained(args, N2V, config, *data, outputs=("prior", "posterior"))

    return run


def hqssl(known):
    def run(args, seed):
        X = training_images(args)
        kind, level = args.noise.split()
        noise = {"sigma": "gaussian", "poisson": "poisson"}[kind]
        level = float(level) if kind == "sigma" else 255 / float(level)
        config = HQSSLConfig(
            X, noise_model=noise, noise_level=level if known else None, **HQSSL_RECIPE,
            **NO_SCHEDULE, train_seed=seed,
        )  # fmt: skip
        data = (X[VALIDATION:], X[:VALIDATION])
        return trained(args, HQSSL, config, *data, outputs=("posterior", "prior"))

    return run


def pairs(clean):
    def run(args, seed):
        X = training_images(args)
        Y = training_images(args, clean=clean, again=True)
        config = N2NConfig(X, **PAIRS_RECIPE, **NO_SCHEDULE, train_seed=seed)
        validation = (X[:VALIDATION], Y[:VALIDATION])
        return trained(args, N2N, config, X[VALIDATION:], Y[VALIDATION:], validation)

    return run


def peer(name):
    def run(args, seed):
        python = args.n2v_python if name == "n2v" else args.careamics_python
        if python is None:
            raise SystemExit(f"{name} is missing: python -m benchmarks peers {name}")
        X = training_images(args)[..., 0]
        truth, images = noisy_grey(args.data, "test68", args.noise)
        with tempfile.TemporaryDirectory() as folder:
            given, written = Path(folder, "images.npz"), Path(folder, "results.npz")
            tests = {f"test_{i}": image for i, image in enumerate(images)}
            np.savez(given, train=X[VALIDATION:], validation=X[:VALIDATION], **tests)
            script = Path(common.__file__).parent / "peers" / f"quality_{name}.py"
            options = (given, written, args.minutes * 60, 32, 16)
            command = [python, str(script), *map(str, options)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.strip().splitlines()[-1])
            with np.load(written) as results:
                for weights in ("last", "best"):
                    names = [f"{test}_{weights}" for test in tests]
                    if names[0] in results:
                        of = score(truth, [results[n] for n in names])
                        found |= {f"{weights} {key}": value for key, value in of.items()}
        return found

    return run


METHODS = {
    "n2v": blind_spots(N2VConfig.recommended),
    "n2v2": blind_spots(lambda X, **s: N2VConfig.recommended(X, "n2v2", **s)),
    "n2n": pairs(clean=False),
    "supervised": pairs(clean=True),
    "hqssl known": hqssl(known=True),
    "hqssl estimated": hqssl(known=False),
    **{name: peer(of) for name, of in PEERS.items()},
}


def training_images(args, clean=False, again=False):
    """Of Train400, (S, Y, X, 1); `again` with other noise."""
    truth, images = noisy_grey(args.data, "train400", args.noise)
    if clean:
        images = truth
    elif again:
        kind, level = args.noise.split()
        draw = {"sigma": with_normal_noise, "poisson": with_poisson_noise}[kind]
        images = draw(truth, 401, float(level))
    return np.stack(images)[..., None]


def trained(args, model_class, config, *data, outputs=(None,)):
    """Time and scores of a model: PSNR and SSIM by weights and by output, in decibel and 0 to 1."""
    truth, images = noisy_grey(args.data, "test68", args.noise)
    with tempfile.TemporaryDirectory() as folder:
        model = model_class(config, "model", folder)
        found = train_for(model, args.minutes * 60, *data, warm_up=WARM_UP, clock=time.perf_counter)
        variables = model.keras_model.trainable_variables
        found["weights"] = int(sum(np.prod(v.shape) for v in variables))
        for weights in ("best", "last"):
            model.load_weights(f"weights_{weights}.h5")
            for output in outputs:
                options = {} if output is None else {"output": output}
                of = {weights: options}
                if weights == "last" and model_class is not HQSSL:
                    of["tta"] = options | {"tta": True}
                for name, more in of.items():
                    results = [model.predict(image, "YX", **more) for image in images]
                    name = name if output is None else f"{output} {name}"
                    found |= {f"{name} {k}": v for k, v in score(truth, results).items()}
        if model_class is HQSSL and config.noise_level is None:
            found["learned"] = model.noise_level()
    return found


def main():
    parser = common.arguments(__doc__, PEERS.values())
    parser.add_argument("data", type=Path)
    parser.add_argument("--noise", default="sigma 25")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    args = parser.parse_args()
    figures = Figures(args.json)
    measured = {"noisy": noisy, "bm3d": bm3d}
    for name, measure in measured.items():
        figures.measure(f"{args.noise}, {name}", lambda measure=measure: measure(args))
    for seed in args.seeds:
        for name in args.methods:
            key = f"{args.noise}, {name}, {args.minutes:g} min, seed {seed}"
            found = figures.measure(key, lambda name=name, seed=seed: METHODS[name](args, seed))
            shown = {k: round(v, 3) for k, v in found.items() if "psnr" in k or k == "steps"}
            print(key, shown, flush=True)


if __name__ == "__main__":
    main()
