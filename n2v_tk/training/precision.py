"""Which precision the hardware computes fast."""

from __future__ import annotations

import functools

import keras

from ..errors import DeviceError


def resolve_precision(precision: str, network: keras.Model | None = None) -> str:
    """The Keras dtype policy for a setting: 'auto' is decided by the hardware.

    Parameters
    ----------
    precision : {'auto', 'float32', 'mixed_bfloat16', 'mixed_float16'}
    network : keras.Model, optional
        What is to be computed.

    Returns
    -------
    str
        'mixed_bfloat16' for 'auto' on GPUs of compute capability 8 or more (Ampere) and on CPUs
        with AMX or AVX512-BF16, else 'float32'. On CPUs also 'float32' for networks with
        convolutions whose numbers of filters are no multiples of 16: in bfloat16 those are
        slower there (docs/performance.md).
    """
    known = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
    if precision not in known:
        raise DeviceError(f"precision must be one of {', '.join(known)}. Received: {precision!r}.")
    if precision != "auto":
        return precision
    if not fast_bfloat16() or (network is not None and _on_cpu() and not _fills_tiles(network)):
        return "float32"
    return "mixed_bfloat16"


@functools.cache
def fast_bfloat16() -> bool:
    """Whether convolutions run faster in bfloat16 than in float32 here."""
    capability = _gpu_capability()
    if capability is not None:
        return capability >= (8, 0)
    # what XLA makes of bfloat16 convolutions on a CPU is slower than float32
    on_jax = keras.backend.backend() == "jax"
    return not on_jax and bool({"amx_bf16", "avx512_bf16"} & _cpu_flags())


@functools.cache
def _on_cpu() -> bool:
    return _gpu_capability() is None


def _fills_tiles(network) -> bool:
    """Whether all wide convolutions have numbers of filters that the processor's tiles divide."""
    # few filters, as of a head, cost little in either
    return all(filters < 8 or filters % 16 == 0 for filters in _filters(network))


def _filters(network):
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _filters(layer)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D):
            yield layer.filters


def _gpu_capability() -> tuple[int, ...] | None:
    """Compute capability of the GPU that is used, None without one."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from .backend_tf import gpu_compute_capability

        return gpu_compute_capability()
    return _jax_capability() if backend == "jax" else _torch_capability()


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
