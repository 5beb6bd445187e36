"""Blocks of a large OME-Zarr: one process, and the workers of a dask cluster.

    python -m benchmarks run scaling [--volume] [--workers 2]

Planes of 2048 x 2048 (16 of them by default, chunks of 1 x 1024 x 1024), or with --volume one
volume of 128 x 512 x 512 (chunks of 32 x 256 x 256), uint16, are denoised by an untrained U-Net of
depth 2, kernel 3, n_first 32 into uint16. The bare row tells what the same work takes in one call
of `predict`, without reading and writing.
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
    parser.add_argument("--volume", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import zarr
    from distributed import Client, LocalCluster

    from n2v_tk import N2V, N2VConfig

    shape, chunks, axes = (options.planes, 2048, 2048), (1, 1024, 1024), "TYX"
    if options.volume:
        shape, chunks, axes = (128, 512, 512), (32, 256, 256), "ZYX"
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 100, shape).astype(np.uint16)
    n_dim = 3 if options.volume else 2
    stack = image[np.newaxis, ..., np.newaxis] if options.volume else image[..., np.newaxis]
    config = N2VConfig(
        stack, unet_kern_size=3, unet_n_first=32, train_seed=0, n2v_patch_shape=(64,) * n_dim
    )
    model = N2V(config, basedir=None)
    rows = []

    def add(name, seconds):
        rows.append((name, seconds, image.size / 1e6 / seconds))

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        zarr.create_array(
            folder / "in.zarr", data=image, chunks=chunks, dimension_names=list(axes.lower())
        )
        part = image[:2] if n_dim == 2 else image[:64]
        model.predict(part, axes)
        start = time.perf_counter()
        model.predict(part, axes, dtype=np.uint16)
        seconds = time.perf_counter() - start
        add("predict, one call", seconds * image.size / part.size)
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
        f"{' x '.join(map(str, shape))} ({axes}), block by block; results of one process and of "
        f"workers {'equal' if same else 'DIFFER'}",
        ["", "seconds", "megapixels per second"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
