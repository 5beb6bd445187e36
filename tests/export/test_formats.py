"""Fiji, bioimage.io, ONNX and Keras."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from loaders import libraries_of_1_15, run_with_c_api

import n2v_tk
from n2v_tk import N2V
from n2v_tk.errors import ExportError, ModelFolderError, OutputExistsError

# bioimageio.spec 0.5.12 leaves files open
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO"),
    pytest.mark.filterwarnings("ignore:Found mapping with 'source':UserWarning"),
]

LEGACY = Path(__file__).parents[1] / "data" / "legacy"


def near(result, wanted):
    return np.abs(result - wanted).max() < 1e-4 * np.ptp(wanted)


def even(image):
    """Cut to sides that the networks here divide."""
    return image[tuple(slice(0, s // 4 * 4) for s in image.shape[:-1])]


def wanted(model, image):
    """Mean, and then scale, in the last axis."""
    axes = model.config.axes
    if not getattr(model.config, "probabilistic", False):
        return model.predict(image, axes, precision="float32")
    prediction = model.predict_probabilistic(image, axes, precision="float32")
    return np.concatenate([prediction.mean(), prediction.scale()], axis=-1)


@pytest.fixture(scope="session")
def tensorflow_1_15(tmp_path_factory):
    return libraries_of_1_15(tmp_path_factory.mktemp("tensorflow_1_15"))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["n2v", "n2v2", "3d", "3d blurpool", "rgb", "probabilistic"])
def test_tensorflow_1_15_runs_the_fiji_bundle(exportable, case, tensorflow_1_15, tmp_path):
    model, image, _ = exportable(case)
    image = even(image)
    bundle = model.export("fiji", tmp_path / "model.zip")
    zipfile.ZipFile(bundle).extractall(tmp_path / "bundle")
    version, result = run_with_c_api(
        tensorflow_1_15, tmp_path / "bundle", image[np.newaxis], "output", tmp_path
    )
    assert version == "1.15.0"
    assert near(result[0], wanted(model, image))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["n2v2", "3d"])
def test_tensorflow_1_15_runs_the_n2v_bundle(exportable, case, tensorflow_1_15, tmp_path):
    """What N2V in Fiji does: normalise as rdf.yaml says, run, scale back."""
    model, image, _ = exportable(case)
    image = even(image)
    archive = zipfile.ZipFile(model.export("fiji-n2v", tmp_path / "model.zip"))
    rdf = json.loads(archive.read("rdf.yaml"))
    inner = archive.read(rdf["weights"]["tensorflow_saved_model_bundle"]["source"])
    zipfile.ZipFile(io.BytesIO(inner)).extractall(tmp_path / "bundle")
    before = rdf["inputs"][0]["preprocessing"][0]["kwargs"]
    after = rdf["outputs"][0]["postprocessing"][0]["kwargs"]
    normalized = (image - before["mean"]) / before["std"]
    _, result = run_with_c_api(
        tensorflow_1_15, tmp_path / "bundle", normalized[np.newaxis], "output", tmp_path
    )
    assert near(result[0] * after["gain"] + after["offset"], wanted(model, image))


def test_the_fiji_bundle(exportable, tmp_path):
    model, _, _ = exportable("3d blurpool")
    bundle = zipfile.ZipFile(model.export("fiji", tmp_path / "model.zip"))
    assert {"saved_model.pb", "variables/", "meta.json"} <= set(bundle.namelist())
    meta = json.loads(bundle.read("meta.json"))
    assert meta["axes"] == "ZYXC"
    assert meta["axes_div_by"] == [4, 4, 4, 1]
    assert meta["tile_overlap"][-1] == 0
    # the real receptive field, with blur pool
    assert meta["tile_overlap"][0] >= 29
    assert (meta["type"], meta["probabilistic"]) == ("N2V", False)


def test_the_description_for_n2v_in_fiji_is_valid(exportable, tmp_path):
    """By bioimage.io's own reader, which knows old formats."""
    from bioimageio.spec import InvalidDescr, load_description

    model, _, _ = exportable("rgb")
    path = model.export("fiji-n2v", tmp_path / "model.zip", name="Cells", authors=("A. Person",))
    described = load_description(path, perform_io_checks=False)
    assert not isinstance(described, InvalidDescr), described.validation_summary.display()
    assert described.name == "Cells"
    with zipfile.ZipFile(path) as archive:
        test, result = (
            np.load(io.BytesIO(archive.read(f"test_{side}.npy"))) for side in ("input", "output")
        )
    assert near(result[0], wanted(model, test[0]))


@pytest.mark.parametrize("case", ["n2v2", "rgb", "3d", "probabilistic", "percentile", "care"])
def test_onnx(exportable, case, tmp_path):
    import onnxruntime

    model, image, _ = exportable(case)
    path = model.export("onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    results = session.run(None, {"input": image[np.newaxis]})
    expected = wanted(model, image)
    parts = [expected] if names == ["output"] else np.split(expected, 2, axis=-1)
    by_name = dict(zip(("output",) if len(parts) == 1 else ("mean", "scale"), parts, strict=True))
    for name, result in zip(names, results, strict=True):
        assert near(result[0], by_name[name])


def test_keras_opens_its_file_without_n2v_tk(exportable, tmp_path):
    model, image, _ = exportable("3d blurpool")
    path = model.export("keras", tmp_path / "model.keras")
    x = even(image)[np.newaxis]
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys; sys.modules['n2v_tk'] = None\n"
        "import keras, numpy as np\n"
        f"net = keras.saving.load_model({str(path)!r}, safe_mode=True)\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, net.predict(np.load({str(tmp_path / 'x.npy')!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert np.allclose(np.load(tmp_path / "y.npy"), model.keras_model.predict(x, verbose=0),
                       atol=1e-4)  # fmt: skip


@pytest.fixture(scope="session")
def packages(exportable, tmp_path_factory):
    """Packages for bioimage.io, made once."""
    folder = tmp_path_factory.mktemp("packages")

    def make(case):
        path = folder / f"{case.replace(' ', '_')}.zip"
        if not path.exists():
            model, image, axes = exportable(case)
            model.export("bioimageio", path, name="Test model", test_image=image, axes=axes,
                         authors=["A. Person"])  # fmt: skip
        return path

    return make


@pytest.mark.slow
@pytest.mark.parametrize("case", ["n2v2", "rgb joint", "3d", "probabilistic", "care"])
def test_bioimageio_test_passes(packages, case, tmp_path):
    """At several sizes and batches, with either kind of weights."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("bioimageio")), "test", str(packages(case))],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_a_package_describes_the_model(packages, exportable):
    from bioimageio.spec import InvalidDescr, load_model_description

    model, _, _ = exportable("n2v2")
    described = load_model_description(packages("n2v2"), perform_io_checks=False)
    assert not isinstance(described, InvalidDescr)
    y = next(axis for axis in described.inputs[0].axes if axis.id == "y")
    out_y = next(axis for axis in described.outputs[0].axes if axis.id == "y")
    # the field of N2V2 reaches 29 pixels; blocks must stay in step with the pooling
    assert (out_y.halo, y.size.step) == (32, 4)
    assert y.size.min > 2 * out_y.halo
    mean, std = float(model.config.means[0]), float(model.config.stds[0])
    before = {step.id: step.kwargs for step in described.inputs[0].preprocessing}
    assert before["fixed_zero_mean_unit_variance"].mean == [mean]
    after = {step.id: step.kwargs for step in described.outputs[0].postprocessing}
    assert after["scale_linear"].gain == [std]
    assert "N2V2" in described.cite[0].text
    with zipfile.ZipFile(packages("n2v2")) as package:
        names = set(package.namelist())
        assert {"rdf.yaml", "README.md", "weights.keras", "cover.png", "test_input.npy"} <= names
        assert "# Validation" in package.read("README.md").decode()
        test, result = (
            np.load(io.BytesIO(package.read(f"test_{side}.npy"))) for side in ("input", "output")
        )
    # the middle of the given image, extended to what the network needs
    assert test.shape == (1, 68, 68, 1)
    assert near(result[0], model.predict_bioimageio(test[0], "YXC"))


@pytest.mark.parametrize("case", ["n2v2", "probabilistic", "care"])
def test_a_package_opens_again(packages, exportable, case):
    model, image, axes = exportable(case)
    again = n2v_tk.load_model(packages(case))
    assert again.config == model.config
    assert np.array_equal(again.predict(image, axes), model.predict(image, axes))
    if case == "care":
        with pytest.raises(ModelFolderError, match="no model of N2V"):
            N2V.from_bioimageio(packages(case))
    else:
        assert type(N2V.from_bioimageio(packages(case))) is N2V


@pytest.mark.parametrize("name", ["n2v2", "n2v2d_plain"])
def test_a_package_of_n2v_opens(name):
    path = LEGACY / name / f"{name}.bioimage.io.zip"
    model = N2V.from_bioimageio(path)
    with zipfile.ZipFile(path) as package:
        test, result = (
            np.load(io.BytesIO(package.read(f"test_{side}.npy"))) for side in ("input", "output")
        )
    assert near(model.predict_bioimageio(test, "byxc"), result)
    assert model.config.made_with == "n2v"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "no model of n2v_tk or n2v"),
        ({"rdf.yaml": b""}, "no model of n2v_tk or n2v"),
        ({"config.json": b"{", "tf_model.zip": b""}, "settings in the package are damaged"),
        ({"config.json": b'{"n2v_perc_pix": 1.5}', "tf_model.zip": b"no zip"}, "damaged"),
        ({"weights.keras": b"no zip"}, "not a .keras file"),
        ({"../weights.keras": b"x", "/etc/x": b"x"}, "no model of n2v_tk or n2v"),
    ],
)
def test_damaged_packages(members, message, tmp_path):
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as package:
        for name, content in members.items():
            package.writestr(name, content)
    with pytest.raises(ModelFolderError, match=message):
        n2v_tk.load_model(path)
    assert list(tmp_path.iterdir()) == [path]


def test_export_tf_with_the_arguments_of_n2v(exportable, tmp_path):
    model, image, _ = exportable("n2v")
    path = model.export_TF(
        name="My model", description="A description.", authors=["A. Person"],
        test_img=image[..., 0], axes="YX", patch_shape=(16, 16), result_path=tmp_path / "out",
    )  # fmt: skip
    assert path == tmp_path / "out" / "out.bioimage.io.zip"
    assert type(n2v_tk.load_model(path)) is N2V
    with pytest.raises(ExportError, match="no folder to export to"):
        model.export_TF("My model", "A description.", ["A. Person"], image, "YXC")


@pytest.mark.parametrize(
    ("case", "axes"), [("n2v", "YX"), ("rgb joint", "CYX"), ("3d", "SZYX"), ("3d", "SCZYX")]
)
def test_what_export_tf_was_told_is_in_the_package(exportable, case, axes, tmp_path):
    import yaml

    model, image, _ = exportable(case)
    image = np.moveaxis(image, -1, 0) if "C" in axes else image[..., 0]
    image = np.stack([image, 0 * image]) if "S" in axes else image
    path = model.export_TF(
        name="My model", description="Denoises what it knows.", authors=["A. Person", "B. Person"],
        test_img=image, axes=axes, license="CC-BY-4.0", result_path=tmp_path,
    )  # fmt: skip
    with zipfile.ZipFile(path) as package:
        told = yaml.safe_load(package.read("rdf.yaml"))
        test = np.load(io.BytesIO(package.read("test_input.npy")))
    assert told["name"] == "My model"
    assert told["description"] == "Denoises what it knows."
    assert told["license"] == "CC-BY-4.0"
    assert [author["name"] for author in told["authors"]] == ["A. Person", "B. Person"]
    # the first image, its channels last
    assert test.shape[-1] == model.config.n_channel_in
    assert test.ndim == model.config.n_dim + 2
    assert np.isin(test, image[0] if "S" in axes else image).all()
    assert test.std() > 1


@pytest.mark.parametrize(
    ("case", "kind", "target", "options", "message"),
    [
        ("probabilistic", "fiji-n2v", "m.zip", {}, "cannot hold a probabilistic model"),
        ("none", "fiji-n2v", "m.zip", {}, "fixed means"),
        ("image", "fiji", "m.zip", {}, "normalization='image'"),
        ("image", "bioimageio", "m.zip", {}, "cannot scale back"),
        ("percentile", "bioimageio", "m.zip", {}, "cannot scale back"),
        ("n2v", "bioimageio", "m.zip", {"name": "x"}, "name='x'"),
        ("n2v", "bioimageio", "m.zip", {"test_image": np.zeros((8, 8, 2)), "axes": "YXC"},
         r"1 channel\(s\)"),
        ("n2v", "onnx", "m.zip", {}, r"end in \.onnx"),
        ("n2v", "fiji", "m.onnx", {}, r"end in \.zip"),
        ("n2v", "keras", "m.h5", {}, r"end in \.keras"),
    ],
)  # fmt: skip
def test_models_that_a_format_cannot_hold(
    exportable, case, kind, target, options, message, tmp_path
):
    model, _, _ = exportable(case)
    with pytest.raises(ExportError, match=message):
        model.export(kind, tmp_path / target, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [("fiji", "m.zip"), ("fiji-n2v", "m.zip"), ("bioimageio", "m.zip"), ("onnx", "m.onnx"),
     ("keras", "m.keras")],
)  # fmt: skip
def test_an_output_that_is_there(exportable, kind, name, tmp_path):
    model, _, _ = exportable("n2v")
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputExistsError, match="there already"):
        model.export(kind, tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"
    model.export(kind, tmp_path / name, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_every_method_names_its_paper():
    from n2v_tk.export.citation import citation_of
    from n2v_tk.models.one_call import METHODS

    configs = [make(None) for make in METHODS.values()] + [n2v_tk.CAREConfig()]
    assert len({citation_of(config).doi for config in configs}) == len(configs)


@pytest.mark.parametrize(("network", "author"), [("n2n", "Lehtinen"), ("unet", "Lehtinen"),
                                                 ("r2r", "Pang")])  # fmt: skip
def test_packages_of_other_methods(network, author, tmp_path):
    image = np.random.default_rng(0).normal(100, 20, (1, 64, 96, 1)).astype(np.float32)
    small = {"net_width": 6} if network == "n2n" else {"unet_n_first": 4}
    if network == "r2r":
        model = n2v_tk.R2R(n2v_tk.R2RConfig(image, **small), "model", basedir=None)
    else:
        config = n2v_tk.N2NConfig(image, network=network, **small)
        model = n2v_tk.N2N(config, "model", basedir=None)
    model.loaded = True
    for kind in ("bioimageio", "fiji-n2v"):
        options = {"test_image": image[0], "axes": "YXC"} if kind == "bioimageio" else {}
        path = model.export(kind, tmp_path / f"{kind}.zip", **options)
        with zipfile.ZipFile(path) as archive:
            texts = [archive.read(n).decode() for n in archive.namelist() if n.endswith(".yaml")]
        assert any(author in text for text in texts)
