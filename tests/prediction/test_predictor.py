import keras
import numpy as np
import pytest

from n2v_tk.masking.structn2v import line_mask
from n2v_tk.nets.receptive_field import receptive_field
from n2v_tk.nets.unet import build_unet
from n2v_tk.prediction.predictor import Predictor

NETS = {
    "2D": ((272, 260), {"n_depth": 2, "kernel_size": (3, 3), "batch_norm": True}),
    "kernel 5": ((264, 272), {"n_depth": 2, "kernel_size": (5, 5)}),
    "depth 3": ((280, 320), {"n_depth": 3, "kernel_size": (3, 3)}),
    "N2V2": (
        (260, 272),
        {"n_depth": 2, "kernel_size": (3, 3), "blurpool": True, "skip_skipone": True},
    ),
    "N2V2 depth 3": (
        (320, 336),
        {"n_depth": 3, "kernel_size": (3, 3), "blurpool": True, "skip_skipone": True},
    ),
    "residual": ((260, 260), {"n_depth": 2, "kernel_size": (3, 3), "residual": True}),
    "3D": ((16, 72, 80), {"n_depth": 1, "kernel_size": (3, 3, 3)}),
    "3D N2V2": (
        (40, 48, 40),
        {"n_depth": 1, "kernel_size": (3, 3, 3), "blurpool": True, "skip_skipone": True},
    ),
}


def make(name, channels=1):
    sides, settings = NETS[name]
    net = build_unet((*[None] * len(sides), channels), "linear", n_filter_base=4, **settings)
    divisor = 2 ** settings["n_depth"]
    rng = np.random.default_rng(1)
    # large weights that do not die out: what a tile misses must show
    for variable in net.trainable_variables:
        if variable.name == "kernel":
            variable.assign(rng.normal(0.1, 0.3, variable.shape))
    return net, divisor, rng.normal(size=(2, *sides, channels)).astype(np.float32)


def assert_close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("name", NETS)
def test_tiled_equals_whole(name):
    net, divisor, stack = make(name)
    reach = receptive_field(net)
    whole = net.predict_on_batch(stack)
    tiles = [(2,) * len(reach), (1,) * (len(reach) - 1) + (3,), None]
    for n_tiles in tiles:
        predictor = Predictor(net, reach, divisor)
        if n_tiles is None:
            predictor.budget = 112**2 if len(reach) == 2 else 32 * 40 * 40
        tiled = predictor(stack, n_tiles)
        assert_close(tiled, whole)


@pytest.mark.parametrize("name", ["2D", "N2V2", "depth 3"])
def test_a_halo_that_is_too_small_shows(name):
    """The halo is needed: with n2v's 22 for all, N2V2 and depth 3 differ from the whole."""
    net, divisor, stack = make(name)
    whole = net.predict_on_batch(stack)
    narrow = Predictor(net, ((16, 16), (16, 16)), divisor)(stack, (3, 3))
    assert np.abs(narrow - whole).max() > 1e-4 * np.ptp(whole)


@pytest.mark.parametrize("name", ["kernel 5", "3D"])
def test_sides_that_do_not_divide(name):
    net, divisor, stack = make(name)
    odd = stack[(slice(None), *(slice(0, s - 3) for s in stack.shape[1:-1]))]
    result = Predictor(net, receptive_field(net), divisor)(odd)
    assert result.shape == odd.shape
    # reflection: half of what is missing before, the rest behind, as csbdeep pads
    missing = [(-s) % divisor for s in odd.shape[1:-1]]
    pad = [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)]
    expected = net.predict_on_batch(np.pad(odd, pad, mode="reflect"))
    crop = tuple(slice(p[0], p[0] + s) for p, s in zip(pad, odd.shape, strict=True))
    assert_close(result, expected[crop])


@pytest.mark.parametrize(("name", "n_tiles"), [("2D", (2, 1)), ("3D", (1, 1, 2))])
def test_augmentation_turns_the_plane_only(name, n_tiles, monkeypatch):
    net, divisor, stack = make(name)
    predictor = Predictor(net, receptive_field(net), divisor)
    expected = 0
    for turns in range(4):
        for flip in (False, True):
            x = np.flip(stack, -2) if flip else stack
            y = predictor(np.ascontiguousarray(np.rot90(x, turns, (-3, -2))))
            y = np.rot90(y, -turns, (-3, -2))
            expected = expected + (np.flip(y, -2) if flip else y) / 8
    result = predictor(stack, tta=True)
    assert_close(result, expected)
    assert np.abs(result - predictor(stack)).max() > 0.01 * np.ptp(expected)
    # tiles turn with the image
    shapes = set()
    real = predictor.run_network
    monkeypatch.setattr(predictor, "run_network", lambda x: shapes.add(x.shape[1:-1]) or real(x))
    assert_close(predictor(stack, n_tiles, tta=True), expected)
    assert len({(*s[:-2], *sorted(s[-2:])) for s in shapes}) == 1
    assert len(shapes) == 2


def test_augmentation_keeps_the_axis_of_structured_noise():
    net, divisor, stack = make("2D")
    predictor = Predictor(net, receptive_field(net), divisor)
    result = predictor(stack, tta=True, structN2Vmask=line_mask("X", 5))
    flips = [np.flip(predictor(np.flip(stack, a).copy()), a) for a in ((), -2, -3, (-3, -2))]
    assert_close(result, np.mean(flips, axis=0))


def test_when_memory_runs_out_tiles_are_halved(monkeypatch):
    net, divisor, stack = make("2D")
    expected = net.predict_on_batch(stack)
    predictor = Predictor(net, receptive_field(net), divisor)
    real = predictor.run_network
    sizes = []

    def limited(batch):
        sizes.append(batch[..., 0].size)
        if sizes[-1] > 200 * 200:
            raise MemoryError
        return real(batch)

    monkeypatch.setattr(predictor, "run_network", limited)
    with pytest.warns(UserWarning, match="Memory ran out with tiles of"):
        result = predictor(stack)
    assert_close(result, expected)
    assert sizes[-1] <= 200 * 200
    # what was learned holds for the next image
    sizes.clear()
    predictor(stack)
    assert max(sizes) <= 200 * 200


def test_other_errors_are_not_retried(monkeypatch):
    net, divisor, stack = make("2D")

    def broken(batch):
        raise RuntimeError("something else")

    predictor = Predictor(net, receptive_field(net), divisor)
    monkeypatch.setattr(predictor, "run_network", broken)
    with pytest.raises(RuntimeError, match="something else"):
        predictor(stack)


def test_images_of_any_size_are_run_by_one_function():
    pytest.importorskip("tensorflow")
    from n2v_tk.prediction.compiled_tf import compiled

    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(inputs.shape)
            return 2 * inputs

        def compute_output_shape(self, input_shape):
            return input_shape

    image = keras.Input((None, None, 1))
    network = keras.Model(image, Counting()(image))
    traces.clear()
    run = compiled(network)
    for shape in ((1, 8, 8, 1), (3, 16, 4, 1), (2, 5, 7, 1)):
        np.testing.assert_array_equal(run(np.ones(shape, "float32")), np.full(shape, 2))
    assert len(traces) == 1
