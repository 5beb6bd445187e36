"""Damaged files of every kind, made at random, one target after the other."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADER = ["target", "executions", "findings"]
# damaged files can hang the C library that reads them, as docs/security.md says
OF_OTHERS = {"hdf5"}


def run(options):
    """Executions and findings of every target, some seconds each."""
    title = f"Fuzzing: {options.seconds} s for each target"
    if importlib.util.find_spec("fuzz") is None:
        print("There is no package fuzz in this checkout: nothing was fuzzed.")
        return title, HEADER, [], True
    from fuzz.seeds import SEEDS

    rows = []
    for target in sorted(SEEDS):
        command = [sys.executable, "-m", "fuzz", target, "--seconds", str(options.seconds)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        try:
            found = json.loads(done.stdout.strip().splitlines()[-1])
            rows.append((target, found["executions"], found["findings"]))
        except (IndexError, KeyError, ValueError):
            print(f"{target} could not be fuzzed: {done.stderr.strip()[-500:]}")
            rows.append((target, 0, "not run"))
    good = all(findings == 0 for target, _, findings in rows if target not in OF_OTHERS)
    return title, HEADER, rows, good
