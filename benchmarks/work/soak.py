"""Many training steps and predictions, and what the process holds: soak.py STEPS PREDICTIONS."""

import gc
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.prediction.memory import memory_in_use

EPOCH = 250
SIDES = [(96, 96), (64, 128), (100, 75), (33, 200), (128, 128)]
memory = []


def held():
    """Memory, open files, threads and temporary files of this process."""
    gc.collect()
    found = {
        # freed memory is given back first, as `predict(max_memory=...)` does
        "memory": memory_in_use(),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "temporary": sum(len(d) + len(f) for _, d, f in os.walk(tempfile.gettempdir())),
    }
    memory.append(round(found["memory"] / 1e6, 1))
    assert threading.active_count() <= found["threads"]
    return found


def soak(work, warm_up, times):
    """What is held after some work, and after much more of it."""
    work(warm_up)
    before = held()
    for _ in range(4):
        work(times // 4)
        after = held()
    return {"before": before, "after": after}


steps, predictions = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
X = rng.normal(100, 10, (4, 128, 128, 1)).astype(np.float32)
with tempfile.TemporaryDirectory() as folder:
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=8, train_batch_size=4, n2v_patch_shape=(32, 32),
        train_epochs=1, train_steps_per_epoch=EPOCH, train_seed=0, train_tensorboard=False,
    )  # fmt: skip
    model = N2V(config, "model", Path(folder))
    model.train(X, X[:1], epochs=1, verbose=0)

    def train(n):
        model.train(X, X[:1], epochs=max(1, n // EPOCH), verbose=0)

    training = soak(train, max(EPOCH, steps // 10), steps)
    images = [rng.normal(100, 10, sides).astype(np.float32) for sides in SIDES]

    def predict(n):
        for i in range(n):
            model.predict(images[i % len(images)], "YX", tta=i % 10 == 0)

    prediction = soak(predict, max(20, predictions // 10), predictions)
print(json.dumps({"training": training, "prediction": prediction, "memory": memory}))
