"""n2v's functions on patches."""

import numpy as np
import pytest
import tifffile

from n2v_tk.errors import AxesError, ConfigError, ImageError, ImageFileError
from n2v_tk.legacy import blind_spots
from n2v_tk.legacy.blind_spots import N2V_DataWrapper, manipulate_val_data, pm_uniform_withCP
from n2v_tk.legacy.data_generator import N2V_DataGenerator, imread
from n2v_tk.legacy.functions import (
    PSNR,
    MaxBlurPool2D,
    autocorrelation,
    best_PSNR,
    get_subpatch,
    loss_mae,
    loss_mse,
    tta_backward,
    tta_forward,
)

MANIPULATORS = [name for name in dir(blind_spots) if name.startswith("pm_")]


@pytest.fixture
def folder(tmp_path, rng):
    for i, side in enumerate((70, 80, 64)):
        tifffile.imwrite(tmp_path / f"{i}.tif", rng.random((side, 96)).astype("float32"))
    return tmp_path


def test_images_of_a_folder(folder):
    # of macOS, beside files on other disks
    (folder / "._0.tif").write_bytes(b"no image")
    images = N2V_DataGenerator().load_imgs_from_directory(folder)
    assert [i.shape for i in images] == [(1, 70, 96, 1), (1, 80, 96, 1), (1, 64, 96, 1)]
    with pytest.raises(ImageFileError, match="No file of the folder"):
        N2V_DataGenerator().load_imgs_from_directory(folder, filter="*.png")


@pytest.mark.parametrize(
    ("dims", "shape", "expected"),
    [
        ("YX", (8, 9), (1, 8, 9, 1)),
        ("YXC", (8, 9, 3), (1, 8, 9, 3)),
        ("CYX", (3, 8, 9), (1, 8, 9, 3)),
        ("TYX", (5, 8, 9), (5, 8, 9, 1)),
        ("ZYX", (5, 8, 9), (1, 5, 8, 9, 1)),
        ("TZYXC", (2, 5, 8, 9, 3), (2, 5, 8, 9, 3)),
    ],
)
def test_dims(dims, shape, expected):
    image = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    (loaded,) = N2V_DataGenerator().load_imgs(["x"], dims, image_reader=lambda path: image)
    assert loaded.shape == expected
    with pytest.raises(AxesError):
        N2V_DataGenerator().load_imgs(["x"], "QYX", image_reader=lambda path: image)


def test_reading(tmp_path):
    import matplotlib.image

    matplotlib.image.imsave(tmp_path / "a.PNG", np.array([[0.0, 1.0]]), cmap="gray", format="png")
    png = imread(str(tmp_path / "a.PNG"))
    assert (png.dtype, png.min(), png.max()) == (np.float32, 0, 1)
    for name, message in (
        ("a.JPG", "lossy"), ("a.bmp", "Only TIFF and PNG"), ("no.tif", "no such image"),
    ):  # fmt: skip
        with pytest.raises(ImageFileError, match=message):
            imread(str(tmp_path / name))
    (tmp_path / "bad.tif").write_bytes(b"bad")
    with pytest.raises(ImageFileError, match="cannot be read"):
        imread(str(tmp_path / "bad.tif"))


def test_patches(folder):
    generator = N2V_DataGenerator()
    images = generator.load_imgs_from_directory(folder)
    grid = generator.generate_patches_from_list(images, shape=(32, 32), augment=False)
    assert grid.shape == (3 * (2 + 2 + 2), 32, 32, 1)
    assert len(generator.generate_patches(images[0], shape=(32, 32))) == 8 * 6
    # a side that is just the patch's fails in n2v
    assert len(generator.generate_patches(images[2], shape=(64, 64))) == 8
    some = generator.generate_patches_from_list(images, 10, (32, 32), augment=False)
    assert some.shape == (30, 32, 32, 1)
    again = generator.generate_patches_from_list(images, 10, (32, 32), augment=False)
    assert not np.array_equal(some, again)
    twin = N2V_DataGenerator()
    twin.load_imgs_from_directory(folder)
    assert np.array_equal(twin.generate_patches_from_list(images, shape=(32, 32), augment=False),
                          grid)  # fmt: skip
    with pytest.raises(ImageError, match="at least as large as a patch"):
        generator.generate_patches(images[0])


def test_without_shuffle_images_stay_in_order():
    images = [np.full((1, 64, 64, 1), i, "float32") for i in range(3)]
    generator = N2V_DataGenerator()
    ordered = generator.generate_patches_from_list(images, shape=(32, 32))
    assert np.array_equal(ordered[:, 0, 0, 0], np.repeat([0, 1, 2], 32))
    mixed = generator.generate_patches_from_list(images, shape=(32, 32), shuffle=True)
    assert not np.array_equal(mixed[:, 0, 0, 0], np.repeat([0, 1, 2], 32))


def test_samples_stay_in_order():
    """Scripts hold the last frames out as the last patches."""
    film = np.arange(3 * 64 * 64, dtype="float32").reshape(3, 64, 64, 1)
    generator = N2V_DataGenerator()
    patches = generator.generate_patches_from_list([film, film[:1]], shape=(32, 32))
    samples = patches // (64 * 64)
    assert np.array_equal(samples[:, 0, 0, 0], np.repeat([0, 1, 2, 0], 8 * 4))
    # those of one sample are shuffled on their own
    first, second = np.split(patches[: 2 * 32], 2)
    assert not np.array_equal(first, second - 64 * 64)
    some = generator.generate_patches_from_list([film], 5, (32, 32), augment=False)
    assert np.array_equal(some[:, 0, 0, 0] // (64 * 64), np.repeat([0, 1, 2], 5))


def test_patches_that_are_not_square_are_turned_by_half_a_turn():
    image = np.arange(16 * 32, dtype="float32").reshape(1, 16, 32, 1)
    patches = N2V_DataGenerator().generate_patches_from_list([image], shape=(16, 32))
    assert {p[0, 0, 0] for p in patches} == {0, 31, 480, 511}
    assert len(patches) == 4


@pytest.mark.parametrize("name", MANIPULATORS)
@pytest.mark.parametrize("n_dim", [2, 3])
def test_manipulators(name, n_dim, rng):
    patch = rng.normal(size=(16,) * n_dim).astype("float32")
    before = patch.copy()
    coords = tuple([2, 8, 15] for _ in range(n_dim))
    values = getattr(blind_spots, name)(2)(patch, coords, n_dim)
    assert np.shape(values) == (3,)
    assert np.array_equal(patch, before)
    if name == "pm_identity":
        assert np.array_equal(values, patch[coords])
    if name == "pm_mean":
        window = [patch[tuple(slice(max(0, c - 2), c + 3) for _ in range(n_dim))]
                  for c in (2, 8, 15)]  # fmt: skip
        means = [(w.sum() - patch[(c,) * n_dim]) / (w.size - 1)
                 for c, w in zip((2, 8, 15), window, strict=True)]  # fmt: skip
        assert np.allclose(values, means, atol=1e-5)


def test_normal_additive_takes_its_sigma(rng):
    patch = np.zeros((100, 100), "float32")
    coords = tuple(np.indices((100, 100)).reshape(2, -1))
    values = blind_spots.pm_normal_additive(3)(patch, coords, 2)
    assert np.std(values) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("own", [False, True])
def test_data_wrapper(channels, own, rng):
    X = rng.normal(size=(6, 48, 48, channels)).astype("float32")
    calls = []

    def double(patch, coords, dims, structN2Vmask=None):
        calls.append(patch.shape)
        return 2 * patch[tuple(coords)]

    manipulation = double if own else pm_uniform_withCP(5)
    data = N2V_DataWrapper(X, None, 4, 3, 1.5, (32, 32), manipulation)
    x, y = data[0]
    assert (x.shape, y.shape, len(data)) == ((4, 32, 32, channels), (4, 32, 32, 2 * channels), 3)
    target, mask = np.split(y, 2, axis=-1)
    assert mask.mean() == pytest.approx(0.015, abs=0.005)
    assert not target[mask == 0].any()
    assert np.isin(target[mask == 1], X).all()
    assert np.isin(x[mask == 0], X).all()
    if own:
        assert len(calls) == 4 * channels
        assert np.array_equal(x[mask == 1], 2 * target[mask == 1])


@pytest.mark.parametrize("own", [False, True])
def test_manipulate_val_data(own, rng):
    X = rng.normal(size=(5, 64, 64, 2)).astype("float32")
    before = X.copy()
    Y = np.ones((5, 64, 64, 4), "float32")

    def zero(patch, coords, dims, structN2Vmask=None):
        return np.zeros(len(coords[0]))

    manipulation = zero if own else pm_uniform_withCP(5)
    manipulate_val_data(X, Y, 1.5, (64, 64), manipulation)
    target, mask = np.split(Y, 2, axis=-1)
    assert mask.mean() == pytest.approx(0.015, rel=0.2)
    assert np.array_equal(target, before * mask)
    assert np.array_equal(X[mask == 0], before[mask == 0])
    if own:
        assert not X[mask == 1].any()
    with pytest.raises(ConfigError, match="twice its channels"):
        manipulate_val_data(X, Y[..., :3])


def test_losses(rng):
    target, predicted = rng.normal(size=(2, 2, 8, 8, 1)).astype("float32")
    mask = (rng.random((2, 8, 8, 1)) < 0.3).astype("float32")
    y = np.concatenate([target, mask], -1)
    errors = (target - predicted)[mask == 1]
    assert float(loss_mse()(y, predicted)) == pytest.approx(np.mean(errors**2), rel=1e-5)
    assert float(loss_mae()(y, predicted)) == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)


def test_get_subpatch():
    patch = np.arange(36).reshape(6, 6)
    window, before, behind = get_subpatch(patch, (0, 5), 1)
    assert np.array_equal(window, patch[:2, 4:])
    assert (before.tolist(), behind.tolist()) == ([-1, 0], [0, 1])
    window, _, _ = get_subpatch(patch, (3, 3), 1)
    assert np.array_equal(window, patch[2:5, 2:5])
    assert np.array_equal(get_subpatch(patch, (0, 5), 1, False)[0], patch[:3, 3:])
    assert np.array_equal(get_subpatch(patch, (3, 0), 1, False)[0], patch[2:5, :3])


def test_tta(rng):
    image = rng.normal(size=(5, 7))
    turned = tta_forward(image)
    assert len({t.tobytes() for t in turned}) == len(turned) == 8
    assert np.array_equal(turned[5], np.fliplr(np.rot90(image)))
    assert np.allclose(tta_backward(turned), image)


def test_autocorrelation(rng):
    noise = rng.normal(size=(64, 64))
    correlation = autocorrelation(noise)
    assert correlation[32, 32] == pytest.approx(1)
    correlation[32, 32] = 0
    assert np.abs(correlation).max() < 0.1
    smooth = (noise + np.roll(noise, 1, axis=1)) / 2
    assert autocorrelation(smooth)[32, 33] == pytest.approx(0.5, abs=0.05)


def test_psnr(rng):
    truth = rng.random((32, 32))
    image = truth + 0.1
    assert PSNR(truth, image, 1.0) == pytest.approx(20)
    noisy = truth + rng.normal(0, 0.01, truth.shape)
    assert best_PSNR(truth, 3 * noisy + 5, 1.0) == pytest.approx(PSNR(truth, noisy, 1.0), abs=0.1)


def test_max_blur_pool():
    assert MaxBlurPool2D((2, 2))(np.zeros((1, 8, 6, 3), "float32")).shape == (1, 4, 3, 3)
    with pytest.raises(ConfigError, match="pools by 2"):
        MaxBlurPool2D((3, 3))
