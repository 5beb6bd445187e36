"""Which precision the hardware computes fast."""

from __future__ import annotations

import functools

import keras

from ..errors import DeviceError


def resolve_precision(precision: str) -> str:
    """The Keras dtype policy for a setting: 'auto' is decided by the hardware.

    Parameters
    ----------
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}

    Returns
    -------
    str
        'mixed_bfloat16' for 'auto' on GPUs of compute capability 8 or more (Ampere) and on CPUs
        with AMX or AVX512-BF16, else 'float32'.
    """
    known = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
    if precision not in known:
        raise DeviceError(f"precision must be one of {', '.join(known)}. Received: {precision!r}.")
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if fast_bfloat16() else "float32"


@functools.cache
def fast_bfloat16() -> bool:
    """Whether convolutions run faster in bfloat16 than in float32 here."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from .backend_tf import gpu_compute_capability

        capability = gpu_compute_capability()
    elif backend == "jax":
        capability = _jax_capability()
    else:
        capability = _torch_capability()
    if capability is not None:
        return capability >= (8, 0)
    # what XLA makes of bfloat16 convolutions on a CPU is slower than float32
    return backend != "jax" and bool({"amx_bf16", "avx512_bf16"} & _cpu_flags())


def _jax_capability():
    import jax

    device = jax.devices()[0]
    if device.platform != "gpu":
        return None
    return tuple(int(n) for n in str(getattr(device, "compute_capability", "8.0")).split("."))


def _torch_capability():
    import torch

    return torch.cuda.get_device_capability() if torch.cuda.is_available() else None


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="ignore") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split())
    except OSError:
        pass
    return set()
