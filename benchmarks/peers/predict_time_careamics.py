"""Time and peak memory of CAREamics' prediction: predict_time_careamics.py SHAPE REPEATS."""

import contextlib
import io
import json
import resource
import statistics
import sys
import tempfile
import time

import careamics
import numpy as np
from careamics import CAREamist
from careamics.config import create_advanced_n2v_config

shape, repeats = tuple(map(int, sys.argv[1].split("x"))), int(sys.argv[2])
axes = "ZYX"[-len(shape) :]
image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
tile, overlap = ((256, 256), (48, 48)) if len(shape) == 2 else ((64, 128, 128), (32, 48, 48))
times = []
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    config = create_advanced_n2v_config(
        "predict", data_type="array", axes=axes, patch_size=(64,) * len(shape), batch_size=1,
        num_epochs=1, num_steps=1, num_workers=0, n_val_patches=1,
        model_params={"depth": 2, "num_channels_init": 32},
    )  # fmt: skip
    careamist = CAREamist(config, work_dir=folder, enable_progress_bar=False)
    small = image[tuple(slice(0, 128) for _ in shape)]
    careamist.train(train_data=small)
    for _ in range(repeats + 1):
        start = time.perf_counter()
        careamist.predict(image, batch_size=1, tile_size=tile, tile_overlap=overlap, num_workers=0)
        times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(
    json.dumps(
        {"seconds": statistics.median(times[1:]), "peak": peak, "version": careamics.__version__}
    )
)
