"""Times n2v's own training; runs in the environment of setup_n2v.sh."""

import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from tensorflow import keras

n_first, batch, epochs, steps = map(int, sys.argv[1:])


class EpochTimes(keras.callbacks.Callback):
    times = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        # the epoch without its validation
        self.times.append((time.perf_counter() - self.start) / steps * 1e3)


with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
    from n2v.models import N2V, N2VConfig

    X = np.random.default_rng(0).normal(size=(64, 180, 180, 1)).astype(np.float32)
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=n_first, train_batch_size=batch, train_loss="mse",
        train_epochs=epochs, train_steps_per_epoch=steps, n2v_perc_pix=1.5,
        n2v_patch_shape=(64, 64), batch_norm=True, train_tensorboard=False,
    )  # fmt: skip
    model = N2V(config, "m", folder)
    model.prepare_for_training()
    # its image logs are written even without TensorBoard
    model.callbacks = [c for c in model.callbacks if "TensorBoard" not in type(c).__name__]
    times = EpochTimes()
    model.callbacks.append(times)
    model.train(X, X[:1, :64, :64])
print(json.dumps(statistics.median(EpochTimes.times[1:])))
