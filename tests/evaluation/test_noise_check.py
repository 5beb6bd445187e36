"""Advice on made noise whose truth is known, on real images, and on what files do to images."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from skimage.data import camera, cell

from n2v_tk import N2VConfig, check_noise
from n2v_tk.data.correlation import autocorrelation, mean_by_brightness, radial_spectrum
from n2v_tk.data.noise import poisson_gaussian
from n2v_tk.errors import AxesError, ImageError
from n2v_tk.evaluation.sampled import sample_planes
from n2v_tk.lazy import LazyArray

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def clean():
    return cell().astype(np.float64)


@pytest.fixture(scope="module")
def noisy(clean):
    return clean + np.random.default_rng(0).normal(0, 20, clean.shape)


def kinds(check):
    return {f.kind: f.severity for f in check.findings}


def along_lines(image, length, axis, seed=0):
    white = np.random.default_rng(seed).standard_normal(image.shape)
    noise = sum(np.roll(white, k, axis) for k in range(length)) / np.sqrt(length)
    return image + 25 * noise


def test_autocorrelation_of_noise_that_is_known(rng):
    white = rng.standard_normal((3, 150, 160))
    found = autocorrelation(white, 3)
    assert found[3, 3] == 1
    found[3, 3] = 0
    assert np.abs(found).max() < 5 / np.sqrt(white.size)
    # a moving average of four correlates as 3/4, 2/4, 1/4, 0
    base = rng.standard_normal((400, 400))
    moving = sum(np.roll(base, k, 1) for k in range(4))
    found = autocorrelation(moving, 5)
    np.testing.assert_allclose(found[5, 6:], [0.75, 0.5, 0.25, 0, 0], atol=0.02)
    np.testing.assert_allclose(found[6:, 5], 0, atol=0.02)
    # no wrapping: a ramp in one corner does not meet the other
    corner = np.zeros((90, 90))
    corner[:3, :3] = 1
    assert autocorrelation(corner, 20)[20, 40] < 0.01


def test_spectrum_and_means_by_brightness(rng):
    frequency, power = radial_spectrum(rng.normal(0, 3, (200, 220)))
    assert abs(power[3:].mean() - 9) < 0.3
    wave = np.cos(2 * np.pi * 0.25 * np.arange(200))[None] * np.ones((200, 1))
    frequency, power = radial_spectrum(wave)
    assert abs(frequency[np.argmax(power)] - 0.25) < 0.01
    image = rng.random(10000)
    brightness, mean, error = mean_by_brightness(image, 2 * image + rng.normal(0, 1, 10000), 10)
    assert np.all(np.abs(mean - 2 * brightness) < 5 * error)
    assert len(mean) == 10


def test_independent_noise(noisy):
    check = check_noise(noisy, "YX")
    assert check.method == "n2v"
    assert check.settings == {}
    assert check.holds
    assert kinds(check)["correlation"] == "good"
    assert abs(check.noise.sigma - 20) < 1
    assert max(map(abs, check.correlation.values())) < 0.03
    assert "alike in dark and bright" in str(check)
    assert "standard deviation about 2" in str(check)
    assert set(kinds(check)) == {"axes", "level", "signal-dependent", "correlation"}


def test_texture_is_not_taken_for_correlated_noise():
    image = camera() + np.random.default_rng(1).normal(0, 25, (512, 512))
    assert check_noise(image).method == "n2v"


def test_shot_noise(clean):
    check = check_noise(poisson_gaussian(clean, 4.0, 5.0, seed=0))
    assert "grows with brightness" in str(check)
    assert 3.5 < check.noise.gain < 4.6


@pytest.mark.parametrize(
    ("axis", "length", "hidden"), [("X", 2, 3), ("X", 5, 9), ("Y", 3, 5), ("X", 11, 21)]
)
def test_lines(clean, axis, length, hidden):
    check = check_noise(along_lines(clean, length, "YX".index(axis)))
    assert check.method == "structn2v"
    # differences of neighbours show less than there is
    assert "standard deviation more than" in str(check)
    assert check.settings["axis"] == axis
    assert abs(check.settings["length"] - hidden) <= (2 if length < 11 else 4)
    config = check.config(train_epochs=3)
    assert isinstance(config, N2VConfig)
    mask = np.array(config.structN2Vmask)
    assert mask.shape[axis == "X"] == check.settings["length"]
    assert config.train_epochs == 3


def test_noise_that_is_smooth_along_both_axes(clean):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).standard_normal(clean.shape), 0.8)
    check = check_noise(clean + 20 * noise / noise.std())
    assert not check.holds
    assert kinds(check)["correlation"] == "problem"
    mask = np.array(check.config().structN2Vmask)
    assert mask.shape[0] == mask.shape[1] >= 3
    # still frames help whatever the noise is like within one
    frames = np.stack([
        clean + 20 * gaussian_filter(np.random.default_rng(i).standard_normal(clean.shape), 0.8)
        for i in range(4)
    ])  # fmt: skip
    check = check_noise(frames, "TYX")
    assert check.method == "n2n"
    assert check.config().method == "n2n"


def test_traces_of_compression(noisy):
    from PIL import Image

    picture = np.clip(noisy, 0, 255).astype(np.uint8)
    assert "jpeg" not in kinds(check_noise(picture))
    for quality in (95, 70, 30):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        again = np.array(Image.open(file))
        assert kinds(check_noise(again)).get("jpeg") == "problem", quality
        assert kinds(check_noise(again[3:, 5:])).get("jpeg") == "problem", quality


def test_enlarged_images(noisy):
    from skimage.transform import resize

    twice = np.kron(noisy[:300, :300], np.ones((2, 2)))
    check = check_noise(twice)
    assert kinds(check)["upsampled"] == "problem"
    assert "[..., ::2, ::2]" in str(check)
    larger = resize(noisy, [int(1.7 * n) for n in noisy.shape], order=1)
    found = kinds(check_noise(larger))
    assert found["interpolated"] == found["correlation"] == "problem"


def test_grey_values(noisy):
    rounded = np.clip(noisy, 0, 255).astype(np.uint8)
    stretched = np.clip((rounded.astype(float) - 30) * 1.8, 0, 255).astype(np.uint8)
    check = check_noise(stretched)
    assert kinds(check)["rescaled"] == "warning"
    assert kinds(check)["clipping"] == "warning"
    assert "clipped at black (0)" in str(check)
    shifted = (np.round(noisy + 100) * 16).astype(np.uint16)
    assert "multiples of 16" in str(check_noise(shifted))
    faint = np.round(noisy / 60).astype(np.uint8)
    assert kinds(check_noise(faint))["rounding"] == "warning"
    assert not {"rescaled", "step", "rounding"} & set(kinds(check_noise(np.round(noisy + 200))))


def test_normal_noise_is_worth_a_comparison_with_r2r(rng):
    clean = 100 + 20 * np.sin(np.mgrid[:256, :256][0] / 30)
    check = check_noise(clean + rng.normal(0, 10, clean.shape))
    assert (check.method, "r2r" in check.reason) == ("n2v", True)
    photons = check_noise(10.0 * rng.poisson(clean / 10))
    assert (photons.method, "r2r" in photons.reason) == ("n2v", False)


def test_hot_pixels(noisy, rng):
    hot = noisy.copy()
    hot[rng.random(hot.shape) < 5e-4] += 500
    check = check_noise(hot)
    assert kinds(check)["hot pixels"] == "warning"
    assert check.method == "n2v2"
    assert "medians leave out hot pixels" in check.reason
    assert "hot pixels" not in kinds(check_noise(noisy))


def test_volumes_have_networks_in_3d(rng):
    volume = rng.normal(100, 10, (8, 128, 128))
    check = check_noise(volume, "ZYX")
    config = check.config()
    assert (check.method, config.n_dim, config.n2v_manipulator) == ("n2v", 3, "mean")
    assert check_noise(volume, "TYX").method == "n2v"
    # too few planes for a network in 3D
    thin = check_noise(volume[:3], "ZYX")
    assert (thin.method, thin.config().n_dim) == ("n2v", 2)


def test_borders_few_pixels_and_axes(noisy):
    framed = np.pad(noisy, ((0, 0), (6, 0)))
    assert "6 blank rows or columns" in str(check_noise(framed))
    assert kinds(check_noise(noisy[:100, :100]))["size"] == "warning"
    tiny = check_noise(noisy[:30, :30])
    assert (tiny.method, tiny.correlation, tiny.noise) == ("n2v", {}, None)
    stack = np.stack([noisy, noisy[::-1], noisy[:, ::-1]])
    assert "guessed; the planes look like separate images" in str(check_noise(stack))
    movie = np.stack([noisy] * 3) + np.random.default_rng(3).normal(0, 5, (3, *noisy.shape))
    assert "look like a stack or movie" in str(check_noise(movie))
    many = check_noise(np.moveaxis(np.stack([noisy[:200, :200]] * 12), 0, -1), "YXC")
    assert kinds(many)["axes"] == "warning"
    with pytest.raises(ImageError, match="constant"):
        check_noise(np.full((64, 64), 7))
    with pytest.raises(ImageError, match="NaN"):
        check_noise(np.full((64, 64), np.nan))
    with pytest.raises(AxesError):
        check_noise(noisy, "ZYX")


def test_channels_with_the_same_noise(clean, rng):
    shared = rng.normal(0, 20, clean.shape)
    image = np.stack([clean + shared, 0.8 * clean + shared], axis=-1)
    assert "one network per channel" in str(check_noise(image, "YXC"))


def test_large_images_are_looked_at_in_part(noisy):
    class Counting:
        shape, dtype, chunks, read_pixels = (50, 2000, 2000), np.dtype("float64"), None, 0

        def read(self, window):
            shape = [s.stop - s.start for s in window]
            self.read_pixels += int(np.prod(shape))
            seed = window[0].start
            return np.random.default_rng(seed).normal(100, 10, shape)

    source = Counting()
    check = check_noise(LazyArray(source), "TYX")
    assert source.read_pixels < 12 * 1024**2
    assert kinds(check)["correlation"] == "good"


def test_planes_that_follow_each_other(rng):
    """Along the first of T, Z and C that has any length, all else equal."""
    image = rng.normal(100, 10, (1, 4, 2, 60, 64))
    image[0, 1:] += np.arange(3)[:, None, None, None] * 1000
    for axes, order in (("TZCYX", (0, 1, 2, 3, 4)), ("YXCZT", (3, 4, 2, 1, 0))):
        found = sample_planes(image.transpose(order), axes)
        assert found.along == "Z"
        assert found.planes.shape[1:] == (60, 64)
        steps = {round(float(found.planes[j].mean() - found.planes[i].mean()), -3)
                 for i, j in found.following}  # fmt: skip
        assert steps <= {0.0, 1000.0}
    assert sample_planes(image[0, 0], "CYX").along == "C"
    assert sample_planes(image[0, :, 0], "SYX").along is None
    assert set(check_noise(image[:, :1], "TZCYX").correlation) <= {"X", "Y", "C"}


def test_images_without_any_noise():
    steps = np.repeat(np.arange(16, dtype=np.uint8), 20)[None] * np.ones((320, 1), np.uint8)
    check = check_noise(steps)
    assert check.noise.sigma == 0
    assert kinds(check)["level"] == "warning"


def test_a_blank_plane(noisy):
    stack = np.stack([noisy[:200, :200]] * 3)
    stack[2] = 5
    check = check_noise(stack, "TYX")
    assert kinds(check)["blank"] == "warning"
    assert "border" not in kinds(check)


def test_what_is_periodic_itself_is_no_fault(clean):
    y, x = np.mgrid[:400, :400]
    grid = 100 + (x < 200) * (50 * (x % 8 < 4) + 50 * (y % 8 < 4))
    check = check_noise(grid + np.random.default_rng(0).normal(0, 10, grid.shape))
    assert "problem" not in kinds(check).values()


def test_volumes_with_noise_that_is_smooth_both_ways():
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).standard_normal((12, 96, 96)), (0, 0.8, 0.8))
    check = check_noise(100 + 20 * noise / noise.std(), "ZYX")
    mask = np.array(check.config().structN2Vmask)
    assert mask.shape[0] == 1
    assert mask.ndim == 3


def test_it_shows_itself(noisy):
    check = check_noise(noisy)
    page = check._repr_html_()
    assert "Recommended: n2v." in page
    assert "data:image/png" in page
    figure = check.plot()
    assert len([a for a in figure.axes if a.get_title()]) == 4
    # JSON has no NaN
    for found in (check, check_noise(np.arange(90000.0).reshape(300, 300) % 7)):
        assert json.loads(json.dumps(found.to_json(), allow_nan=False))["axes"] == "YX"
    huge = 1e9 + 1e-6 * np.random.default_rng(0).random((200, 200))
    assert check_noise(huge).plot()._repr_png_()


@pytest.mark.skipif(not REAL.exists(), reason="needs the benchmark images beside the repository")
@pytest.mark.parametrize(
    ("name", "axes", "method", "settings"),
    [
        ("real/w2s_dev.tif", "SCYX", "n2v", {}),
        ("real/sima_2p_linecorr_tyx.tif", "TYX", "structn2v", {"axis": "X", "length": 3}),
        ("real/cellmigration_lowhigh_u16.tif", "YX", "n2v", {}),
        ("real/neubias_chromosomes_zyx.tif", "ZYX", "n2v", {}),
        ("real/neubias_drosophila_envelope_zyx.tif", "ZYX", "structn2v", None),
        ("colour/cc_5dmark3_iso3200_1_real.png", "YXC", "structn2v", None),
        ("colour/cc_d800_iso6400_1_real.png", "YXC", "structn2v", None),
    ],
)
def test_real_images(name, axes, method, settings):
    from n2v_tk import read_image

    check = check_noise(read_image(REAL / name, axes).data, axes)
    assert check.method == method
    assert check.holds == (settings is not None)
    if settings is not None:
        assert check.settings == settings
    else:
        assert min(check.correlation[a] for a in "XY") > 0.4
