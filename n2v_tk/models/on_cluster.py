"""Denoising blocks of a large image on the workers of a dask cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import ConfigError, ExtraMissingError, SchedulerError
from ..io import read_image
from ..io.ome_zarr import need_zarr

if TYPE_CHECKING:
    from distributed import Client

    from .large import Job, LargePrediction

# jobs that wait at each thread of the workers
_WAITING = 2
_open: dict[str, Any] = {}
_lock = threading.Lock()


def connect(address: str, timeout: float = 10.0) -> Client:
    """A client of a running scheduler.

    Raises
    ------
    SchedulerError
        If nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ExtraMissingError(
            "Work on many machines needs the package distributed. Received: no such package. "
            "Install it with pip install 'n2v_tk[dask]'."
        ) from error
    try:
        return Client(address, timeout=timeout)
    except (OSError, ValueError, TimeoutError) as error:
        raise SchedulerError(
            f"No dask scheduler answers. Received: {address}: {error}. Start one with "
            "'dask scheduler', and name its address, e.g. tcp://HOST:8786."
        ) from error


def on_cluster(client: Client, model, work: LargePrediction, store: Path, run_id: str) -> Callable:
    """A way to do jobs: on the workers of a client, which load the model from the store.

    Raises
    ------
    SchedulerError
        If there are no workers, they lack n2v_tk or have another version of it, or cannot read
        the source or the unfinished result.
    """
    source = work.request["source"]
    if source is None or not os.path.exists(source.rpartition("::")[0] or source):
        raise ConfigError(
            "Workers read the image themselves. Received: an array in memory. Give its path, on "
            "a file system that all workers share."
        )
    _check_workers(client, source, os.path.abspath(store))
    model.save(store / "model.keras")
    task = {
        "store": os.path.abspath(store),
        "source": source,
        "axes": work.image.axes,
        "request": work.request,
        "plan": work.plan_settings,
        "key": run_id,
    }

    def run(work: LargePrediction, jobs: list[Job]) -> Iterator[Job]:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        threads = sum(client.nthreads().values()) or 1
        waiting = iter(jobs)

        def submit(n):
            return [
                client.submit(do, task, job, pure=False, retries=2) for job in islice(waiting, n)
            ]

        futures = as_completed(submit(threads * (1 + _WAITING)))
        try:
            for future in futures:
                yield tuple(future.result())
                for more in submit(1):
                    futures.add(more)
        except KilledWorker as error:
            raise SchedulerError(
                f"A block ended every worker that tried it. Received: {error}. It may need more "
                "memory than they have: begin anew with a lower max_memory (--max-memory, "
                "--overwrite), or repeat the command with larger workers to go on."
            ) from error
        finally:
            client.cancel(list(futures.futures))

    return run


def _check_workers(client, source, store):
    found = client.run(_look, source.rpartition("::")[0] or source, store, on_error="return")
    if not found:
        raise SchedulerError(
            f"The scheduler has no workers. Received: {client.scheduler.address}. Start some with "
            "'dask worker ADDRESS'."
        )
    for worker, answer in found.items():
        if isinstance(answer, BaseException):
            raise SchedulerError(
                f"A worker cannot work with n2v_tk. Received: {worker}: {answer!r}. Install "
                f"n2v_tk {__version__} there, with the extras zarr and dask."
            )
        version, problem = answer
        if version != __version__:
            raise SchedulerError(
                f"A worker has another version of n2v_tk. Received: {version} on {worker}, "
                f"{__version__} here. Install the same version everywhere."
            )
        if problem:
            raise SchedulerError(
                f"A worker does not see the files. Received: {problem} on {worker}. Source and "
                "result must lie on a file system that all workers share."
            )


def _look(source, store):
    """What a worker has: its version, and the path that it cannot reach, if any."""
    need_zarr()
    missing = [path for path in (source, store) if not os.path.exists(path)]
    return __version__, missing[0] if missing else None


def do(task: dict[str, Any], job: Job) -> Job:
    """One job, on a worker; the model is loaded by the first."""
    with _lock:
        work = _open.get(task["key"])
        if work is None:
            _open.clear()
            work = _open[task["key"]] = _open_work(task)
    data = work.read(job)
    with _lock:  # the network uses all cores
        result = work.compute(job, data)
    work.write(job, result)
    return job


def _open_work(task):
    from .large import LargePrediction
    from .loading import load_model

    store = Path(task["store"])
    image = read_image(task["source"], task["axes"])
    model = load_model(store / "model.keras")
    work = LargePrediction(model, image, task["request"], task["plan"])
    work.open_target(store, new=False)
    return work
