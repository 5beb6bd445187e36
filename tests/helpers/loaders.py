"""Other programs that read what we export."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

WHEEL = "tensorflow-cpu==1.15.0"


def signature_of(folder):
    """Names of the tensors of 'serving_default': ({input: name}, {output: name})."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    return tuple(
        {key: value.name for key, value in side.items()}
        for side in (signature.inputs, signature.outputs)
    )


def run_with_c_api(libraries, folder, image, output, work):
    """Version of TensorFlow and result of a SavedModel, in a process of its own."""
    inputs, outputs = signature_of(folder)
    np.save(work / "in.npy", image)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("c_api.py")),
         os.pathsep.join(map(str, libraries)), str(folder), str(work / "in.npy"),
         inputs["input"], str(work / "out.npy"), outputs[output]],
        capture_output=True, text=True, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()[-1], np.load(work / "out.npy")


def installed_libraries():
    """The C API of the installed TensorFlow."""
    from importlib.util import find_spec

    folder = Path(find_spec("tensorflow").origin).parent
    return [folder / "libtensorflow_framework.so.2", folder / "libtensorflow_cc.so.2"]


def libraries_of_1_15(work):
    """The C library of TensorFlow 1.15.0, out of PyPI's wheel for Python 3.7.

    It lies in a Python module; what it wants of Python 3.7 and this Python lacks gets empty stubs,
    which are never called.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
               str(work), "--python-version", "3.7", "--only-binary", ":all:", WHEEL]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(work.glob("tensorflow_cpu-*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"{WHEEL} cannot be fetched from PyPI")
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [n for n in wheel.namelist() if n.endswith(("framework.so.1", "_internal.so"))]
        framework, module = sorted(wheel.extract(n, work) for n in names)
    if not framework.endswith("framework.so.1"):
        framework, module = module, framework
    stubs = work / "stubs.c"
    try:
        listed = subprocess.run(
            ["nm", "-D", "--undefined-only", module], capture_output=True, text=True, check=True
        ).stdout
        wanted = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
        names = sorted(n for n in wanted if n.startswith(("Py", "_Py")))
        stubs.write_text("".join(f"void *{name}[64];\n" for name in names))
        library = work / "stubs.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, stubs], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a C compiler is needed to open TensorFlow 1.15's library")
    return [library, framework, module]
