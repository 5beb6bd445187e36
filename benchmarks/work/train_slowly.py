"""Trains a small model and takes its time over every file, to be killed on the way.

    python train_slowly.py FOLDER [PAUSE]

PAUSE is what the disk takes for each file, in seconds.
"""

import os
import sys
import time
import warnings

import numpy as np

from n2v_tk import N2V, N2VConfig
from n2v_tk.config import files


class SlowDisk:
    """`os` for files of the model folder: half of the time before a file is safe, half after."""

    def __init__(self, pause):
        self.pause = pause

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, number):
        time.sleep(self.pause / 2)
        os.fsync(number)

    def replace(self, source, target):
        os.replace(source, target)
        time.sleep(self.pause / 2)


def images():
    return np.random.default_rng(0).normal(100, 10, (3, 48, 48, 1)).astype(np.float32)


def model(folder):
    config = N2VConfig(
        images(), unet_n_first=4, unet_kern_size=3, unet_n_depth=1, n2v_patch_shape=(32, 32),
        train_epochs=12, train_steps_per_epoch=2, train_batch_size=2, train_seed=5,
        train_precision="float32",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a model in")
        return N2V(config, "model", folder)


def train(folder):
    noisy = images()
    return model(folder).train(noisy[:2], noisy[2:], verbose=0, resume=True)


if __name__ == "__main__":
    files.os = SlowDisk(float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
    print("begins", flush=True)
    train(sys.argv[1])
    print("ended", flush=True)
