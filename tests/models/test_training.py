"""What trainings of all methods have in common."""

import warnings
from contextlib import nullcontext

import keras
import numpy as np
import pytest

from n2v_tk import HQSSL, N2N, N2V, HQSSLConfig, N2NConfig, N2VConfig
from n2v_tk.training.fit import Trainer


def told(match="Training went astray"):
    return pytest.warns(UserWarning, match=match)


def n2v(small, **settings):
    return N2V(N2VConfig(axes="YXC", **{**small, **settings}), basedir=None)


def hqssl(small):
    patch = {"net_width": 4, "train_patch_shape": (32, 32)}
    return HQSSL(HQSSLConfig(axes="YXC", noise_level=10.0, **patch), basedir=None)


def n2n(small, **settings):
    patch = {"net_width": 6, "train_patch_shape": (32, 32)}
    return N2N(N2NConfig(axes="YXC", **patch, **settings), basedir=None)


def train_with(model, losses, monkeypatch, rng, **others):
    """As if these had been the losses of the epochs."""
    history = keras.callbacks.History()
    history.history = {"loss": losses, **others}
    history.epoch = list(range(len(losses)))
    monkeypatch.setattr(Trainer, "fit", lambda *_: history)
    X = rng.normal(100, 10, (2, 64, 64, 1))
    more = (X + rng.normal(size=X.shape),) if isinstance(model, N2N) else ()
    return model.train(X, *more, verbose=0)


@pytest.mark.parametrize(
    ("losses", "astray"),
    [
        ([1.0, 0.1, 1.6, 1.7], True),
        ([1.0, 0.1, 1.4, 1.7], False),
        ([1.0, 0.1, 1.7, 1.4], False),
        ([0.01, 0.005, 0.02, 0.02], True),
        # too few to tell, and a step that the optimiser left out
        ([1.0, 9.0], False),
        ([1.0, 9.0, 9.0, float("inf")], True),
        ([1.0, None, 9.0, 9.0], True),
    ],
)
def test_an_error_that_ends_half_above_its_first_is_told(small, losses, astray, monkeypatch, rng):
    with told() if astray else nullcontext():
        train_with(n2v(small), losses, monkeypatch, rng)


@pytest.mark.parametrize("first", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("make", [hqssl, lambda small: n2v(small, probabilistic=True)])
def test_a_likelihood_is_told_by_its_difference(small, make, first, monkeypatch, rng):
    train_with(make(small), [first, first - 1, first + 0.2, first + 0.29], monkeypatch, rng)
    with told():
        train_with(make(small), [first, first - 1, first + 0.35, first + 0.31], monkeypatch, rng)


def test_a_loss_that_becomes_another_one_is_not_told(small, monkeypatch, rng):
    losses = [0.1, 0.5, 1.0, 1.0]
    with told():
        train_with(n2n(small), losses, monkeypatch, rng)
    train_with(n2n(small, train_loss="l0"), losses, monkeypatch, rng)


@pytest.mark.parametrize(
    ("keep", "others", "has"),
    [
        ("last", {}, r"the last weights \(train_keep='last'\)"),
        ("best", {}, r"the weights of epoch 2 \(train_keep='best'\)"),
        ("best", {"val_loss": [1.0, 0.9, 0.8, 5.0]}, r"the weights of epoch 3 \(train_keep='best'"),
    ],
)
def test_weights_that_are_kept_are_named(small, keep, others, has, monkeypatch, rng):
    losses = [1.0, 0.5, 4.0, 5.0]
    with told(rf"Received: 1 in the first epoch, 5 in the last\. The model has {has}"):
        train_with(n2v(small, train_keep=keep), losses, monkeypatch, rng, **others)


def test_a_training_whose_weights_are_spoilt_is_told(small, rng):
    """The whole way, and its result is there all the same."""

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.set_weights([2 * w for w in self.model.get_weights()])

    settings = {"train_epochs": 4, "train_steps_per_epoch": 2, "batch_norm": False}
    model = n2v(small, train_keep="last", train_seed=0, **settings)
    model.prepare_for_training()
    X = rng.normal(100, 10, (2, 64, 64, 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Training went astray")
        model.train(X, epochs=3, verbose=0)
    model.callbacks.append(Spoil())
    with told():
        history = model.train(X, verbose=0)
    assert len(history.epoch) == 4
    assert np.isfinite(model.predict(X[0, ..., 0], "YX")).all()
