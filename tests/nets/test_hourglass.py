import keras
import numpy as np
import pytest

from n2v_tk.config.dip import PRESETS, DIPConfig
from n2v_tk.layers.hourglass import ConcatenateMiddles, LinearUpSampling, ReflectionPadding
from n2v_tk.nets.hourglass import build_hourglass

# parameters of the published networks
PUBLISHED = {
    "denoise": (2_217_831, 32, 3),
    "jpeg": (572_827, 3, 3),
    "superres": (2_217_831, 32, 3),
    "inpaint_grid": (2_157_955, 2, 3),
    "inpaint": (3_002_627, 32, 3),
    "inpaint_large": (2_996_467, 1, 3),
    "restore": (2_217_573, 32, 1),
    "restore_sparse": (1_027_379, 32, 3),
    "flash": (2_184_307, 3, 3),
}


def network_of(config, n_in, n_out, **options):
    names = ("down_channels", "up_channels", "skip_channels", "kernel_down", "kernel_up",
             "one_by_one", "upsampling", "pooling")  # fmt: skip
    chosen = {name: getattr(config, name) for name in names}
    return build_hourglass(n_in, n_out, **chosen, **options)


def test_every_row_of_the_papers_table_has_a_preset():
    assert set(PUBLISHED) == set(PRESETS)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_parameters_of_the_published_networks(preset):
    count, n_in, n_out = PUBLISHED[preset]
    config = DIPConfig(task=preset.split("_")[0], preset=preset)
    network = network_of(config, n_in, n_out)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == count


@pytest.mark.parametrize("sides", [(32, 48), (17, 30), (8, 16, 12)])
@pytest.mark.parametrize("upsampling", ["linear", "nearest"])
def test_outputs_are_in_the_unit_range_for_any_sides(rng, sides, upsampling):
    network = build_hourglass(
        2, 3, (4, 4), skip_channels=(3, 3), upsampling=upsampling, n_dim=len(sides)
    )
    output = keras.ops.convert_to_numpy(network(rng.normal(0, 3, (1, *sides, 2))))
    assert output.shape == (1, *sides, 3)
    assert 0 < output.min() < output.max() < 1


def test_statistics_are_those_of_the_picture_always(rng):
    """Nothing that was learned of other pictures: a call changes nothing, its input does."""
    keras.utils.set_random_seed(0)
    network = build_hourglass(2, 1, (4, 4), skip_channels=(0, 0))
    x = rng.random((1, 16, 16, 2)).astype(np.float32)
    first = keras.ops.convert_to_numpy(network(x, training=False))
    # statistics that were not its own would leave a picture of almost one value
    assert first.std() > 0.01
    np.testing.assert_array_equal(first, keras.ops.convert_to_numpy(network(x, training=True)))
    network(x + 5, training=False)
    np.testing.assert_array_equal(first, keras.ops.convert_to_numpy(network(x, training=False)))
    # an offset is taken away by the first normalisation
    np.testing.assert_allclose(
        first, keras.ops.convert_to_numpy(network(x + 0.5, training=False)), atol=1e-5
    )


def test_linear_upsampling_is_exact_on_a_ramp():
    ramp = np.arange(6, dtype=np.float32)
    for shape in ((1, 6, 1, 1, 1), (1, 1, 6, 1, 1), (1, 1, 1, 6, 1)):
        volume = np.broadcast_to(ramp.reshape(shape), (1, 6, 6, 6, 1))
        doubled = keras.ops.convert_to_numpy(LinearUpSampling()(volume))
        axis = shape.index(6)
        line = np.moveaxis(doubled, axis, -1)[0, 0, 0, 0]
        np.testing.assert_allclose(line[1:-1], np.arange(10) / 2 + 0.25, atol=1e-5)
        np.testing.assert_allclose(line[[0, -1]], [0, 5], atol=1e-5)
    plane = np.broadcast_to(ramp[None, :, None, None], (1, 6, 4, 2))
    doubled = keras.ops.convert_to_numpy(LinearUpSampling()(plane))
    np.testing.assert_allclose(doubled[0, 1:-1, 3, 1], np.arange(10) / 2 + 0.25, atol=1e-5)


def test_reflection_padding(rng):
    x = rng.random((1, 5, 6, 2)).astype(np.float32)
    padded = keras.ops.convert_to_numpy(ReflectionPadding(2)(x))
    np.testing.assert_array_equal(padded, np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], "reflect"))


def test_middles_of_different_sizes_are_joined(rng):
    a, b = rng.random((1, 7, 8, 1)), rng.random((1, 8, 6, 2))
    joined = keras.ops.convert_to_numpy(ConcatenateMiddles()([a, b]))
    np.testing.assert_allclose(joined[..., :1], a[:, :, 1:7], rtol=1e-6)
    np.testing.assert_allclose(joined[..., 1:], b[:, :7], rtol=1e-6)


def test_saves_and_loads(tmp_path, rng):
    network = build_hourglass(2, 3, (4, 4), skip_channels=(3, 0))
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    x = rng.random((1, 16, 24, 2)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(again(x)), keras.ops.convert_to_numpy(network(x)), atol=1e-6
    )
