"""What the operations of a training step take, by kind: TensorFlow's own profile of ten steps.

    python -m benchmarks.step_profile [--n-first 32] [--batch 16] [--precision auto]

The network of the benchmark `train_step`. Milliseconds of a step and number of operations in it;
operations run side by side on several cores, so they add up to more than the step takes.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from n2v_tk import N2V, N2VConfig

from .common import machine

STEPS, SHOWN = 10, 16


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-first", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    X = np.random.default_rng(0).normal(size=(64, 180, 180, 1)).astype(np.float32)
    config = N2VConfig(
        X, unet_kern_size=3, unet_n_first=options.n_first, train_batch_size=options.batch,
        train_loss="mse", train_epochs=1, train_steps_per_epoch=5, train_seed=0,
        train_precision=options.precision,
    )  # fmt: skip
    model = N2V(config, basedir=None)
    model.prepare_for_training()
    model.train(X, verbose=0)
    x, y = model._training_data([X], 1)[0]
    form = model._trainer.form
    for _ in range(3):
        form.train_on_batch(x, y)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(STEPS):
                form.train_on_batch(x, y)
        (profile,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(profile.read_bytes())
    time, count = by_kind(space)
    print(f"{machine()}, {model.config.train_precision}\n")
    print("| operation | ms | number |\n|---|---|---|")
    for kind, milliseconds in time.most_common(SHOWN):
        print(f"| {kind} | {milliseconds:.1f} | {count[kind] / STEPS:.0f} |")
    print(f"| all | {sum(time.values()):.1f} | {sum(count.values()) / STEPS:.0f} |")


def by_kind(space):
    """Milliseconds of a step, and number of operations in all steps, by kind of operation."""
    time, count = Counter(), Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # an operation is written as NAME:KIND; others are calls with "::" or a space
                name, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if colon and not name.endswith(":") and " " not in kind:
                    time[kind] += event.duration_ps / 1e9 / STEPS
                    count[kind] += 1
    return time, count


if __name__ == "__main__":
    main()
