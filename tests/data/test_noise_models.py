"""Noise models: what they do to mean and variance; and estimating them from an image."""

import numpy as np
import pytest

from n2v_tk import estimate_noise
from n2v_tk.data.noise import (
    Bernoulli,
    Camera,
    Gaussian,
    Impulse,
    Poisson,
    SaltAndPepper,
    Speckle,
)
from n2v_tk.data.structured_noise import (
    Correlated,
    Lines,
    MissingFrequencies,
    Text,
    replace_spectrum,
)
from n2v_tk.errors import ConfigError, ImageError

IDENTITIES = [
    Gaussian(0.0), Poisson(np.inf), Camera(0.0, 0.0), Bernoulli(0.0), Impulse(0.0),
    SaltAndPepper(0.0), Speckle(0.0), Correlated(0.0), Lines(0.0), Text(0.0),
    MissingFrequencies(1.0),
]  # fmt: skip
MODELS = [
    Gaussian(0.1), Gaussian((0.05, 0.2)), Poisson(30.0), Poisson((5.0, 50.0)), Camera(0.02, 0.05),
    Camera(0.02, 0.05, bits=8), Bernoulli(0.5), Impulse(0.3), SaltAndPepper(0.2), Speckle(0.2),
    Correlated(0.1, (0.0, 2.0)), Lines(0.1), Text(0.2), MissingFrequencies(),
]  # fmt: skip


def name(model):
    return type(model).__name__


@pytest.fixture
def images(rng):
    y, x = np.mgrid[:63, :75] / 75
    waves = 0.5 + 0.4 * np.sin(9 * x + 4 * y)
    return np.stack([waves, waves[::-1]])[..., None] * np.array([1.0, 0.8, 0.6])


@pytest.mark.parametrize("model", IDENTITIES, ids=name)
def test_no_strength_no_change(model, images, rng):
    np.testing.assert_allclose(model(images, rng), images.astype("float32"), atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_seeds_shapes_and_independence(model, images):
    first, again, other = (model(images, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.dtype == np.float32
    assert first.shape == images.shape
    assert np.array_equal(first, again)
    a, b = (noisy - images for noisy in (first, other))
    assert not np.array_equal(a, b)
    if name(model) in ("Gaussian", "Poisson", "Speckle"):
        rho = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(rho) < 4 / np.sqrt(a.size)


@pytest.mark.parametrize(
    ("model", "variance"),
    [
        (Gaussian(0.2), lambda x: 0.04 + 0 * x),
        (Poisson(20.0), lambda x: x / 20),
        (Camera(0.05, 0.1), lambda x: 0.05 * x + 0.01),
        (Camera(0.05, 0.1, offset=0.05), lambda x: 0.05 * (x - 0.05) + 0.01),
        (Speckle(0.3), lambda x: 0.09 * x**2),
        (Correlated(0.2, 1.5), lambda x: 0.04 + 0 * x),
        (Lines(0.2), lambda x: 0.04 + 0 * x),
    ],
    ids=lambda v: name(v) if not callable(v) or hasattr(v, "__dataclass_fields__") else "",
)
def test_mean_and_variance(model, variance, rng):
    for level in (0.1, 0.4, 0.9):
        noisy = model(np.full((40, 64, 64, 1), level), rng).astype(float)
        assert noisy.mean() == pytest.approx(level, abs=0.02)
        assert noisy.var() == pytest.approx(float(variance(level)), rel=0.1)


def test_a_range_of_strengths_is_drawn_for_every_image(rng):
    noisy = Gaussian((0.0, 1.0))(np.zeros((50, 64, 64, 1)), rng)
    sigmas = noisy.std(axis=(1, 2, 3))
    assert sigmas.min() < 0.15
    assert sigmas.max() > 0.85
    assert np.mean(sigmas) == pytest.approx(0.5, abs=0.15)


def test_a_camera_digitises(rng):
    noisy = Camera(2.0, 5.0, offset=10.0, bits=8)(np.full((1, 64, 64, 1), 250.0), rng)
    assert np.array_equal(noisy, np.rint(noisy))
    assert noisy.max() == 255


def test_missing_pixels(images, rng):
    noisy, kept = Bernoulli(0.3).with_mask(images, rng)
    assert kept.shape == (*images.shape[:-1], 1)
    assert kept.mean() == pytest.approx(0.7, abs=0.02)
    np.testing.assert_allclose(noisy, images * kept, rtol=1e-6)


def test_impulses_hit_all_channels(images, rng):
    for model in (Impulse(0.4, -1.0, 3.0), SaltAndPepper(0.4, -1.0, 3.0)):
        noisy = model(images, rng)
        changed = np.any(noisy != images.astype("float32"), axis=-1)
        assert changed.mean() == pytest.approx(0.4, abs=0.03)
        assert np.all((noisy != images.astype("float32"))[changed])
    assert set(np.unique(noisy[changed])) == {-1.0, 3.0}


def test_correlated_noise_is_correlated(rng):
    noise = Correlated(1.0, (0.0, 2.0))(np.zeros((4, 128, 128, 1)), rng)[..., 0]
    along = [np.mean(noise * np.roll(noise, 1, axis)) for axis in (1, 2)]
    assert abs(along[0]) < 0.03
    # a Gaussian of width 2 has correlation exp(-1 / (4 * 2**2)) at distance 1
    assert along[1] == pytest.approx(np.exp(-1 / 16), abs=0.03)
    lines = Lines(1.0, "Y")(np.zeros((1, 16, 16, 2)), rng)
    assert np.all(lines == lines[:, :1])


def test_text_covers_what_was_asked_for(images, rng):
    noisy = Text(0.25)(images, rng)
    changed = np.any(noisy != images.astype("float32"), axis=-1).mean(axis=(1, 2))
    assert np.all((changed > 0.15) & (changed < 0.5))


def test_missing_frequencies(rng):
    """The mask is symmetric, the mean is the clean image, the zeroth frequency always there."""
    model = MissingFrequencies(0.1)
    images = rng.random((1, 31, 31, 1)) - 0.5
    m = model.probability((31, 31))
    assert m[0, 0] == 1
    assert np.allclose(m, np.roll(m[::-1, ::-1], 1, axis=(0, 1)))
    kept, mean, draws = 0.0, 0.0, 400
    for _ in range(draws):
        noisy, spectrum, measured = model.with_spectrum(images, rng)
        mirror = np.roll(measured[:, ::-1, ::-1], 1, axis=(1, 2))
        assert np.array_equal(measured, mirror)
        assert measured[0, 0, 0, 0]
        kept, mean = kept + measured[0, ..., 0] / draws, mean + noisy / draws
    assert np.abs(kept - m).max() < 0.12
    assert kept.mean() == pytest.approx(m.mean(), rel=0.03)
    assert np.abs(mean - images).mean() < 0.15 * np.abs(images).mean() * 3
    back = np.fft.ifft2(np.where(measured, np.fft.fft2(images, axes=(1, 2)), 0), axes=(1, 2))
    assert np.abs(back.imag).max() < 1e-12
    replaced = replace_spectrum(rng.random(images.shape), spectrum, measured)
    again = np.fft.fft2(replaced, axes=(1, 2))
    assert np.allclose(again[measured], spectrum[measured], atol=1e-4)


def test_the_share_of_frequencies_in_the_paper():
    assert MissingFrequencies(0.025).probability((255, 255)).mean() == pytest.approx(
        0.1048, abs=5e-4
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Gaussian(-1.0), "sigma must not be negative"),
        (Gaussian((2.0, 1.0)), "low <= high"),
        (Poisson(0.0), "lam must be above 0"),
        (Bernoulli(1.5), "probability"),
        (Impulse((0.5, 2.0)), "probability"),
        (Camera(-1.0), "gain must not be negative"),
        (Lines(1.0, "Z"), "axis must be 'X' or 'Y'"),
        (Correlated(1.0, (1.0,)), "one per spatial axis"),
        (MissingFrequencies(0.0), "p must be above 0"),
        (Text(0.99), "coverage must be below"),
    ],
)
def test_bad_strengths(model, message, rng):
    with pytest.raises(ConfigError, match=message):
        model(np.full((1, 15, 15, 1), 0.5), rng)


def test_images_out_of_a_models_domain(rng):
    for model in (Poisson(10.0), Camera(1.0)):
        with pytest.raises(ConfigError, match="Shot noise needs"):
            model(np.full((1, 8, 8, 1), -1.0), rng)
    with pytest.raises(ConfigError, match="odd sides"):
        MissingFrequencies()(np.zeros((1, 16, 16, 1)), rng)
    with pytest.raises(ConfigError, match="Text is written over"):
        Text(0.1)(np.zeros((1, 4, 16, 16, 1)), rng)


@pytest.mark.parametrize("picture", ["cell", "camera", "moon"])
def test_estimated_sigma(picture, rng):
    import skimage.data

    clean = getattr(skimage.data, picture)().astype(float)
    for sigma in (15.0, 25.0, 50.0):
        estimate = estimate_noise(clean + rng.normal(0, sigma, clean.shape))
        assert estimate.sigma == pytest.approx(sigma, rel=0.04)


def test_estimated_camera(rng):
    from skimage.data import cell

    clean = cell().astype(float)[None, ..., None] * 4 + 100
    noisy = Camera(3.0, 20.0, offset=100.0)(clean, rng)[0, ..., 0]
    gain, offset, read = estimate_noise(noisy).camera(offset=100.0)
    assert gain == pytest.approx(3.0, rel=0.15)
    assert offset == 100
    assert read == pytest.approx(20.0, rel=0.5)
    # without the offset, read noise is what there is in the dark; the line stays where it is
    gain, offset, read = estimate_noise(noisy).camera()
    assert 20 < read < np.sqrt(400 + 3.0 * (np.percentile(clean, 5) - 100))
    assert gain * (400 - offset) + read**2 == pytest.approx(3.0 * 300 + 400, rel=0.1)


def test_estimates_over_stacks_and_channels(rng):
    noisy = rng.normal(100, 7, (3, 4, 64, 64))
    assert estimate_noise(noisy, "ZCYX").sigma == pytest.approx(7, rel=0.03)
    assert estimate_noise(np.moveaxis(noisy, 1, -1), "ZYXC").sigma == pytest.approx(7, rel=0.03)
    with pytest.raises(ImageError, match="Too few pixels"):
        estimate_noise(noisy[0, 0, :16, :16])


@pytest.mark.parametrize("electrons", [1.0, 2.0, 10.0])
@pytest.mark.parametrize("multiplied", [False, True], ids=["poisson", "electron multiplier"])
def test_the_variance_of_few_photons(electrons, multiplied):
    """Lopsided noise has blocks with little spread by chance: they are not taken for typical.

    An electron multiplier doubles the variance.
    """
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    clean = electrons * (0.2 + np.exp(-2 * (x**2 + y**2)))
    levels = np.array([0.4, 0.8, 1.2]) * electrons
    ratios = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noisy = rng.poisson(clean).astype(float)
        if multiplied:
            noisy = np.where(noisy > 0, rng.gamma(np.maximum(noisy, 1)), 0)
        estimate = estimate_noise(noisy)
        expected = estimate.gain * levels + estimate.variance_at_zero
        ratios.append(expected / (levels * (2 if multiplied else 1)))
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1, atol=0.06)


@pytest.mark.parametrize("photons", [3, 30, None])
def test_how_lopsided_noise_is(photons, rng):
    clean = 1 + 0.5 * np.sin(np.mgrid[:512, :512][0] / 30)
    if photons is None:
        assert abs(estimate_noise(clean + rng.normal(0, 0.3, clean.shape)).skewness) < 0.03
        return
    estimate = estimate_noise(rng.poisson(photons * clean) / photons)
    assert estimate.skewness == pytest.approx(1 / np.sqrt(photons), rel=0.15)


@pytest.mark.parametrize("camera", [(3.0, 20.0, 100.0), (0.4, 2.0, 0.0), (12.0, 30.0, -50.0)])
def test_photons_of_all_cameras_have_one_noise(camera, rng):
    gain, read, offset = camera
    clean = np.tile(np.linspace(2, 60, 512), (512, 1)) * gain + offset
    noisy = Camera(gain, read, offset=offset)(clean[None, ..., None], rng)[0, ..., 0]
    noise = estimate_noise(noisy)
    for least in (0.0, 0.7):
        counts, mean = noise.to_photons(noisy, least), noise.to_photons(clean, least)
        for columns in np.array_split(np.arange(512), 4):
            variance = np.mean((counts - mean)[:, columns] ** 2)
            expected = mean[:, columns].mean() + least**2
            assert variance == pytest.approx(expected, rel=0.03)
        np.testing.assert_allclose(noise.from_photons(counts, least), noisy, rtol=1e-12, atol=1e-9)


def test_grey_values_without_shot_noise_are_no_photons(rng):
    # noise that is less where the image is brighter
    clean = np.tile(np.linspace(0, 1000, 256), (256, 1))
    noise = estimate_noise(clean + rng.normal(size=clean.shape) * np.linspace(20, 5, 256))
    for convert in (noise.to_photons, noise.from_photons):
        with pytest.raises(ImageError, match=r"gain=0\. Take the noise model 'gaussian'"):
            convert(clean)
