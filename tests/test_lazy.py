"""Lazy arrays read what a view shows, and nothing else."""

import numpy as np
import pytest
from sources import InMemory

from n2v_tk.axes import StackLayout
from n2v_tk.lazy import LazyArray, pieces
from n2v_tk.normalization import channel_statistics, check_image


@pytest.fixture
def data():
    return np.arange(2 * 3 * 4 * 10 * 12).reshape(2, 3, 4, 10, 12).astype("uint16")


KEYS = [
    1,
    (slice(None), 2),
    (..., slice(3, 7)),
    (0, ..., -1),
    (slice(1, None), slice(0, 2), 3, slice(2, 9), slice(-4, None)),
    (slice(5, 2),),
    (None, 0),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_views_are_those_of_numpy(data, key):
    lazy = LazyArray(InMemory(data))
    assert lazy[key].shape == data[key].shape
    np.testing.assert_array_equal(np.asarray(lazy[key]), data[key])


@pytest.mark.parametrize("axes", ["TCZYX", "ZTYXC", "CSZYX", "XYZCT"])
@pytest.mark.parametrize("n_dim", [2, 3])
def test_stacks_are_those_of_arrays(data, axes, n_dim):
    source = InMemory(data)
    layout = StackLayout.of(data, axes, n_dim)
    stack, lazy = layout.to_stack(data), layout.to_stack(LazyArray(source))
    assert not source.windows
    assert lazy.shape == stack.shape
    np.testing.assert_array_equal(np.asarray(lazy), stack)
    np.testing.assert_array_equal(np.asarray(lazy[1:3, 1]), stack[1:3, 1])
    np.testing.assert_array_equal(np.asarray(lazy[-1][..., 1:, 0]), stack[-1][..., 1:, 0])
    again = np.transpose(lazy, (1, 0, *range(2, stack.ndim)))
    assert isinstance(again, LazyArray)
    np.testing.assert_array_equal(np.asarray(again), np.swapaxes(stack, 0, 1))


def test_axes_that_were_cut_are_merged_too(data):
    part = LazyArray(InMemory(data, (1, 1, 2, 5, 5)))[1:, 1:]
    merged = part.rearranged([(0, 1), (2,), (3,), (4,), ()])
    assert merged.chunks == (1, 2, 5, 5, 1)
    np.testing.assert_array_equal(np.asarray(merged[1:, 2:]), data[1, 2:, 2:][..., None])
    stack = StackLayout.of(part, "TCZYX", 2).to_stack(part)
    np.testing.assert_array_equal(
        np.asarray(stack), StackLayout.of(data[1:, 1:], "TCZYX", 2).to_stack(data[1:, 1:])
    )


def test_only_what_is_shown_is_read(data):
    source = InMemory(data)
    stack = StackLayout.of(data, "TCZYX", 2).to_stack(LazyArray(source))
    np.asarray(stack[5, 2:4, 3:9])
    assert source.windows == [
        (slice(1, 2), slice(0, 3), slice(1, 2), slice(2, 4), slice(3, 9)),
    ]


def test_what_lazy_arrays_cannot_do_is_refused(data):
    lazy = LazyArray(InMemory(data))
    for key in ([0, 1], slice(None, None, 2), np.ones(2, bool), (0,) * 6, 2, -3):
        with pytest.raises(IndexError):
            lazy[key]


@pytest.mark.parametrize("chunks", [None, (1, 1, 2, 4, 5), (2, 3, 4, 10, 12)])
@pytest.mark.parametrize("size", [1, 50, 700, 10**6])
def test_pieces_cover_everything_once_and_keep_to_chunks(data, chunks, size):
    source = InMemory(data, chunks)
    view = LazyArray(source)[:, 1:, :, 3:]
    seen = np.zeros(view.shape, int)
    for piece in pieces(view, size):
        seen[piece] += 1
        start = piece[3].start + 3
        if chunks is not None and piece[3].start:
            assert start % chunks[3] == 0
    assert (seen == 1).all()
    array = np.zeros((7, 30, 40))
    for piece in pieces(array, size):
        array[piece] += 1
        assert array[piece].size <= max(size, 1)
    assert (array == 1).all()


def test_statistics_and_limits_read_in_pieces(data):
    lazy = LazyArray(InMemory(data, (1, 1, 1, 10, 12)))
    last = np.moveaxis(data, 1, -1)
    means, stds = channel_statistics([lazy.transpose(0, 2, 3, 4, 1)])
    np.testing.assert_allclose(means, last.mean(axis=(0, 1, 2, 3)))
    np.testing.assert_allclose(stds, last.std(axis=(0, 1, 2, 3)))
    assert (lazy.min(), np.max(lazy)) == (data.min(), data.max())


def test_the_first_bad_pixel_is_named(data):
    bad = data.astype("float32")
    bad[1, 2, 0, 4, 7] = np.nan
    bad[1, 2, 3, 4, 7] = np.inf
    for image in (bad, LazyArray(InMemory(bad, (1, 1, 1, 5, 5)))):
        with pytest.raises(ValueError, match=r"2 of 2880 .* index \(1, 2, 0, 4, 7\)"):
            check_image(image)


def test_files_are_gone_through_once(data, tmp_path):
    clean = data.astype("float32")
    source = InMemory(clean, (1, 1, 1, 10, 12))
    lazy = LazyArray(source)
    channel_statistics([lazy])
    read = len(source.windows)
    check_image(lazy[:, 1:])
    assert len(source.windows) == read
    other = InMemory(clean)
    check_image(LazyArray(other)[0])
    check_image(LazyArray(other)[1])  # only a part was looked at before
    assert len(other.windows) == 2
    almost = clean.copy()
    almost[-1, -1, -1, -1, -1] = np.nan
    almost = LazyArray(InMemory(almost))
    check_image(almost[..., :-1])
    with pytest.raises(ValueError, match="not finite"):
        check_image(almost)
    clean[1, 2, 0, 4, 7] = np.nan
    with pytest.raises(ValueError, match=r"index \(1, 2, 0, 4, 7\)"):
        channel_statistics([LazyArray(InMemory(clean))])
    np.save(tmp_path / "a.npy", clean)
    stored = np.load(tmp_path / "a.npy", mmap_mode="r")
    check_image(stored[0])
    with pytest.raises(ValueError, match="not finite"):
        check_image(stored)
