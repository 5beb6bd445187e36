"""Time of a training step in `train`, beside the genuine n2v 0.3.3 in the same run.

    python benchmarks/train_step.py --n2v-python FOLDER/bin/python [--n-first 32] [--batch 16]

U-Net of depth 2, kernel 3, batch normalisation, patches of 64 x 64, Adam, masked mse. Shown are
the median epoch of `train` divided by its steps, ours in the precision 'auto' chooses and in
float32, and the same network's bare step on constant data.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import statistics
import time

import common
import keras
import numpy as np


class EpochTimes(keras.callbacks.Callback):
    """Milliseconds per step of every epoch."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.times = steps, []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.times.append((time.perf_counter() - self.start) / self.steps * 1e3)


def ours(n_first, batch, precision, epochs, steps):
    """Milliseconds per step of `train`, of a bare step, and of drawing a batch."""
    from n2v_tk import N2V, N2VConfig

    X = np.random.default_rng(0).normal(size=(64, 180, 180, 1)).astype(np.float32)
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=n_first, train_batch_size=batch, train_loss="mse",
        train_epochs=epochs, train_steps_per_epoch=steps, train_precision=precision, train_seed=0,
    )  # fmt: skip
    model = N2V(config, basedir=None)
    model.prepare_for_training()
    times = EpochTimes(steps)
    model.callbacks.append(times)
    model.train(X, verbose=0)
    data = model._training_data([X], steps)
    x, y = data[0]
    form = model._trainer.form
    bare = common.median_ms(lambda: form.train_on_batch(x, y), 30)
    drawing = common.median_ms(lambda: data[0], 30)
    return statistics.median(times.times[1:]), bare, drawing, model.config.train_precision


def main():
    parser = common.arguments(__doc__.splitlines()[0], n2v=True)
    parser.add_argument("--n-first", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    shape = (options.n_first, options.batch)
    theirs = float("nan")
    if options.n2v_python:
        theirs = common.peer(
            options.n2v_python, "train_step_n2v.py", *shape, options.epochs, options.steps
        )
    rows = []
    for precision in ("auto", "float32"):
        step, bare, drawing, chosen = ours(*shape, precision, options.epochs, options.steps)
        rows.append((f"n2v_tk, {chosen}", step, theirs / step, bare, drawing, drawing / step))
    rows.append(("n2v 0.3.3", theirs, 1.0, "", "", ""))
    common.report(
        f"A training step, milliseconds (n_first {shape[0]}, batch {shape[1]})",
        ["", "step", "n2v / this", "bare step", "drawing a batch", "share of the step"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
