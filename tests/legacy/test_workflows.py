"""Workflows as people wrote them for n2v and csbdeep, on small made data."""

import os
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tifffile

matplotlib.use("Agg")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Only n2v_tk opens"),
    # bioimageio.spec 0.5.12 leaves files open
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO"),
]


def scene(*sides, channels=None):
    """Smooth structures, 0 to 200."""
    grid = np.meshgrid(*(np.arange(s) for s in sides), indexing="ij")
    waves = np.prod([np.sin(g / (3 + i)) for i, g in enumerate(grid)], axis=0)
    image = 100 + 100 * waves
    if channels is not None:
        image = np.stack([np.roll(image, 5 * c, axis=-1) for c in range(channels)], axis=-1)
    return image.astype(np.float32)


def gain(clean, noisy, denoised):
    """By how much the mean squared error fell."""
    return np.mean((noisy - clean) ** 2) / np.mean((denoised - clean) ** 2)


@pytest.mark.slow
def test_bsd68(legacy, tmp_path, rng):
    """Many grey images of one size; a residual network; history, plots and evaluation."""
    from csbdeep.utils import plot_history
    from n2v.internals.N2V_DataGenerator import N2V_DataGenerator
    from n2v.models import N2V, N2VConfig
    from n2v.utils.evaluation_utils import PSNR

    clean = scene(90, 90)
    for i in range(4):
        noisy = (clean + rng.normal(0, 40, clean.shape)).astype(np.float32)
        tifffile.imwrite(tmp_path / f"{i}.tif", noisy)
    generator = N2V_DataGenerator()
    images = generator.load_imgs_from_directory(directory=str(tmp_path), dims="YX")
    X = generator.generate_patches_from_list(images[:3], shape=(64, 64), augment=True)
    X_val = generator.generate_patches_from_list(images[3:], shape=(64, 64), augment=True)
    config = N2VConfig(
        X, unet_kern_size=3, train_steps_per_epoch=30, train_epochs=3, train_loss="mse",
        batch_norm=True, train_batch_size=8, n2v_perc_pix=0.198, n2v_patch_shape=(64, 64),
        unet_n_first=8, unet_residual=True, n2v_manipulator="uniform_withCP",
        n2v_neighborhood_radius=2, single_net_per_channel=False, train_seed=1,
        train_learning_rate=4e-3,
    )  # fmt: skip
    assert vars(config)["n2v_perc_pix"] == 0.198
    model = N2V(config, "BSD68_reproduction", basedir=str(tmp_path / "models"))
    model.prepare_for_training(metrics=())
    history = model.train(X, X_val)
    assert sorted(history.history.keys())[-1] == "val_loss"
    plt.figure()
    plot_history(history, ["loss", "val_loss"])
    plt.close("all")

    model = N2V(config=None, name="BSD68_reproduction", basedir=str(tmp_path / "models"))
    model.load_weights("weights_last.h5")
    noisy = images[3][0, ..., 0]
    denoised = model.predict(noisy, axes="YX", tta=False)
    assert PSNR(clean, denoised, 255.0) > PSNR(clean, noisy, 255.0) + 1
    model.export_TF(
        name="Noise2Void", description="Trained on made data.", authors=["A. Person"],
        test_img=X_val[0, ..., 0], axes="YX", patch_shape=(64, 64),
    )  # fmt: skip
    package = tmp_path / "models" / "BSD68_reproduction" / "BSD68_reproduction.bioimage.io.zip"
    again = N2V.from_bioimageio(package)
    assert np.allclose(again.predict(noisy, "YX"), denoised, rtol=1e-3, atol=0.1)


@pytest.mark.slow
def test_sem(legacy, tmp_path, rng):
    """Two large grey images, one for training and one for validation."""
    from csbdeep.io import save_tiff_imagej_compatible
    from n2v.internals.N2V_DataGenerator import N2V_DataGenerator
    from n2v.models import N2V, N2VConfig

    clean = scene(200, 170)
    for name in ("train", "validation"):
        noisy = clean + rng.normal(0, 40, clean.shape)
        tifffile.imwrite(tmp_path / f"{name}.tif", noisy.astype(np.float32))
    datagen = N2V_DataGenerator()
    imgs = datagen.load_imgs_from_directory(directory=str(tmp_path))
    X = datagen.generate_patches_from_list(imgs[:1], shape=(96, 96))
    X_val = datagen.generate_patches_from_list(imgs[1:], shape=(96, 96))
    config = N2VConfig(
        X, unet_kern_size=3, train_steps_per_epoch=int(X.shape[0] / 8) * 8, train_epochs=2,
        train_loss="mse", batch_norm=True, train_batch_size=8, n2v_perc_pix=0.5,
        n2v_patch_shape=(64, 64), n2v_manipulator="uniform_withCP", n2v_neighborhood_radius=5,
        unet_n_first=8, train_learning_rate=4e-3, train_seed=1,
    )  # fmt: skip
    model = N2V(config, "n2v_2D", basedir=str(tmp_path / "models"))
    model.train(X, X_val)
    noisy = tifffile.imread(tmp_path / "validation.tif")
    pred = model.predict(noisy, axes="YX", n_tiles=(2, 1))
    assert gain(clean, noisy, pred) > 1.5
    save_tiff_imagej_compatible(tmp_path / "pred.tif", pred, axes="YX")
    assert np.array_equal(tifffile.imread(tmp_path / "pred.tif"), pred)


@pytest.mark.slow
def test_rgb(legacy, tmp_path, rng):
    """One colour PNG, scaled to 0 to 1, its alpha channel dropped."""
    from matplotlib.image import imread, imsave
    from n2v.internals.N2V_DataGenerator import N2V_DataGenerator
    from n2v.models import N2V, N2VConfig

    clean = np.clip(scene(128, 160, channels=3) / 255, 0, 1)
    noisy = np.clip(clean + rng.normal(0, 0.15, clean.shape), 0, 1)
    imsave(tmp_path / "colour.png", noisy)
    datagen = N2V_DataGenerator()
    imgs = datagen.load_imgs_from_directory(str(tmp_path), filter="*.png", dims="YXC")
    assert imgs[0].shape == (1, 128, 160, 4)
    imgs[0] = imgs[0][..., :3]
    patches = datagen.generate_patches_from_list(imgs, shape=(32, 32))
    X, X_val = patches[32:], patches[:32]
    config = N2VConfig(
        X, unet_kern_size=3, train_steps_per_epoch=30, train_epochs=2, train_loss="mse",
        batch_norm=True, train_batch_size=8, n2v_perc_pix=1.5, n2v_patch_shape=(32, 32),
        n2v_manipulator="uniform_withCP", n2v_neighborhood_radius=5, unet_n_first=8,
        single_net_per_channel=True, train_learning_rate=4e-3, train_seed=1,
    )  # fmt: skip
    model = N2V(config, "n2v_rgb", basedir=str(tmp_path))
    model.train(X, X_val)
    image = imread(tmp_path / "colour.png")[..., :3]
    pred = model.predict(image, axes="YXC")
    assert pred.shape == image.shape
    assert gain(clean, image, pred) > 1.3


@pytest.mark.slow
def test_3d(legacy, tmp_path, rng):
    """One volume, predicted in tiles and written with axes."""
    from n2v.internals.N2V_DataGenerator import N2V_DataGenerator
    from n2v.models import N2V, N2VConfig

    clean = scene(16, 64, 64)
    noisy = (clean + rng.normal(0, 50, clean.shape)).astype(np.float32)
    tifffile.imwrite(tmp_path / "volume.tif", noisy, imagej=True, metadata={"axes": "ZYX"})
    datagen = N2V_DataGenerator()
    imgs = datagen.load_imgs_from_directory(directory=str(tmp_path), dims="ZYX")
    patches = datagen.generate_patches_from_list(imgs[:1], shape=(16, 32, 32))
    X, X_val = patches[8:], patches[:8]
    config = N2VConfig(
        X, unet_kern_size=3, train_steps_per_epoch=30, train_epochs=2, train_loss="mse",
        batch_norm=True, train_batch_size=4, n2v_perc_pix=1.5, n2v_patch_shape=(16, 32, 32),
        n2v_manipulator="uniform_withCP", n2v_neighborhood_radius=5, unet_n_first=4,
        train_learning_rate=4e-3, train_seed=1,
    )  # fmt: skip
    model = N2V(config=config, name="n2v_3D", basedir=str(tmp_path))
    model.train(X, X_val)
    pred = model.predict(noisy, axes="ZYX", n_tiles=(1, 2, 2))
    assert gain(clean, noisy, pred) > 1.3


@pytest.mark.slow
def test_structn2v(legacy, tmp_path, rng):
    """Noise along lines, hidden with a mask."""
    from n2v.internals.N2V_DataGenerator import N2V_DataGenerator
    from n2v.models import N2V, N2VConfig
    from n2v.utils.n2v_utils import autocorrelation

    clean = np.tile(scene(64, 64), (3, 1, 1))
    noise = rng.normal(0, 40, clean.shape)
    noise = (noise + np.roll(noise, 1, -1) + np.roll(noise, -1, -1)) / np.sqrt(3)
    noisy = (clean + noise).astype(np.float32)
    correlation = autocorrelation(noisy[0] - clean[0])
    assert correlation[32, 33] > 0.5 > 0.3 > abs(correlation[33, 32])
    tifffile.imwrite(tmp_path / "lines.tif", noisy, photometric="minisblack")
    datagen = N2V_DataGenerator()
    imgs = datagen.load_imgs([str(tmp_path / "lines.tif")], dims="TYX")
    X = datagen.generate_patches_from_list(imgs, shape=(32, 32), augment=False)
    config = N2VConfig(
        X, unet_kern_size=3, train_steps_per_epoch=30, train_epochs=3, train_loss="mse",
        batch_norm=True, train_batch_size=8, n2v_perc_pix=1.5, n2v_patch_shape=(32, 32),
        n2v_manipulator="uniform_withCP", n2v_neighborhood_radius=5, unet_n_first=8,
        structN2Vmask=[[0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0]], train_learning_rate=4e-3,
        train_seed=1,
    )  # fmt: skip
    model = N2V(config, "structn2v", basedir=str(tmp_path))
    model.train(X, X[:4])
    pred = model.predict(noisy[0], axes="YX")
    assert gain(clean[0], noisy[0], pred) > 1.3


def test_code_of_csbdeep_works_on_our_models(legacy, tmp_path, rng):
    """CARE as in csbdeep's notebooks, its functions given our models."""
    from csbdeep.data import PadAndCropResizer, PercentileNormalizer
    from csbdeep.io import load_training_data, save_training_data
    from csbdeep.models import CARE as Theirs
    from csbdeep.utils import plot_history, plot_some
    from csbdeep.utils.plot_utils import plot_history as same

    from n2v_tk.legacy import CARE, Config

    assert plot_history is same
    clean = np.stack([np.roll(scene(32, 32), i, axis=0) for i in range(16)]) / 200
    noisy = clean + rng.normal(0, 0.2, clean.shape)
    data = tmp_path / "data.npz"
    save_training_data(data, *(x[:, None].astype("float32") for x in (noisy, clean)), "SCYX")
    (X, Y), (X_val, Y_val), axes = load_training_data(data, validation_split=0.125)
    config = Config(
        axes, 1, 1, probabilistic=True, unet_n_first=8, unet_kern_size=3, train_batch_size=8,
        train_epochs=4, train_steps_per_epoch=50, train_learning_rate=4e-3, train_seed=1,
    )  # fmt: skip
    model = CARE(config, "care", basedir=str(tmp_path / "models"))
    assert isinstance(model, Theirs)
    # as in csbdeep's notebooks
    history = model.train(X, Y, validation_data=(X_val, Y_val))
    print(sorted(list(history.history.keys())))  # noqa: C414
    plt.figure(figsize=(16, 5))
    plot_history(history, ["loss", "val_loss"], ["mse", "val_mse", "mae", "val_mae"])
    plt.figure(figsize=(12, 7))
    _P = model.keras_model.predict(X_val[:5])
    if config.probabilistic:
        _P = _P[..., : (_P.shape[-1] // 2)]
    plot_some(X_val[:5], Y_val[:5], _P, pmax=99.5)
    model.export_TF()
    assert (tmp_path / "models" / "care" / "TF_SavedModel.zip").exists()
    image = (200 * noisy[0]).astype(np.float32)
    restored = model.predict_probabilistic(
        image, "YX", PercentileNormalizer(2, 99.8), PadAndCropResizer(), n_tiles=(1, 2)
    )
    plot_some(np.stack([image, restored.mean()]), pmax=99)
    plt.close("all")
    assert gain(200 * clean[0], image, restored.mean()) > 1.5
    assert restored[:4].shape == (4, 32)
    assert next(restored.sampling_generator(1)).shape == image.shape


def test_the_training_log_of_zerocostdl4mic(legacy, tmp_path, rng):
    """What its notebook does with the history of N2V."""
    import csv

    from n2v.models import N2V, N2VConfig

    X = rng.normal(100, 10, (2, 32, 32, 1)).astype(np.float32)
    config = N2VConfig(X, unet_n_first=4, unet_kern_size=3, n2v_patch_shape=(32, 32),
                       train_epochs=2, train_steps_per_epoch=2, train_seed=1)  # fmt: skip
    history = N2V(config, "m", basedir=str(tmp_path)).train(X, X)
    with open(tmp_path / "training_evaluation.csv", "w") as f:
        writer = csv.writer(f)
        writer.writerow(["loss", "val_loss", "learning rate"])
        for i in range(len(history.history["loss"])):
            writer.writerow([history.history["loss"][i], history.history["val_loss"][i],
                             history.history["lr"][i]])  # fmt: skip
    table = np.loadtxt(tmp_path / "training_evaluation.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[:, 2], 4e-4, rtol=1e-6)
    # n2v compiles them; the old name of the learning rate is no further column
    names = {"loss", "n2v_mse", "n2v_abs"}
    assert set(history.history) == names | {f"val_{n}" for n in names} | {"learning_rate"}


@pytest.mark.slow
def test_an_unmodified_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "import helper\n"
        "from n2v.models import N2V, N2VConfig\n"
        "if __name__ == '__main__':\n"
        "    print(N2V.__module__, sys.argv[1:], helper.x)\n"
    )
    (tmp_path / "helper.py").write_text("x = 'found'\n")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "n2v_tk.legacy", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=False,
        )

    done = run(script, "--epochs", "3")
    assert done.stdout.strip() == "n2v_tk.models.n2v ['--epochs', '3'] found", done.stderr
    assert run().returncode == 2
    missing = run(tmp_path / "no.py")
    assert missing.returncode == 2
    assert "no such script" in missing.stderr
