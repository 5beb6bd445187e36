"""Time and peak memory of our prediction: predict.py SHAPE REPEATS PRECISION ENGINE MAX_MEMORY."""

import json
import resource
import statistics
import sys
import time

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.training.precision import resolve_precision

shape = tuple(map(int, sys.argv[1].split("x")))
repeats, precision, engine, max_memory = int(sys.argv[2]), *sys.argv[3:]
X = np.random.default_rng(0).normal(size=(1, *(64,) * len(shape), 1)).astype("float32")
config = N2VConfig(
    X, unet_kern_size=3, unet_n_first=32, n2v_patch_shape=(64,) * len(shape), batch_norm=True,
    train_precision=precision, train_seed=0,
)  # fmt: skip
model = N2V(config, basedir=None)
image = np.random.default_rng(0).normal(size=shape).astype("float32")
options = {
    "precision": precision,
    "engine": engine,
    "max_memory": None if max_memory == "none" else max_memory,
}
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    model.predict(image, "ZYX"[-len(shape) :], **options)
    times.append(time.perf_counter() - start)
print(
    json.dumps(
        {
            "seconds": statistics.median(times[1:]),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "precision": resolve_precision(precision),
        }
    )
)
