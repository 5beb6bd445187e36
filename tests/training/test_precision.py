import keras
import pytest

from n2v_tk.errors import DeviceError
from n2v_tk.nets.unet import build_unet
from n2v_tk.training import precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({"avx2"}, "float32"), ({"amx_bf16"}, "mixed_bfloat16"), ({"avx512_bf16"}, "mixed_bfloat16")],
)
def test_auto_follows_the_processor(flags, expected, monkeypatch):
    if precision.keras.backend.backend() == "jax":
        expected = "float32"
    monkeypatch.setattr(precision, "_cpu_flags", lambda: flags)
    precision.fast_bfloat16.cache_clear()
    try:
        assert precision.resolve_precision("auto") == expected
    finally:
        precision.fast_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("n_first", "expected"), [(16, "mixed_bfloat16"), (32, "mixed_bfloat16"), (24, "float32")]
)
def test_widths_that_are_slow_in_bfloat16(n_first, expected, monkeypatch):
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "_on_cpu", lambda: True)
    network = build_unet((None, None, 1), "linear", n_filter_base=n_first)
    outer = keras.Model(network.input, network(network.input))
    assert precision.resolve_precision("auto", network) == expected
    assert precision.resolve_precision("auto", outer) == expected
    assert precision.resolve_precision("mixed_bfloat16", network) == "mixed_bfloat16"
    monkeypatch.setattr(precision, "_on_cpu", lambda: False)
    assert precision.resolve_precision("auto", network) == "mixed_bfloat16"


def test_what_is_asked_for_is_taken():
    assert precision.resolve_precision("float32") == "float32"
    assert precision.resolve_precision("mixed_bfloat16") == "mixed_bfloat16"
    with pytest.raises(DeviceError, match="Received: 'int8'"):
        precision.resolve_precision("int8")
