"""Blocks of a large OME-Zarr: one process, and the workers of a dask cluster.

    python -m benchmarks run scaling [--planes 32] [--workers 2]

A stack of planes of 2048 x 2048 (uint16, chunks of 1 x 1024 x 1024) is denoised by an untrained
U-Net of depth 2, kernel 3, n_first 32 into uint16. The bare rows tell what the same work takes
without reading and writing.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from . import common


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import zarr
    from distributed import Client, LocalCluster

    from n2v_tk import N2V, N2VConfig

    side = 2048
    rng = np.random.default_rng(0)
    plane = rng.normal(1000, 100, (side, side)).astype(np.uint16)
    model = N2V(
        N2VConfig(plane[None, ..., None], unet_kern_size=3, unet_n_first=32, train_seed=0),
        basedir=None,
    )
    pixels = options.planes * side**2 / 1e6
    rows = []

    def add(name, seconds):
        rows.append((name, seconds, pixels / seconds))

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        source = zarr.create_array(
            folder / "in.zarr", shape=(options.planes, side, side), chunks=(1, 1024, 1024),
            dtype=np.uint16, dimension_names=["t", "y", "x"],
        )  # fmt: skip
        for i in range(options.planes):
            source[i] = np.roll(plane, i)
        model.predict(plane, "YX")
        start = time.perf_counter()
        for _ in range(4):
            model.predict(plane, "YX", dtype=np.uint16)
        add("bare, one process", (time.perf_counter() - start) * options.planes / 4)
        start = time.perf_counter()
        model.predict_large(folder / "in.zarr", folder / "one.zarr", dtype="uint16")
        add("one process", time.perf_counter() - start)
        with (
            LocalCluster(options.workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            target = folder / "first.zarr"  # which loads the model
            model.predict_large(folder / "in.zarr", target, dtype="uint16", client=client)
            start = time.perf_counter()
            target = folder / "many.zarr"
            model.predict_large(folder / "in.zarr", target, dtype="uint16", client=client)
            add(f"{options.workers} workers of dask", time.perf_counter() - start)
        same = np.array_equal(
            zarr.open_group(folder / "one.zarr", mode="r")["0"][:],
            zarr.open_group(folder / "many.zarr", mode="r")["0"][:],
        )
    common.report(
        f"{options.planes} planes of {side} x {side}; results {'equal' if same else 'DIFFER'}",
        ["", "seconds", "megapixels per second"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
