import numpy as np
import pytest

from n2v_tk.data.noise import Gaussian, Speckle
from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.evaluation.generalisation import evaluate_generalisation


class Blur:
    """A denoiser of sorts."""

    def __init__(self):
        self.seen = []

    def predict(self, image, axes):
        from scipy.ndimage import uniform_filter

        self.seen.append((image.shape, axes))
        return uniform_filter(image, [3 if a in "YX" else 1 for a in axes])


@pytest.fixture
def clean():
    y, x = np.mgrid[:32, :40] / 40
    return [np.stack([100 + 80 * np.sin(3 * x + i), 100 + 80 * y, 90 + 0 * x]) for i in range(2)]


def test_table_of_models_and_noises(clean):
    blur = Blur()
    noises = {"normal": [Gaussian(10.0), Gaussian(40.0)], "speckle": [Speckle(0.3)]}
    found = evaluate_generalisation(
        {"blur": blur, "again": blur}, clean, noises, "CYX", data_range=255.0
    )
    assert [(r["noise"], r["strength"]) for r in found.rows] == [
        ("normal", 10), ("normal", 40), ("speckle", 0.3)
    ]  # fmt: skip
    for row, sigma in zip(found.rows, (10, 40), strict=False):
        assert row["noisy"] == pytest.approx(20 * np.log10(255 / sigma), abs=0.2)
        assert row["blur"] > row["noisy"]
        assert row["blur"] == row["again"]  # the same noise for every model
    assert blur.seen[0] == ((3, 32, 40), "CYX")
    assert found.table().splitlines()[0] == "| noise | strength | noisy | blur | again |"
    assert len(found.table().splitlines()) == 5
    assert found._repr_html_().count("<tr>") == 4


def test_curves(clean, tmp_path):
    found = evaluate_generalisation(
        Blur(), clean, [Gaussian(10.0), Gaussian(20.0), Speckle((0.1, 0.3))], "CYX"
    )
    assert [r["strength"] for r in found.rows] == [10, 20, pytest.approx(0.2)]
    figure = found.plot()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["gaussian", "speckle"]
    figure.savefig(tmp_path / "curves.png")


def test_clipping(clean):
    bright = [np.full((16, 16), 250.0)]
    found = evaluate_generalisation(
        Blur(), bright, [Gaussian(60.0)], "YX", data_range=255.0, clip=(0, 255)
    )
    assert found.rows[0]["noisy"] > 20 * np.log10(255 / 60) + 1


def test_nothing_to_evaluate(clean):
    with pytest.raises(ImageError, match="Received: none"):
        evaluate_generalisation(Blur(), [], [Gaussian(1.0)])
    with pytest.raises(ConfigError, match="must hold noise models"):
        evaluate_generalisation(Blur(), clean, [])
    with pytest.raises(ConfigError, match="must hold noise models"):
        evaluate_generalisation(Blur(), clean, [3.0])
