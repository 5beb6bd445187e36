"""Probabilities of pixels: what a network predicts, what noise adds, and what both together say.

For every pixel a network predicts a normal distribution of the clean value, with mean ``mu`` and
covariance ``Sx`` over channels, from the pixels around it. With noise of covariance ``Sn`` the
noisy value is normal with mean ``mu`` and covariance ``Sy = Sx + Sn``, which is what training
fits; given the noisy value ``y`` of the pixel itself, the clean value has the posterior mean
``mu + Sx inv(Sy) (y - mu)`` and covariance ``Sx - Sx inv(Sy) Sx`` (Laine, Karras, Lehtinen, Aila.
High-quality self-supervised deep image denoising. NeurIPS 2019, sections 3 and 4).

Matrices over channels are lists of lists of tensors (..., ), since channels are few and pixels
many. All is computed by ``keras.ops``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from keras import ops

Matrix = list[list]


class Prediction(NamedTuple):
    """Mean (..., C) and covariance, a matrix of tensors (...), of the clean value."""

    mean: object
    covariance: Matrix


def n_covariance_entries(n_channels: int, diagonal: bool = False) -> int:
    """How many numbers a network predicts for a covariance."""
    return n_channels if diagonal else n_channels * (n_channels + 1) // 2


def prediction(outputs, n_channels: int, diagonal: bool = False) -> Prediction:
    """Mean and covariance from the channels of a network's output.

    Parameters
    ----------
    outputs : tensor (..., C + entries)
        C means, then the entries of an upper triangular matrix A, row by row, or of its diagonal.
        The covariance is A times A transposed.
    n_channels : int
        C.
    diagonal : bool
        Channels are independent.
    """
    mean = outputs[..., :n_channels]
    entries = iter(range(n_channels, outputs.shape[-1]))
    zero = ops.zeros_like(outputs[..., 0])
    a = [
        [
            outputs[..., next(entries)] if (row == column if diagonal else row <= column) else zero
            for column in range(n_channels)
        ]
        for row in range(n_channels)
    ]
    covariance = [
        [sum(a[i][k] * a[j][k] for k in range(max(i, j), n_channels)) for j in range(n_channels)]
        for i in range(n_channels)
    ]
    return Prediction(mean, covariance)


def gaussian_nll(noisy, predicted: Prediction, noise_variance):
    """Negative log likelihood of noisy values, without its constant ``C / 2 log(2 pi)``.

    Parameters
    ----------
    noisy : tensor (..., C)
    predicted : Prediction
    noise_variance : tensor that broadcasts to (..., C)
        Of noise that is independent from channel to channel.

    Returns
    -------
    tensor (...)
    """
    factor = _cholesky(_plus_diagonal(predicted.covariance, noise_variance))
    return _half_log_det(factor) + 0.5 * _squared(_solve(factor, noisy - predicted.mean))


def gaussian_posterior(noisy, predicted: Prediction, noise_variance):
    """Mean and variance of the clean value, given the noisy value of the pixel as well.

    Parameters as in `gaussian_nll`.

    Returns
    -------
    mean, variance : tensor (..., C)
        Variances are those of each channel.
    """
    covariance = predicted.covariance
    n_channels = len(covariance)
    factor = _cholesky(_plus_diagonal(covariance, noise_variance))
    half = _solve(factor, noisy - predicted.mean)
    # column by column inv(L) Sx; then Sx inv(Sy) d = (inv(L) Sx)^T inv(L) d
    columns = [
        _solve(factor, ops.stack([covariance[i][c] for i in range(n_channels)], axis=-1))
        for c in range(n_channels)
    ]
    shift = [sum(column[k] * half[k] for k in range(n_channels)) for column in columns]
    mean = predicted.mean + ops.stack(shift, axis=-1)
    variance = [covariance[c][c] - _squared(columns[c]) for c in range(n_channels)]
    return mean, ops.maximum(ops.stack(variance, axis=-1), 0.0)


def impulse_moments(predicted: Prediction, alpha) -> Prediction:
    """Mean and covariance of a value that is replaced by one from [0, 1]^C with probability alpha.

    Parameters
    ----------
    predicted : Prediction
    alpha : tensor that broadcasts to (...)
    """
    mean, covariance = predicted
    n_channels = len(covariance)
    m = alpha[..., None] / 2 + (1 - alpha[..., None]) * mean
    second = [
        [
            alpha * (0.25 + (1 / 12 if i == j else 0.0))
            + (1 - alpha) * (covariance[i][j] + mean[..., i] * mean[..., j])
            - m[..., i] * m[..., j]
            for j in range(n_channels)
        ]
        for i in range(n_channels)
    ]
    return Prediction(m, second)


def impulse_nll(noisy, predicted: Prediction, alpha):
    """Negative log likelihood of a normal distribution with the moments of `impulse_moments`."""
    moments = impulse_moments(predicted, alpha)
    return gaussian_nll(noisy, moments, 1e-9)


def impulse_posterior(noisy, predicted: Prediction, alpha):
    """Mean and variance of the clean value where the noisy one may be clean or replaced.

    With probability density ``g`` of the noisy value under the prediction, it was not replaced
    with probability ``(1 - alpha) g / (alpha + (1 - alpha) g)``, and is the clean value then.
    """
    n_channels = len(predicted.covariance)
    log_g = -gaussian_nll(noisy, predicted, 1e-6) - n_channels / 2 * math.log(2 * math.pi)
    tiny = 1e-37
    logit = ops.log(ops.maximum(1 - alpha, tiny)) - ops.log(ops.maximum(alpha, tiny)) + log_g
    kept = ops.sigmoid(logit)[..., None]
    mean = kept * noisy + (1 - kept) * predicted.mean
    prior = ops.stack([predicted.covariance[c][c] for c in range(n_channels)], axis=-1)
    # of a mixture: within and between its parts
    variance = (1 - kept) * prior + kept * (1 - kept) * ops.square(noisy - predicted.mean)
    return mean, variance


def _plus_diagonal(matrix, variance):
    size = len(matrix)
    variance = ops.convert_to_tensor(variance, matrix[0][0].dtype)
    by_channel = variance.shape[-1:] == (size,)
    return [
        [
            matrix[i][j] + ((variance[..., i] if by_channel else variance) if i == j else 0.0)
            for j in range(size)
        ]
        for i in range(size)
    ]


def _cholesky(matrix):
    """Lower triangular L with L times L transposed equal to the matrix."""
    size = len(matrix)
    factor = [[None] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            value = matrix[i][j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            if i == j:
                factor[i][i] = ops.sqrt(ops.maximum(value, 1e-12))
            else:
                factor[i][j] = value / factor[j][j]
    return factor


def _solve(factor, vector):
    """inv(L) times a vector (..., C), as a list of tensors (...)."""
    solved = []
    for i in range(len(factor)):
        value = vector[..., i] - sum(factor[i][k] * solved[k] for k in range(i))
        solved.append(value / factor[i][i])
    return solved


def _squared(values):
    return sum(ops.square(value) for value in values)


def _half_log_det(factor):
    return sum(ops.log(factor[i][i]) for i in range(len(factor)))
