"""Choosing the device, which must happen before the backend is imported."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import DeviceError


def start_backend(device: str | None = None) -> None:
    """Import the backend, quietly, on the device asked for.

    Parameters
    ----------
    device : {'cpu', 'gpu', 'gpu:N'}, optional
        Default: what the backend takes by itself.

    Raises
    ------
    DeviceError
        If the device is unknown or not there.
    """
    if device is not None:
        match = re.fullmatch(r"cpu|gpu(?::(\d+))?", device.lower())
        if not match:
            raise DeviceError(
                f"--device must be cpu, gpu or gpu:N with the number of a GPU. Received: {device}."
            )
        if device.lower() == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
            os.environ["JAX_PLATFORMS"] = "cpu"
        elif match[1]:
            # a scheduler may have given this job some of the GPUs: count among those
            given = [g for g in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if g]
            number = int(match[1])
            chosen = given[number] if number < len(given) else "-1" if given else match[1]
            os.environ["CUDA_VISIBLE_DEVICES"] = chosen
    # a GPU is shared with others: take memory as it is needed
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet_start():
        import keras

        keras.ops.zeros(1)
    if device is not None and device.lower().startswith("gpu") and not _has_gpu():
        raise DeviceError(
            f"There is no such GPU. Received: --device {device}. Check nvidia-smi, install a "
            "backend with GPU support (e.g. pip install 'tensorflow[and-cuda]'), or use "
            "--device cpu."
        )


def _has_gpu() -> bool:
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    from ..training.devices import list_devices

    return bool(list_devices("gpu"))


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keep what native libraries print while they are loaded off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
