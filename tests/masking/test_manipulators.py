import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.masking.coordinates import stratified_coordinates
from n2v_tk.masking.manipulators import MANIPULATORS, Neighbourhood
from n2v_tk.masking.structn2v import line_mask, mask_offsets

SHAPES = [(3, 24, 20, 2), (2, 12, 14, 10, 1)]


def every_pixel(shape):
    return tuple(i.ravel() for i in np.indices(shape))


def window(batch, spot, radius, hidden=(), centre=False):
    """Values around one blind spot, by the slow and plain way."""
    hidden = {tuple(o) for o in hidden}
    n_dim = batch.ndim - 2
    values = []
    for offset in np.ndindex((2 * radius + 1,) * n_dim):
        offset = tuple(o - radius for o in offset)
        position = tuple(s + o for s, o in zip(spot[1:-1], offset, strict=True))
        inside = all(0 <= p < n for p, n in zip(position, batch.shape[1:-1], strict=True))
        at_centre = not any(offset)
        if inside and offset not in hidden and (centre or not at_centre):
            values.append(batch[(spot[0], *position, spot[-1])])
    return np.array(values)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize(("name", "statistic"), [("mean", np.mean), ("median", np.median)])
def test_mean_and_median_are_those_of_the_window(shape, masked, radius, name, statistic, rng):
    batch = rng.normal(size=shape).astype(np.float32)
    n_dim = len(shape) - 2
    hidden = mask_offsets(line_mask("X", 3, n_dim), n_dim) if masked else None
    spots = every_pixel(shape)
    values = MANIPULATORS[name](batch, spots, Neighbourhood(radius, n_dim, hidden), rng)
    for i in rng.choice(len(values), 300, replace=False):
        spot = tuple(s[i] for s in spots)
        expected = statistic(window(batch, spot, radius, () if hidden is None else hidden))
        assert values[i] == pytest.approx(expected, abs=1e-5)
    corner = (0,) * (len(shape) - 1) + (shape[-1] - 1,)
    expected = statistic(window(batch, corner, radius, () if hidden is None else hidden))
    assert values[np.ravel_multi_index(corner, shape)] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["uniform_withCP", "uniform_withoutCP", "normal_withoutCP"])
def test_replacements_come_from_the_window(shape, masked, name, rng):
    # every value once, so that a value says where it came from
    batch = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    n_dim, radius = len(shape) - 2, 2
    hidden = mask_offsets(line_mask("Y", 3, n_dim), n_dim) if masked else None
    spots = every_pixel(shape)
    neighbourhood = Neighbourhood(radius, n_dim, hidden)
    for _ in range(3):
        values = MANIPULATORS[name](batch, spots, neighbourhood, rng)
        own = values == batch[spots]
        if name == "uniform_withCP":
            side = 2 * radius + 1
            assert own.mean() == pytest.approx(1 / side**n_dim, rel=0.8)
        else:
            assert not own.any()
        for i in rng.choice(len(values), 200, replace=False):
            spot = tuple(s[i] for s in spots)
            around = window(batch, spot, radius, () if hidden is None else hidden, centre=True)
            assert values[i] in around


def test_uniform_draws_are_uniform(rng):
    batch = np.arange(49, dtype=np.float32).reshape(1, 7, 7, 1)
    spots = tuple(np.full(50_000, i) for i in (0, 3, 3, 0))
    for name, n in (("uniform_withCP", 25), ("uniform_withoutCP", 24)):
        values = MANIPULATORS[name](batch, spots, Neighbourhood(2, 2), rng)
        _, counts = np.unique(values, return_counts=True)
        assert len(counts) == n
        assert np.abs(counts - 50_000 / n).max() < 6 * np.sqrt(50_000 / n)


def test_normal_draws_prefer_near_pixels_and_heed_the_radius(rng):
    batch = np.arange(15**2, dtype=np.float32).reshape(1, 15, 15, 1)
    spots = tuple(np.full(20_000, i) for i in (0, 7, 7, 0))
    values = MANIPULATORS["normal_withoutCP"](batch, spots, Neighbourhood(5, 2), rng)
    y, x = np.divmod(values.astype(int), 15)
    distance = np.maximum(abs(y - 7), abs(x - 7))
    assert distance.max() == 5
    # per pixel of the ring, 8 at distance 1 and 40 at distance 5
    assert np.sum(distance == 1) / 8 > 1.5 * np.sum(distance == 5) / 40


def test_additive_noise_has_the_sigma_asked_for(rng):
    batch = rng.normal(size=(4, 64, 64, 1)).astype(np.float32)
    spots = every_pixel(batch.shape)
    values = MANIPULATORS["normal_additive"](batch, spots, Neighbourhood(5, 2, sigma=0.3), rng)
    assert np.std(values - batch[spots]) == pytest.approx(0.3, rel=0.05)


def test_fitted_noise_has_mean_and_spread_of_the_window(rng):
    batch = rng.normal(size=(1, 9, 9, 1)).astype(np.float32)
    spots = tuple(np.full(20_000, i) for i in (0, 0, 4, 0))
    values = MANIPULATORS["normal_fitted"](batch, spots, Neighbourhood(2, 2), rng)
    around = window(batch, (0, 0, 4, 0), 2, centre=True)
    assert values.mean() == pytest.approx(around.mean(), abs=0.03)
    assert values.std() == pytest.approx(around.std(), rel=0.03)


def test_identity_changes_nothing(rng):
    batch = rng.normal(size=(2, 16, 16, 3)).astype(np.float32)
    spots = stratified_coordinates(batch.shape, 5, rng)
    values = MANIPULATORS["identity"](batch, spots, Neighbourhood(2, 2), rng)
    np.testing.assert_array_equal(values, batch[spots])


def test_a_window_of_the_pixel_alone_is_refused():
    with pytest.raises(ConfigError, match="n2v_neighborhood_radius must be at least 1"):
        Neighbourhood(0, 2)


@pytest.mark.parametrize("name", ["uniform_withoutCP", "mean", "median"])
def test_a_patch_without_a_visible_pixel_is_refused(name, rng):
    """Offsets that exist but reach past a small patch on every side."""
    hidden = mask_offsets(np.ones((9, 9)), 2)
    spots = tuple(np.array([i]) for i in (0, 2, 2, 0))
    batch = np.zeros((1, 4, 4, 1), np.float32)
    with pytest.raises(ConfigError, match="no visible pixel"):
        MANIPULATORS[name](batch, spots, Neighbourhood(5, 2, hidden), rng)


def test_windows_of_many_blind_spots_are_read_a_few_at_a_time(rng):
    import tracemalloc

    batch = rng.normal(size=(8, 16, 64, 64, 1)).astype(np.float32)
    spots = stratified_coordinates(batch.shape, 5, rng)
    tracemalloc.start()
    values = MANIPULATORS["median"](batch, spots, Neighbourhood(4, 3), rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all 26,000 windows of 728 pixels at once: 300 MB
    few = tuple(s[:50] for s in spots)
    np.testing.assert_array_equal(
        MANIPULATORS["median"](batch, few, Neighbourhood(4, 3), rng), values[:50]
    )


def test_a_mask_that_leaves_no_replacement_is_refused():
    hidden = mask_offsets(np.ones((3, 3)), 2)
    with pytest.raises(ConfigError, match="Use a larger radius"):
        Neighbourhood(1, 2, hidden)
