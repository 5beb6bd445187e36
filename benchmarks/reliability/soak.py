"""Thousands of training steps and predictions in a row, in a process of its own."""

import tempfile

from .. import common

MOST_GROWTH = 2.0  # per cent of the memory after warm-up
HEADER = ["what", "before", "after", "growth"]


def run(options):
    """Figures of the process before and after, once it is warm."""
    # what is left in the folder for temporary files can only be the process' own
    with tempfile.TemporaryDirectory() as folder:
        found = common.in_process(
            None, "work/soak.py", options.steps, options.predictions, TMPDIR=folder
        )
    rows, good = [], True
    for phase, what in (("training", options.steps), ("prediction", options.predictions)):
        before, after = found[phase]["before"], found[phase]["after"]
        growth = 100 * (after["memory"] / before["memory"] - 1)
        good &= growth < MOST_GROWTH
        unit = "steps" if phase == "training" else "predictions"
        rows.append((
            f"memory over {what} {unit} (MB)", round(before["memory"] / 1e6, 1),
            round(after["memory"] / 1e6, 1), f"{growth:.2f} %",
        ))  # fmt: skip
        for kind in ("files", "threads", "temporary"):
            good &= after[kind] <= before[kind]
            name = {"files": "open files", "temporary": "temporary files"}.get(kind, kind)
            rows.append(
                (f"{name}, {phase}", before[kind], after[kind], f"{after[kind] - before[kind]:+d}")
            )
    print(f"Memory (MB) along the way: {found['memory']}")
    title = f"Soak: {options.steps} training steps, {options.predictions} predictions"
    return title, HEADER, rows, bool(good)
