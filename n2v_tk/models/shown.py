"""Results that show themselves in a notebook."""

from __future__ import annotations

import keras
import numpy as np

from .. import html

# pixels of a picture on the screen
_WIDTH = 420


class DenoisedImage(np.ndarray):
    """What `predict` returns: an array that a notebook shows as a picture.

    It is a numpy array in every other way, and what is computed from it is a plain one.

    Attributes
    ----------
    axes : str or None
        Letters of 'STCZYX'. None for parts of an image, whose axes nobody knows.
    """

    def __new__(cls, image: np.ndarray, axes: str | None = None):
        """A view of `image`."""
        shown = np.asarray(image).view(cls)
        if axes is not None and len(axes) == shown.ndim:
            shown._axes = (axes, shown.shape, shown.strides)
        return shown

    def __array_finalize__(self, source):
        axes = getattr(source, "axes", None)
        if axes is not None and source.shape == self.shape:
            self._axes = (axes, self.shape, self.strides)

    @property
    def axes(self) -> str | None:
        # numpy turns the axes of an array after it has made it
        axes, *layout = getattr(self, "_axes", (None, None, None))
        return axes if layout == [self.shape, self.strides] else None

    def __array_wrap__(self, result, context=None, return_scalar=False):
        return result[()] if return_scalar else np.asarray(result)

    def _repr_html_(self) -> str | None:
        from ..plot.picture import as_img, grey_png, grey_scale, guess_axes, plane

        if self.ndim < 2 or not self.size:
            return None
        axes = self.axes or guess_axes(self)
        picture = plane(self, axes)
        step = max(1, max(picture.shape[:2]) // (2 * _WIDTH))
        low, high = grey_scale(picture)
        data = grey_png(picture[::step, ::step], low, high)
        text = (
            f"{' × '.join(str(n) for n in self.shape)} ({axes}), {self.dtype}, "
            f"{self.min():.6g} to {self.max():.6g}; shown: {low:.6g} to {high:.6g}"
        )
        style = f"width:{_WIDTH}px;image-rendering:auto"
        return f"{as_img(data, 'denoised image', style)}<br>{html.escape(text)}"


class Posterior(dict):
    """What `HQSSL.predict(..., output='all')` returns: a dict that shows mean and uncertainty."""

    def _repr_png_(self) -> bytes:
        from ..plot import uncertainty

        return uncertainty(self)._repr_png_()


class _Curves(dict):
    """Values per epoch by name; the learning rate also by the name that it had in Keras 2."""

    def __missing__(self, name):
        if name == "lr" and "learning_rate" in self:
            return self["learning_rate"]
        raise KeyError(name)


class TrainingHistory(keras.callbacks.History):
    """What `train` returns: a Keras history that a notebook shows as curves.

    Attributes
    ----------
    history : dict of list
        Values per epoch by name. ``history["lr"]`` is ``history["learning_rate"]``.
    epoch : list of int
    """

    @classmethod
    def of(cls, history: keras.callbacks.History, drawn: bool = False) -> TrainingHistory:
        """From what `keras.Model.fit` returned; `drawn` where its curves were just shown."""
        shown = cls()
        shown.__dict__.update(history.__dict__)
        shown.history = _Curves(history.history)
        shown._drawn = drawn
        return shown

    def _repr_html_(self) -> str:
        from ..plot import history
        from ..plot.picture import as_img, as_png

        rows = {"epochs": len(self.epoch), "loss": f"{self.history['loss'][-1]:.5g}"}
        if held_out := self.history.get("val_loss"):
            best = int(np.nanargmin(held_out))
            rows["validation loss"] = (
                f"{held_out[-1]:.5g}, lowest {held_out[best]:.5g} in epoch {best + 1}"
            )
        if self._drawn:
            return html.table(rows)
        return as_img(as_png(history(self)), "losses over the epochs") + html.table(rows)
