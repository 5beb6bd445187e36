import threading

import keras
import numpy as np
import pytest

from n2v_tk import N2V, N2VConfig
from n2v_tk.data.sequences import N2VDataWrapper
from n2v_tk.errors import TrainingError
from n2v_tk.losses import masked_mse
from n2v_tk.nets.initialize import initialize
from n2v_tk.nets.unet import build_unet
from n2v_tk.training.callbacks import CosineSchedule
from n2v_tk.training.checkpoints import load_weights
from n2v_tk.training.fit import Trainer


class Spy(N2VDataWrapper):
    """A data set that notes which batches were drawn."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = {}
        self.lock = threading.Lock()

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        with self.lock:
            self.seen[self.epoch, index] = float(x.sum())
        return x, y


def make(noisy_stack, small, folder=None, workers=1, data_class=N2VDataWrapper, **settings):
    config = N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32), **settings})
    net = build_unet((None, None, 1), "linear", 2, 4, (3, 3), batch_norm=True)
    initialize(net, 0)
    trainer = Trainer(net, config, masked_mse, folder)
    data = data_class(
        noisy_stack, 4, 3, (32, 32), config.masker(), offset=[100.0], scale=[30.0], workers=workers
    )
    return net, trainer, data


def test_the_same_batches_with_any_number_of_workers(noisy_stack, small):
    seen = []
    for workers in (1, 3):
        _, trainer, data = make(noisy_stack, small, workers=workers, data_class=Spy)
        trainer.fit(data, None, 2, 3, 0)
        trainer.fit(data, None, 1, 3, 0)
        seen.append(data.seen)
    assert set(seen[0]) == {(e, i) for e in range(3) for i in range(3)}
    assert seen[0] == {key: seen[1][key] for key in seen[0]}
    assert len(set(seen[0].values())) == 9


def test_best_and_last_weights_are_kept(noisy_stack, small, tmp_path):
    """With a validation loss that rises, the first epoch is the best."""
    net, trainer, data = make(noisy_stack, small, tmp_path)
    start = net.get_weights()
    losses = iter([1.0, 2.0, 3.0])

    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = next(losses)

    trainer.callbacks.insert(0, Worse())
    trainer.fit(data, data[0], 3, 3, 0)
    best, last = tmp_path / "weights_best.h5", tmp_path / "weights_last.h5"
    kept = net.get_weights()
    load_weights(net, best)
    for a, b in zip(kept, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    load_weights(net, last)
    assert any((a != b).any() for a, b in zip(kept, net.get_weights(), strict=True))
    assert any((a != b).any() for a, b in zip(kept, start, strict=True))
    names = ["training.json", "training_state.npz", "weights_best.h5", "weights_last.h5"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_train_keep_last(noisy_stack, small, tmp_path):
    net, trainer, data = make(noisy_stack, small, tmp_path, train_keep="last")
    trainer.fit(data, data[0], 2, 3, 0)
    kept = net.get_weights()
    load_weights(net, tmp_path / "weights_last.h5")
    for a, b in zip(kept, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_training_does_not_bring_back_the_first(noisy_stack, small, tmp_path):
    """n2v keeps the best loss of the first run and restores its weights."""
    net, trainer, data = make(noisy_stack, small, tmp_path)
    x, y = data[0]
    trainer.fit(data, (x, y), 1, 3, 0)
    first = net.get_weights()
    worse = (x, np.concatenate([y[..., :1] + 1000, y[..., 1:]], axis=-1))
    trainer.fit(data, worse, 1, 3, 0)
    second = net.get_weights()
    assert any((a != b).any() for a, b in zip(first, second, strict=True))
    load_weights(net, tmp_path / "weights_best.h5")
    for a, b in zip(second, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_divergence_keeps_the_last_good_weights(noisy_stack, small, tmp_path):
    net, trainer, data = make(noisy_stack, small, tmp_path)

    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.set_weights([w * np.nan for w in self.model.get_weights()])

    trainer.callbacks.append(Explode())
    with pytest.raises(TrainingError, match=r"NaN in epoch 3.*lower train_learning_rate"):
        trainer.fit(data, data[0], 5, 3, 0)
    assert all(np.isfinite(w).all() for w in net.get_weights())
    for name in ("weights_best.h5", "weights_last.h5"):
        load_weights(net, tmp_path / name)
        assert all(np.isfinite(w).all() for w in net.get_weights())


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 0.1, 0.5, 900.0], None),
        ([1.0, 0.1, 0.5, 2000.0], 4),
        ([-3.0, -5.0, 4000.0], None),
        ([-3.0, -5.0, 6000.0], 3),
        ([1e6, 2.0, 1e6], None),
        ([1.0, float("inf")], 2),
    ],
)
def test_a_loss_that_explodes_ends_the_training(noisy_stack, small, losses, expected):
    """Far from all that it was: a thousand times the first or the lowest loss."""
    _, trainer, _ = make(noisy_stack, small)
    kept = trainer.kept
    kept.set_model(trainer.form)
    kept.on_train_begin()
    for epoch, loss in enumerate(losses):
        kept.on_epoch_end(epoch, {"loss": loss})
        if kept.diverged_at is not None:
            break
    assert kept.diverged_at == expected
    if expected is not None:
        assert kept.diverged_loss == losses[-1]


def test_training_goes_on_after_a_divergence(noisy_stack, small):
    net, trainer, data = make(noisy_stack, small, train_keep="last")

    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([w * np.nan for w in self.model.get_weights()])

    trainer.callbacks.append(Explode())
    with pytest.raises(TrainingError):
        trainer.fit(data, data[0], 3, 3, 0)
    trainer.callbacks.pop()
    trainer.config.train_learning_rate = 1e-4
    before = net.get_weights()
    history = trainer.fit(data, data[0], 1, 3, 0)
    assert np.isfinite(history.history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, net.get_weights(), strict=True))
    assert float(trainer.form.optimizer.learning_rate) == pytest.approx(1e-4)


def test_interrupt_keeps_the_last_full_epoch(noisy_stack, small, tmp_path):
    net, trainer, data = make(noisy_stack, small, tmp_path)

    class Stop(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if self.epoch == 1:
                raise KeyboardInterrupt

    trainer.callbacks.append(Stop())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data, data[0], 5, 3, 0)
    kept = net.get_weights()
    load_weights(net, tmp_path / "weights_last.h5")
    for a, b in zip(kept, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_averaged_weights_are_validated_and_kept(noisy_stack, small):
    """With the average almost frozen at its start, the kept weights hardly move."""
    moved = {}
    for ema in (None, 0.9999):
        net, trainer, data = make(noisy_stack, small, train_ema=ema)
        start = [v.numpy() for v in net.trainable_variables]
        trainer.fit(data, data[0], 2, 3, 0)
        moved[ema] = sum(
            np.abs(v.numpy() - s).sum() for v, s in zip(net.trainable_variables, start, strict=True)
        )
    # the average starts at the weights after the first of six steps
    assert 0 < moved[0.9999] < 0.75 * moved[None]


def test_a_second_training_with_averages_starts_from_the_weights_of_the_network(noisy_stack, small):
    net, trainer, data = make(noisy_stack, small, train_ema=0.9999, train_keep="last")
    trainer.fit(data, None, 1, 3, 0)
    changed = [w * 0 + 0.01 for w in net.get_weights()]
    net.set_weights(changed)
    trainer.fit(data, None, 1, 3, 0)
    kernel = net.trainable_variables[0].numpy()
    np.testing.assert_allclose(kernel, 0.01, atol=2e-3)


def test_an_error_before_training_starts_is_not_masked(noisy_stack, small):
    _, trainer, data = make(noisy_stack, small)

    class Broken(type(data)):
        def __getitem__(self, index):
            raise KeyboardInterrupt

    data.__class__ = Broken
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data, None, 1, 3, 0)
    assert not trainer.kept.trained


def test_float16_scales_its_loss(noisy_stack, small):
    trainer = make(noisy_stack, small, train_precision="mixed_float16")[1]
    assert isinstance(trainer.form.optimizer, keras.optimizers.LossScaleOptimizer)


class BadTargets(N2VDataWrapper):
    """Targets that are not a number in some batches."""

    bad = ((0, 1),)

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x, y * (np.nan if (self.epoch, index) in self.bad else 1.0)


def test_steps_without_finite_gradients_are_left_out(noisy_stack, small, monkeypatch):
    monkeypatch.setattr(N2VConfig, "skips_bad_steps", True)
    settings = {"data_class": BadTargets, "train_keep": "last"}
    net, trainer, data = make(noisy_stack, small, **settings)
    before = net.get_weights()
    history = trainer.fit(data, None, 2, 3, 0)
    after = net.get_weights()
    assert np.isnan(history.history["loss"][0])
    assert np.isfinite(history.history["loss"][1])
    assert all(np.isfinite(w).all() for w in after)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    # five good steps of six
    assert int(trainer.form.optimizer.inner_optimizer.iterations) == 5


def test_steps_that_are_all_left_out_stop_training(noisy_stack, small, monkeypatch):
    monkeypatch.setattr(N2VConfig, "skips_bad_steps", True)
    monkeypatch.setattr(BadTargets, "bad", [(e, i) for e in range(1, 9) for i in range(3)])
    net, trainer, data = make(noisy_stack, small, data_class=BadTargets)
    with pytest.raises(TrainingError, match="NaN in epoch 2"):
        trainer.fit(data, None, 9, 3, 0)
    assert all(np.isfinite(w).all() for w in net.get_weights())


def test_schedules(noisy_stack, small):
    rates = CosineSchedule(1.0, 10)
    assert float(rates(0)) == pytest.approx(1)
    assert float(rates(5)) == pytest.approx(0.5)
    assert float(rates(10)) == pytest.approx(0, abs=1e-6)
    assert float(rates(100)) == pytest.approx(0, abs=1e-6)

    net, trainer, data = make(noisy_stack, small, train_schedule="cosine", train_keep="last")
    for _ in range(2):  # the second training starts again from the top
        before = net.trainable_variables[0].numpy()
        trainer.fit(data, None, 2, 3, 0)
        assert float(trainer.form.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)
        assert np.abs(net.trainable_variables[0].numpy() - before).max() > 1e-4

    _, trainer, data = make(noisy_stack, small, train_reduce_lr={"factor": 0.5, "patience": 1})
    same = data[0]
    constant = (same[0], np.zeros_like(same[1]))  # no blind spot: the loss stands still at 0
    trainer.fit(data, constant, 4, 3, 0)
    assert float(trainer.form.optimizer.learning_rate) < 4e-4
    assert trainer.config.train_reduce_lr == {"factor": 0.5, "patience": 1}


def test_early_stop_is_off_by_default(noisy_stack, small):
    constant = None
    for patience, epochs in ((None, 5), (1, 2)):
        _, trainer, data = make(noisy_stack, small, train_early_stop=patience)
        x, y = data[0]
        constant = (x, np.zeros_like(y))
        history = trainer.fit(data, constant, 5, 3, 0)
        assert len(history.epoch) == epochs


def test_training_lowers_the_loss(noisy_stack, small):
    _, trainer, data = make(noisy_stack, small)
    trainer.form.optimizer.learning_rate = 1e-2
    history = trainer.fit(data, data[0], 8, 3, 0)
    # on batch statistics: the moving averages of batch normalisation lag behind in 24 steps
    assert history.history["loss"][-1] < history.history["loss"][0] / 2


def test_a_step_is_traced_once(small, noisy_stack, monkeypatch):
    traces = []
    model = N2V(N2VConfig(noisy_stack, n2v_patch_shape=(16, 16), **small), basedir=None)
    loss = model._loss()
    monkeypatch.setattr(model, "_loss", lambda: lambda y, p: traces.append(1) or loss(y, p))
    model.train(noisy_stack, verbose=0)
    model.train(noisy_stack, verbose=0)
    assert len(traces) == 1
