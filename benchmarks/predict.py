"""Time and peak memory of prediction, beside n2v 0.3.3 and CAREamics in the same run.

    python -m benchmarks run predict [--volume]

A U-Net of depth 2, kernel 3, n_first 32 with batch normalisation and random weights, on an image
of 2048 x 2048 (default) or a volume of 64 x 512 x 512 (--volume). Every row is a process of its
own, which predicts once to start with and then `--repeats` times: the median, and the most memory
the process ever took.
"""

from . import common

OURS = [
    ("n2v_tk, auto", "auto", "keras", "none"),
    ("n2v_tk, float32", "float32", "keras", "none"),
    ("n2v_tk, float32, max_memory 1.2GB", "float32", "keras", "1.2GB"),
    ("n2v_tk, OpenVINO", "auto", "openvino", "none"),
]


def main():
    parser = common.arguments(__doc__.splitlines()[0], (*common.PEERS, common.PLAIN))
    parser.add_argument("--volume", action="store_true", help="64 x 512 x 512")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    shape = (64, 512, 512) if options.volume else (2048, 2048)
    text = "x".join(map(str, shape))
    rows = []
    for name, *how in OURS:
        if options.volume and how[2] == "1.2GB":
            name, how[2] = name.replace("1.2GB", "1700MB"), "1700MB"
        found = common.in_process(
            options.n2v_tk_python, "work/predict.py", text, options.repeats, *how
        )
        name = f"{name} ({found['precision']})" if "auto" in name else name
        rows.append((name, found["seconds"], found["peak"] / 1e9))
    if options.n2v_python:
        tiles = ("1x1x1", "2x4x4") if options.volume else ("1x1", "4x4")
        for n_tiles in tiles:
            found = common.in_process(
                options.n2v_python, "peers/predict_time_n2v.py", text, options.repeats, n_tiles
            )
            rows.append((f"n2v 0.3.3, tiles {n_tiles}", found["seconds"], found["peak"] / 1e9))
    if options.careamics_python:
        found = common.in_process(
            options.careamics_python, "peers/predict_time_careamics.py", text, options.repeats
        )
        rows.append((f"CAREamics {found['version']}", found["seconds"], found["peak"] / 1e9))
    ours = rows[0][1]
    common.report(
        f"Prediction of {' x '.join(map(str, shape))}",
        ["", "seconds", "peak memory (GB)", "times n2v_tk, auto"],
        [(*row, row[1] / ours) for row in rows],
        options,
    )


if __name__ == "__main__":
    main()
