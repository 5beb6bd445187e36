"""Times CAREamics' own training: train_step_careamics.py N_FIRST BATCH EPOCHS STEPS."""

import contextlib
import io
import json
import statistics
import sys
import tempfile
import time

import careamics
import numpy as np
from careamics import CAREamist
from careamics.config import create_advanced_n2v_config
from lightning.pytorch.callbacks import Callback

n_first, batch, epochs, steps = map(int, sys.argv[1:])


class Times(Callback):
    times = []

    def on_train_epoch_start(self, trainer, module):
        self.start = time.perf_counter()
        self.batches = 0

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        # the epoch without its validation
        self.batches += 1
        if self.batches == steps:
            self.times.append((time.perf_counter() - self.start) / steps * 1e3)


# so many patches that an epoch has enough steps
X = np.random.default_rng(0).normal(size=(max(64, batch * steps // 4), 180, 180))
X = X.astype(np.float32)
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    config = create_advanced_n2v_config(
        "step", data_type="array", axes="SYX", patch_size=(64, 64), batch_size=batch,
        num_epochs=epochs, num_steps=steps, masked_pixel_percentage=1.5, num_workers=0,
        model_params={"depth": 2, "num_channels_init": n_first},
    )  # fmt: skip
    careamist = CAREamist(config, work_dir=folder, callbacks=[Times()], enable_progress_bar=False)
    careamist.train(train_data=X)
step = statistics.median(Times.times[1:])
print(json.dumps({"step": step, "version": careamics.__version__}))
