"""Time of a training step in `train`, beside n2v 0.3.3 and CAREamics in the same run.

    python -m benchmarks run train_step [--n-first 32] [--batch 16]

U-Net of depth 2, kernel 3, batch normalisation, patches of 64 x 64, Adam, masked mse. Shown are
the median epoch of `train` divided by its steps, ours in the precision 'auto' chooses and in
float32; the same network's bare steps on constant data, between the epochs; and the time to draw a
batch. Every figure is from a process of its own; the best of `--rounds`, with all programs in turn.
"""

from . import common


def main():
    parser = common.arguments(__doc__.splitlines()[0], (*common.PEERS, common.PLAIN))
    parser.add_argument("--n-first", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3, help="of all programs in turn")
    options = parser.parse_args()
    size = (options.n_first, options.batch, options.epochs, options.steps)
    programs = {}
    if options.n2v_python:
        programs["n2v 0.3.3"] = (options.n2v_python, "peers/train_step_n2v.py", *size)
    if options.careamics_python:
        script = "peers/train_step_careamics.py"
        programs["CAREamics"] = (options.careamics_python, script, *size)
    ours = ("auto", "float32")
    for precision in ours:
        script = "work/train_step.py"
        programs[precision] = (options.n2v_tk_python, script, *size, precision)
    # in turn, since other work on a machine comes and goes
    rounds = [
        {name: common.in_process(*how) for name, how in programs.items()}
        for _ in range(options.rounds)
    ]
    best = {name: min((r[name] for r in rounds), key=milliseconds) for name in programs}
    peers = [milliseconds(found) for name, found in best.items() if name not in ours]
    fastest = min(peers, default=float("nan"))
    rows = []
    for name, found in best.items():
        step, more = milliseconds(found), ("", "", "")
        if name in ours:
            name = f"n2v_tk, {found['precision']}"
            more = (found["bare"], step / found["bare"], found["drawing"])
        elif name == "CAREamics":
            name = f"CAREamics {found['version']}"
        if any(row[0] == name for row in rows):
            continue  # where 'auto' is float32
        rows.append((name, step, fastest / step, *more))
    rows.sort(key=lambda row: not row[0].startswith("n2v_tk"))
    common.report(
        f"A training step, milliseconds (n_first {options.n_first}, batch {options.batch})",
        ["", "step", "faster than the fastest peer", "bare step", "step / bare", "drawing a batch"],
        rows,
        options,
    )


def milliseconds(found):
    """Of a step, in what a program printed."""
    return found["step"] if isinstance(found, dict) else found


if __name__ == "__main__":
    main()
