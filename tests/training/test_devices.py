"""Several devices that share a batch learn what one learns."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig
from n2v_tk.errors import ConfigError, DeviceError
from n2v_tk.training.devices import Devices, list_devices

SCRIPT = """
import json, sys
import numpy as np
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    virtual = [tf.config.LogicalDeviceConfiguration()] * 2
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, virtual)
from n2v_tk import N2V, N2VConfig
X = np.random.default_rng(0).normal(100, 10, (4, 64, 64, 1)).astype("float32")
histories = []
for devices in (None, 2):
    config = N2VConfig(
        X, unet_n_first=8, train_epochs=2, train_steps_per_epoch=3, train_batch_size=6,
        n2v_patch_shape=(32, 32), train_seed=0, train_precision="float32", train_loss="mse",
        n2v_perc_pix=0.8, train_ema=0.9,
    )
    model = N2V(config, basedir=None)
    model.prepare_for_training(devices=devices, metrics=["mse"])
    # 11 patches to validate on, which two devices cannot share
    histories.append(model.train(X, X[:3, :, :62], verbose=0).history)
    histories[-1]["mean"] = [float(np.mean(model.predict(X[0], "YXC")))]
print(json.dumps(histories, default=float))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_loss_is_that_of_one_device(backend):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False,
        env={**os.environ, "KERAS_BACKEND": backend, **flags},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert one.keys() == two.keys() >= {"loss", "val_loss", "n2v_mse"}
    for name in one:
        np.testing.assert_allclose(two[name][0], one[name][0], rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, err_msg=name)


def test_what_cannot_be_shared_is_refused():
    assert list_devices("gpu") == [] or len(list_devices("gpu")) < 50
    with pytest.raises(ConfigError, match="train_batch_size=16 for 3 devices"):
        Devices(3, 16)
    with pytest.raises(DeviceError, match="50 asked for"):
        Devices(50, 100)
    X = np.zeros((1, 64, 64, 1), "float32") + np.arange(64)[:, None]
    model = N2V(N2VConfig(X, train_batch_size=64), basedir=None)
    with pytest.raises(DeviceError, match="64 asked for"):
        model.prepare_for_training(devices=64)


def test_validation_that_devices_can_share():
    devices = Devices(None, 1)
    pair = np.arange(5), np.arange(5)
    assert devices.divisible(pair) is pair
    devices.count = 2
    assert devices.divisible(None) is None
    assert devices.divisible(pair)[1].tolist() == [0, 1, 2, 3]
    assert devices.divisible((np.arange(1),))[0].tolist() == [0, 0]
