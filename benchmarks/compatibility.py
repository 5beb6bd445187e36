"""Tests under old and new versions of what n2v_tk stands on: the table of docs/compatibility.md.

    python -m benchmarks run compatibility --json benchmarks/results [--rows NAME...] [--again]

Each row is an environment of its own in a temporary folder (or `--folder`), made by uv
(`pip install uv`, or `--uv`), with n2v_tk installed from the last commit, and a part of the tests
run in it; then it is removed. A row that is in the JSON file already is left out, so that a run
that was stopped goes on; `--again` does them all.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from . import common

ROOT = Path(__file__).parents[1]
SHOWN = ("tensorflow", "keras", "numpy", "csbdeep", "jax", "torch", "scikit-image", "pydantic")
TESTS = [
    "tests/config", "tests/masking", "tests/prediction/test_tiling.py", "tests/test_axes.py",
    "tests/test_lazy.py", "tests/test_losses.py", "tests/test_normalization.py",
    "tests/models/test_keras_file.py", "tests/models/test_n2v.py",
    "tests/cli/test_cli.py",
]  # fmt: skip
# of the long ones
SELECTION = (
    "(not test_n2v.py and not test_cli.py) "
    "or (train_save_load_predict and n2v2-1-2) or test_train_predict_info"
)
TOOLS = ["pytest>=8", "psutil>=6", "hypothesis>=6.100", "zarr>=3"]


class Row(NamedTuple):
    """An environment: what is asked of it, everything else is uv's newest choice."""

    python: str
    pins: tuple[str, ...] = ()
    backend: str = "tensorflow"
    oldest: bool = False


ROWS = {
    "oldest, 3.11": Row("3.11", oldest=True),
    "oldest, 3.12": Row("3.12", oldest=True),
    "oldest, JAX": Row("3.11", ("jax",), "jax", oldest=True),
    "numpy 1.26, newest others": Row("3.11", ("numpy<2",)),
    "newest, 3.11": Row("3.11"),
    "newest, 3.12": Row("3.12"),
    "newest, 3.13": Row("3.13"),
    "TensorFlow 2.19": Row("3.12", ("tensorflow==2.19.*",)),
    "TensorFlow 2.20": Row("3.13", ("tensorflow==2.20.*",)),
    "oldest Keras, newest others": Row("3.12", ("keras==3.10.*",)),
    "newest, JAX, 3.11": Row("3.11", ("jax",), "jax"),
    "newest, JAX, 3.13": Row("3.13", ("jax",), "jax"),
    "newest, PyTorch": Row("3.11", ("torch",), "torch"),
}


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where environments are made")
    parser.add_argument("--uv", default=shutil.which("uv"), help="the program uv")
    parser.add_argument("--again", action="store_true", help="also rows that are in the JSON file")
    options = parser.parse_args()
    if options.uv is None:
        parser.error("uv makes the environments: pip install uv, or name it with --uv")
    done = {} if options.again else kept(options.json)
    for name in options.rows:
        if name in done:
            continue
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found = outcome(ROWS[name], Path(folder), options.uv)
        if found is None:
            print(f"{name}: left out, Python {ROWS[name].python} is neither here nor to be had")
            continue
        done[name] = {"row": name, **found}
        print(json.dumps(done[name]), flush=True)
        if options.json:
            rows = [done[other] for other in ROWS if other in done]
            keep(options.json, rows)
    print(table([done[name] for name in ROWS if name in done]))


def kept(path):
    """Rows that were done before, by name."""
    if path is None or not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {row["row"]: row for row in rows}


def keep(path, rows):
    """Write what is done so far."""
    data = {
        "title": "Tests under old and new versions",
        "machine": common.machine(),
        "date": time.strftime("%Y-%m-%d"),
        "rows": rows,
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=1), encoding="utf-8")
    temporary.replace(path)


def table(rows):
    """The rows in Markdown, as docs/compatibility.md has them."""
    head = ["", "Python", *("TensorFlow", "Keras", "numpy", "csbdeep", "backend"), "tests"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        version = row["versions"].get
        backend = row["backend"]
        shown = backend if backend == "tensorflow" else f"{backend} {version(backend, '')}"
        cells = [row["row"], version("python", "")]
        cells += [version(name, "") for name in ("tensorflow", "keras", "numpy", "csbdeep")]
        lines.append(f"| {' | '.join([*cells, shown, row['result']])} |")
    return "\n".join(lines)


def outcome(row, folder, uv):
    """Versions of an environment, and what the tests say in it; None without its Python."""
    started = time.monotonic()
    checkout = folder / "checkout"
    checkout.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "x"], cwd=checkout, input=archive.stdout, check=True)
    python = folder / "venv" / "bin" / "python"
    if _call(uv, "venv", "--python", row.python, folder / "venv") is not None:
        return None
    log = _call(uv, "pip", "install", "--python", python, *requirements(row, checkout))
    if log is not None:
        return {"backend": row.backend, "versions": {}, "result": "does not install", "log": log}
    return {
        "backend": row.backend,
        "versions": versions(python),
        **tested(row, checkout, python),
        "seconds": round(time.monotonic() - started),
        "date": time.strftime("%Y-%m-%d"),
    }


def requirements(row, checkout):
    """What uv is asked for. The oldest of every range are read off the package itself."""
    lowest = ["--resolution", "lowest-direct"] if row.oldest else []
    extra = f"{checkout}[{row.backend}]" if row.backend == "jax" else str(checkout)
    return [*lowest, extra, *TOOLS, *row.pins]


def versions(python):
    """Of Python and of what matters, in an environment."""
    code = (
        "import json, platform, importlib.metadata as m\n"
        f"names = [n for n in {SHOWN} if any(d.name.lower() == n for d in m.distributions())]\n"
        "print(json.dumps({'python': platform.python_version(), "
        "**{n: m.version(n) for n in names}}))"
    )
    return json.loads(subprocess.check_output([str(python), "-c", code], text=True))


def tested(row, checkout, python):
    """Numbers of tests that passed and failed, and which failed."""
    # what is installed is tested, not the checkout
    shutil.rmtree(checkout / "n2v_tk")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env |= {"KERAS_BACKEND": row.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    # warnings of other versions are theirs
    command = [python.parent / "pytest", "-q", "-rf", "-o", "filterwarnings=default",
               "-o", "testpaths=tests", "-p", "no:cacheprovider", "--disable-warnings",
               "-k", SELECTION, *TESTS]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command], cwd=checkout, env=env, capture_output=True, text=True
    )
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    found = {kind: int(n) for n, kind in re.findall(r"(\d+) (passed|failed|errors?)", summary)}
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    good = done.returncode == 0 and found.get("passed", 0) > 0
    result = f"{found['passed']} passed" if good else f"fails: {summary.strip('= ')}"
    log = {} if good else {"failed": failed, "log": done.stdout[-4000:] + done.stderr[-1000:]}
    return {"result": result, **log}


def _call(*command):
    """Nothing, or what a command that failed said."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr[-3000:]


if __name__ == "__main__":
    sys.exit(main())
