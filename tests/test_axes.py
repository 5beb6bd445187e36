import itertools

import numpy as np
import pytest

from n2v_tk.axes import StackLayout, normalize_axes
from n2v_tk.errors import AxesError

SIZES = {"S": 2, "T": 3, "C": 4, "Z": 5, "Y": 6, "X": 7}


@pytest.mark.parametrize(
    ("letters", "n_dim"),
    [
        *((letters, 2) for letters in ("YX", "CYX", "ZYX", "STYX", "TZCYX", "STCZYX")),
        *((letters, 3) for letters in ("ZYX", "TZCYX", "STCZYX")),
    ],
)
def test_there_and_back_in_any_order(letters, n_dim):
    orders = list(itertools.permutations(letters))
    for order in orders[:: max(1, len(orders) // 30)]:
        axes = "".join(order)
        image = np.arange(np.prod([SIZES[a] for a in axes])).reshape([SIZES[a] for a in axes])
        layout = StackLayout.of(image, axes, n_dim)
        stack = layout.to_stack(image)
        assert stack.ndim == n_dim + 2
        assert stack.shape[-1] == layout.n_channels == (4 if "C" in axes else 1)
        np.testing.assert_array_equal(layout.from_stack(stack), image)


def test_samples_stay_together():
    image = np.random.default_rng(0).normal(size=(7, 3, 6))  # X T Y
    stack = StackLayout.of(image, "XTY", 2).to_stack(image)
    np.testing.assert_array_equal(stack[1, :, :, 0], image[:, 1, :].T)


def test_stacks_of_plain_images_are_views():
    image = np.zeros((5, 32, 32))
    assert np.shares_memory(StackLayout.of(image, "TYX", 2).to_stack(image), image)


@pytest.mark.parametrize(
    ("axes", "ndim", "message"),
    [
        (None, 3, "axes of an image with 3 dimensions must be given"),
        ("YXQ", 3, "Received: 'YXQ'"),
        ("YY", 2, "more than once"),
        ("YX", 3, "name every dimension"),
        ("CX", 2, "must include Y and X"),
    ],
)
def test_wrong_axes(axes, ndim, message):
    with pytest.raises(AxesError, match=message):
        normalize_axes(axes, ndim)


def test_a_volume_is_needed_in_3d():
    with pytest.raises(AxesError, match="needs an image with a Z axis"):
        StackLayout.of(np.zeros((4, 4)), "YX", 3)
