"""What methods reach in equal time on images of one kind, n2v 0.3.3 and CAREamics among them."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from n2v_tk import (
    HQSSL,
    N2N,
    N2V,
    R2R,
    DeepImagePrior,
    DIPConfig,
    HQSSLConfig,
    MaskedDenoiser,
    MaskedDenoiserConfig,
    N2NConfig,
    N2VConfig,
    R2RConfig,
)
from n2v_tk.data.noise import Gaussian, Poisson

from .. import common
from . import masked_training
from .images import score
from .recipe import CHANGES
from .timed import Figures, predicted, train_for

HQSSL_RECIPE = {
    "net_width": 16, "train_patch_shape": (96, 96), "train_batch_size": 2,
    "train_learning_rate": 1e-3,
}  # fmt: skip
# one image at a time: of these every so many, by their number
DIP_EVERY = 17
# what is predicted of methods with blind spots, and of others
BOTH, PLAIN = ("prior", "posterior"), ("",)
PEERS = {"n2v 0.3.3": "n2v", "CAREamics": "careamics"}


@dataclass
class Task:
    """Images to learn from, and others to be judged by.

    Attributes
    ----------
    noise : str
        'sigma S' or 'poisson P'.
    truth, noisy : lists of ndarray (Y, X) or (Y, X, C)
        To be judged by.
    train : ndarray (S, Y, X, C)
        Noisy.
    again, clean : functions without arguments
        To the same images with other noise, and without.
    validation : int
        How many of the training images validate; 0 for none.
    """

    noise: str
    truth: list
    noisy: list
    train: np.ndarray
    again: Callable
    clean: Callable | None = None
    validation: int = 0

    @property
    def axes(self):
        return "YX" if self.noisy[0].ndim == 2 else "YXC"

    def hqssl_noise(self, known):
        """Settings of HQ-SSL: its noise model, and the level where that is known."""
        kind, level = self.noise.split()
        model, value = {
            "sigma": ("gaussian", float(level)),
            # the level of Poisson noise is its variance per brightness
            "poisson": ("poisson", 255 / float(level)),
        }[kind]
        return {"noise_model": model, "noise_level": value if known else None}

    def parts(self, *arrays):
        """Training and validation parts of each."""
        n = self.validation
        training, validating = [a[n:] for a in arrays], [a[:n] for a in arrays]
        if not n:
            return training, None
        return training, validating[0] if len(arrays) == 1 else tuple(validating)


def blind_spots(method, **changes):
    def run(task, args, seed):
        # colours of photographs show the same things
        settings = {"single_net_per_channel": "C" not in task.axes, **changes}
        config = N2VConfig.recommended(task.train, method, train_seed=seed, **settings)
        return trained(task, args, N2V, config, task.train, kinds=BOTH)

    return run


def r2r(task, args, seed):
    """With noise that is estimated."""
    config = R2RConfig(task.train, train_seed=seed)
    return trained(task, args, R2R, config, task.train, kinds=BOTH)


def hqssl(known):
    def run(task, args, seed):
        settings = {**task.hqssl_noise(known), **HQSSL_RECIPE}
        config = HQSSLConfig(task.train, train_seed=seed, **settings)
        return trained(task, args, HQSSL, config, task.train, kinds=BOTH)

    return run


def pairs(name):
    def run(task, args, seed):
        target = getattr(task, name)()
        config = N2NConfig.recommended(task.train, train_seed=seed)
        return trained(task, args, N2N, config, task.train, target)

    return run


def masked(task, args, seed):
    """On clean images to which the noise that it is judged by is added."""
    kind, level = task.noise.split()
    noise = Gaussian(float(level)) if kind == "sigma" else Poisson(float(level) / 255)
    clean = task.clean()
    settings = {**masked_training.SETTINGS, "clip_noise": False, "train_seed": seed}
    config = MaskedDenoiserConfig(clean, **settings)
    return trained(task, args, MaskedDenoiser, config, clean, noise_model=noise)


def peer(name):
    def run(task, args, seed):
        python = args.n2v_python if name == "n2v" else args.careamics_python
        if python is None:
            raise SystemExit(f"{name} is missing: python -m benchmarks peers {name}")
        (train,), validating = task.parts(task.train)
        with tempfile.TemporaryDirectory() as folder:
            given, written = Path(folder, "images.npz"), Path(folder, "results.npz")
            tests = {f"test_{i}": image for i, image in enumerate(task.noisy)}
            np.savez(given, train=train[..., 0], validation=validating[..., 0], **tests)
            script = Path(common.__file__).parent / "peers" / f"quality_{name}.py"
            options = (given, written, args.minutes * 60, 32, 16)
            command = [python, str(script), *map(str, options)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.strip().splitlines()[-1])
            results = {}
            with np.load(written) as file:
                for weights in ("last", "best"):
                    if f"test_0_{weights}" in file:
                        results[weights] = [file[f"{test}_{weights}"] for test in tests]
        return found, results

    return run


def deep_image_prior(task, args, seed):
    """Each of a few images for its share of the time."""
    start, found, results = time.perf_counter(), {"iterations": []}, []
    chosen = range(0, len(task.noisy), DIP_EVERY)
    for place, i in enumerate(chosen):
        left = args.minutes * 60 - (time.perf_counter() - start)
        seconds = left / (len(chosen) - place)
        result = fit_for(task.noisy[i], task.axes, seconds, seed=seed)
        found["iterations"].append(result.history["iteration"][-1])
        results.append(result.image)
    found["images"] = list(chosen)
    return found | {"seconds": time.perf_counter() - start}, {"result": results}


def fit_for(image, axes, seconds, clock=time.perf_counter, **settings):
    """Stopped by pixels that are held out, or where another look would come too late."""
    end = clock() + seconds
    config = DIPConfig(
        iterations=100_000, check_every=10, stop="held_out", down_channels=(32,) * 5, **settings
    )
    looks = []

    def over(_):
        looks.append(clock())
        # up to the first look there was compilation, which says nothing of the next ones
        pace = looks[-1] - looks[-2] if len(looks) > 1 else 0.0
        return looks[-1] + pace > end

    return DeepImagePrior(config).fit(image, axes, on_look=over)


METHODS = {
    "n2v": blind_spots("n2v"),
    "n2v uniform": blind_spots("n2v", **CHANGES["uniform"]),
    "n2v2": blind_spots("n2v2"),
    "r2r": r2r,
    "n2n": pairs("again"),
    "supervised": pairs("clean"),
    "masked": masked,
    "hqssl known": hqssl(known=True),
    "hqssl estimated": hqssl(known=False),
    "dip": deep_image_prior,
    **{name: peer(of) for name, of in PEERS.items()},
}


def trained(task, args, model_class, config, *arrays, kinds=PLAIN, **training_options):
    """Figures of a training, and results: of each kind by weights, and averaged over turns and
    flips but for masked training, which takes ten seconds an image."""
    training, validating = task.parts(*arrays)
    with tempfile.TemporaryDirectory() as folder:
        options = {"folder": folder, "clock": time.perf_counter, **training_options}
        seconds = args.minutes * 60
        model, found = train_for(model_class, config, seconds, *training, validating, **options)
        results = by_weights(model, task, kinds, turned=model_class is not MaskedDenoiser)
        if model_class is HQSSL and config.noise_level is None:
            found["learned"] = model.noise_level()
    return found, results


def by_weights(model, task, kinds, turned=True):
    """Results of a model by kind and weights, and by kind averaged over turns and flips of the
    last ones, which the model is left with."""
    results = {}
    for weights in ("best", "last") if task.validation else ("last",):
        if task.validation:
            model.load_weights(f"weights_{weights}.h5")
        options = {weights: {}}
        if weights == "last" and turned:
            options["tta"] = {"tta": True}
        for name, more in options.items():
            for kind, images in predicted(model, task.noisy, task.axes, kinds, **more).items():
                results[f"{kind} {name}".strip()] = images
    return results


def in_time(task, args, name, seed):
    """Figures and results of a method that has `args.minutes`."""
    return METHODS[name](task, args, seed)


def parser(doc, methods, data=True):
    found = common.arguments(doc, [PEERS[name] for name in methods if name in PEERS])
    if data:
        found.add_argument("data", type=Path)
    found.add_argument("--noise", default="sigma 25")
    found.add_argument("--methods", nargs="*", default=methods, choices=methods)
    found.add_argument("--seeds", type=int, nargs="*", default=[0])
    found.add_argument("--keep", type=Path, help="keep the denoised images in this folder")
    return found


def timed(options):
    """Arguments of a benchmark in which every method has the same time."""
    options.add_argument("--minutes", type=float, default=15.0)
    args = options.parse_args()
    args.effort = f"{args.minutes:g} min"
    return args


def run(args, make_task, untrained, method=in_time):
    """Measure methods, and by name what needs no training, and print what they reach."""
    figures = Figures(args.json)
    task = make_task(args)
    for name, function in untrained.items():
        figures.measure(f"{args.noise}, {name}", lambda function=function: function(task))
    for seed in args.seeds:
        for name in args.methods:
            key = key_of(args, name, seed)
            missing = not_kept(args, name, seed, figures.found.get(key, {}))
            if missing:
                print(f"{key}: measured again, for want of {missing[0]}", flush=True)
            found = figures.measure(
                key, lambda n=name, s=seed: scored(method, task, args, n, s), again=bool(missing)
            )
            shown = {k: round(v, 3) for k, v in found.items() if k.endswith(("psnr", "steps"))}
            print(key, shown, flush=True)


def key_of(args, method, seed):
    """What figures are kept under."""
    return f"{args.noise}, {method}, {args.effort}, seed {seed}"


def scored(method, task, args, name, seed):
    """Figures of a method with its scores; its results are kept if asked for."""
    found, results = method(task, args, name, seed)
    truth = [task.truth[i] for i in found.get("images", range(len(task.truth)))]
    for key, images in results.items():
        found |= {f"{key} {k}": v for k, v in score(truth, images).items()}
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        for key, images in results.items():
            arrays = {str(i): image.astype(np.float16) for i, image in enumerate(images)}
            np.savez_compressed(kept(args, name, seed, key), **arrays)
    return found


def kept(args, method, seed, result):
    """Where the images that a method made are."""
    # 'steps / 10' is no folder
    name = f"{key_of(args, method, seed)}, {result}.npz".replace(" / ", " by ")
    return args.keep / name


def not_kept(args, method, seed, figures):
    """Files of the images that figures are of, as far as they are wanted and missing."""
    if args.keep is None:
        return []
    results = [name.removesuffix(" psnr") for name in figures if name.endswith(" psnr")]
    paths = [kept(args, method, seed, result) for result in results]
    return [path for path in paths if not path.exists()]
