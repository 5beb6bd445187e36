"""Long runs, bad inputs and faults: does anything leak, break or say nonsense?

    python -m benchmarks run reliability --json benchmarks/results [--sections NAME...]

Sections run alone or together; each keeps its figures in the same file, beside those of others.

    soak    thousands of training steps and predictions in a row: memory, files, threads, folders
    inputs  bad inputs, to the library and to the command line: each must be refused by name
    fuzz    damaged files, made at random (needs the package of the extra `fuzz`)
    kills   a training killed at random moments and gone on with
    resume  trainings of every method, gone on with from each of their epochs
"""

import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from .. import common
from . import fuzzing, inputs, kills, resuming, soak


class Outcome(NamedTuple):
    """What a section found: a table, and whether all is as it should be."""

    title: str
    header: list[str]
    rows: list[tuple]
    good: bool


# a section takes the options below and gives (title, header, rows, good)
SECTIONS: dict[str, Callable] = {
    "soak": soak.run,
    "inputs": inputs.run,
    "fuzz": fuzzing.run,
    "kills": kills.run,
    "resume": resuming.run,
}


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--steps", type=int, default=10_000, help="training steps of the soak")
    parser.add_argument("--predictions", type=int, default=500, help="of the soak")
    parser.add_argument("--seconds", type=int, default=60, help="of fuzzing, for each target")
    parser.add_argument("--kills", type=int, default=30)
    options = parser.parse_args()
    bad = []
    for name in options.sections:
        outcome = Outcome(*SECTIONS[name](options))
        common.report(outcome.title, outcome.header, outcome.rows, without_file(options))
        if options.json:
            keep(options.json, name, outcome)
        if not outcome.good:
            bad.append(name)
    if bad:
        sys.exit(f"Not as it should be: {', '.join(bad)}.")


def without_file(options):
    """The options, so that `common.report` prints only: the file holds all sections."""
    return type(options)(**{**vars(options), "json": None})


def keep(path, name, outcome):
    """Write a section's figures beside those of others."""
    data = {"title": "Reliability", "sections": {}}
    if path.exists():
        data = json.loads(path.read_text(encoding="utf-8"))
    data["sections"][name] = {
        "title": outcome.title,
        "machine": common.machine(),
        "versions": common.versions(),
        "date": time.strftime("%Y-%m-%d"),
        "good": outcome.good,
        "rows": [dict(zip(outcome.header, row, strict=True)) for row in outcome.rows],
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=1), encoding="utf-8")
    temporary.replace(path)
