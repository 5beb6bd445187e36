"""Tables of docs/quality.md from the figures in benchmarks/results.

    python -m benchmarks tables

What lies between `<!-- table NAME -->` and `<!-- end -->` is replaced; NAME is a function here,
followed by its arguments, e.g. `equal_time bsd68, sigma 25, 15 min`.
"""

import json
import re
import statistics
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "quality.md"
_TITLES = {
    "noisy": "noisy", "bm3d": "BM3D, told sigma", "n2v 0.3.3": "n2v 0.3.3",
    "CAREamics": "CAREamics", "n2v": "N2V", "n2v uniform": "N2V, uniform replacement",
    "n2v2": "N2V2", "r2r": "R2R, estimating the noise", "n2n": "Noise2Noise",
    "supervised": "supervised", "dip": "Deep Image Prior",
    "hqssl known": "HQ-SSL, told the noise", "hqssl estimated": "HQ-SSL, estimating it",
    "masked": "masked training", "structn2v": "structN2V", "hqssl": "HQ-SSL",
}  # fmt: skip


def figures(name):
    path = TOP / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(values, digits=2):
    """Mean, and standard deviation where there is one; nothing where one is missing."""
    values = list(values)
    if not values or None in values:
        return ""
    text = f"{statistics.mean(values):.{digits}f}"
    return text + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def when(found):
    """Of which machine and days figures are; those of several machines do not compare."""
    machines = sorted({f["machine"] for f in found})
    if len(machines) > 1:
        raise SystemExit(f"Figures of one table are of several machines: {'; '.join(machines)}.")
    days = sorted({f["date"] for f in found})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{machines[0]}; {span}."


def equal_time(name, noise, effort):
    """PSNR by weights and by output, and SSIM of the last weights; where there are figures of
    several machines, each has its rows and a column tells of which they are."""
    found = figures(name)
    outputs = ["best", "last", "last, 8 turns", "posterior", "posterior, 8 turns"]
    # columns, and the runs that they are of
    rows = []
    for plain in ("noisy", "bm3d"):
        of = found.get(f"{noise}, {plain}")
        if of and "psnr" in of:
            columns = ["", number([of["psnr"]]), *[""] * 3, f"{of['ssim']:.3f}", ""]
            rows.append(([_TITLES[plain], *columns], []))
    machines = list(dict.fromkeys(of["machine"] for of in found.values()))
    everything = {}
    for method, title in _TITLES.items():
        start = f"{noise}, {method}, {effort}, seed "
        for key, of in found.items():
            if key.startswith(start):
                everything.setdefault((of["machine"], title), []).append(of)
    in_order = sorted(everything.items(), key=lambda item: machines.index(item[0][0]))
    for (_, title), runs in in_order:

        def column(*keys, runs=runs):
            return next(
                (values for k in keys if None not in (values := [of.get(k) for of in runs])), []
            )

        ssim = [
            number(column(*keys), 3)
            for keys in (("prior last ssim", "last ssim", "result ssim"), ("posterior last ssim",))
        ]
        some = f"({len(runs[0]['images'])} images)" if "images" in runs[0] else None
        rows.append(([
            " ".join(filter(None, (title, runs[0].get("careamics"), some))),
            number(column("prior best psnr", "best psnr")),
            number(column("prior last psnr", "last psnr", "result psnr")),
            number(column("prior tta psnr", "tta psnr")),
            number(column("posterior last psnr")),
            number(column("posterior tta psnr")),
            ", ".join(filter(None, ssim)),
            " ".join(str(of["steps"]) for of in runs if "steps" in of),
        ], runs))  # fmt: skip
    by_machine = {}
    for _, runs in rows:
        for of in runs:
            by_machine.setdefault(of["machine"], []).append(of)
    if not by_machine:
        return ""
    heads = ["", *outputs, "SSIM", "steps"]
    if len(by_machine) == 1:
        return table(heads, [columns for columns, _ in rows]) + "\n\n" + when(*by_machine.values())
    numbers = {machine: str(i) for i, machine in enumerate(by_machine, 1)}
    for columns, runs in rows:
        columns.append(", ".join(sorted({numbers[of["machine"]] for of in runs})))
    ended = [f"{numbers[machine]}: {when(runs)}" for machine, runs in by_machine.items()]
    return "\n\n".join([table([*heads, "machine"], [columns for columns, _ in rows]), *ended])


def by_change(name, effort):
    """Figures by change and seed."""
    changes = {}
    for key, of in figures(name).items():
        change, seed, of_effort = key.rsplit(", ", 2)
        if of_effort == effort:
            changes.setdefault(change, {})[seed] = of
    return changes


def recipe(minutes, name="recipe"):
    """Every change beside the recommended settings; `name` is the benchmark."""
    changes = by_change(name, minutes)
    base = changes.get("recommended")
    if base is None:
        return ""
    used = [of for runs in changes.values() for of in runs.values()]
    kinds = {"8 turns": "tta", "posterior": "posterior"}
    kinds = {title: kind for title, kind in kinds.items() if any(kind in of for of in used)}
    rows = []
    for change, runs in changes.items():
        differences = [runs[s]["psnr"] - base[s]["psnr"] for s in runs if s in base]
        signed = "" if change == "recommended" else f"{statistics.mean(differences):+.2f}"
        plain, *others = (
            number([of.get(kind) for of in runs.values()]) for kind in ("psnr", *kinds.values())
        )
        steps = round(statistics.mean(of["steps"] for of in runs.values()))
        rows.append([change, plain, signed, *others, len(runs), steps])
    rows.sort(key=lambda row: (row[0] != "recommended", -float(row[2] or 0)))
    heads = ["change", "PSNR", "difference", *kinds, "seeds", "steps"]
    return table(heads, rows) + "\n\n" + when(used)


def brightness(steps):
    """How far the means of regions are from those of the truth, by change."""
    changes = by_change("brightness", steps)
    kinds = ("brightness", "sky", "psnr", "posterior psnr")
    rows = [
        [name, *(number([of[kind] for of in runs.values()]) for kind in kinds), len(runs)]
        for name, runs in changes.items()
    ]
    used = [of for runs in changes.values() for of in runs.values()]
    heads = ["change", "means, rms", "sky", "PSNR", "posterior", "seeds"]
    return table(heads, rows) + "\n\n" + when(used) if used else ""


def precision(steps):
    """PSNR by the precisions of training and of prediction, and the difference by seed."""
    changes = by_change("precision", steps)
    rows = []
    for name, runs in changes.items():
        used_in = [
            [of[f"predicted in {p}"] for of in runs.values()] for p in ("bfloat16", "float32")
        ]
        most = max(abs(a - b) for a, b in zip(*used_in, strict=True))
        rows.append([*name.split(", "), *(number(v) for v in used_in), f"{most:.3f}", len(runs)])
    used = [of for runs in changes.values() for of in runs.values()]
    heads = [
        "images",
        "trained in",
        "predicted in bfloat16",
        "in float32",
        "largest difference",
        "seeds",
    ]
    return table(heads, rows) + "\n\n" + when(used) if used else ""


def microscope(minutes):
    """PSNR of fields of a microscope by method, plain and with the pixel itself."""
    changes = by_change("microscope", minutes)
    kinds = ("prior", "prior tta", "posterior", "posterior tta")
    rows = [
        [
            _TITLES[name],
            *(number([of.get(kind) for of in runs.values()]) for kind in kinds),
            *(" ".join(f"{of[k]:,}" for of in runs.values()) for k in ("steps", "weights")),
        ]
        for name, runs in changes.items()
    ]
    used = [of for runs in changes.values() for of in runs.values()]
    if not used:
        return ""
    rows.insert(0, ["noisy", number([used[0]["noisy"]]), *[""] * 5])
    heads = ["", "PSNR", "8 turns", "posterior", "posterior, 8 turns", "steps", "weights"]
    return table(heads, rows) + "\n\n" + when(used)


def real(effort):
    """PSNR by set and method, beside what `check_noise` advises."""
    found = figures("real")
    names = [key.removesuffix(", noisy") for key in found if key.endswith(", noisy")]
    methods = {
        m: any("posterior psnr" in of for key, of in found.items() if f", {m}, {effort}, " in key)
        for m in dict.fromkeys(key.split(", ")[1] for key in found if f", {effort}, " in key)
    }
    rows, used = [], []
    for name in names:
        noisy = found[f"{name}, noisy"]
        row = [number([noisy["psnr"]]), number([noisy["bm3d psnr"]])]
        for method, has_posterior in methods.items():
            start = f"{name}, {method}, {effort}, seed "
            runs = [of for key, of in found.items() if key.startswith(start)]
            used += runs
            row.append(number([of["psnr"] for of in runs]))
            if has_posterior:
                row.append(number([of["posterior psnr"] for of in runs]))
        rows.append([name, *row, noisy["method"], f"{noisy['skewness']:.2f}"])
    heads = ["", "noisy", "BM3D, told the noise"]
    for method, has_posterior in methods.items():
        heads += [_TITLES[method], *(["its posterior"] if has_posterior else [])]
    return table([*heads, "advice", "skewness"], rows) + "\n\n" + when(used) if used else ""


def main():
    text = PAGE.read_text(encoding="utf-8")

    def fill(match):
        function, _, given = match[1].strip().partition(" ")
        arguments = [part.strip() for part in given.split(", ")] if given else []
        made = globals()[function](*arguments)
        if not made:
            raise SystemExit(f"There are no figures for the table {match[1].strip()!r}.")
        return f"<!-- table {match[1].strip()} -->\n\n{made}\n\n<!-- end -->"

    pattern = re.compile(r"<!-- table (.*?)-->.*?<!-- end -->", re.DOTALL)
    PAGE.write_text(pattern.sub(fill, text), encoding="utf-8")


if __name__ == "__main__":
    main()
