"""What the benchmarks share: timing, peers in another interpreter, tables."""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path


def arguments(description, n2v=False):
    """Parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures here")
    if n2v:
        parser.add_argument(
            "--n2v-python", help="interpreter with n2v 0.3.3 (peers/setup_n2v.sh); else ours only"
        )
    return parser


def median_ms(function, repeats):
    """Median time of a call in milliseconds, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def peer(python, script, *args):
    """What a script prints as JSON in another interpreter."""
    path = Path(__file__).parent / "peers" / script
    command = [python, str(path), *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine():
    """This machine in a line."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    import os

    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


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
            "date": time.strftime("%Y-%m-%d"),
            "rows": [dict(zip(header, row, strict=True)) for row in rows],
        }
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
