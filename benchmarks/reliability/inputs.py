"""Bad inputs, to the library and to the command line: each must be refused by name."""

import contextlib
import io
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from n2v_tk.errors import N2VTKError

from . import bad_calls, bad_commands

HEADER = ["inputs", "tried", "refused as documented", "not so"]


def run(_options):
    """Numbers of bad inputs, by what they are given to."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        bad_commands.make_files()
        os.environ["COLUMNS"] = "500"
        for title, cases, refused in (
            ("the library", bad_calls.cases(), refused_by_name),
            ("the command line", bad_commands.CASES, refused_in_a_line),
        ):
            for group, tried in cases.items():
                counts, odd = Counter(), []
                for case in tried:
                    fine, said = refused(case)
                    counts[fine] += 1
                    if not fine:
                        odd.append(said)
                for said in odd:
                    print(f"{group}: {said}")
                rows.append((f"{title}: {group}", len(tried), counts[True], counts[False]))
    total = [sum(row[i] for row in rows) for i in (1, 2, 3)]
    rows.append(("all", *total))
    return "Bad inputs", HEADER, rows, total[2] == 0


def refused_by_name(case):
    """Whether a call is refused with a documented error, and what came instead."""
    name, call = case
    try:
        with np.errstate(all="ignore"):
            call()
    except N2VTKError as error:
        return "Received" in str(error), f"{name}: {error}"
    except Exception as error:
        return False, f"{name}: {type(error).__name__}: {error}"
    return False, f"{name}: taken"


def refused_in_a_line(arguments):
    """Whether a command ends with one line that says why, and what it printed instead."""
    from n2v_tk import cli

    before = sorted(Path().rglob("*"))
    printed = io.StringIO()
    sys.argv = ["n2v-tk", *arguments.split()]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    text = printed.getvalue()
    told = code == 2 or (
        code == 1
        and text.count("Error:") == 1
        and "Received" in text
        and "should not" not in text
        and "Traceback" not in text
    )
    return told and sorted(Path().rglob("*")) == before, f"{arguments}: {code}: {text[:300]}"
