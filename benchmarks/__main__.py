"""Run benchmarks.

    python -m benchmarks list
    python -m benchmarks peers [n2v careamics]
    python -m benchmarks run NAME... [--json FOLDER] [options of the benchmark]
    python -m benchmarks plot

`peers` makes environments with other programs from PyPI, which `run` then compares with. `plot`
draws docs/performance.png from the figures in benchmarks/results.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from . import common

NAMES = {
    "data_wrapper": "a batch with blind spots",
    "train_step": "a training step",
    "predict": "prediction of an image and of a volume: time and memory",
    "memory": "memory of training on data of 200 MB and of 8 GB",
    "scaling": "blocks of a large image on one and on two workers",
    "startup": "imports and the command line",
    "reliability": "long runs, bad inputs, faults: memory, files, threads and what errors say",
    "compatibility": "tests under old and new versions of Python, TensorFlow, Keras, numpy, JAX",
}


def main():
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the benchmarks")
    peers = commands.add_parser("peers", help="make environments with other programs")
    peers.add_argument("names", nargs="*", default=list(common.PEERS), choices=common.PEERS)
    run = commands.add_parser("run", help="run benchmarks; options of one follow its name")
    run.add_argument("names", nargs="+", choices=NAMES)
    run.add_argument("--json", type=Path, help="folder to write the figures to, as NAME.json")
    commands.add_parser("plot", help="draw docs/performance.png from benchmarks/results")
    options, rest = parser.parse_known_args()
    if rest and (options.command != "run" or len(options.names) > 1):
        parser.error(f"not understood: {' '.join(rest)}")
    if options.command == "list":
        for name, what in NAMES.items():
            print(f"{name:14}{what}")
    elif options.command == "peers":
        for name in options.names:
            script = Path(__file__).parent / "peers" / f"setup_{name}.sh"
            subprocess.run(["bash", str(script), str(common.environment(name))], check=True)
    elif options.command == "plot":
        from . import plot

        plot.main()
    else:
        for name in options.names:
            target = [] if options.json is None else ["--json", str(options.json / f"{name}.json")]
            if options.json is not None:
                options.json.mkdir(parents=True, exist_ok=True)
            sys.argv = [f"python -m benchmarks run {name}", *rest, *target]
            importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
