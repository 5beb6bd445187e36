"""Settings of every method: valid and kept as they are, or refused."""

import json

import numpy as np
import pytest
from hostile import ANYTHING, NUMBERS, allowed
from hypothesis import given
from hypothesis import strategies as st

from n2v_tk.config.care import CAREConfig
from n2v_tk.config.dip import DIPConfig
from n2v_tk.config.hqssl import HQSSLConfig
from n2v_tk.config.masked import MaskedDenoiserConfig
from n2v_tk.config.n2n import N2NConfig
from n2v_tk.config.n2v import N2VConfig
from n2v_tk.config.r2r import R2RConfig
from n2v_tk.config.reading import load_config

CONFIGS = [
    N2VConfig,
    CAREConfig,
    N2NConfig,
    R2RConfig,
    HQSSLConfig,
    MaskedDenoiserConfig,
    DIPConfig,
]
# what is valid somewhere, so that settings meet that fit only alone
PLAUSIBLE = st.one_of(
    NUMBERS,
    st.booleans(),
    st.none(),
    st.lists(st.integers(0, 64), max_size=4),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=5), min_size=1, max_size=3),
    st.lists(st.floats(-1, 1e6).map(str), max_size=3),
    st.sampled_from([
        "linear", "relu", "mae", "mse", "laplace", "n2n", "unet", "dataset", "image", "percentile",
        "none", "YXC", "ZYXC", "best", "last", "median", "own", "neighbours", "poisson", "camera",
        "milestones", "cosine", "ramps", "plateau", "superres", "inpaint", "flash", "weights.h5",
    ]),
)  # fmt: skip

DTYPES = ["?", "u1", "i2", ">u2", "u8", "f2", "f4", "f8", ">f8", "g", "c8", "U3", "O", "M8[s]"]


def settings_of(config_class):
    names = st.sampled_from(sorted(config_class.model_fields))
    return st.dictionaries(names, PLAUSIBLE | ANYTHING, max_size=4)


@pytest.mark.parametrize("config_class", CONFIGS, ids=lambda c: c.method)
@given(data=st.data())
def test_settings_are_kept_as_they_are_or_refused(config_class, data, tmp_path_factory):
    settings = data.draw(settings_of(config_class))
    config = allowed(lambda: config_class(**settings))
    if config is None:
        return
    path = tmp_path_factory.getbasetemp() / "config.json"
    config.save(path)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    assert config_class.load(path) == config
    assert config.model_copy(deep=True) == config
    if config_class is not DIPConfig:  # which has no models to be opened
        assert load_config(path.parent) == config
    assert repr(config)
    assert config._repr_html_()


@pytest.mark.parametrize("config_class", CONFIGS, ids=lambda c: c.method)
@given(data=st.data())
def test_assignment_is_checked_like_construction(config_class, data):
    config = config_class()
    before = dict(config)
    settings = data.draw(settings_of(config_class))
    made = allowed(lambda: config_class(**{**before, **settings}))
    if allowed(lambda: config.update_parameters(**settings) or True) is None:
        assert made is None
        assert dict(config) == before
        return
    assert made is not None
    assert {name: getattr(config, name) for name in settings} == {
        name: getattr(made, name) for name in settings
    }


@pytest.mark.parametrize("config_class", CONFIGS, ids=lambda c: c.method)
@given(name=ANYTHING.filter(lambda n: isinstance(n, str)), value=ANYTHING)
def test_unknown_settings_are_refused(config_class, name, value):
    if name not in config_class.model_fields and name not in ("X", "Y"):
        assert allowed(lambda: config_class(**{name: value})) is None


@pytest.mark.parametrize("config_class", CONFIGS[:-1], ids=lambda c: c.method)
@given(images=ANYTHING)
def test_images_that_are_none_are_refused(config_class, images):
    allowed(lambda: config_class(images))


@pytest.mark.parametrize("config_class", CONFIGS[:-1], ids=lambda c: c.method)
@given(
    shape=st.lists(st.integers(0, 9), max_size=6),
    dtype=st.sampled_from(DTYPES),
    value=st.sampled_from([0, 1, 1e30, float("nan"), float("inf")]),
)
def test_images_give_settings_that_fit_them(config_class, shape, dtype, value):
    rng = np.random.default_rng(len(shape))
    with np.errstate(all="ignore"):
        images = rng.integers(0, 2, shape).astype(dtype)
        if images.size and np.dtype(dtype).kind == "f":
            images.flat[-1] = value
    config = allowed(lambda: config_class(images))
    if config is not None:
        assert config.n_channel_in == shape[-1]
        assert len(config.axes) == len(shape) - 1
        assert all(np.isfinite(float(v)) for v in [*(config.means or ()), *(config.stds or ())])
