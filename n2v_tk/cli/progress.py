"""Progress of training in the terminal: loss and time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def block_progress(console: Console, name: str) -> Iterator[Callable[[int, int], None]]:
    """A line that tells how many blocks of a large image are done; a callable moves it on.

    Without a terminal, a line of text every ten percent.
    """
    started, shown = time.monotonic(), 0
    bar = Progress(
        TextColumn(name), BarColumn(), TextColumn("{task.completed}/{task.total} blocks"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console,
        disable=not console.is_terminal,
    )  # fmt: skip
    task = bar.add_task("blocks", total=None)

    def progress(done, total):
        nonlocal shown
        bar.update(task, completed=done, total=total)
        if not console.is_terminal and done * 10 // total > shown:
            shown = done * 10 // total
            spent = time.monotonic() - started
            console.print(f"{name}: {done} of {total} blocks, {spent:.0f} s")

    with bar:
        yield progress


class TrainingProgress(keras.callbacks.Callback):
    """One line: epoch, bar, loss, validation loss, time left.

    Without a terminal, one line of text per epoch.

    Parameters
    ----------
    console : rich.console.Console
    epochs, steps : int
        Epochs, and steps in each.
    """

    def __init__(self, console: Console, epochs: int, steps: int):
        super().__init__()
        self.console = console
        self.epochs, self.steps = epochs, steps
        self.loss = self.val_loss = float("nan")
        self._shown = 0.0
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  validation {task.fields[val_loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def on_train_begin(self, logs=None):
        self._task = self._progress.add_task(
            "train", total=self.epochs * self.steps, epoch=1, loss="…", val_loss="…"
        )
        self._started, self._first = time.monotonic(), None
        self._progress.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self._first is None:
            # of a training that goes on, others were made before
            self._first = epoch
            self._progress.reset(self._task, completed=epoch * self.steps)
        self._progress.update(self._task, epoch=epoch + 1)

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        # reading the loss waits for the device: do so twice a second only
        if now - self._shown > 0.5:
            self._shown = now
            self.loss = float(logs["loss"])
            self._progress.update(
                self._task,
                completed=self.epoch * self.steps + batch + 1,
                loss=f"{self.loss:.4f}",
            )

    def on_epoch_end(self, epoch, logs=None):
        self.loss, self.val_loss = logs["loss"], logs.get("val_loss", np.nan)
        self._progress.update(
            self._task,
            completed=(epoch + 1) * self.steps,
            loss=f"{self.loss:.4f}",
            val_loss=f"{self.val_loss:.4f}",
        )
        if not self.console.is_terminal:
            spent = time.monotonic() - self._started
            left = spent / (epoch + 1 - (self._first or 0)) * (self.epochs - epoch - 1)
            self.console.print(
                f"epoch {epoch + 1}/{self.epochs}  loss {self.loss:.4f}  "
                f"validation {self.val_loss:.4f}  {spent:.0f} s, {left:.0f} s left"
            )

    def on_train_end(self, logs=None):
        self.close()

    @property
    def began(self) -> bool:
        """Whether any training was done."""
        return hasattr(self, "_task")

    def close(self) -> None:
        """Give the terminal back."""
        self._progress.stop()
