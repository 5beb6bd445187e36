"""Blocks cover an image once, keep to chunks, and read what the network sees."""

import numpy as np
import pytest

from n2v_tk.errors import ConfigError
from n2v_tk.prediction.blocks import BlockPlan
from n2v_tk.prediction.tiling import Halo

HALOS = {"Y": Halo(5, 5, 4), "X": Halo(5, 5, 4)}


@pytest.mark.parametrize(
    ("axes", "shape", "chunks"),
    [
        ("YX", (61, 200), (16, 32)),
        ("TCYX", (3, 2, 33, 40), (2, 1, 8, 40)),
        ("YX", (7, 9), (64, 64)),
    ],
)
@pytest.mark.parametrize("most", [3_600, 8_000, 10**9])
def test_every_pixel_is_written_once_by_whole_chunks(axes, shape, chunks, most):
    plan = BlockPlan(axes, shape, chunks, HALOS, most)
    written = np.zeros(shape, int)
    for block in plan:
        written[block.write] += 1
        read = dict(zip(axes, block.read, strict=True))
        pixels = 1
        for axis, w, r, p, k, c, n in zip(
            axes, block.write, block.read, block.pad, block.keep, chunks, shape, strict=True
        ):
            if axis == "C":
                continue
            assert w.start % c == 0
            assert w.stop % c == 0 or w.stop == n
            # what is kept of the padded block is what is written
            assert r.start - p[0] + k.start == w.start
            assert k.stop - k.start == w.stop - w.start
            total = r.stop - r.start + sum(p)
            pixels *= total
            if axis in HALOS:
                before = (-n % 4) // 2
                assert total % 4 == 0
                assert (r.start - p[0] + before) % 4 == 0
                assert read[axis].start == 0 or w.start - r.start >= 5
                assert read[axis].stop == n or r.stop - w.stop >= 5
                assert sum(p) < 4
        assert pixels <= max(most, np.prod([-(-n // 4) * 4 for n in shape]))
    assert (written == 1).all()


def test_larger_blocks_where_memory_allows():
    small = BlockPlan("YX", (4096, 4096), (256, 256), HALOS, 300**2)
    large = BlockPlan("YX", (4096, 4096), (256, 256), HALOS, 1100**2)
    assert small.sides == [256, 256]
    assert large.sides == [1024, 1024]
    assert len(BlockPlan("YX", (4096, 4096), (256, 256), HALOS, 10**9)) == 1


def test_chunks_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"chunks of 1 x 256 x 256 \(ZYX\).*--max-memory"):
        BlockPlan("ZYX", (8, 4096, 4096), (1, 256, 256), HALOS, 256**2)
    with pytest.raises(IndexError):
        BlockPlan("YX", (8, 8), (8, 8), HALOS, 1000)[1]
