import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.masking.coordinates import box_side, stratified_coordinates


@pytest.mark.parametrize(
    ("shape", "perc_pix"),
    [
        ((64, 64, 64, 1), 0.198),
        ((64, 64, 64, 1), 1.5),
        ((32, 64, 64, 2), 5),
        ((16, 64, 64, 1), 30),
        ((16, 64, 64, 1), 45),
        ((4, 40, 56, 1), 100),
        ((8, 32, 64, 64, 1), 0.198),
        ((4, 32, 64, 64, 1), 1.5),
        ((2, 16, 32, 32, 2), 45),
    ],
)
def test_share_of_blind_spots_is_the_one_asked_for(shape, perc_pix):
    share = np.mean(
        [
            len(stratified_coordinates(shape, perc_pix, np.random.default_rng(seed))[0])
            / np.prod(shape)
            for seed in range(20)
        ]
    )
    assert share == pytest.approx(perc_pix / 100, rel=0.02)


def test_legacy_density_is_that_of_n2v():
    # 0.198 % in 64 x 64: boxes of 22, 8.46 spots on average; 1.5 % in 3D becomes 0.195 %
    counts = [
        len(stratified_coordinates((1, 64, 64, 1), 0.198, np.random.default_rng(s), True)[0])
        for s in range(2000)
    ]
    assert max(counts) <= 9
    assert np.mean(counts) == pytest.approx(8.46, abs=0.06)
    spots = stratified_coordinates((4, 64, 64, 64, 1), 1.5, np.random.default_rng(0), True)
    assert len(spots[0]) / (4 * 64**3) == pytest.approx(0.00195, rel=0.01)


@pytest.mark.parametrize("shape", [(5, 64, 50, 2), (3, 20, 33, 40, 1)])
def test_at_most_one_blind_spot_per_box(shape):
    side = box_side(1.5, len(shape) - 2)
    spots = stratified_coordinates(shape, 1.5, np.random.default_rng(3))
    boxes = np.stack([spots[0], *(s // side for s in spots[1:-1]), spots[-1]])
    assert np.unique(boxes, axis=1).shape[1] == boxes.shape[1]
    assert all(s.min() >= 0 and s.max() < n for s, n in zip(spots, shape, strict=True))


@pytest.mark.parametrize("shape", [(400, 20, 20, 1), (100, 10, 10, 10, 1)])
def test_every_pixel_is_as_likely(shape):
    counts = np.zeros(shape[1:-1])
    for seed in range(30):
        spots = stratified_coordinates(shape, 3, np.random.default_rng(seed))
        np.add.at(counts, spots[1:-1], 1)
    expected = 0.03 * 30 * shape[0]
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_channels_are_drawn_on_their_own():
    _, y, x, c = stratified_coordinates((1, 64, 64, 2), 1.5, np.random.default_rng(0))
    first, second = (set(zip(y[c == i], x[c == i], strict=True)) for i in range(2))
    assert len(first & second) < len(first) / 4


def test_same_seed_same_spots():
    a, b, c = (
        np.stack(stratified_coordinates((2, 64, 64, 1), 1.5, np.random.default_rng(s)))
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, b)
    assert a.shape != c.shape or (a != c).any()


@pytest.mark.parametrize("perc_pix", [0, -1, 101])
def test_impossible_shares_are_refused(perc_pix):
    with pytest.raises(ConfigError, match=r"n2v_perc_pix.*Received: -?\d"):
        box_side(perc_pix, 2)
