"""Folders trained with the genuine n2v 0.3.3, where they are at hand beside the checkout."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from n2v_tk import N2V

FOLDERS = Path(__file__).parents[3] / "shared" / "fixtures" / "legacy"
NAMES = (
    "n2v2",
    "n2v2d_depth3",
    "n2v2d_nobn",
    "n2v2d_plain",
    "n2v2d_residual",
    "n2v3d",
    "rgb_joint",
    "structn2v",
)

pytestmark = pytest.mark.skipif(
    not FOLDERS.exists(), reason="the folders made with n2v 0.3.3 are not at hand"
)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_n2v_give_its_results(name):
    """Same order of weights, same network, same padding: to 1e-4 of the standard deviation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = N2V(None, name, FOLDERS)
    axes = {"n2v3d": "ZYX", "rgb_joint": "YXC"}.get(name, "YX")
    for odd in ("", "_odd"):
        expected = np.load(FOLDERS / name / f"output{odd}.npy")
        result = model.predict(np.load(FOLDERS / name / f"input{odd}.npy"), axes)
        assert np.abs(result - expected).max() < 1e-4 * expected.std()
