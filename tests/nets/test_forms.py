import keras
import numpy as np
import pytest

from n2v_tk.losses import masked_mse
from n2v_tk.nets.blindspot import build_blindspot
from n2v_tk.nets.forms import prediction_form, training_form
from n2v_tk.nets.initialize import initialize
from n2v_tk.nets.unet import build_single_unet_per_channel, build_unet

NETS = {
    "2D": (build_unet, (None, None, 1), {"batch_norm": True}),
    "no norm": (build_unet, (None, None, 1), {}),
    "N2V2": (build_unet, (None, None, 1), {"batch_norm": True, "blurpool": True}),
    "channels": (
        build_single_unet_per_channel,
        (None, None, 2),
        {"batch_norm": True, "prob_out": True, "residual": True},
    ),
    "3D": (build_unet, (None, None, None, 1), {"batch_norm": True, "blurpool": True}),
}


def make(name, rng):
    build, shape, settings = NETS[name]
    net = build(shape, "linear", n_filter_base=4, kernel_size=(3,) * (len(shape) - 1), **settings)
    initialize(net, 0)
    # batch normalisation as after training: nothing at its start value
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return net, rng.normal(size=(2, *(16,) * (len(shape) - 1), shape[-1])).astype(np.float32)


@pytest.mark.parametrize("name", NETS)
def test_prediction_form_is_the_same_function_without_normalisation(name, rng):
    net, x = make(name, rng)
    form = prediction_form(net)
    assert not any(isinstance(i, keras.layers.BatchNormalization) for i in form.layers)
    expected = net.predict_on_batch(x)
    np.testing.assert_allclose(
        form.predict_on_batch(x), expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_training_form_is_the_same_function(name, precision, rng):
    net, x = make(name, rng)
    form = training_form(net, precision)
    expected = net.predict_on_batch(x)
    result = np.asarray(form.predict_on_batch(x))
    assert result.dtype == np.float32
    limit = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(result, expected, atol=limit * np.abs(expected).max())
    assert all(w.dtype == "float32" for w in form.weights)
    assert [w.shape for w in form.weights] == [w.shape for w in net.weights]


@pytest.mark.parametrize("name", ["2D", "3D"])
def test_a_training_step_is_that_of_stock_keras(name, rng):
    """Same loss, same weights and same moving averages after two steps."""
    net, x = make(name, rng)
    y = np.concatenate([x, (rng.random(x.shape) < 0.2).astype(np.float32)], axis=-1)
    form = training_form(net)
    losses = []
    for model in (net, form):
        model.compile(keras.optimizers.SGD(0.02), loss=masked_mse)
        losses.append([float(model.train_on_batch(x, y)) for _ in range(2)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    for a, b in zip(net.weights, form.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-3, atol=2e-4, err_msg=a.path)


def test_forms_leave_the_network_as_it_is(rng):
    net, x = make("channels", rng)
    before, config = net.predict_on_batch(x), net.to_json()
    training_form(net, "mixed_bfloat16")
    prediction_form(net)
    np.testing.assert_array_equal(net.predict_on_batch(x), before)
    assert net.to_json() == config


def test_the_head_stays_float32(rng):
    net, _ = make("channels", rng)
    for form in (training_form(net, "mixed_bfloat16"), prediction_form(net, "mixed_bfloat16")):
        heads = [layer for layer in form.layers if "head" in layer.name]
        assert heads
        assert all(layer.compute_dtype == "float32" for layer in heads)
        assert form.get_layer("channel_0_down_0_0").compute_dtype == "bfloat16"


def test_the_wide_layer_before_the_head_of_hqssl_does_not():
    form = training_form(build_blindspot((None, None, 1), 2, width=4), "mixed_bfloat16")
    dtypes = {name: form.get_layer(name).compute_dtype for name in ("head_0", "head_1", "head")}
    assert dtypes == {"head_0": "bfloat16", "head_1": "float32", "head": "float32"}
