"""Run benchmarks.

    python -m benchmarks list
    python -m benchmarks peers [n2v careamics n2v_tk]
    python -m benchmarks run NAME... [--json FOLDER] [options of the benchmark]
    python -m benchmarks quality NAME DATA [--json FOLDER] [options of the benchmark]
    python -m benchmarks plot
    python -m benchmarks tables

`quality` scores methods on images whose truth is known; benchmarks/README.md says what DATA holds.
`peers` makes environments with other programs from PyPI, which the others then compare with, and
one with this package alone, in which its own time and memory are measured. `plot`
draws docs/performance.png from the figures in benchmarks/results, `tables` writes those of
docs/quality.md.
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

QUALITY = {
    "bsd68": "every method in equal time on BSD68, beside n2v and CAREamics",
    "kodak": "every method in equal time on colour photographs",
    "pictures": "every method in equal time on pictures of scikit-image, and crops to look at",
    "published": "the published recipes on BSD68 in full, for a GPU",
    "real": "methods in equal time on real noise, and the advice of check_noise",
    "recipe": "which settings of Noise2Void are good soonest, one change at a time",
    "volume": "which settings of Noise2Void and Noise2Noise suit a volume",
    "lines": "which settings of structN2V suit noise that runs along lines",
    "brightness": "whether results are as bright as the image, by what hides pixels",
    "precision": "what bfloat16 costs in training and in prediction",
    "microscope": "Noise2Void and HQ-SSL of one size on fields of a microscope",
    "deep_image_prior": "Deep Image Prior on pictures of its paper",
    "masked_training": "masked training on noise that was not trained on",
}


def main():
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the benchmarks")
    programs = (*common.PEERS, common.PLAIN)
    peers = commands.add_parser("peers", help="make environments with other programs and this one")
    # one word, not a list, as what is left out: Python 3.11 compares it with the choices as a whole
    peers.add_argument("names", nargs="*", default="all", choices=[*programs, "all"])
    run = commands.add_parser("run", help="run benchmarks; options of one follow its name")
    run.add_argument("names", nargs="+", choices=NAMES)
    run.add_argument("--json", type=Path, help="folder to write the figures to, as NAME.json")
    quality = commands.add_parser("quality", help="measure quality; options follow the name")
    quality.add_argument("names", nargs=1, choices=QUALITY, metavar="NAME")
    quality.add_argument("--json", type=Path, help="folder of NAME.json, which is added to")
    commands.add_parser("plot", help="draw docs/performance.png from benchmarks/results")
    commands.add_parser("tables", help="write the tables of docs/quality.md")
    options, rest = parser.parse_known_args()
    if rest and (options.command not in ("run", "quality") or len(options.names) > 1):
        parser.error(f"not understood: {' '.join(rest)}")
    if options.command == "list":
        for title, names in (("run", NAMES), ("quality", QUALITY)):
            print(f"{title}:")
            for name, what in names.items():
                print(f"  {name:23}{what}")
    elif options.command == "peers":
        for name in programs if "all" in options.names else options.names:
            script = Path(__file__).parent / "peers" / f"setup_{name}.sh"
            subprocess.run(["bash", str(script), str(common.environment(name))], check=True)
    elif options.command == "plot":
        from . import plot

        plot.main()
    elif options.command == "tables":
        from .quality import tables

        tables.main()
    else:
        package = "benchmarks.quality" if options.command == "quality" else "benchmarks"
        for name in options.names:
            target = [] if options.json is None else ["--json", str(options.json / f"{name}.json")]
            if options.json is not None:
                options.json.mkdir(parents=True, exist_ok=True)
            sys.argv = [f"python -m benchmarks {options.command} {name}", *rest, *target]
            importlib.import_module(f"{package}.{name}").main()


if __name__ == "__main__":
    main()
