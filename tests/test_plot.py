import io

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
