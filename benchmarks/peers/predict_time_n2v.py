"""Time and peak memory of n2v's prediction: predict_time_n2v.py SHAPE REPEATS TILES."""

import contextlib
import io
import json
import os
import resource
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

shape = tuple(map(int, sys.argv[1].split("x")))
repeats, n_tiles = int(sys.argv[2]), tuple(map(int, sys.argv[3].split("x")))
times = []
with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
    from n2v.models import N2V, N2VConfig

    X = np.random.default_rng(0).normal(size=(1, *(64,) * len(shape), 1)).astype(np.float32)
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=32, n2v_patch_shape=(64,) * len(shape), batch_norm=True,
    )  # fmt: skip
    model = N2V(config, "m", folder)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for _ in range(repeats + 1):
        start = time.perf_counter()
        model.predict(image, "ZYX"[-len(shape) :], n_tiles=n_tiles)
        times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": statistics.median(times[1:]), "peak": peak}))
