"""Makes tests/data/legacy: folders of the genuine n2v and csbdeep with small results of theirs.

    python -m benchmarks.legacy_test_data SOURCE

SOURCE holds model folders, each with config.json, weights, input.npy and info.json (axes).
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from .common import arguments, in_process

TARGET = Path(__file__).parents[1] / "tests" / "data" / "legacy"


def main():
    parser = arguments(__doc__, ["n2v"])
    parser.add_argument("source", type=Path)
    args = parser.parse_args()
    for folder in sorted(p.parent for p in args.source.glob("*/config.json")):
        axes = json.loads((folder / "info.json").read_text())["axes"]
        target = TARGET / folder.name
        target.mkdir(parents=True, exist_ok=True)
        image = np.load(folder / "input.npy")
        # sides that no network here divides
        crop = tuple(slice(0, {"Z": 9, "Y": 45, "X": 51}.get(axis)) for axis in axes)
        for name in ("config.json", "weights_best.h5"):
            shutil.copyfile(folder / name, target / name)
        with tempfile.TemporaryDirectory() as work:
            np.save(f"{work}/input.npy", image[crop])
            # both weights are read there, one of them is kept
            in_process(args.n2v_python, "peers/predict_n2v.py", folder, f"{work}/input.npy", axes,
                 f"{work}/out.npz")  # fmt: skip
            results = dict(np.load(f"{work}/out.npz"))
        if "last" in results and not np.array_equal(results["last"], results["best"]):
            shutil.copyfile(folder / "weights_last.h5", target / "weights_last.h5")
        else:
            results.pop("last", None)
        np.savez_compressed(target / "results.npz", input=image[crop], axes=axes, **results)
        print(target.name, sorted(results))


if __name__ == "__main__":
    main()
