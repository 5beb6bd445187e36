"""Peak memory of training on data of different sizes: it should not grow with them.

    python -m benchmarks run memory [--sizes 200MB 8GB] [--formats tiff zarr] [--folder FOLDER]

Data of uint16 are made in the folder (a temporary one by default) and removed again. Each row is
a process that reads the file with `read_stacks`, takes its statistics, and trains 60 steps of
batches of 16 patches of 64 x 64, with a U-Net of n_first 32.
"""

import tempfile
from pathlib import Path

import numpy as np

from . import common

PLANE = (2048, 2048)


def make(path, kind, size):
    """Write noisy planes, one by one; the noise repeats."""
    n = max(1, size // (2 * PLANE[0] * PLANE[1]))
    rng = np.random.default_rng(0)
    planes = [rng.normal(1000, 100, PLANE).astype(np.uint16) for _ in range(4)]
    if kind == "tiff":
        import tifffile

        with tifffile.TiffWriter(path, bigtiff=True) as file:
            file.write(
                (planes[i % 4] for i in range(n)), shape=(n, *PLANE), dtype=np.uint16,
                photometric="minisblack", metadata={"axes": "TYX"},
            )  # fmt: skip
    elif kind == "zarr":
        import zarr

        array = zarr.create_array(
            path, shape=(n, *PLANE), chunks=(1, 256, 256), dtype=np.uint16,
            dimension_names=["t", "y", "x"],
        )  # fmt: skip
        for i in range(n):
            array[i] = planes[i % 4]
    else:
        import h5py

        with h5py.File(path, "w") as file:
            data = file.create_dataset(
                "data", (n, *PLANE), np.uint16, chunks=(1, 256, 256), compression="lzf"
            )
            data.attrs["axes"] = "TYX"
            for i in range(n):
                data[i] = planes[i % 4]


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["200MB", "8GB"])
    parser.add_argument("--formats", nargs="+", default=["tiff", "zarr", "hdf5"])
    parser.add_argument("--folder")
    options = parser.parse_args()
    from n2v_tk.prediction.memory import parse_bytes

    suffixes = {"tiff": "tif", "zarr": "zarr", "hdf5": "h5"}
    rows = []
    for kind in options.formats:
        first = None
        for size in options.sizes:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                path = Path(folder) / f"data.{suffixes[kind]}"
                make(path, kind, parse_bytes(size))
                found = common.in_process(None, "work/memory.py", path)
            first = first or found["peak"]
            rows.append(
                (kind, size, found["peak"] / 1e9, found["peak"] / first, found["statistics"],
                 found["step"])
            )  # fmt: skip
    common.report(
        "Training from files: peak memory",
        ["format", "data", "peak (GB)", "to the first", "statistics (s)", "step (ms)"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
