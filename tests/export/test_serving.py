"""What TensorFlow Serving gets, read by other programs than Keras."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from loaders import installed_libraries, run_with_c_api

from n2v_tk import N2V, N2VConfig
from n2v_tk.errors import ExportError, OutputExistsError

CASES = ["n2v", "n2v2", "rgb", "3d", "3d blurpool", "probabilistic", "image", "percentile", "none",
         "care"]  # fmt: skip


def expected(model, image, axes):
    if getattr(model.config, "probabilistic", False):
        prediction = model.predict_probabilistic(image, axes, precision="float32")
        return {"mean": prediction.mean(), "scale": prediction.scale()}
    return {"output": model.predict(image, axes, precision="float32")}


def near(result, wanted):
    return np.abs(result - wanted).max() < 1e-4 * np.ptp(wanted)


@pytest.mark.parametrize("case", CASES)
def test_the_signature_equals_predict(exportable, case, tmp_path):
    model, image, axes = exportable(case)
    folder = model.export("serving", tmp_path / "name", warm_up=False)
    assert folder == tmp_path / "name" / "1"
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    # any batch, odd sides, also sides smaller than what must be padded
    batch = np.stack([image, image[::-1]])
    results = serve(input=tf.constant(batch))
    wanted = [expected(model, i, axes) for i in batch]
    assert set(results) == set(wanted[0])
    for key, values in results.items():
        assert values.shape == (2, *wanted[0][key].shape)
        assert near(values.numpy(), np.stack([w[key] for w in wanted]))
    tiny = image[..., :5, :1, :]
    for key, values in serve(input=tf.constant(tiny[np.newaxis])).items():
        assert np.allclose(values[0], expected(model, tiny, axes)[key], rtol=1e-3, atol=0.05)


def test_the_channels_are_in_the_signature(exportable, tmp_path):
    model, _, _ = exportable("probabilistic")
    folder = model.export("serving", tmp_path / "name", warm_up=False)
    signatures = tf.saved_model.load(str(folder)).signatures
    assert set(signatures) == {"serving_default", "tiling"}
    outputs = signatures["serving_default"].structured_outputs
    assert outputs["mean"].shape[-1] == outputs["scale"].shape[-1] == 2


@pytest.mark.parametrize("case", ["n2v2", "3d", "probabilistic"])
def test_the_c_loader_opens_it(exportable, case, tmp_path):
    """Python's loader hides what this one, the server's, stumbles over."""
    model, image, axes = exportable(case)
    folder = model.export("serving", tmp_path / "name", warm_up=False)
    for key, wanted in expected(model, image, axes).items():
        version, result = run_with_c_api(
            installed_libraries(), folder, image[np.newaxis], key, tmp_path
        )
        assert version == tf.__version__
        assert near(result[0], wanted)


def test_saved_model_cli_runs_it(exportable, tmp_path):
    model, image, axes = exportable("n2v")
    folder = model.export("serving", tmp_path / "name", warm_up=False)
    np.save(tmp_path / "x.npy", image[np.newaxis])
    done = subprocess.run(
        [str(Path(sys.executable).with_name("saved_model_cli")), "run", "--dir", str(folder),
         "--tag_set", "serve", "--signature_def", "serving_default",
         "--inputs", f"input={tmp_path / 'x.npy'}", "--outdir", str(tmp_path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert near(np.load(tmp_path / "output.npy")[0], expected(model, image, axes)["output"])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["n2v2", "3d"])
def test_openvino_reads_it(exportable, case, tmp_path):
    import openvino

    model, image, axes = exportable(case)
    folder = model.export("serving", tmp_path / "name", warm_up=False)
    read = openvino.Core().read_model(folder)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(read, "CPU", options)
    result = compiled({"input": image[np.newaxis]})[compiled.outputs[0]]
    assert near(result[0], expected(model, image, axes)["output"])


def test_warm_up_requests(exportable, tmp_path):
    from tensorflow_serving.apis import prediction_log_pb2

    model, _, _ = exportable("rgb")
    folder = model.export("serving", tmp_path / "my_model")
    records = list(
        tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    )
    log = prediction_log_pb2.PredictionLog.FromString(records[0].numpy())
    request = log.predict_log.request
    assert request.model_spec.name == "my_model"
    blank = tf.make_ndarray(request.inputs["input"])
    serve = tf.saved_model.load(str(folder)).signatures[request.model_spec.signature_name]
    assert serve(input=tf.constant(blank))["output"].shape == blank.shape == (1, 512, 512, 3)


def test_versions(exportable, tmp_path):
    model, _, _ = exportable("n2v")
    path = tmp_path / "name"
    path.mkdir()
    for existing in ("9", "10", "notes", "-3", "2.5"):
        (path / existing).mkdir()
    assert model.export("serving", path, warm_up=False).name == "11"
    assert model.export("serving", path, warm_up=False).name == "12"
    assert model.export("serving", path, warm_up=False, version=5).name == "5"
    with pytest.raises(OutputExistsError, match="version is there already"):
        model.export("serving", path, warm_up=False, version=12)
    (path / "12" / "old").write_text("")
    model.export("serving", path, overwrite=True, warm_up=False, version=12)
    assert not (path / "12" / "old").exists()
    with pytest.raises(ExportError, match="at least 1"):
        model.export("serving", path, warm_up=False, version=0)
    # nothing but versions, and the batching file, which the server does not take for one
    assert {p.name for p in path.iterdir()} == {
        "5", "9", "10", "11", "12", "notes", "-3", "2.5", "batching.config",
    }  # fmt: skip


def test_a_crash_leaves_no_half_version(exportable, tmp_path, monkeypatch):
    model, _, _ = exportable("n2v")
    seen = []

    def crash(module, folder, signatures):
        seen.extend(p.name for p in (tmp_path / "name").iterdir())
        Path(folder).mkdir()
        (Path(folder) / "saved_model.pb").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", crash)
    with pytest.raises(ExportError, match="No space left"):
        model.export("serving", tmp_path / "name", warm_up=False)
    assert len(seen) == 1
    assert not seen[0].isdigit()
    assert list((tmp_path / "name").iterdir()) == []


def test_what_cannot_be_exported(exportable, tmp_path):
    model, image, _ = exportable("n2v")
    with pytest.raises(ExportError, match="one of serving, fiji"):
        model.export("jpeg", tmp_path / "x")
    untrained = N2V(N2VConfig(image[None], n2v_patch_shape=(16, 16)), basedir=None)
    with pytest.raises(ExportError, match="no trained weights"):
        untrained.export("serving", tmp_path / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a file has its name"):
        model.export("serving", tmp_path / "file", warm_up=False)


def test_a_missing_extra_is_named(exportable, tmp_path, monkeypatch):
    import importlib.util

    model, _, _ = exportable("n2v")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for kind, target, extra in (
        ("serving", "name", "serving"),
        ("onnx", "m.onnx", "onnx"),
        ("bioimageio", "m.zip", "bioimageio"),
    ):
        with pytest.raises(ExportError, match=rf"n2v_tk\[{extra}\]"):
            model.export(kind, tmp_path / target)
    assert list(tmp_path.iterdir()) == []
