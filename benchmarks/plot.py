"""Draws docs/performance.png from the figures in benchmarks/results."""

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
BARS = {
    "train_step": ("A training step (ms)", "step"),
    "train_step_96": ("A training step, n_first 96, batch 32 (ms)", "step"),
    "predict": ("Prediction of 2048 x 2048 (s)", "seconds"),
    "predict_volume": ("Prediction of 64 x 512 x 512 (s)", "seconds"),
}


def main():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    found = {n: json.loads(p.read_text()) for n in BARS if (p := RESULTS / f"{n}.json").exists()}
    figure = Figure(figsize=(11, 1.2 + 1.6 * ((len(found) + 1) // 2)), layout="constrained")
    axes = figure.subplots((len(found) + 1) // 2, 2, squeeze=False).ravel()
    for axis, (name, data) in zip(axes, found.items(), strict=False):
        title, key = BARS[name]
        rows = data["rows"][::-1]
        ours = ["n2v_tk" in row[""] for row in rows]
        bars = axis.barh(
            [row[""] for row in rows], [row[key] for row in rows],
            color=["#2a6f97" if mine else "#adb5bd" for mine in ours],
        )  # fmt: skip
        axis.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
        axis.margins(x=0.15)
        axis.set_title(title, fontsize=10, loc="left")
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(found) :]:
        axis.remove()
    machines = sorted({f"{d['machine']}, {d['date']}" for d in found.values()})
    figure.supxlabel("\n".join(machines), fontsize=8)
    figure.savefig(Path(__file__).parents[1] / "docs" / "performance.png", dpi=110)


if __name__ == "__main__":
    main()
