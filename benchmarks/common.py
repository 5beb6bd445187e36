"""What the benchmarks share: timing, other programs in their environments, tables."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

PEERS = ("n2v", "careamics")
# this package and nothing else, as users have it: TensorFlow imports what more it finds
PLAIN = "n2v_tk"
_HERE = Path(__file__).parent


def arguments(description, peers=()):
    """Parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures here")
    for peer in peers:
        parser.add_argument(
            f"--{peer}-python",
            default=_interpreter(peer),
            help=f"interpreter with {peer}. Default: that of 'python -m benchmarks peers', if any",
        )
    return parser


def environment(name):
    """Where `python -m benchmarks peers` puts a program."""
    return _HERE / "environments" / name


def _interpreter(name):
    path = environment(name) / "bin" / "python"
    return str(path) if path.exists() else None


def median_ms(function, repeats):
    """Median time of a call in milliseconds, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def in_process(python, script, *args, **environ):
    """What a script prints as JSON in a process of its own."""
    command = [python or sys.executable, str(_HERE / script), *map(str, args)]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", **environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine():
    """This machine in a line: processor, what it has for bfloat16, cores, accelerator in use."""
    name, flags = platform.processor() or platform.machine(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                found = {"amx_bf16", "avx512_bf16"} & set(line.split())
                flags = f" ({', '.join(sorted(found)) or 'no bfloat16'})"
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    used = ", ".join(filter(None, (f"{cores} cores", accelerator())))
    return f"{name}{flags}, {used}, Python {platform.python_version()}"


def accelerator():
    """Name of what Keras computes on in this process; None for a processor, and without Keras."""
    if "keras" not in sys.modules:
        return None
    backend = sys.modules["keras"].backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else device.device_kind
    if backend == "tensorflow":
        import tensorflow as tf

        others = [d for d in tf.config.list_physical_devices() if d.device_type != "CPU"]
        if not others:
            return None
        details = tf.config.experimental.get_device_details(others[0])
        return details.get("device_name", others[0].device_type)
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def versions():
    """Of the packages that do the work."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("n2v_tk", "keras", "tensorflow", "jax", "jaxlib", "numpy", "openvino", "zarr"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def report(title, header, rows, options):
    """Print a table in Markdown and keep it as JSON."""
    print(f"\n{title}\n{machine()}, {time.strftime('%Y-%m-%d')}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        cells = (f"{c:.3g}" if isinstance(c, float) else str(c) for c in row)
        print("| " + " | ".join(cells) + " |")
    sys.stdout.flush()
    if options.json:
        data = {
            "title": title,
            "machine": machine(),
            "versions": versions(),
            "date": time.strftime("%Y-%m-%d"),
            "rows": [dict(zip(header, row, strict=True)) for row in rows],
        }
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
