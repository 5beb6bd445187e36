import keras
import numpy as np
import pytest

from n2v_tk.nets.receptive_field import receptive_field
from n2v_tk.nets.unet import build_single_unet_per_channel, build_unet

NETS = {
    "k3": ((3, 3), {"n_depth": 2}, 44),
    "k5": ((5, 5), {"n_depth": 2}, 84),
    "depth 3": ((3, 3), {"n_depth": 3}, 100),
    "N2V2": ((3, 3), {"n_depth": 2, "blurpool": True, "skip_skipone": True}, 50),
    "N2V2 depth 3": ((3, 3), {"n_depth": 3, "blurpool": True, "skip_skipone": True}, 114),
    "3D": ((3, 3, 3), {"n_depth": 1}, None),
    "3D N2V2": ((3, 3, 3), {"n_depth": 1, "blurpool": True, "skip_skipone": True}, None),
}


def seen(net, n_dim, divisor, side):
    """How far output pixels of every phase really see along the last spatial axis.

    With weights above zero and no bias, what sees a single bright pixel is not zero.
    """
    for variable in net.trainable_variables:
        variable.assign(np.full(variable.shape, 0.5 if variable.name == "kernel" else 0.0))
    left = right = 0
    middle = side // 2 // divisor * divisor
    for position in range(middle - divisor, middle + divisor):
        x = np.zeros((1, *[divisor * 2] * (n_dim - 1), side, 1), np.float32)
        x[..., position, 0] = 1
        y = np.asarray(net.predict_on_batch(x)).reshape(-1, side).max(axis=0)
        seeing = np.flatnonzero(y) - position
        right, left = max(right, -seeing.min()), max(left, seeing.max())
    return left, right


@pytest.mark.parametrize("name", NETS)
def test_reach_is_what_a_changed_pixel_shows(name):
    kernel, settings, extent = NETS[name]
    n_dim, divisor = len(kernel), 2 ** settings["n_depth"]
    net = build_unet(
        (*[None] * n_dim, 1), "linear", n_filter_base=1, kernel_size=kernel, **settings
    )
    reach = receptive_field(net)
    assert len(set(reach)) == 1
    assert reach[0] == seen(net, n_dim, divisor, 4 * sum(reach[0]) // divisor * divisor)
    if extent is not None:
        # one output pixel sees no more than this (METHODS 1.1); the two sides of `reach` are
        # those of different phases
        assert extent <= sum(reach[0]) + 1 <= extent + 2 ** settings["n_depth"]


def test_other_networks():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(2, (3, 5), padding="same", dilation_rate=2)(inputs)
    assert receptive_field(keras.Model(inputs, x)) == ((2, 2), (4, 4))
    x = keras.layers.AveragePooling2D(3, strides=1, padding="same")(inputs)
    assert receptive_field(keras.Model(inputs, x)) == ((1, 1), (1, 1))
    per_channel = build_single_unet_per_channel((None, None, 3), "linear", kernel_size=(3, 3))
    assert receptive_field(per_channel) == ((23, 23), (23, 23))


def test_a_layer_of_unknown_reach_is_refused():
    inputs = keras.Input((8, 8, 3))
    net = keras.Model(inputs, keras.layers.GroupNormalization(1)(inputs))
    with pytest.raises(ValueError, match="reach is not known"):
        receptive_field(net)
