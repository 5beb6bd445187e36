"""``python -m fuzz TARGET --seconds N``: fuzz one target; the last line is a count in JSON."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .seeds import SEEDS

ROOT = Path(__file__).parents[1]
# seconds for one input, and megabytes for the process beside what TensorFlow takes
TIMEOUT, MEMORY = 20, 2000
BASE = {"keras": 1500, "package": 1500}


def main(arguments: list[str] | None = None) -> int:
    """Run one target in processes of its own until the time is up."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(SEEDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder that keeps inputs of new coverage")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    asked = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        parser.error(
            "Fuzzing needs the package atheris (Linux, Python 3.11 to 3.13). Received: no such "
            "package. Install it with pip install 'n2v_tk[fuzz]'."
        )
    asked.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        counts = _fuzz(asked, Path(folder))
    print(json.dumps(counts))
    return 1 if counts["findings"] else 0


def _fuzz(asked, folder):
    """Executions and distinct findings, over as many processes as it takes."""
    corpus = (asked.corpus or folder / "corpus").absolute()
    corpus.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + asked.seconds
    executions, found, run = 0, set(), 0
    while (left := end - time.monotonic()) > 1:
        run += 1
        stats = folder / f"stats{run}.json"
        command = [
            sys.executable, "-m", "fuzz.worker", asked.target, str(stats),
            str(asked.findings.absolute()), str(corpus),
            f"-max_total_time={int(left)}", f"-timeout={TIMEOUT}",
            f"-rss_limit_mb={MEMORY + BASE.get(asked.target, 0)}",
            f"-artifact_prefix={asked.findings.absolute()}/{asked.target}-", f"-seed={run}",
        ]  # fmt: skip
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        ended = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
        there = json.loads(stats.read_text()) if stats.exists() else {}
        executions += there.get("executions", 0)
        found |= set(there.get("findings", ()))
        over = time.monotonic() > end - 2
        # libFuzzer's clock may ring once more while Python ends
        if ended.returncode and not (over and ended.returncode == -signal.SIGALRM):
            # the process itself ended: a crash, a hang, or too much memory
            found.add(f"the process ended with {ended.returncode} in run {run}")
            if not there.get("executions"):
                break
    return {
        "target": asked.target,
        "executions": executions,
        "findings": len(found),
        "seconds": asked.seconds,
        "what": sorted(found),
    }


if __name__ == "__main__":
    sys.exit(main())
