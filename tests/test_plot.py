import io
import sys

import numpy as np

from n2v_tk.plot import before_after


def test_before_and_after_share_a_scale_and_show_the_same_detail(noisy_cell):
    clean, noisy = noisy_cell
    figure = before_after({"noisy": noisy, "clean": clean})
    whole, detail = figure.axes[:2], figure.axes[2:]
    assert [a.get_title() for a in whole] == ["noisy", "clean"]
    assert len({image.get_clim() for a in figure.axes for image in a.get_images()}) == 1
    shown = [np.asarray(a.get_images()[0].get_array()) for a in detail]
    assert shown[0].shape == shown[1].shape == (40, 40)
    assert shown[1].std() > clean.std() / 2
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getbuffer().nbytes > 1000


def test_strip_of_any_axes(rng):
    from n2v_tk.plot import strip

    for axes, shape in (("YX", (12, 20)), ("CYX", (3, 12, 20)), ("ZYXC", (4, 12, 20, 2))):
        images = {f"{i}": rng.random(shape) * 1000 for i in range(7)}
        figure = strip(images, axes, columns=3)
        shown = [cell for cell in figure.axes if cell.images]
        assert [cell.get_title() for cell in shown] == list(images)
        assert shown[0].images[0].get_array().shape[:2] == (12, 20)
        values = shown[0].images[0].get_array()
        assert 0 <= values.min() < values.max() <= 1


def test_live_pictures_are_replaced_in_their_cell(rng, monkeypatch):
    import types

    from n2v_tk.plot import LivePictures, in_notebook

    seen = []
    handle = types.SimpleNamespace(update=lambda figure: seen.append(("update", figure)))

    def display(figure, display_id):
        seen.append(("display", figure))
        return handle

    modules = {
        "IPython": types.SimpleNamespace(get_ipython=lambda: None),
        "IPython.display": types.SimpleNamespace(display=display, Image=lambda data: data),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    picture = rng.random((10, 12))
    progress = types.SimpleNamespace(
        iteration=50, iterations=100, history={"psnr_fit": [20.0]},
        current=lambda: picture, averaged=lambda: picture,
    )  # fmt: skip
    live = LivePictures(picture, "YX")
    live(progress)
    live(progress)
    assert [kind for kind, _ in seen] == ["display", "update"]
    assert seen[0][1].startswith(b"\x89PNG")
    assert not in_notebook()
