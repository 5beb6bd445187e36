"""Times n2v's own data wrapper; runs in the environment of setup_n2v.sh."""

import contextlib
import io
import json
import statistics
import sys
import time

import numpy as np

batch, patch, channels, percent, radius, manipulator, mask = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()):
    from n2v.internals.N2V_DataWrapper import N2V_DataWrapper
    from n2v.utils import n2v_utils

    rng = np.random.default_rng(0)
    sides = (48, 96, 96) if len(patch) == 3 else (96, 96)
    X = rng.normal(size=(16 if len(patch) == 3 else 256, *sides, channels)).astype(np.float32)
    Y = np.concatenate([X, np.zeros_like(X)], axis=-1)
    data = N2V_DataWrapper(
        X, Y, batch, length=10, perc_pix=percent, shape=tuple(patch),
        value_manipulation=getattr(n2v_utils, f"pm_{manipulator}")(radius),
        structN2Vmask=None if mask is None else np.array(mask),
    )  # fmt: skip
    data[0]
    times = []
    for i in range(12):
        start = time.perf_counter()
        data[i % 2]
        times.append(time.perf_counter() - start)
print(json.dumps(statistics.median(times) * 1e3))
