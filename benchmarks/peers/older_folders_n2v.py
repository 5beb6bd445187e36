"""Trains small models with n2v 0.3.1, for benchmarks/legacy_test_data.py.

In the environment of setup_n2v.sh, with the older release before it on the path:

    pip install --no-deps --target OLDER n2v==0.3.1 tifffile==2021.11.2
    export PYTHONPATH=OLDER
    ENVIRONMENT/bin/python benchmarks/peers/older_folders_n2v.py SOURCE
    python -m benchmarks.legacy_test_data SOURCE --n2v-python ENVIRONMENT/bin/python
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

target = Path(sys.argv[1])
tf.random.set_seed(0)
# as numpy had it then
np.int = int  # noqa: NPY001
# from which n2v draws
np.random.seed(0)  # noqa: NPY002
rng = np.random.default_rng(0)
y, x = np.mgrid[:96, :96] / 12
scene = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=-1)
image = (100 + 30 * scene + rng.normal(0, 10, scene.shape)).astype(np.float32)
X = np.stack([image[:64, :64], image[32:, 32:]])
with contextlib.redirect_stdout(io.StringIO()):
    from n2v.models import N2V, N2VConfig

    for name, single in (("older_joint", False), ("older_single", True)):
        config = N2VConfig(
            X, unet_kern_size=3, unet_n_first=4, single_net_per_channel=single, train_epochs=2,
            train_steps_per_epoch=20, train_batch_size=4, train_loss="mse",
            n2v_patch_shape=(32, 32), train_learning_rate=0.004, train_tensorboard=False,
        )  # fmt: skip
        model = N2V(config, name, str(target))
        model.train(X, X)
        # what n2v 0.3.2 brought would make it a folder of that
        settings = json.loads((target / name / "config.json").read_text())
        assert "skip_skipone" not in settings, "n2v is too young: is 0.3.1 on the path?"
        np.save(target / name / "input.npy", image)
        (target / name / "info.json").write_text(json.dumps({"axes": "YXC"}))
