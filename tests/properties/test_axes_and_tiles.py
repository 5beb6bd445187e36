"""Axes, tiles and amounts of memory: exact, or refused."""

import math

import numpy as np
from hostile import ANYTHING, TEXTS, allowed
from hypothesis import given
from hypothesis import strategies as st
from sources import InMemory

from n2v_tk.axes import StackLayout, normalize_axes
from n2v_tk.lazy import LazyArray, pieces
from n2v_tk.prediction.memory import parse_bytes
from n2v_tk.prediction.tiling import Halo, check_n_tiles, plan_tiles, tile_sides_for


@st.composite
def axes_and_shapes(draw):
    """Any order of Y, X and some of the other axes, with a length for each."""
    axes = [*draw(st.lists(st.sampled_from("STCZ"), unique=True, max_size=4)), "Y", "X"]
    axes = "".join(draw(st.permutations(axes)))
    return axes, tuple(draw(st.integers(1, 5)) for _ in axes)


def halos(n_dim):
    reach = st.integers(0, 20)
    divisor = st.sampled_from([1, 2, 4, 8])
    return st.tuples(reach, reach, divisor).flatmap(
        lambda r: st.lists(
            st.builds(Halo, reach, reach, st.just(r[2])), min_size=n_dim, max_size=n_dim
        )
    )


@given(named=axes_and_shapes(), n_dim=st.sampled_from([2, 3]))
def test_axes_go_to_a_stack_and_back(named, n_dim):
    axes, shape = named
    image = np.arange(math.prod(shape)).reshape(shape)
    layout = allowed(lambda: StackLayout.of(image, axes, n_dim))
    assert (layout is None) == (n_dim == 3 and "Z" not in axes)
    if layout is None:
        return
    stack = layout.to_stack(image)
    assert stack.ndim == n_dim + 2
    np.testing.assert_array_equal(layout.from_stack(stack), image)
    lazy = layout.to_stack(LazyArray(InMemory(image)))
    assert lazy.shape == stack.shape
    np.testing.assert_array_equal(np.asarray(lazy), stack)
    # samples of a lazy stack are those of the other
    np.testing.assert_array_equal(np.asarray(lazy[-1]), stack[-1])


@given(axes=ANYTHING, ndim=st.integers(0, 7))
def test_axes_are_known_or_refused(axes, ndim):
    found = allowed(lambda: normalize_axes(axes, ndim))
    if found is not None:
        assert len(found) == len(set(found)) == ndim
        assert set("YX") <= set(found) <= set("STCZYX")


@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    cut=st.integers(0, 3),
    size=st.integers(1, 100),
    data=st.data(),
)
def test_pieces_cover_an_array_once(shape, cut, size, data):
    array = np.zeros(shape, int)
    chunks = tuple(data.draw(st.integers(1, 4)) for _ in shape)
    lazy = LazyArray(InMemory(array, chunks))[cut:]
    seen = array[cut:].copy()
    for piece in pieces(lazy, size):
        seen[piece] += 1
        assert np.asarray(lazy[piece]).shape == seen[piece].shape
    assert (seen == 1).all()


@given(
    planned=st.integers(1, 3).flatmap(
        lambda n: st.tuples(halos(n), st.lists(st.integers(1, 12), min_size=n, max_size=n))
    ),
    budget=st.integers(1, 5000),
    data=st.data(),
)
def test_tiles_cover_an_image_once_with_what_the_network_sees(planned, budget, data):
    halo, times = planned
    sides = [n * h.divisor for n, h in zip(times, halo, strict=True)]
    n_tiles = data.draw(st.none() | st.tuples(*(st.integers(1, 9) for _ in sides)))
    tile_sides = tile_sides_for(sides, halo, n_tiles, budget)
    seen = np.zeros(sides, int)
    for tile in plan_tiles(sides, tile_sides, halo):
        seen[tile.write] += 1
        for side, h, read, keep, write in zip(
            sides, halo, tile.read, tile.keep, tile.write, strict=True
        ):
            assert 0 <= read.start < read.stop <= side
            assert read.start % h.divisor == 0
            assert read.start + keep.start == write.start
            assert read.start + keep.stop == write.stop
            # all that the network sees of the image, or the image ends there
            assert read.start in range(max(0, write.start - h.left) + 1)
            assert read.stop in range(min(side, write.stop + h.right), side + 1)
        assert seen[tile.write].max() == 1
    assert (seen == 1).all()


@given(n_tiles=ANYTHING, axes=st.sampled_from(["YX", "YXC", "TZCYX"]))
def test_numbers_of_tiles_are_checked(n_tiles, axes):
    counts = allowed(lambda: check_n_tiles(n_tiles, axes))
    if counts is not None:
        assert list(counts) == list(axes)
        assert all(isinstance(n, int) and n >= 1 for n in counts.values())


@given(amount=ANYTHING | TEXTS.map(lambda t: t + "GB") | st.floats().map(lambda f: f"{f}MiB"))
def test_amounts_of_memory_are_bytes_or_refused(amount):
    found = allowed(lambda: parse_bytes(amount))
    assert found is None or (isinstance(found, int) and found > 0)


@given(amount=st.integers(1, 2**60), unit=st.sampled_from(["", "B", "kB", "MB", "GiB", "tib"]))
def test_amounts_of_memory_are_read_exactly(amount, unit):
    factor = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GiB": 2**30, "tib": 2**40}[unit]
    assert parse_bytes(f"{amount} {unit}") == math.trunc(float(amount) * factor)
    assert parse_bytes(float(amount)) == int(float(amount))
