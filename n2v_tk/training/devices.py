"""Training on several devices of one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import keras
import numpy as np

from ..errors import ConfigError, DeviceError


class Devices:
    """The devices that share every batch: GPUs, or processors where there are none.

    On TensorFlow every device has a copy of the network (``tf.distribute.MirroredStrategy``), on
    JAX the batch is spread (``keras.distribution.DataParallel``). Statistics of batch
    normalisation and counts of blind spots are those of the whole batch, so that the loss is that
    of one device.

    Parameters
    ----------
    count : int or None
        How many; None leaves everything to the backend.
    batch_size : int
        Of all devices together.

    Raises
    ------
    DeviceError
        If there are not so many, or the backend cannot share batches.
    ConfigError
        If the batch cannot be divided among them.
    """

    def __init__(self, count: int | None, batch_size: int):
        self.count = count or 1
        self._strategy = self._distribution = None
        if self.count == 1:
            return
        if batch_size % self.count:
            raise ConfigError(
                f"Batches must be divisible by the number of devices. Received: "
                f"train_batch_size={batch_size} for {self.count} devices."
            )
        backend = keras.backend.backend()
        if backend not in ("tensorflow", "jax"):
            raise DeviceError(
                "Training on several devices needs the backend tensorflow or jax. Received: "
                f"KERAS_BACKEND={backend}."
            )
        kind = "gpu" if list_devices("gpu") else "cpu"
        found = list_devices(kind)
        if len(found) < self.count:
            raise DeviceError(
                f"There are not so many devices. Received: {self.count} asked for, and "
                f"{len(found)} {kind.upper()}(s) found. Ask for fewer."
            )
        if backend == "tensorflow":
            from .devices_tf import mirrored

            self._strategy = mirrored(kind, self.count)
        else:
            self._distribution = keras.distribution.DataParallel(devices=found[: self.count])

    @property
    def synchronized(self) -> bool:
        """Whether layers must bring together what they reckon over a batch."""
        return self._strategy is not None

    def share(self, loss):
        """A loss of whole batches as one of their parts, which Keras averages."""
        if self._strategy is None:
            return loss

        def shared(y_true, y_pred):
            # Keras divides by the number of replicas what is not a scalar
            return keras.ops.reshape(loss(y_true, y_pred), (1,))

        return shared

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Networks made and trained within are spread over the devices."""
        before = keras.distribution.distribution() if self._distribution is not None else None
        with nullcontext() if self._strategy is None else self._strategy.scope():
            if self._distribution is not None:
                keras.distribution.set_distribution(self._distribution)
            try:
                yield
            finally:
                if self._distribution is not None:
                    keras.distribution.set_distribution(before)

    def divisible(self, pair):
        """Validation pairs in a number that all devices have equally many of."""
        if pair is None or self.count == 1:
            return pair
        n = len(pair[0])
        if n % self.count == 0:
            return pair
        # few are repeated, of many some are left out
        chosen = np.arange(n // self.count * self.count) if n >= self.count else None
        chosen = np.arange(self.count) % n if chosen is None else chosen
        return tuple(part[chosen] for part in pair)


def list_devices(kind: str) -> list[str]:
    """Names of the devices of a kind, 'cpu' or 'gpu'; none is no error."""
    try:
        return keras.distribution.list_devices(kind)
    except RuntimeError:  # of JAX
        return []
