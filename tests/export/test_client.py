"""Prediction by a server, over TensorFlow Serving's own interface."""

import socket

import grpc
import numpy as np
import pytest
import tifffile
from model_server import ModelServer

from n2v_tk import ServedModel
from n2v_tk.errors import AxesError, ConfigError, ImageError, ServingError

DOWN, BUSY, BROKEN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
)


@pytest.fixture(scope="session")
def models(exportable, tmp_path_factory):
    """Folder with versions of every kind of model that the client is tested with."""
    base = tmp_path_factory.mktemp("models")
    for case in ("n2v2", "3d", "rgb", "probabilistic", "image"):
        exportable(case)[0].export("serving", base / case, warm_up=False)
    return base


@pytest.fixture
def server(models):
    with ModelServer(models) as server:
        yield server


@pytest.fixture
def large(rng):
    """An image for N2V2 that is worth cutting: (Y, X, C)."""
    return rng.normal(100, 20, (201, 90, 1)).astype("float32")


def near(result, wanted):
    return np.abs(result - wanted).max() < 1e-4 * np.ptp(wanted)


@pytest.mark.parametrize("case", ["n2v2", "3d", "rgb"])
def test_the_result_equals_local_prediction(server, exportable, case, rng):
    model, _, axes = exportable(case)
    sides = (13, 150, 201)[-model.config.n_dim :]
    image = rng.normal(100, 20, (*sides, model.config.n_channel_in)).astype("float32")
    wanted = model.predict(image, axes)
    with ServedModel(server.address, case) as served:
        assert near(served.predict(image, axes), wanted)
        assert len(server.requests) == 1
        n_tiles = tuple(1 if a == "C" else 2 if a in "ZY" else 3 for a in axes)
        assert near(served.predict(image, axes, n_tiles=n_tiles), wanted)
    # equal tiles, so that the server can put them together
    assert len(set(server.requests[1:])) == 1
    assert len(server.requests) > 4


def test_stacks_dtypes_and_order_of_axes(server, exportable, rng):
    model, _, _ = exportable("rgb")
    image = rng.normal(100, 20, (2, 3, 33, 40)).astype("uint16")
    with ServedModel(server.address, "rgb") as served:
        result = served.predict(image, "TCYX", dtype="same")
    assert result.dtype == np.uint16
    difference = result.astype(int) - model.predict(image, "TCYX", dtype="same")
    assert np.abs(difference).max() <= 1


def test_a_probabilistic_model(server, exportable):
    model, image, axes = exportable("probabilistic")
    with ServedModel(server.address, "probabilistic") as served:
        prediction = served.predict_probabilistic(image, axes, n_tiles=(1, 2, 1))
        assert near(served.predict(image, axes), prediction.mean())
    wanted = model.predict_probabilistic(image, axes)
    assert near(prediction.mean(), wanted.mean())
    assert near(prediction.scale(), wanted.scale())
    with (
        ServedModel(server.address, "n2v2") as served,
        pytest.raises(ConfigError, match="needs a probabilistic model"),
    ):
        served.predict_probabilistic(image[..., 0], "YX")


def test_a_model_that_normalises_image_by_image(server, exportable):
    model, image, axes = exportable("image")
    with ServedModel(server.address, "image") as served:
        assert near(served.predict(image, axes), model.predict(image, axes))
        with pytest.raises(ConfigError, match="cannot be cut"):
            served.predict(image, axes, n_tiles=(2, 2, 1))


def test_several_requests_are_under_way(server, rng):
    server.delay = 0.05
    image = rng.normal(100, 20, (400, 120)).astype("float32")
    for in_flight in (1, 3):
        server.most_under_way = 0
        with ServedModel(server.address, "n2v2", in_flight=in_flight) as served:
            served.predict(image, "YX", n_tiles=(8, 1))
        assert server.most_under_way == in_flight


def test_it_tries_again(server, exportable, large):
    model, _, axes = exportable("n2v2")
    image = large
    server.failures = [DOWN, BUSY, None, DOWN]
    with ServedModel(server.address, "n2v2") as served:
        assert near(served.predict(image, axes, n_tiles=(2, 1, 1)), model.predict(image, axes))


def test_a_tile_that_fails(server, large):
    image, axes = large, "YXC"
    with ServedModel(server.address, "n2v2", retries=2, in_flight=1) as served:
        served.describe()
        server.failures = [None, BROKEN]
        with pytest.raises(ServingError, match=r"server failed.*INTERNAL.* for tile 2"):
            served.predict(image, axes, n_tiles=(2, 1, 1))
        server.failures = [DOWN] * 3
        with pytest.raises(ServingError, match=r"did not answer in 3 attempt\(s\)"):
            served.predict(image, axes)
        server.failures = [BUSY] * 3
        with pytest.raises(ServingError, match="no room"):
            served.predict(image, axes)


def test_a_slow_server(server, exportable):
    _, image, axes = exportable("n2v2")
    server.delay = 5
    with ServedModel(server.address, "n2v2", timeout=0.2, retries=1) as served:
        with pytest.raises(ServingError, match=r"took too long.*timeout=0\.2"):
            served.predict(image, axes)
        served.timeout, served.retries, served.deadline = 60, 1000, 0.5
        with pytest.raises(ServingError, match="took too long"):
            served.predict(image, axes)


def test_what_is_not_there(server):
    for name, version in (("no_such_model", None), ("n2v2", 7)):
        with (
            ServedModel(server.address, name, version) as served,
            pytest.raises(ServingError, match="no such model or version"),
        ):
            served.describe()
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with (
        ServedModel(f"localhost:{port}", "n2v2", retries=1) as served,
        pytest.raises(ServingError, match=r"did not answer.*gRPC port \(8500"),
    ):
        served.describe()


def test_a_model_of_another_program(tmp_path, exportable):
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "other" / "1"), signatures=module.f)
    with (
        ModelServer(tmp_path) as server,
        ServedModel(server.address, "other") as served,
        pytest.raises(ServingError, match="not exported by n2v_tk"),
    ):
        served.describe()


def test_bad_images_are_not_sent(server, rng):
    image = rng.normal(size=(32, 32)).astype("float32")
    with ServedModel(server.address, "n2v2") as served:
        with pytest.raises(AxesError, match=r"takes 1 channel\(s\)"):
            served.predict(np.stack([image] * 3), "CYX")
        with pytest.raises(AxesError, match="every dimension"):
            served.predict(image, "ZYX")
        with pytest.raises(ImageError, match="not finite"):
            served.predict(image * np.nan, "YX")
        with pytest.raises(ConfigError, match="n_tiles"):
            served.predict(image, "YX", n_tiles=(2,))
    with (
        ServedModel(server.address, "3d") as served,
        pytest.raises(AxesError, match="Z axis"),
    ):
        served.predict(image, "YX")
    assert server.requests == []


def test_addresses():
    served = ServedModel("grpc://host:8500/cells/3")
    assert (served.host, served.name, served.version) == ("host:8500", "cells", 3)
    assert repr(ServedModel("host:1", "cells")) == "ServedModel('grpc://host:1/cells')"
    for address, name in (("host", "cells"), ("host:8500", None), ("http://host:8501/cells", None)):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            ServedModel(address, name)
    with pytest.raises(ConfigError, match="in_flight must be above 0"):
        ServedModel("host:1", "cells", in_flight=0)


def test_the_command_line(server, exportable, large, tmp_path, run):
    model, image = exportable("n2v2")[0], large
    tifffile.imwrite(tmp_path / "noisy.tif", image[..., 0])
    address = f"grpc://{server.address}/n2v2"
    out = tmp_path / "out.tif"
    code, text = run("predict", tmp_path / "noisy.tif", "-m", address, "-o", out,
                     "--n-tiles", "2,2")  # fmt: skip
    assert code == 0, text
    assert near(tifffile.imread(out), model.predict(image[..., 0], "YX"))
    server.failures = [None, BROKEN, BROKEN, BROKEN, BROKEN]
    code, text = run("predict", tmp_path / "noisy.tif", "-m", address, "-o", tmp_path / "b.tif",
                     "--n-tiles", "2,2")  # fmt: skip
    assert code == 1
    assert "The server failed" in text
    assert {p.name for p in tmp_path.iterdir()} == {"noisy.tif", "out.tif"}
    code, text = run("predict", tmp_path / "noisy.tif", "-m", address, "-o", tmp_path / "b.tif",
                     "--tta")  # fmt: skip
    assert code == 1
    assert "--tta" in text


@pytest.mark.parametrize(
    ("kind", "target"),
    [("serving", "cells"), ("fiji", "m.zip"), ("fiji-n2v", "m.zip"), ("bioimageio", "m.zip"),
     ("onnx", "m.onnx"), ("keras", "m.keras")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO")
def test_export_on_the_command_line(exportable, tmp_path, run, kind, target):
    model, image, _ = exportable("n2v2")
    model.save(tmp_path / "model")
    np.save(tmp_path / "image.npy", image[..., 0])
    options = {
        "bioimageio": ["--name", "Cells", "--author", "A. Person", "--author", "B. Person",
                       "--test-image", tmp_path / "image.npy"],
        "serving": ["--no-warm-up", "--version", "4"],
    }.get(kind, [])  # fmt: skip
    code, text = run("export", tmp_path / "model", "--to", kind, "-o", tmp_path / target, *options)
    assert code == 0, text
    assert (tmp_path / target / "4" if kind == "serving" else tmp_path / target).exists()
    code, text = run("export", tmp_path / "model", "--to", kind, "-o", tmp_path / target, *options)
    assert code == 1
    assert "there already" in text


def test_options_that_do_not_fit(tmp_path, run, exportable):
    exportable("n2v2")[0].save(tmp_path / "model")
    code, text = run("export", tmp_path / "model", "--to", "onnx", "-o", tmp_path / "m.onnx",
                     "--author", "A. Person", "--no-warm-up")  # fmt: skip
    assert code == 1
    assert "--author, --warm-up" in text
    code, text = run("export", tmp_path / "model", "--to", "jpeg", "-o", tmp_path / "m")
    assert code == 1
    assert "one of serving, fiji" in text
