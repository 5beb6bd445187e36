"""Trains n2v for some time and denoises: quality_n2v.py IMAGES RESULTS SECONDS N_FIRST BATCH.

IMAGES is an .npz file with `train` and `validation` (S, Y, X) and images `test_0`, `test_1`, ...;
RESULTS gets `test_0_last`, `test_0_best` and so on. Runs in the environment of setup_n2v.sh.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
from tensorflow import keras

images, results, seconds, n_first, batch = sys.argv[1:]


class Budget(keras.callbacks.Callback):
    steps = 0

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, step, logs=None):
        Budget.steps += 1
        Budget.spent = time.perf_counter() - self.start
        if Budget.spent >= float(seconds):
            self.model.stop_training = True


with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
    from n2v.models import N2V, N2VConfig

    with np.load(images) as file:
        data = dict(file)
    X = data["train"][..., None]
    # the settings of n2v's own notebook on BSD68, with another network and batch
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=int(n_first), train_batch_size=int(batch),
        train_loss="mse", train_epochs=1000, train_steps_per_epoch=200, n2v_perc_pix=0.198,
        n2v_patch_shape=(64, 64), n2v_manipulator="uniform_withCP", n2v_neighborhood_radius=2,
        batch_norm=True, unet_residual=True, train_tensorboard=False,
    )  # fmt: skip
    model = N2V(config, "m", folder)
    model.prepare_for_training()
    model.callbacks = [c for c in model.callbacks if "TensorBoard" not in type(c).__name__]
    model.callbacks.append(Budget())
    model.train(X, data["validation"][..., None])
    found = {}
    for weights in ("last", "best"):
        model.load_weights(f"weights_{weights}.h5")
        for name in data:
            if name.startswith("test"):
                found[f"{name}_{weights}"] = model.predict(data[name], "YX")
    np.savez(results, **found)
print(json.dumps({"steps": Budget.steps, "seconds": Budget.spent}))
