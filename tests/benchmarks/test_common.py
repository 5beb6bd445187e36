"""What figures say of the machine that they are of."""

import importlib.util
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    from benchmarks import common

    return common


def test_a_machine_without_accelerator_reads_as_it_did(common):
    assert common.accelerator() is None
    assert common.machine().endswith(f" cores, Python {platform.python_version()}")


def test_a_machine_with_one_names_it(common, monkeypatch):
    monkeypatch.setattr(common, "accelerator", lambda: "NVIDIA H100")
    assert f" cores, NVIDIA H100, Python {platform.python_version()}" in common.machine()


def uses(monkeypatch, backend, module):
    """Let Keras compute by `module`."""
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: backend))
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setitem(sys.modules, backend, module)


@pytest.mark.parametrize(
    ("kind", "expected"), [("cpu", None), ("gpu", "NVIDIA H100"), ("tpu", "NVIDIA H100")]
)
def test_the_device_of_jax(common, monkeypatch, kind, expected):
    device = SimpleNamespace(platform=kind, device_kind="NVIDIA H100")
    uses(monkeypatch, "jax", SimpleNamespace(devices=lambda: [device]))
    assert common.accelerator() == expected


@pytest.mark.parametrize(
    ("kinds", "details", "expected"),
    [
        (["CPU"], {}, None),
        (["CPU", "GPU"], {"device_name": "NVIDIA H100"}, "NVIDIA H100"),
        (["CPU", "TPU"], {}, "TPU"),
    ],
)
def test_the_device_of_tensorflow(common, monkeypatch, kinds, details, expected):
    devices = [SimpleNamespace(device_type=kind) for kind in kinds]
    config = SimpleNamespace(
        list_physical_devices=lambda: devices,
        experimental=SimpleNamespace(
            get_device_details=lambda device: details if device is devices[1] else None
        ),
    )
    uses(monkeypatch, "tensorflow", SimpleNamespace(config=config))
    assert common.accelerator() == expected


@pytest.mark.parametrize(("there", "expected"), [(False, None), (True, "NVIDIA H100")])
def test_the_device_of_torch(common, monkeypatch, there, expected):
    cuda = SimpleNamespace(is_available=lambda: there, get_device_name=lambda: "NVIDIA H100")
    uses(monkeypatch, "torch", SimpleNamespace(cuda=cuda))
    assert common.accelerator() == expected


def test_nothing_is_imported_to_look_for_one(common, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert common.accelerator() is None
    assert "keras" not in sys.modules


def test_versions_have_what_jax_computes_with(common):
    if importlib.util.find_spec("jaxlib") is None:
        pytest.skip("jaxlib is not installed")
    assert {"n2v_tk", "keras", "jax", "jaxlib"} <= common.versions().keys()
