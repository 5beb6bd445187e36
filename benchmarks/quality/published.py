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
than that; the same command goes on. 'of peak' is the arithmetic of training (three times that of
prediction, as JAX counts it) by time, as a share of --peak, the chip's for bfloat16.
"""

from pathlib import Path

import keras
import numpy as np

from n2v_tk import HQSSL, N2V, HQSSLConfig, N2VConfig

from . import equal_time
from .bsd68 import make_task

N2V_RECIPE = {
    "unet_n_first": 96, "unet_kern_size": 3, "train_loss": "mse", "train_batch_size": 128,
    "train_epochs": 200, "train_steps_per_epoch": 400, "train_learning_rate": 4e-4,
    "n2v_perc_pix": 0.198, "n2v_patch_shape": (64, 64), "n2v_neighborhood_radius": 2,
    "batch_norm": True,
}  # fmt: skip
HQSSL_RECIPE = {
    "noise_model": "gaussian", "train_patch_shape": (160, 160), "train_batch_size": 4,
    "train_epochs": 500, "train_steps_per_epoch": 1000,
}  # fmt: skip
SIGMA = 25.0
# (class, config of images and settings), by method
RECIPES = {
    "n2v": (N2V, lambda X, **s: N2VConfig(X, unet_residual=True, **N2V_RECIPE, **s)),
    "n2v2": (N2V, lambda X, **s: N2VConfig.n2v2(X, **N2V_RECIPE, **s)),
    "hqssl known": (HQSSL, lambda X, **s: HQSSLConfig(X, noise_level=SIGMA, **HQSSL_RECIPE, **s)),
    "hqssl estimated": (HQSSL, lambda X, **s: HQSSLConfig(X, **HQSSL_RECIPE, **s)),
}


def run(task, args, name, seed):
    model_class, make = RECIPES[name]
    (train,), validating = task.parts(task.train)
    config = make(train, train_seed=seed, train_state_minutes=1.0, train_keep="last")
    config.train_epochs = max(1, round(config.train_epochs / args.shorter))
    folder = f"{name.replace(' ', '_')}_{seed}"
    begun = (args.work / folder).exists()
    model = model_class(None if begun else config, folder, args.work)
    model.train(train, validating, resume=begun, verbose=2)
    training = model.record.runs[-1]
    steps = config.train_epochs * config.train_steps_per_epoch
    found = {"steps": steps, "seconds": training["seconds"], "precision": training["precision"]}
    found["teraflops"] = flops(model, config) * steps / training["seconds"] / 1e12
    if args.peak:
        found["of peak"] = found["teraflops"] / args.peak
    results = {}
    for weights in ("best", "last"):
        model.load_weights(f"weights_{weights}.h5")
        for key, images in equal_time.prior_and_posterior(model, task).items():
            results[f"{key} {weights}"] = images
    for key, images in equal_time.prior_and_posterior(model, task, tta=True).items():
        results[f"{key} tta"] = images
    return found, results


def flops(model, config):
    """Of a step: forward, and about twice as much backward."""
    import jax

    network = model.keras_model
    batch = np.zeros((config.train_batch_size, *config.patch_shape, 1), np.float32)
    forward = jax.jit(lambda x: network(x, training=False)).lower(batch)
    return 3 * forward.cost_analysis()["flops"]


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
