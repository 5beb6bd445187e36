"""Pictures in the output of a notebook cell that are kept up to date while work goes on."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable

import keras
import numpy as np

from .history import draw_curves
from .images import strip
from .picture import Picture, as_png, bare, grey_scale, plane


def in_notebook() -> bool:
    """Whether code runs in a notebook, whose cells can show pictures."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    # that of Colab is derived from it
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


class _Cell:
    """A picture in the output of the cell that runs, replaced by the next one."""

    def __init__(self):
        self._handle = None

    def show(self, figure):
        from IPython.display import Image, display

        picture = Image(data=as_png(figure))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


class LivePictures:
    """Pictures of a Deep Image Prior on its way, in the output of a notebook cell.

    Called with a `n2v_tk.models.dip.DIPProgress` at every look, it shows the given picture, the
    output as it is, and its average.

    Parameters
    ----------
    image : ndarray
        The given picture.
    axes : str
    """

    def __init__(self, image: np.ndarray, axes: str):
        self.image, self.axes = image, axes
        self._cell = _Cell()

    def __call__(self, progress) -> None:
        """Show how far it is."""
        fit = progress.history["psnr_fit"][-1]
        step = f"step {progress.iteration} of {progress.iterations}"
        figure = strip(
            {
                "given": self.image,
                f"{step}, fit {fit:.1f} dB": progress.current(),
                "averaged": progress.averaged(),
            },
            self.axes,
        )
        self._cell.show(figure)


class LiveTraining(keras.callbacks.Callback):
    """Losses and a preview in the output of a notebook cell while a model is trained.

    Parameters
    ----------
    epochs : int
    preview : callable, optional
        Returns the noisy and the denoised picture, (Y, X) or (Y, X, 3) each, with the weights as
        they are. Called after epochs 1, 2, 3, 5, 8, 13, ..., and after the last one; more seldom
        if it takes long.
    every : float
        Seconds between two drawings, at least.
    """

    def __init__(
        self,
        epochs: int,
        preview: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None,
        every: float = 2.0,
    ):
        super().__init__()
        self.epochs, self.preview, self.every = epochs, preview, every
        self._cell = _Cell()

    def on_train_begin(self, logs=None):
        self._curves = {}
        self._pictures, self._due, self._after = None, 1, 1
        self._started, self._drawn = time.monotonic(), -np.inf
        self._looking = 0.0

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self._curves.setdefault(name, []).append(float(value))
        done = epoch + 1
        if self.preview is not None and self._is_due(done):
            started = time.monotonic()
            self._pictures = self._look(done)
            self._looking += time.monotonic() - started
        if time.monotonic() - self._drawn > self.every or done == self.epochs:
            self._draw(done)

    def _look(self, done):
        try:
            return (done, *self.preview())
        except Exception as error:
            # a training of hours is worth more than its pictures
            self.preview = None
            warnings.warn(
                f"No more previews of this training: {type(error).__name__}: {error}", stacklevel=2
            )
            return None

    def _is_due(self, done):
        if done == self.epochs:
            return True
        # looking takes a tenth of the time at most, but for the first time
        spent = time.monotonic() - self._started
        if done < self._due or 10 * self._looking > spent:
            return False
        self._due, self._after = self._due + self._after, self._due
        return True

    def on_train_end(self, logs=None):
        if self._curves:
            self._draw(len(self._curves["loss"]))

    def _draw(self, done):
        spent = time.monotonic() - self._started
        left = spent / done * (self.epochs - done)
        figure = Picture(figsize=(10, 3.4) if self._pictures else (5, 3.4))
        cells = figure.subplots(1, 3 if self._pictures else 1, squeeze=False)[0]
        draw_curves(cells[0], self._curves)
        cells[0].set_title(f"epoch {done} of {self.epochs}, {left:.0f} s left", fontsize=10)
        if self._pictures:
            epoch, noisy, denoised = self._pictures
            low, high = grey_scale(denoised)
            titles = ("noisy", f"denoised, after epoch {epoch}")
            for cell, title, picture in zip(cells[1:], titles, (noisy, denoised), strict=True):
                shown = np.clip((plane(picture) - low) / (high - low), 0, 1)
                cell.imshow(shown, cmap="gray", vmin=0, vmax=1)
                cell.set_title(title, fontsize=10)
                bare(cell)
        self._cell.show(figure)
        self._drawn = time.monotonic()
