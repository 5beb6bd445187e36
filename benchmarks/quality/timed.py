"""Training for a given time, and figures that are kept as soon as they are there."""

import json
import math
import os
import time

import keras

from ..common import machine, versions


def processor_seconds():
    """Time that this process had of its cores: other work on the machine does not count."""
    return time.process_time() / len(os.sched_getaffinity(0))


class Budget(keras.callbacks.Callback):
    """Ends a training when its time is over, and brings the learning rate to zero by then.

    Everything counts from the start of the training, compilation included. The rate rises to
    `rate` over the share `warm_up` of the time, then falls along half a cosine.

    Parameters
    ----------
    seconds : float
    rate : float
        Learning rate, as `train_learning_rate`.
    warm_up : float
        Share of the time.
    clock : callable
        Seconds.
    """

    def __init__(self, seconds, rate, warm_up=0.0, clock=processor_seconds):
        super().__init__()
        self.seconds, self.rate, self.warm_up, self.clock = seconds, rate, warm_up, clock
        self.steps = 0

    def on_train_begin(self, logs=None):
        self.start = self.clock()

    def on_train_batch_begin(self, batch, logs=None):
        done = min(1.0, (self.clock() - self.start) / self.seconds)
        if done < self.warm_up:
            share = done / self.warm_up
        else:
            share = (1 + math.cos(math.pi * (done - self.warm_up) / (1 - self.warm_up))) / 2
        self.model.optimizer.learning_rate = self.rate * share

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.spent = self.clock() - self.start
        if self.spent >= self.seconds:
            self.model.stop_training = True


def train_for(model, seconds, *data, warm_up=0.0, clock=processor_seconds):
    """Train a model, whose config has no schedule of its own, and return steps and seconds."""
    budget = Budget(seconds, model.config.train_learning_rate, warm_up, clock)
    model.prepare_for_training()
    model.callbacks.append(budget)
    model.train(*data, epochs=100_000, steps_per_epoch=100, verbose=0)
    return {"steps": budget.steps, "seconds": budget.spent}


# for configs of models that `train_for` trains
NO_SCHEDULE = {"train_schedule": "plateau", "train_reduce_lr": None, "train_keep": "last"}


class Figures:
    """Figures by name in a JSON file; what is in it is not measured again.

    Parameters
    ----------
    path : Path or None
    """

    def __init__(self, path):
        self.path = path
        there = path is not None and path.exists()
        self.found = json.loads(path.read_text(encoding="utf-8")) if there else {}

    def measure(self, name, function):
        """What `function` returns, a dict, with machine, versions, date and wall time."""
        if name not in self.found:
            start = time.perf_counter()
            figures = function()
            self._keep(name, figures | {
                "wall seconds": time.perf_counter() - start,
                "machine": machine(),
                "versions": versions(),
                "date": time.strftime("%Y-%m-%d"),
            })  # fmt: skip
        return self.found[name]

    def _keep(self, name, figures):
        # others may have written in the meantime
        self.found = {**Figures(self.path).found, name: figures}
        if self.path is not None:
            self.path.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
