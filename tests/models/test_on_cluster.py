"""Blocks spread over the workers of a real dask cluster, which may die."""

import os
import signal
import threading

import numpy as np
import pytest
import zarr

from n2v_tk import N2V, N2VConfig, __version__, read_image
from n2v_tk.errors import ConfigError, SchedulerError
from n2v_tk.models import on_cluster
from n2v_tk.models.on_cluster import connect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with connect(cluster.scheduler_address) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A model, an image in a store, and what one process makes of it."""
    folder = tmp_path_factory.mktemp("large")
    image = (1000 + 100 * np.random.default_rng(0).standard_normal((6, 200, 300))).astype("uint16")
    zarr.create_array(folder / "in.zarr", data=image, chunks=(1, 64, 64),
                      dimension_names=["z", "y", "x"])  # fmt: skip
    config = N2VConfig(image[..., None], unet_n_first=4, train_seed=1, n2v_patch_shape=(16, 16))
    model = N2V(config, basedir=None)
    model.predict_large(folder / "in.zarr", folder / "here.zarr", chunks=(1, 64, 64))
    return model, folder


def same(folder, name):
    a, b = (np.asarray(read_image(folder / n).data) for n in ("here.zarr", name))
    # blocks and tiles are those of a process of its own, which chose them as the first did
    np.testing.assert_array_equal(a, b)


def test_workers_give_the_same(client, work):
    model, folder = work
    seen = []
    model.predict_large(
        folder / "in.zarr", folder / "there.zarr", chunks=(1, 64, 64), client=client,
        progress=lambda done, total: seen.append(done),
    )  # fmt: skip
    same(folder, "there.zarr")
    assert seen == list(range(1, len(seen) + 1))
    # the same workers, another request
    turned = {"client": client, "tta": True, "overwrite": True, "chunks": (1, 100, 64)}
    model.predict_large(folder / "in.zarr", folder / "there.zarr", **turned)
    here = model.predict(np.asarray(read_image(folder / "in.zarr").data), "ZYX", tta=True)
    np.testing.assert_allclose(np.asarray(read_image(folder / "there.zarr").data), here, rtol=1e-5)
    pids = client.run(os.getpid)
    assert len(pids) == 2
    assert all(client.run(lambda: bool(on_cluster._open)).values())
    assert not list((folder / "there.zarr").glob("model*"))


def test_a_worker_that_dies_loses_nothing(client, work):
    model, folder = work
    victim = next(iter(client.run(os.getpid).values()))
    killed = threading.Event()

    def kill(done, total):
        if done == 2 and not killed.is_set():
            os.kill(victim, signal.SIGKILL)
            killed.set()

    model.predict_large(
        folder / "in.zarr", folder / "killed.zarr", chunks=(1, 64, 64), client=client,
        progress=kill,
    )  # fmt: skip
    assert killed.is_set()
    same(folder, "killed.zarr")


def test_what_cannot_work_is_refused_before_it_starts(client, work, monkeypatch, tmp_path):
    model, folder = work
    source, target = folder / "in.zarr", tmp_path / "out.zarr"
    with pytest.raises(ConfigError, match="an array in memory"):
        model.predict_large(np.zeros((64, 64)), tmp_path / "a.zarr", "YX", client=client)
    monkeypatch.setattr(on_cluster, "__version__", "0.0.9")
    with pytest.raises(SchedulerError, match=rf"{__version__} on tcp.*, 0.0.9 here"):
        model.predict_large(source, target, client=client)
    monkeypatch.undo()
    answers = {"tcp://far:1": (__version__, str(source))}
    monkeypatch.setattr(client, "run", lambda *args, **options: answers)
    with pytest.raises(SchedulerError, match=r"does not see the files.*far"):
        model.predict_large(source, target, client=client)
    answers["tcp://far:1"] = ModuleNotFoundError("No module named 'n2v_tk'")
    with pytest.raises(SchedulerError, match="Install n2v_tk"):
        model.predict_large(source, target, client=client)
    answers.clear()
    with pytest.raises(SchedulerError, match="no workers"):
        model.predict_large(source, target, client=client)


def test_a_scheduler_that_does_not_answer():
    with pytest.raises(SchedulerError, match=r"tcp://127\.0\.0\.1:9: .*dask scheduler"):
        connect("tcp://127.0.0.1:9", timeout=1)


def test_the_command_line(cluster, client, work, tmp_path):
    from typer.testing import CliRunner

    from n2v_tk.cli.app import app

    model, folder = work
    model.save(tmp_path / "model")
    out = tmp_path / "out.zarr"
    args = ["predict", str(folder / "in.zarr"), "-m", str(tmp_path / "model"), "-o", str(out)]
    result = CliRunner().invoke(
        app, [*args, "--scheduler", cluster.scheduler_address, "--chunks", "1,64,64"],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(
        np.asarray(read_image(out).data), np.asarray(read_image(folder / "here.zarr").data)
    )
