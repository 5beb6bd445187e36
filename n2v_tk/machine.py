"""How much memory this computer has, and what is too much for it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# what is assumed where the system does not tell
_UNKNOWN = 2**34
_CGROUP = Path("/sys/fs/cgroup")


def memory_total() -> int:
    """Bytes of main memory that a process may have: the computer's, or its container's."""
    return min(_installed(), _number(_CGROUP / "memory.max") or sys.maxsize)


def memory_available() -> int:
    """Bytes of main memory that can be taken now without pushing others out."""
    free = _meminfo("MemAvailable")
    free = memory_total() // 2 if free is None else free + (_meminfo("SwapFree") or 0)
    limit = _number(_CGROUP / "memory.max")
    if limit is not None:
        # what files occupy is given back when it is needed
        used = (_number(_CGROUP / "memory.current") or 0) - _cached()
        free = min(free, limit - max(0, used))
    return max(0, free)


def amount(n_bytes: float) -> str:
    """Bytes as text.

    Examples
    --------
    >>> amount(512), amount(3_200_000_000), amount(4e22)
    ('512 B', '3.2 GB', '4e+07 PB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} PB"


def _installed():
    if hasattr(os, "sysconf"):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return _UNKNOWN
    return _of_windows()


def _of_windows():
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    kernel = getattr(ctypes, "windll", None)
    if kernel is None or not kernel.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return _UNKNOWN
    return status.total


def _meminfo(name):
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _cached():
    try:
        for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith("file "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def _number(path):
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # also 'max', which is no limit
        return None
