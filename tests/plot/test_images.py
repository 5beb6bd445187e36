import io

import numpy as np
import pytest

from n2v_tk import HQSSLConfig, N2VConfig
from n2v_tk.errors import AxesError, ConfigError, ImageError
from n2v_tk.plot import before_after, masked_patch, strip, uncertainty
from n2v_tk.plot.picture import plane


def test_before_and_after_share_a_scale_and_show_the_same_detail(noisy_cell):
    clean, noisy = noisy_cell
    figure = before_after({"noisy": noisy, "clean": clean})
    whole, detail = figure.axes[:2], figure.axes[2:]
    assert [a.get_title() for a in whole] == ["noisy", "clean"]
    assert len({image.get_clim() for a in figure.axes for image in a.get_images()}) == 1
    shown = [np.asarray(a.get_images()[0].get_array()) for a in detail]
    assert shown[0].shape == shown[1].shape == (40, 40)
    # of values from 0 (black) to 1 (white)
    assert shown[1].std() > 0.15
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getbuffer().nbytes > 1000


def test_strip_of_any_axes(rng):
    for axes, shape in (("YX", (12, 20)), ("CYX", (3, 12, 20)), ("ZYXC", (4, 12, 20, 2))):
        images = {f"{i}": rng.random(shape) * 1000 for i in range(7)}
        figure = strip(images, axes, columns=3)
        shown = [cell for cell in figure.axes if cell.images]
        assert [cell.get_title() for cell in shown] == list(images)
        assert shown[0].images[0].get_array().shape[:2] == (12, 20)
        values = shown[0].images[0].get_array()
        assert 0 <= values.min() < values.max() <= 1


def test_colours_and_volumes(rng):
    colours = {"a": rng.random((12, 20, 3)), "b": rng.random((12, 20, 3))}
    figure = before_after(colours)
    assert figure.axes[0].images[0].get_array().shape == (12, 20, 3)
    # the middle plane, the first frame
    volume = np.zeros((2, 5, 12, 20))
    volume[0, 2] = rng.random((12, 20))
    np.testing.assert_array_equal(plane(volume, "TZYX"), volume[0, 2].astype("float32"))
    np.testing.assert_array_equal(plane(volume), volume[0, 2].astype("float32"))
    with pytest.raises(AxesError, match="two to five axes"):
        plane(np.zeros(3))
    with pytest.raises(ImageError, match="one shape"):
        before_after({"a": np.zeros((12, 20)), "b": np.zeros((12, 21))})


def test_pictures_show_themselves(rng):
    picture = strip({"a": rng.random((20, 20))})
    assert picture._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("struct", [False, True])
def test_what_the_network_sees(rng, struct):
    image = rng.normal(500, 50, (100, 120)).astype("float32")
    config = N2VConfig(n2v_perc_pix=2.0, means=["500"], stds=["50"])
    if struct:
        config = N2VConfig.struct(axis="Y", length=5, means=["500"], stds=["50"])
    figure = masked_patch(config, image)
    patch, seen, marks = (np.asarray(a.images[0].get_array()) for a in figure.axes)
    assert patch.shape == seen.shape == (64, 64)
    changed = patch != seen
    assert 0.01 < (marks == 2).mean() < 0.03
    # what replaces a value stays among those of the image
    assert abs(seen.mean() - 500) < 10
    if struct:
        assert (marks == 1).sum() > 2 * (marks == 2).sum()
    else:
        assert not (changed & (marks != 2)).any()
    with pytest.raises(ConfigError, match="Received: method 'hqssl'"):
        masked_patch(HQSSLConfig(noise_level=1.0), image)


def test_uncertainty(rng):
    parts = {
        f"{kind}_{what}": rng.random((20, 24)) + (kind == "prior")
        for kind in ("prior", "posterior")
        for what in ("mean", "variance")
    }
    figure = uncertainty(parts, "YX")
    images = [a.images[0] for a in figure.axes if a.images]
    titles = [a.get_title() for a in figure.axes if a.images]
    assert titles == ["denoised", "standard deviation", "without the pixel itself"]
    np.testing.assert_allclose(
        images[1].get_array(), np.sqrt(parts["posterior_variance"]), rtol=1e-5
    )
    assert images[1].get_clim() == images[2].get_clim()
    with pytest.raises(ImageError, match="Received: ndarray"):
        uncertainty(np.zeros((4, 4)))
