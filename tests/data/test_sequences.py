import random

import numpy as np
import pytest

from n2v_tk.data.sequences import N2VDataWrapper, masked_pair
from n2v_tk.masking.masker import BlindSpotMasker
from n2v_tk.masking.structn2v import line_mask

STACKS = {"2D": ((3, 90, 80, 2), (32, 32)), "3D": ((2, 20, 50, 40, 1), (8, 16, 16))}


def wrapper(kind, rng, **options):
    shape, patch = STACKS[kind]
    X = options.pop("X", None)
    X = rng.normal(size=shape).astype(np.float32) if X is None else X
    masker = BlindSpotMasker(len(patch), 5, options.pop("manipulator", "uniform_withoutCP"), 2)
    return X, N2VDataWrapper(X, 4, 6, patch, masker, **options)


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("augment", [False, True])
def test_input_differs_from_target_only_at_blind_spots(kind, augment, rng):
    _, data = wrapper(kind, rng, augment=augment)
    x, y = data[0]
    target, mask = np.split(y, 2, axis=-1)
    assert x.dtype == y.dtype == np.float32
    assert set(np.unique(mask)) == {0, 1}
    np.testing.assert_array_equal(x != target, mask == 1)


@pytest.mark.parametrize("kind", STACKS)
def test_patches_are_cut_from_the_images(kind, rng):
    shape, patch = STACKS[kind]
    X = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    _, data = wrapper(kind, rng, X=X)
    for target in data[0][1][..., : shape[-1]]:
        first = np.unravel_index(int(target.ravel()[0]), shape)
        window = tuple(slice(f, f + p) for f, p in zip(first[1:-1], patch, strict=True))
        np.testing.assert_array_equal(target, X[first[0]][window])


def test_every_place_of_every_image_is_reached(rng):
    images = [np.full((1, 8, 8, 1), 0.0), np.full((2, 8, 15, 1), 1.0)]
    data = N2VDataWrapper(images, 1000, 1, (8, 8), BlindSpotMasker(2, 5, radius=1))
    # one place in the first image, 2 * 8 in the second
    assert data[0][1][:, 0, 0, 0].mean() == pytest.approx(16 / 17, abs=0.03)


@pytest.mark.parametrize("kind", STACKS)
def test_batches_depend_on_seed_epoch_and_index_only(kind, rng):
    X, a = wrapper(kind, rng, seed=5, augment=True)
    _, b = wrapper(kind, rng, X=X, seed=5, augment=True, workers=3)
    _, c = wrapper(kind, rng, X=X, seed=6, augment=True)
    backwards = [b[i] for i in reversed(range(6))][::-1]
    for i in range(6):
        np.testing.assert_array_equal(a[i][0], backwards[i][0])
        np.testing.assert_array_equal(a[i][1], backwards[i][1])
    assert not np.array_equal(a[0][1], c[0][1])
    assert not np.array_equal(a[0][1], a[1][1])
    first = a[0][1]
    a.on_epoch_end()
    assert not np.array_equal(a[0][1], first)


def test_global_random_state_is_left_alone(rng):
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    _, data = wrapper("2D", rng, augment=True)
    data[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]


def test_every_batch_is_a_fresh_array(rng):
    _, data = wrapper("2D", rng)
    arrays = [array for i in range(3) for array in data[i]]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_images_are_not_changed_and_may_be_read_only(rng, tmp_path):
    X = rng.integers(0, 1000, (2, 64, 64, 1)).astype(np.uint16)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = N2VDataWrapper(mapped, 4, 2, (32, 32), offset=[500.0], scale=[250.0])
    x, y = data[0]
    assert x.dtype == np.float32
    assert abs(y[..., :1]).max() <= 2
    np.testing.assert_array_equal(mapped, X)


def test_affine_equivariance(rng):
    """Training on a * y + b gives the same normalised batches."""
    X = rng.normal(size=(2, 64, 64, 1))
    plain = N2VDataWrapper(X, 4, 2, (32, 32), offset=[X.mean()], scale=[X.std()], augment=True)
    Z = 37 * X + 1000
    scaled = N2VDataWrapper(Z, 4, 2, (32, 32), offset=[Z.mean()], scale=[Z.std()], augment=True)
    for a, b in zip(plain[0], scaled[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_each_image_can_have_its_own_scale(rng):
    images = [np.full((1, 32, 32, 1), 10.0), np.full((2, 40, 32, 1), 20.0)]
    data = N2VDataWrapper(
        images, 64, 1, (32, 32), offset=[np.array([[9.0]]), np.array([[18.0], [16.0]])],
        scale=[np.array([[1.0]]), np.array([[2.0], [2.0]])],
    )  # fmt: skip
    assert set(np.unique(data[0][1][..., 0])) == {1.0, 2.0}


def test_augmentation_of_structured_noise_keeps_its_axis(rng):
    X = np.tile(np.arange(64.0)[:, None], (1, 64))[None, ..., None]  # rows are constant
    mask = line_mask("X", 5)
    data = N2VDataWrapper(X, 64, 1, (32, 32), BlindSpotMasker(2, 2, structN2Vmask=mask), True, mask)
    target = data[0][1][..., 0]
    assert (np.diff(target, axis=2) == 0).all()
    free = N2VDataWrapper(X, 64, 1, (32, 32), augment=True)
    assert (np.diff(free[0][1][..., 0], axis=2) != 0).any()


def test_masked_pair_of_structured_noise_hides_neighbours(rng):
    """Validation hides what training hides."""
    masker = BlindSpotMasker(2, 2, structN2Vmask=line_mask("X", 5), structN2V_fill=(-2, 2))
    x = rng.normal(100, 1, (2, 32, 32, 1)).astype(np.float32)
    x, y = masked_pair(x, masker, rng)
    assert np.sum(x < 50) > 2 * y[..., 1].sum()


def test_masked_pair_of_patches_in_another_memory_order(rng):
    x = rng.normal(size=(2, 2, 32, 32)).astype(np.float32).transpose(0, 2, 3, 1)
    plain = masked_pair(np.ascontiguousarray(x), BlindSpotMasker(2), np.random.default_rng(1))
    other = masked_pair(x, BlindSpotMasker(2), np.random.default_rng(1))
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a, b)
