"""Time of a training step in `train`, beside n2v 0.3.3 and CAREamics in the same run.

    python -m benchmarks run train_step [--n-first 32] [--batch 16]

U-Net of depth 2, kernel 3, batch normalisation, patches of 64 x 64, Adam, masked mse. Shown are
the median epoch of `train` divided by its steps, ours in the precision 'auto' chooses and in
float32; the same network's bare step on constant data; and the time to draw a batch. Every row is
a process of its own.
"""

from . import common


def main():
    parser = common.arguments(__doc__.splitlines()[0], (*common.PEERS, common.PLAIN))
    parser.add_argument("--n-first", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    size = (options.n_first, options.batch, options.epochs, options.steps)
    peers = {}
    if options.n2v_python:
        script = "peers/train_step_n2v.py"
        peers["n2v 0.3.3"] = common.in_process(options.n2v_python, script, *size)
    if options.careamics_python:
        script = "peers/train_step_careamics.py"
        found = common.in_process(options.careamics_python, script, *size)
        peers[f"CAREamics {found['version']}"] = found["step"]
    fastest = min(peers.values(), default=float("nan"))
    rows = []
    for precision in ("auto", "float32"):
        found = common.in_process(options.n2v_tk_python, "work/train_step.py", *size, precision)
        step, bare, drawing = found["step"], found["bare"], found["drawing"]
        name = f"n2v_tk, {found['precision']}"
        if not any(row[0] == name for row in rows):
            rows.append((name, step, fastest / step, bare, step / bare, drawing))
    rows += [(name, step, fastest / step, "", "", "") for name, step in peers.items()]
    common.report(
        f"A training step, milliseconds (n_first {options.n_first}, batch {options.batch})",
        ["", "step", "faster than the fastest peer", "bare step", "step / bare", "drawing a batch"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
