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
    """Milliseconds per step of every epoch, and of bare steps in turn: machines slow down."""

    def __init__(self, data):
        super().__init__()
        self.times, self.bare, self.drawing, self.data = [], [], [], data

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.times.append((time.perf_counter() - self.start) / steps * 1e3)
        x, y = self.data[0]
        self.bare.append(mean_ms(lambda: self.model.train_on_batch(x, y)))
        self.drawing.append(mean_ms(lambda: self.data[0]))


def mean_ms(function):
    start = time.perf_counter()
    for _ in range(steps):
        function()
    return (time.perf_counter() - start) / steps * 1e3


X = np.random.default_rng(0).normal(size=(64, 180, 180, 1)).astype(np.float32)
config = N2VConfig(
    X, unet_kern_size=3, unet_n_first=n_first, train_batch_size=batch, train_loss="mse",
    train_epochs=epochs, train_steps_per_epoch=steps, train_precision=sys.argv[5], train_seed=0,
)  # fmt: skip
model = N2V(config, basedir=None)
model.prepare_for_training()
times = EpochTimes(model._training_data([X], steps))
# first, so that writing weights does not count
model.callbacks.insert(0, times)
model.train(X, verbose=0)
found = {"step": times.times, "bare": times.bare, "drawing": times.drawing}
# the first epoch traces
found = {name: statistics.median(values[1:]) for name, values in found.items()}
print(json.dumps({**found, "precision": model.config.train_precision}))
