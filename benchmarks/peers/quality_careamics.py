"""Trains CAREamics and denoises: quality_careamics.py IMAGES RESULTS SECONDS N_FIRST BATCH.

Files as in quality_n2v.py; only the last weights. Runs in the environment of setup_careamics.sh.
"""

import contextlib
import io
import json
import sys
import tempfile
import time

import careamics
import numpy as np
from careamics import CAREamist
from careamics.config import create_advanced_n2v_config
from lightning.pytorch.callbacks import Callback

images, results, seconds, n_first, batch = sys.argv[1:]


class Budget(Callback):
    steps = 0

    def on_train_start(self, trainer, module):
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        Budget.steps += 1
        Budget.spent = time.perf_counter() - self.start
        if Budget.spent >= float(seconds):
            trainer.should_stop = True


with np.load(images) as file:
    data = dict(file)
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    # its defaults for Noise2Void, with another network and batch
    config = create_advanced_n2v_config(
        "bsd68", data_type="array", axes="SYX", patch_size=(64, 64), batch_size=int(batch),
        num_epochs=1000, num_workers=0,
        model_params={"depth": 2, "num_channels_init": int(n_first)},
    )  # fmt: skip
    careamist = CAREamist(config, work_dir=folder, callbacks=[Budget()], enable_progress_bar=False)
    careamist.train(train_data=data["train"], val_data=data["validation"])
    found = {}
    for name in data:
        if name.startswith("test"):
            result = careamist.predict(
                data[name], axes="YX", batch_size=1, tile_size=(256, 256), tile_overlap=(48, 48),
                num_workers=0,
            )  # fmt: skip
            while isinstance(result, (tuple, list)):
                result = result[0]
            found[f"{name}_last"] = np.squeeze(result)
    np.savez(results, **found)
print(
    json.dumps({"steps": Budget.steps, "seconds": Budget.spent, "careamics": careamics.__version__})
)
