"""The published recipes on BSD68 in full, for a GPU; goes on where it was interrupted.

    KERAS_BACKEND=jax python -m benchmarks quality published DATA --work FOLDER
        [--methods n2v n2v2 'hqssl known' 'hqssl estimated'] [--shorter 1] [--peak TFLOPS]
        [--keep FOLDER] [--json FOLDER]

N2V and N2V2: 96 filters at first, 200 x 400 steps in batches of 128 patches of 64 x 64, learning
rate 4e-4 that is halved where the validation loss rests (Krull, Buchholz, Jug. CVPR 2019; Höck,
Buchholz, Brachmann, Jug, Freytag. ECCV Workshops 2022). HQ-SSL: 48 filters, batches of 4, 500,000
steps (Laine, Karras, Lehtinen, Aila. NeurIPS 2019) on patches of 160 x 160, since images here are
smaller than the paper's; `--shorter 10` takes a tenth of the steps. Images and scores as in bsd68.

State is written to --work every minute, so that a run which is ended by `timeout` loses no more
than that; the same command goes on. Every noise, method, --shorter and seed has a folder of its own
there. 'teraflops' are those of convolutions in training (three times as many as in prediction) by
time, 'of peak' their share of --peak, the chip's for bfloat16.
"""

import re
import time
from pathlib import Path

import keras

from n2v_tk import HQSSL, N2V, HQSSLConfig, N2VConfig

from . import equal_time
from .arithmetic import forward_operations
from .bsd68 import make_task

N2V_RECIPE = {
    "unet_n_first": 96, "unet_kern_size": 3, "train_loss": "mse", "train_batch_size": 128,
    "train_epochs": 200, "train_steps_per_epoch": 400, "train_learning_rate": 4e-4,
    "n2v_perc_pix": 0.198, "n2v_patch_shape": (64, 64), "n2v_neighborhood_radius": 2,
    "batch_norm": True,
}  # fmt: skip
HQSSL_RECIPE = {
    "train_patch_shape": (160, 160), "train_batch_size": 4, "train_epochs": 500,
    "train_steps_per_epoch": 1000,
}  # fmt: skip


def n2v(task, X, **settings):
    return N2VConfig(X, unet_residual=True, **N2V_RECIPE, **settings)


def n2v2(task, X, **settings):
    return N2VConfig.n2v2(X, **N2V_RECIPE, **settings)


def hqssl(known):
    def config(task, X, **settings):
        return HQSSLConfig(X, **task.hqssl_noise(known), **HQSSL_RECIPE, **settings)

    return config


# (class, config of a task, its training images and settings), by method
RECIPES = {
    "n2v": (N2V, n2v),
    "n2v2": (N2V, n2v2),
    "hqssl known": (HQSSL, hqssl(known=True)),
    "hqssl estimated": (HQSSL, hqssl(known=False)),
}


def run(task, args, name, seed):
    """Figures and results of a method; the model in args.work is gone on with."""
    model_class, make = RECIPES[name]
    (train,), validating = task.parts(task.train)
    config = make(task, train, train_seed=seed, train_state_minutes=1.0, train_keep="last")
    config.train_epochs = max(1, round(config.train_epochs / args.shorter))
    model = model_class(config, folder(args, name, seed), args.work)
    operations = step_operations(model)
    model.train(train, validating, resume=True, verbose=2)
    trained = time.perf_counter()
    training = model.record.runs[-1]
    check_epochs(model, len(training["history"]["loss"]))
    steps, seconds = config.train_epochs * config.train_steps_per_epoch, training["seconds"]
    found = {"steps": steps, "seconds": seconds, "precision": training["precision"]}
    found["teraflops"] = operations * steps / seconds / 1e12
    if args.peak:
        found["of peak"] = found["teraflops"] / args.peak
    results = equal_time.by_weights(model, task, equal_time.BOTH)
    # the training may have taken several calls
    found["wall seconds"] = seconds + time.perf_counter() - trained
    return found, results


def folder(args, name, seed):
    """Name of the folder of a model, in args.work."""
    return re.sub(r"[^\w.]+", "_", equal_time.key_of(args, name, seed))


def step_operations(model):
    """Of a training step: forward, and about twice as many backward."""
    config = model.config
    shape = (config.train_batch_size, *config.patch_shape, config.n_channel_in)
    return 3 * forward_operations(model.keras_model, shape)


def check_epochs(model, made):
    wanted = model.config.train_epochs
    if made != wanted:
        raise SystemExit(
            "A model must have the epochs of its recipe to be measured. Received: "
            f"{made} for {wanted} in {model.logdir}. Remove the folder, or choose another --work."
        )


def main():
    parser = equal_time.parser(__doc__, list(RECIPES))
    parser.add_argument("--work", required=True, type=Path, help="folder of the models")
    parser.add_argument("--shorter", type=float, default=1.0, help="divide the steps by this")
    parser.add_argument("--peak", type=float, help="of the chip in bfloat16, in TFLOP/s")
    args = parser.parse_args()
    if keras.backend.backend() != "jax":
        raise SystemExit("Set KERAS_BACKEND=jax: arithmetic is counted by JAX.")
    args.effort = "all steps" if args.shorter == 1 else f"steps / {args.shorter:g}"
    equal_time.run(args, make_task, {}, run)


if __name__ == "__main__":
    main()
