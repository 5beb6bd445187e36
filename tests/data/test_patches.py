import numpy as np
import pytest

from n2v_tk.data.patches import (
    as_image_list,
    check_patch_fits,
    generate_patches,
    grid_patches,
    hold_out,
    training_and_validation_patches,
)
from n2v_tk.errors import ImageError


def numbered(*shape):
    """An image in which every pixel has a value of its own."""
    return np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "patch", "n"),
    [
        ((1, 128, 128, 1), (64, 64), 4 * 8),
        ((2, 64, 128, 3), (64, 64), 4 * 8),  # a side equal to the patch
        ((1, 70, 150, 1), (64, 64), 2 * 8),
        ((1, 64, 64, 1), (64, 32), 2 * 4),  # not square: flips only
        ((1, 16, 64, 64, 1), (16, 32, 32), 4 * 8),
    ],
)
def test_all_patches_eightfold(shape, patch, n):
    patches = generate_patches(numbered(*shape), patch)
    assert patches.shape == (n, *patch, shape[-1])
    assert len(np.unique(patches, axis=0)) == n


def test_patches_of_a_grid_cover_the_image_once():
    image = numbered(1, 64, 96, 1)
    patches = generate_patches(image, (32, 32), augment=False)
    np.testing.assert_array_equal(np.sort(patches.ravel()), image.ravel())


def test_augmentation_turns_the_plane_and_not_the_depth():
    image = numbered(1, 4, 8, 8, 2)
    patches = generate_patches(image, (4, 8, 8), shuffle=False)
    for patch in patches:
        # the same pixels in every plane and channel
        np.testing.assert_array_equal(
            np.sort(patch.reshape(4, 64, 2), axis=1), np.sort(image[0].reshape(4, 64, 2), axis=1)
        )


def test_augmentation_keeps_a_structn2v_mask():
    image = numbered(1, 32, 32, 1)
    patches = generate_patches(image, (32, 32), structN2Vmask=[[1, 1, 0, 1, 1]])
    assert len(patches) == 4
    # rows stay rows
    assert all(np.all(abs(np.diff(p[..., 0], axis=1)) == 1) for p in patches)


def test_random_patches_are_seeded_and_lie_in_the_image():
    images = [numbered(1, 80, 90, 1), numbered(2, 64, 70, 1)]
    a, b, c = (generate_patches(images, (64, 64), 5, seed=s) for s in (1, 1, 2))
    assert len(a) == (5 + 2 * 5) * 8
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize(
    "images",
    [
        numbered(1, 256, 256, 1),
        [numbered(1, 200, 300, 1), numbered(3, 256, 190, 1) + 10**6],
        numbered(20, 64, 64, 1),
        numbered(1, 16, 160, 128, 1),
        [numbered(1, 64, 64, 1) + 10**5 * i for i in range(12)],
    ],
    ids=["one", "two sizes", "stack", "volume", "list"],
)
def test_training_and_validation_share_no_pixel(images):
    patch = (64, 64) if as_image_list(images)[0].ndim == 4 else (16, 64, 64)
    training, validation = training_and_validation_patches(images, patch)
    assert not set(training.ravel()) & set(validation.ravel())
    assert len(training) > len(validation) > 0


def test_hold_out_returns_views_and_loses_little():
    image = numbered(1, 512, 512, 1)
    for seed in range(20):
        training, validation = hold_out(image, (64, 64), 0.1, seed)
        assert all(np.shares_memory(part, image) for part in training + validation)
        assert sum(p.size for p in training + validation) == image.size
        assert sum(p.size for p in validation) / image.size == pytest.approx(0.1, abs=0.05)


def test_hold_out_of_images_too_small_to_split():
    image = numbered(1, 100, 100, 1)
    training, validation = hold_out(image, (64, 64))
    assert len(training) == 1
    assert validation == []
    with pytest.raises(ImageError, match="smaller patches or more images"):
        training_and_validation_patches(image, (64, 64))


def test_grid_patches_are_limited_and_spread():
    images = [numbered(2, 64, 64, 1), numbered(1, 128, 128, 1)]
    patches, sources = grid_patches(images, (32, 32), 8)
    assert len(patches) == 8
    assert {s[0] for s in sources} == {0, 1}
    assert len(grid_patches(images, (32, 32), 1000)[0]) == 2 * 4 + 16


def test_patch_larger_than_an_image_suggests_one_that_fits():
    images = [np.zeros((1, 100, 100, 1)), np.zeros((1, 50, 70, 1))]
    with pytest.raises(ImageError, match=r"images of \(50, 70\).*n2v_patch_shape=\(48, 64\)"):
        check_patch_fits(images, (64, 64), 4)


@pytest.mark.parametrize(
    "images",
    [[], [np.zeros((8, 8, 1))], [np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 3))]],
)
def test_images_that_do_not_belong_together_are_refused(images):
    with pytest.raises(ImageError, match="Received"):
        as_image_list(images)
