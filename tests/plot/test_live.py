import sys
import types

import numpy as np
import pytest

from n2v_tk.plot import LivePictures, LiveTraining, in_notebook


@pytest.fixture
def cell(monkeypatch):
    """What a notebook would have been given to show: (what, PNG)."""
    seen = []
    handle = types.SimpleNamespace(update=lambda figure: seen.append(("update", figure)))

    def display(figure, display_id):
        seen.append(("display", figure))
        return handle

    modules = {
        "IPython": types.SimpleNamespace(get_ipython=lambda: None, version_info=(9, 0)),
        "IPython.display": types.SimpleNamespace(display=display, Image=lambda data: data),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return seen


def test_live_pictures_are_replaced_in_their_cell(rng, cell):
    picture = rng.random((10, 12))
    progress = types.SimpleNamespace(
        iteration=50, iterations=100, history={"psnr_fit": [20.0]},
        current=lambda: picture, averaged=lambda: picture,
    )  # fmt: skip
    live = LivePictures(picture, "YX")
    live(progress)
    live(progress)
    assert [kind for kind, _ in cell] == ["display", "update"]
    assert cell[0][1].startswith(b"\x89PNG")
    assert not in_notebook()


def test_previews_become_rare(rng, cell):
    asked = []

    def preview():
        asked.append(len(live._curves["loss"]))
        return rng.random((16, 16)), rng.random((16, 16))

    live = LiveTraining(20, preview, every=0.0)
    live.on_train_begin()
    for epoch in range(20):
        live.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "val_loss": 0.5})
    live.on_train_end()
    assert asked == [1, 2, 3, 5, 8, 13, 20]
    assert len({png for _, png in cell}) >= 20
    assert np.isfinite(live._drawn)


def test_a_slow_preview_is_made_seldom(rng, cell, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("n2v_tk.plot.live.time.monotonic", lambda: now[0])
    asked = []

    def preview():
        asked.append(now[0])
        now[0] += 30
        return rng.random((16, 16)), rng.random((16, 16))

    live = LiveTraining(50, preview)
    live.on_train_begin()
    for epoch in range(49):
        now[0] += 1
        live.on_epoch_end(epoch, {"loss": 1.0})
    assert len(asked) == 1


def test_a_preview_that_fails_stops_nothing(cell):
    live = LiveTraining(3, lambda: 1 / 0)
    live.on_train_begin()
    with pytest.warns(UserWarning, match="No more previews of this training: ZeroDivisionError"):
        live.on_epoch_end(0, {"loss": 1.0})
    live.on_epoch_end(1, {"loss": 1.0})
    live.on_epoch_end(2, {"loss": 1.0})
    live.on_train_end()
    assert cell


def test_shells_derived_from_that_of_notebooks(cell, monkeypatch):
    kind = type("Shell", (type("ZMQInteractiveShell", (), {}),), {})
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", kind, raising=False)
    assert in_notebook()


def test_a_training_in_a_notebook_is_drawn(noisy_stack, small, cell, monkeypatch, capsys):
    from n2v_tk import N2V, N2VConfig

    monkeypatch.setattr("n2v_tk.plot.live.in_notebook", lambda: True)
    model = N2V(N2VConfig(noisy_stack, **{**small, "n2v_patch_shape": (32, 32)}), basedir=None)
    history = model.train(noisy_stack, noisy_stack)
    assert [kind for kind, _ in cell][:2] == ["display", "update"]
    assert "Epoch" not in capsys.readouterr().out
    # the curves were just shown: not once more
    assert "<img" not in history._repr_html_()
    assert "validation loss" in history._repr_html_()
