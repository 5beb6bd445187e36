import keras
import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.nets.initialize import initialize
from n2v_tk.nets.unet import build_single_unet_per_channel, build_unet

N2V2 = {"blurpool": True, "skip_skipone": True}


def predict(net, x):
    return np.asarray(net.predict_on_batch(x))


@pytest.mark.parametrize(
    ("sides", "settings", "total", "trainable"),
    [  # METHODS 1.1: counted in n2v 0.3.3
        (2, {"n_filter_base": 96, "kernel_size": (3, 3)}, 2_579_905, 2_576_833),
        (2, {"n_filter_base": 96, "kernel_size": (3, 3), **N2V2}, 2_914_753, 2_908_897),
        (2, {"n_filter_base": 32, "kernel_size": (5, 5)}, 796_993, 795_969),
        (2, {"n_filter_base": 32, "kernel_size": (3, 3)}, 288_577, 287_553),
        (2, {"n_filter_base": 64, "n_depth": 3, "kernel_size": (3, 3)}, 4_176_833, 4_172_609),
        (
            2,
            {"n_filter_base": 64, "n_depth": 3, "kernel_size": (3, 3), **N2V2},
            5_435_521,
            5_426_753,
        ),
        (3, {"n_filter_base": 32}, 860_545, 859_521),
    ],
    ids=str,
)
def test_parameter_counts_are_those_of_n2v(sides, settings, total, trainable):
    net = build_unet((*[None] * sides, 1), "linear", batch_norm=True, **settings)
    assert net.count_params() == total
    assert sum(np.prod(w.shape) for w in net.trainable_weights) == trainable


@pytest.mark.parametrize("build", [build_unet, build_single_unet_per_channel])
@pytest.mark.parametrize("sides", [(16, 24), (8, 16, 8)])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_norm": True, "dropout": 0.2},
        {"residual": True},
        {"prob_out": True},
        {"prob_out": True, "residual": True, "batch_norm": True},
        N2V2,
        {"n_depth": 1, "n_conv_per_depth": 3},
        {"n_depth": 3, "last_activation": "relu"},
        {"kernel_size": 1},
        {"kernel_size": 5},
    ],
    ids=str,
)
def test_every_network_runs_and_opens_with_stock_keras(build, sides, settings, rng, tmp_path):
    settings = dict(settings)
    activation = settings.pop("last_activation", "linear")
    settings["kernel_size"] = (settings.get("kernel_size", 3),) * len(sides)
    net = build((*[None] * len(sides), 2), activation, n_filter_base=2, **settings)
    x = rng.normal(size=(2, *sides, 2)).astype(np.float32)
    y = predict(net, x)
    channels = 4 if settings.get("prob_out") else 2
    assert y.shape == (2, *sides, channels)
    if settings.get("prob_out"):
        assert (y[..., 2:] >= 1e-3).all()
    if activation == "relu":
        assert (y >= 0).all()
    assert all(type(o).__module__.startswith("keras.") for o in net.operations)
    net.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    np.testing.assert_array_equal(predict(again, x), y)


@pytest.mark.parametrize("sides", [(16, 16), (8, 8, 8)])
@pytest.mark.parametrize("settings", [{}, {"residual": True}, {"prob_out": True}], ids=str)
def test_each_network_reads_and_writes_its_own_channel(sides, settings, rng):
    net = build_single_unet_per_channel((*sides, 3), "linear", n_filter_base=2, **settings)
    x = rng.normal(size=(1, *sides, 3)).astype(np.float32)
    y = predict(net, x)
    for channel in range(3):
        changed = x.copy()
        changed[..., channel] += rng.normal(size=(1, *sides))
        difference = np.abs(predict(net, changed) - y).reshape(-1, y.shape[-1]).max(axis=0)
        moved = {c % 3 for c in np.flatnonzero(difference)}
        assert moved == {channel}


def test_a_joint_network_reads_all_channels(rng):
    net = build_unet((16, 16, 3), "linear", n_filter_base=4, kernel_size=(3, 3), residual=True)
    x = rng.normal(size=(1, 16, 16, 3)).astype(np.float32)
    changed = x.copy()
    changed[..., 0] += 1
    assert (np.abs(predict(net, changed) - predict(net, x)).max(axis=(0, 1, 2)) > 0).all()


@pytest.mark.parametrize("build", [build_unet, build_single_unet_per_channel])
def test_residual_adds_the_input(build, rng):
    x = rng.normal(size=(1, 16, 16, 2)).astype(np.float32)
    net = build((16, 16, 2), "linear", n_filter_base=2, kernel_size=(3, 3), residual=True)
    net.set_weights([w * 0 for w in net.get_weights()])
    np.testing.assert_array_equal(predict(net, x), x)


@pytest.mark.parametrize("n_dim", [2, 3])
def test_n2v2_has_no_top_skip_connection(n_dim):
    net = build_unet((*[None] * n_dim, 1), "linear", 2, 4, (3,) * n_dim, batch_norm=True, **N2V2)

    def readers(tensor):
        return [
            op.name
            for op in net.operations
            if not isinstance(op, keras.layers.InputLayer)
            and any(t is tensor for t in keras.tree.flatten(op.input))
        ]

    assert readers(net.get_layer("down_0_1_relu").output) == ["pool_0_max"]
    assert readers(net.get_layer("down_1_1_relu").output) == ["pool_1_max", "skip_1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": (4, 3)}, r"kernel_size must be odd.*\(4, 3\)"),
        ({"kernel_size": (3, 3, 5)}, "one entry per spatial axis"),
        ({"pool_size": (2,)}, "one entry per spatial axis"),
        ({"residual": True, **N2V2}, "residual"),
        ({"blurpool": True, "pool_size": (4, 4)}, "blurpool pools by 2"),
        ({"last_activation": None}, "last_activation"),
        ({"input_shape": (8, 1)}, r"Received: \(8, 1\)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("build", [build_unet, build_single_unet_per_channel])
def test_bad_arguments(build, arguments, message):
    arguments = {"input_shape": (None, None, 1), "last_activation": "linear", **arguments}
    with pytest.raises(ConfigError, match=message):
        build(**arguments)


def test_initial_weights_come_from_the_seed_alone():
    def weights(seed):
        net = build_unet((None, None, 1), "linear", 2, 8, (3, 3), batch_norm=True, blurpool=True)
        initialize(net, seed)
        return net

    a, b, c = (weights(s) for s in (1, 1, 2))
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)
    assert (a.get_weights()[0] != c.get_weights()[0]).any()
    kernel = a.get_layer("down_1_1").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * (16 + 16))), rel=0.05)
    assert a.get_layer("pool_0_blur").get_weights()[0].sum() == pytest.approx(8)
