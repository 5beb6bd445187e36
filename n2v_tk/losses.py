"""Losses on blind spots, and on pairs of images.

On blind spots ``y_true`` holds the C target channels and then the C channels of the mask, as
`n2v_tk.data.sequences.masked_pair` makes them. Pixels outside the mask weigh nothing. A batch
without a blind spot has loss 0. On pairs it is the target.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from .replicas import mean_over_replicas


def masked_mse(y_true, y_pred):
    """Mean squared error over blind spots (Krull et al., equation 8)."""
    target, mask = ops.split(y_true, 2, axis=-1)
    return _masked_mean(ops.square(target - ops.cast(y_pred, target.dtype)), mask)


def masked_mae(y_true, y_pred):
    """Mean absolute error over blind spots."""
    target, mask = ops.split(y_true, 2, axis=-1)
    return _masked_mean(ops.abs(target - ops.cast(y_pred, target.dtype)), mask)


def masked_laplace(y_true, y_pred):
    """Mean negative log likelihood of a Laplace distribution over blind spots.

    ``|y - mean| / scale + log(2 * scale)``; ``y_pred`` holds C means and then C scales.
    """
    target, mask = ops.split(y_true, 2, axis=-1)
    mean, scale = ops.split(ops.cast(y_pred, target.dtype), 2, axis=-1)
    return _masked_mean(ops.abs(target - mean) / scale + ops.log(2 * scale), mask)


LOSSES = {"mse": masked_mse, "mae": masked_mae, "laplace": masked_laplace}

# pixels along every side of the windows whose means predictions should keep
MEAN_WINDOW = 16


def keeping_means(loss: Callable, weight: float, n_channels: int) -> Callable:
    """A loss on blind spots that also asks predictions for the means of the image.

    Blind spots judge a network by what it makes of hidden pixels, and no pixel is hidden when it
    predicts. What replaces them by a mean shows it smooth pixels where it later sees noisy ones,
    and results can be brighter or darker than the image. Noise of mean 0 has next to none over a
    window, so over all pixels of a window, hidden or not, ``y - f`` should have none either: the
    mean of its square over the windows is added.

    Parameters
    ----------
    loss : callable
        One of `LOSSES`.
    weight : float
        Of what is added, whose units are those of the squared error.
    n_channels : int
        Channels of the image. Further ones of the prediction are scales.

    Returns
    -------
    callable
    """

    def both(y_true, y_pred):
        found = ops.cast(y_pred[..., :n_channels], y_true.dtype)
        residual = y_true[..., :n_channels] - found
        means = ops.average_pool(residual, MEAN_WINDOW, MEAN_WINDOW, padding="same")
        return loss(y_true, y_pred) + weight * ops.mean(ops.square(means))

    return both


def of_means(loss: Callable, n_channels: int) -> Callable:
    """A loss of means alone.

    Parameters
    ----------
    loss : callable
    n_channels : int
        Channels of the image. Further ones of the prediction are scales, which do not count.

    Returns
    -------
    callable
    """
    return lambda y_true, y_pred: loss(y_true, y_pred[..., :n_channels])


def mse(y_true, y_pred):
    """Mean squared error."""
    return ops.mean(ops.square(y_true - ops.cast(y_pred, y_true.dtype)))


def mae(y_true, y_pred):
    """Mean absolute error."""
    return ops.mean(ops.abs(y_true - ops.cast(y_pred, y_true.dtype)))


def laplace(y_true, y_pred):
    """Mean negative log likelihood of a Laplace distribution.

    ``|y - mean| / scale + log(2 * scale)``; ``y_pred`` holds C means and then C scales (Weigert et
    al., Content-aware image restoration, Nature Methods 2018).
    """
    mean, scale = ops.split(ops.cast(y_pred, y_true.dtype), 2, axis=-1)
    return ops.mean(ops.abs(y_true - mean) / scale + ops.log(2 * scale))


def annealed_l0(y_true, y_pred):
    """Mean of ``(|y - f| + 1e-8)**gamma``; the last channel of ``y_true`` holds gamma.

    With gamma falling from 2 to 0 its minimum moves from the mean of the targets over their
    median towards their most frequent value (Lehtinen et al., ICML 2018, section 3.3).
    """
    target, gamma = y_true[..., :-1], y_true[..., -1:]
    difference = ops.abs(target - ops.cast(y_pred, target.dtype))
    return ops.mean(ops.power(difference + 1e-8, gamma))


def relative_hdr(y_true, y_pred):
    """Mean of ``(f - y)**2 / (f + 0.01)**2``, the denominator without gradient.

    For linear light: errors count relative to brightness, and the minimum is still the mean of
    the targets (Lehtinen et al., ICML 2018, section 3.5).
    """
    y_pred = ops.cast(y_pred, y_true.dtype)
    return ops.mean(ops.square(y_pred - y_true) / ops.square(ops.stop_gradient(y_pred) + 0.01))


N2N_LOSSES = {
    "mse": mse,
    "mae": mae,
    "l0": annealed_l0,
    "hdr": relative_hdr,
    "masked_mse": masked_mse,
}

PAIR_LOSSES = {"mse": mse, "mae": mae, "laplace": laplace}


def _masked_mean(values, mask):
    # where, not a product: what lies outside the mask must not count even if it is infinite
    values = ops.where(mask > 0, values, ops.zeros_like(values))
    # devices that share a batch have different counts, and their losses are averaged
    count = mean_over_replicas(ops.sum(mask))
    return ops.sum(values) / ops.where(count == 0, ops.ones_like(count), count)
