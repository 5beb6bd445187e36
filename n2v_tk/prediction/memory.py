"""How much memory there may be, and how much a network takes."""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from ..errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
# what convolutions need beside what they read and write, measured (docs/performance.md)
SCRATCH = 1.65
# what the backend comes to hold once it works
BACKEND = 30_000_000
# what it kept after predictions within a limit: more than it counts, since it keeps pieces
_kept = 0


def parse_bytes(amount: int | float | str) -> int:
    """Bytes from a number or from text such as '2GB', '500 MB' or '1.5GiB'.

    Examples
    --------
    >>> parse_bytes("1.5 GB"), parse_bytes("1GiB"), parse_bytes(1000)
    (1500000000, 1073741824, 1000)
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", str(amount), re.I)
    try:
        found = int(float(match[1]) * _UNITS[match[2].upper()])
    except (TypeError, KeyError, ValueError, OverflowError):
        found = 0
    if found <= 0:
        raise ConfigError(
            f"An amount of memory is written like '2GB', '500MB' or 2e9. Received: {amount!r}."
        )
    return found


def memory_in_use() -> int:
    """Bytes of main memory that this process takes, what it could give back left out."""
    _give_back()
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return _most_so_far()
    import resource

    return pages * resource.getpagesize()


def free_within(most: int) -> tuple[int, int]:
    """Bytes that are left of `most` for work of the backend, and what the process takes already.

    What earlier work needed is there for what comes next and does not count as taken.
    """
    kept = kept_bytes()
    taken = memory_in_use() - kept
    return most - taken - max(0, BACKEND - kept), taken


def kept_bytes() -> int:
    """Bytes among `memory_in_use` that the backend keeps of earlier work and works in again."""
    counted = 0
    if keras.backend.backend() == "tensorflow":
        from .compiled_tf import pooled_bytes

        counted = pooled_bytes()
    return max(counted, _kept)


@contextmanager
def remembering_what_is_kept(result_bytes: int) -> Iterator[None]:
    """Around work of the backend that leaves a result of so many bytes behind."""
    global _kept
    before = memory_in_use()
    yield
    _kept += max(0, memory_in_use() - before - result_bytes)


def _give_back():
    """Let the C library return what was freed, e.g. by predictions before (glibc only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _most_so_far():
    try:
        import resource
    except ImportError:  # Windows: about what TensorFlow takes
        return 700_000_000
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def activation_bytes(network: keras.Model, side: int = 64) -> float:
    """Most bytes that a network holds at once between its layers, per pixel of its input.

    Parameters
    ----------
    network : keras.Model
        Of any layers; what a layer holds beside its output is not known.
    side : int
        Sides to reckon with, such that the network can divide them.
    """
    n_dim = len(network.input_shape) - 2
    shape = (*(side,) * n_dim, network.input_shape[-1])
    image = keras.Input(batch_shape=(1, *shape), dtype=network.input.dtype)
    return _peak(network, image) / side**n_dim


def _peak(network, image):
    """Bytes at the fullest moment of a forward pass."""
    steps = []  # what each operation reads, what it makes, and what it needs within

    def call(operation, *args, **kwargs):
        result = operation(*args, **kwargs)
        read = [t for t in keras.tree.flatten((args, kwargs)) if hasattr(t, "_keras_history")]
        within = _peak(operation, read[0]) if isinstance(operation, keras.Model) else 0
        steps.append((read, keras.tree.flatten(result), within))
        return result

    # a copy, whose layers are called with shapes that are known
    keras.models.clone_model(network, input_tensors=image, call_function=call)
    last = {id(t): time for time, (read, _, _) in enumerate(steps) for t in read}
    alive, most = {id(image): _bytes(image)}, 0
    for time, (_, made, within) in enumerate(steps):
        alive |= {id(t): _bytes(t) for t in made}
        most = max(most, sum(alive.values()) + within)
        alive = {key: size for key, size in alive.items() if last.get(key, -1) > time}
    return most


def _bytes(tensor):
    # an unknown length is the batch of four turns of HQ-SSL
    return math.prod(n or 4 for n in tensor.shape) * {"bfloat16": 2, "float16": 2}.get(
        tensor.dtype, 4
    )
