"""What a network takes is reckoned, and tiles chosen to fit."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

from n2v_tk.errors import ConfigError
from n2v_tk.nets.blindspot import build_blindspot
from n2v_tk.nets.unet import build_unet
from n2v_tk.prediction import memory
from n2v_tk.prediction import predictor as predictors
from n2v_tk.prediction.memory import (
    BACKEND,
    activation_bytes,
    kept_bytes,
    memory_in_use,
    parse_bytes,
)
from n2v_tk.prediction.predictor import Predictor


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "0", "2 elephants", "1.2.3GB", None])
def test_amounts_that_are_none(text):
    with pytest.raises(ConfigError, match="'2GB'"):
        parse_bytes(text)


def test_activations_that_are_alive_together():
    image = keras.Input((None, None, 1))
    a = layers.Conv2D(8, 3, padding="same")(image)
    b = layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D()(a))
    c = layers.Concatenate()([a, layers.UpSampling2D()(b)])
    chain = keras.Model(image, a)
    # the image and its eight channels; then eight, four and twelve of full size at the end
    assert activation_bytes(chain) == 4 * (1 + 8)
    assert activation_bytes(keras.Model(image, c)) == 4 * (8 + 4 + 12)
    unet = build_unet((None, None, 1), "linear", kernel_size=(3, 3), n_filter_base=32)
    assert activation_bytes(unet) == 4 * 4 * 32
    assert receptive(unet) == receptive(unet)
    # shared branches and nested networks count too
    assert activation_bytes(build_blindspot((None, None, 1), 2, 8)) > 4 * 4 * 8


def receptive(network):
    """The network can still be used after it was looked at."""
    return network.predict_on_batch(np.ones((1, 8, 8, 1), "float32")).sum()


def test_tiles_that_fit(monkeypatch):
    # what a process takes depends on what ran in it before
    monkeypatch.setattr(predictors, "free_within", lambda most: (most - 500_000_000, 500_000_000))
    network = build_unet((None, None, 1), "linear", n_filter_base=4)
    predictor = Predictor(network, [(20, 20)] * 2, 4)
    usual = predictor.budget
    predictor.limit_memory(515_000_000)
    assert 64**2 < predictor.budget < usual
    tight = predictor.budget
    predictor.limit_memory(10**10)
    assert predictor.budget == usual
    with pytest.raises(ConfigError, match=r"Received: 100 MB.*Give at least \d+ MB.*\.zarr"):
        predictor.limit_memory(100_000_000)
    predictor.limit_memory(None)
    image = np.random.default_rng(0).normal(size=(1, 300, 280, 1)).astype("float32")
    whole = predictor(image)
    predictor.budget = tight
    np.testing.assert_allclose(predictor(image), whole, atol=1e-5)


def test_what_the_backend_kept_is_free(monkeypatch):
    monkeypatch.setattr(memory, "memory_in_use", lambda: 900)
    for kept, free in ((0, 2000 - 900 - BACKEND), (400, 2000 - 500 - (BACKEND - 400))):
        monkeypatch.setattr(memory, "kept_bytes", lambda kept=kept: kept)
        assert memory.free_within(2000) == (free, 900 - kept)
    monkeypatch.setattr(memory, "kept_bytes", lambda: 2 * BACKEND)
    assert memory.free_within(2000)[0] == 2000 - 900 + 2 * BACKEND


def test_what_a_call_leaves_with_the_backend_is_there_for_the_next():
    network = build_unet((None, None, 1), "linear", n_filter_base=16)
    predictor = Predictor(network, [(20, 20)] * 2, 4)
    image = np.random.default_rng(0).normal(size=(1, 512, 512, 1)).astype("float32")
    most, budgets = memory_in_use() - kept_bytes() + 150_000_000, []
    for _ in range(3):
        predictor.limit_memory(most)
        budgets.append(predictor.budget)
        predictor(image)
    # else the second call finds the target too small for what the first one had
    assert min(budgets[1:]) >= 0.9 * budgets[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries give back by themselves")
def test_what_was_freed_does_not_count():
    before = memory_in_use()
    blocks = [bytes(4000) for _ in range(50_000)]
    last = blocks[-1]  # which keeps the heap from shrinking by itself
    assert memory_in_use() - before > 150e6
    del blocks
    assert memory_in_use() - before < 50e6
    assert len(last) == 4000
