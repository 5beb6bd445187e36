"""Training for a given time, and figures that are kept as soon as they are there."""

import json
import os
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np

from n2v_tk import HQSSL
from n2v_tk.training.callbacks import CosineSchedule, RampSchedule

from ..common import arguments, machine, versions


def processor_seconds():
    """Time that this process had of its cores: other work on the machine does not count."""
    return time.process_time() / len(os.sched_getaffinity(0))


class Budget(keras.callbacks.Callback):
    """Ends a training when its time is over, with the schedule of the learning rate laid over it.

    Everything counts from the start of the training, compilation included.

    Parameters
    ----------
    seconds : float
    config : DenoiserConfig
        Whose `train_schedule` is 'cosine' or 'ramps'.
    clock : callable
        Seconds.
    """

    def __init__(self, seconds, config, clock=processor_seconds):
        super().__init__()
        self.seconds, self.clock, self.steps = seconds, clock, 0
        points, rate = 1000, config.train_learning_rate
        if config.train_schedule == "cosine":
            schedule = CosineSchedule(rate, points)
        else:
            schedule = RampSchedule(rate, points, *config.train_ramps)
        self.rates = np.asarray(schedule(np.arange(points + 1)))

    def on_train_begin(self, logs=None):
        self.start = self.clock()

    def on_train_batch_begin(self, batch, logs=None):
        done = min(1.0, (self.clock() - self.start) / self.seconds)
        rate = np.interp(done * (len(self.rates) - 1), np.arange(len(self.rates)), self.rates)
        self.model.optimizer.learning_rate = float(rate)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.spent = self.clock() - self.start
        if self.spent >= self.seconds:
            self.model.stop_training = True


def train_for(model_class, config, seconds, *data, folder=None, clock=processor_seconds, **options):
    """Train a model for a time; returns it, and steps, seconds and weights.

    What else is given goes to `train`.
    """
    # the budget sets the rate: schedules of Keras count steps, whose number is not known here
    plain = {
        "train_schedule": "plateau", "train_reduce_lr": None, "train_keep": "last",
        "train_tensorboard": False,
    }  # fmt: skip
    model = model_class(config.model_copy(update=plain), "model", folder)
    budget = Budget(seconds, config, clock)
    model.prepare_for_training()
    model.callbacks.append(budget)
    model.train(*data, epochs=100_000, verbose=0, **options)
    weights = sum(int(np.prod(v.shape)) for v in model.keras_model.trainable_variables)
    return model, {"steps": budget.steps, "seconds": budget.spent, "weights": weights}


def predicted(model, images, axes, kinds, **options):
    """Results by kind, a list of one for each image.

    Kinds are what `predict` can be asked for as its `output`, 'prior' and 'posterior' of methods
    with blind spots; '' is what it gives by itself. What else is given goes to `predict`.
    """

    def of(image):
        if isinstance(model, HQSSL):
            # one pass of the network has them all
            found = model.predict(image, axes, output="all", **options)
            return {kind: found[f"{kind}_mean"] for kind in kinds}
        wanted = {kind: {"output": kind} if kind else {} for kind in kinds}
        return {kind: model.predict(image, axes, **wanted[kind], **options) for kind in kinds}

    results = [of(image) for image in images]
    return {kind: [result[kind] for result in results] for kind in kinds}


def compare_in_time(description, run, cases, minutes, shown, option="changes", seeds=(0,)):
    """Command line of a benchmark that measures cases by name for equal time, with seeds.

    ``run(data, case, seed, minutes)`` gives the figures; `shown` are those that are printed, and
    `option` names the cases that are wanted.
    """
    parser = arguments(description)
    parser.add_argument("data", type=Path)
    parser.add_argument(f"--{option}", nargs="*", dest="names", default=list(cases), choices=cases)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(seeds))
    parser.add_argument("--minutes", type=float, default=minutes)
    args = parser.parse_args()
    found = Figures(args.json).compare(
        {name: cases[name] for name in args.names}, args.seeds, f"{args.minutes:g} min",
        lambda case, seed: run(args.data, case, seed, args.minutes),
    )  # fmt: skip
    for name, seed, of in found:
        print(name, seed, {kind: of.get(kind) for kind in shown}, flush=True)


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

    def measure(self, name, function, again=False):
        """What `function` returns, a dict, with machine, versions, date and wall time.

        The wall time is its own if it tells one. `again` measures what is there already.
        """
        if again or name not in self.found:
            start = time.perf_counter()
            figures = function()
            elapsed = time.perf_counter() - start
            self._keep(name, figures | {
                "wall seconds": figures.get("wall seconds", elapsed),
                "machine": machine(),
                "versions": versions(),
                "date": time.strftime("%Y-%m-%d"),
            })  # fmt: skip
        return self.found[name]

    def compare(self, changes, seeds, effort, run):
        """Measure ``run(change, seed)`` of changes by name with every seed; yields name, seed and
        figures."""
        for seed in seeds:
            for name, change in changes.items():
                key = f"{name}, seed {seed}, {effort}"
                yield name, seed, self.measure(key, partial(run, change, seed))

    def _keep(self, name, figures):
        # others may have written in the meantime
        self.found = {**Figures(self.path).found, name: figures}
        if self.path is not None:
            self.path.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
