import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.prediction.tiling import Halo, check_n_tiles, plan_tiles, tile_sides_for

HALO = Halo(23, 29, 4)


@pytest.mark.parametrize("sides", [(256, 300), (512, 64), (128, 1000), (100, 400)])
@pytest.mark.parametrize("n_tiles", [None, (2, 3), (4, 1), (7, 7)])
def test_tiles_are_equal_aligned_and_cover_the_image_once(sides, n_tiles):
    halos = [HALO] * 2
    tile_sides = tile_sides_for(sides, halos, n_tiles, 128**2)
    covered = np.zeros(sides, int)
    shapes = set()
    for tile in plan_tiles(sides, tile_sides, halos):
        covered[tile.write] += 1
        shapes.add(tuple(s.stop - s.start for s in tile.read))
        for axis, side in enumerate(sides):
            read, keep, write = tile.read[axis], tile.keep[axis], tile.write[axis]
            assert 0 <= read.start < read.stop <= side
            assert read.start % 4 == 0
            assert read.start + keep.start == write.start
            assert keep.stop - keep.start == write.stop - write.start
            # everything the kept pixels see is in the tile, or past the edge of the image
            assert read.start == 0 or write.start - read.start >= HALO.left
            assert read.stop == side or read.stop - write.stop >= HALO.right
    assert (covered == 1).all()
    assert len(shapes) == 1


def test_budget():
    halos = [HALO] * 2
    # five tiles a side: no larger than five of them must be
    assert tile_sides_for((2048, 2048), halos, None, 2**18) == (452, 452)
    assert tile_sides_for((300, 200), halos, None, 2**18) == (300, 200)
    assert tile_sides_for((64, 8192), halos, None, 2**18) == (64, 2768)
    volume = tile_sides_for((64, 512, 512), [Halo(23, 23, 4)] * 3, None, 2**21)
    assert volume[0] == 64
    assert np.prod(volume) <= 2**21
    # no tile is smaller than its halo, whatever the budget
    assert min(tile_sides_for((512, 512), halos, None, 1)) > 23 + 29


def test_number_of_tiles_is_about_the_one_asked_for():
    halos = [HALO] * 2
    tiles = plan_tiles((1024, 1024), tile_sides_for((1024, 1024), halos, (4, 2), 1), halos)
    assert len({t.read[0].start for t in tiles}) == 4
    assert len({t.read[1].start for t in tiles}) == 2


def test_n_tiles_by_axis():
    assert check_n_tiles((1, 2, 3), "CYX") == {"C": 1, "Y": 2, "X": 3}
    with pytest.raises(ConfigError, match=r"one number per axis.*\(2, 2\)"):
        check_n_tiles((2, 2), "YXC")
    with pytest.raises(ConfigError, match="at least 1, and 1 for axes other"):
        check_n_tiles((2, 2, 2), "YXC")
    with pytest.raises(ConfigError, match="at least 1"):
        check_n_tiles((0, 2), "YX")
