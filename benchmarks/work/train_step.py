"""Times our training: train_step.py N_FIRST BATCH EPOCHS STEPS PRECISION."""

import json
import statistics
import sys
import time

import keras
import numpy as np

from n2v_tk import N2V, N2VConfig

n_first, batch, epochs, steps = map(int, sys.argv[1:5])


class EpochTimes(keras.callbacks.Callback):
    """Milliseconds per step of every epoch."""

    def __init__(self):
        super().__init__()
        self.times = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.times.append((time.perf_counter() - self.start) / steps * 1e3)


def median_ms(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) * 1e3


X = np.random.default_rng(0).normal(size=(64, 180, 180, 1)).astype(np.float32)
config = N2VConfig(
    X, unet_kern_size=3, unet_n_first=n_first, train_batch_size=batch, train_loss="mse",
    train_epochs=epochs, train_steps_per_epoch=steps, train_precision=sys.argv[5], train_seed=0,
)  # fmt: skip
model = N2V(config, basedir=None)
model.prepare_for_training()
times = EpochTimes()
# first, so that writing weights does not count
model.callbacks.insert(0, times)
model.train(X, verbose=0)
data = model._training_data([X], steps)
x, y = data[0]
form = model._trainer.form
print(
    json.dumps(
        {
            "step": statistics.median(times.times[1:]),
            "bare": median_ms(lambda: form.train_on_batch(x, y), 31),
            "drawing": median_ms(lambda: data[0], 31),
            "precision": model.config.train_precision,
        }
    )
)
