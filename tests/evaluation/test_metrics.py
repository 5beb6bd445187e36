import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from skimage.data import camera
from skimage.metrics import structural_similarity

from n2v_tk.errors import ConfigError, ImageError
from n2v_tk.evaluation.metrics import (
    affine_psnr,
    fourier_ring_correlation,
    frc_resolution,
    ms_ssim,
    psnr,
    scale_invariant_psnr,
    ssim,
)

approx = pytest.approx
OF_PAIRS = (psnr, affine_psnr, scale_invariant_psnr, ssim, ms_ssim, fourier_ring_correlation)


@pytest.fixture(scope="module")
def clean():
    return camera()[100:300, 150:350]


def noisy(clean, sigma, seed=0):
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)


def test_psnr(rng):
    truth = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    noisy = truth + rng.normal(0, 25, truth.shape)
    expected = 20 * np.log10(255 / np.sqrt(np.mean((truth - noisy) ** 2)))
    assert psnr(truth, noisy, 255) == approx(expected)
    assert psnr(truth * 2.0, noisy * 2) == approx(psnr(truth, noisy))


def test_psnr_of_noise_of_known_level():
    truth = np.random.default_rng(1).uniform(0, 255, (1000, 1000))
    expected = 20 * np.log10(255 / 25)
    # the mean square over a million pixels has a relative standard deviation of 0.0014
    assert psnr(truth, noisy(truth, 25), 255) == approx(expected, abs=0.02)


def test_integers_do_not_wrap():
    truth, image = np.array([[0, 255]], np.uint8), np.array([[255, 0]], np.uint8)
    assert psnr(truth, image) == approx(0.0)


def test_equal_images(clean):
    assert psnr(clean, clean) == np.inf
    assert psnr(np.ones(4), np.ones(4)) == np.inf
    assert affine_psnr(clean, clean) == np.inf
    assert scale_invariant_psnr(clean, clean) == np.inf
    assert ssim(clean, clean) == approx(1, abs=1e-12)
    assert ms_ssim(clean, clean) == approx(1, abs=1e-12)


def test_what_scale_and_offset_change(clean):
    image = noisy(clean, 20)
    other = 0.3 * image - 50
    for measure in (affine_psnr, scale_invariant_psnr):
        assert measure(clean, other) == approx(measure(clean, image), abs=1e-9)
    for measure in (psnr, ssim, ms_ssim):
        assert measure(clean, other) < measure(clean, image) * 0.95
    # with the truth scaled too, nothing depends on the unit
    for measure in (psnr, affine_psnr, scale_invariant_psnr, ssim, ms_ssim):
        assert measure(3.0 * clean, 3 * image) == approx(measure(clean, image), rel=1e-9)


def test_affine_is_least_squares(clean):
    image = 0.5 * noisy(clean, 20) + 7
    design = np.stack([image.ravel(), np.ones(image.size)], axis=1)
    fitted = design @ np.linalg.lstsq(design, clean.ravel().astype(float), rcond=None)[0]
    expected = psnr(clean, fitted.reshape(clean.shape), 255)
    assert affine_psnr(clean, image, 255) == approx(expected, abs=1e-9)
    assert affine_psnr(clean, image, 255) > psnr(clean, image, 255)
    assert affine_psnr(clean, noisy(clean, 20), 255) > psnr(clean, noisy(clean, 20), 255)
    # the best constant is the mean
    flat = affine_psnr(clean, np.full(clean.shape, 9.0), 255)
    assert flat == approx(20 * np.log10(255 / clean.std()))


def test_scale_invariant_is_what_its_formula_says(clean):
    image = noisy(clean, 30)
    t = (clean - clean.mean()) / clean.std()
    p = image - image.mean()
    a = (t * p).sum() / (p * p).sum()
    expected = 10 * np.log10((t.max() - t.min()) ** 2 / np.mean((t - a * p) ** 2))
    assert scale_invariant_psnr(clean, image) == approx(expected, abs=1e-9)
    assert scale_invariant_psnr(clean, image) == approx(affine_psnr(clean, image))


def test_ssim_is_that_of_scikit_image(clean):
    image = noisy(clean, 20)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    extent = float(clean.max()) - float(clean.min())
    expected = structural_similarity(clean.astype(float), image, data_range=extent, **options)
    assert ssim(clean, image) == approx(expected, abs=1e-12)
    expected = structural_similarity(clean.astype(float), image, data_range=255, **options)
    assert ssim(clean, image, 255) == approx(expected, abs=1e-12)


def test_channels_are_averaged(clean):
    first, second = noisy(clean, 10), noisy(clean, 40, 1)
    truth, image = np.stack([clean, clean], -1), np.stack([first, second], -1)
    for measure in (ssim, ms_ssim):
        mean = (measure(clean, first) + measure(clean, second)) / 2
        for axis in (2, -1):
            assert measure(truth, image, channel_axis=axis) == approx(mean, abs=1e-9)
        moved = [np.moveaxis(array, -1, 0) for array in (truth, image)]
        assert measure(*moved, channel_axis=0) == approx(mean, abs=1e-9)


def test_volumes(rng):
    truth = gaussian_filter(rng.normal(size=(24, 24, 24)), 2)
    scores = [ssim(truth, truth + rng.normal(0, s * truth.std(), truth.shape)) for s in (0, 0.2, 1)]
    assert scores[0] == approx(1)
    assert scores[0] > scores[1] > scores[2]
    both = (1.0, 1.0)
    assert ms_ssim(truth, truth, weights=both) == approx(1)
    assert ms_ssim(truth, truth + 0.1 * truth.std(), weights=both) < 1


def test_ms_ssim_is_that_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    truth = camera().astype(np.float32)[:352]
    image = noisy(truth, 25).astype(np.float32)
    expected = float(tf.image.ssim_multiscale(truth[..., None], image[..., None], 255.0))
    assert ms_ssim(truth, image, 255) == approx(expected, abs=2e-5)
    negative = 255 - truth
    expected = float(tf.image.ssim_multiscale(truth[..., None], negative[..., None], 255.0))
    assert ms_ssim(truth, negative, 255) == approx(expected, abs=2e-5)


def test_ms_ssim_falls_with_noise(clean):
    scores = [ms_ssim(clean, noisy(clean, sigma)) for sigma in (0, 5, 20, 80)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.999999
    assert scores[-1] < 0.8
    # noise of single pixels counts less at coarse scales
    assert ms_ssim(clean, noisy(clean, 20)) > ssim(clean, noisy(clean, 20))


def test_one_scale_is_ssim(clean):
    image = noisy(clean, 20)
    assert ms_ssim(clean, image, weights=(1.0,)) == approx(ssim(clean, image), abs=1e-12)


def test_the_last_weight_is_that_of_the_coarsest_scale(clean):
    image = noisy(clean, 20)
    halves = [a.reshape(100, 2, 100, 2).mean(axis=(1, 3)) for a in (clean.astype(float), image)]
    extent = float(np.ptp(clean))
    found = ms_ssim(clean, image, weights=(1e-12, 2.0))
    assert found == approx(ssim(*halves, extent) ** 2, abs=1e-9)


def test_small_images_are_refused_with_the_least_size(clean):
    assert 0 < ms_ssim(clean[:176, :177], noisy(clean, 9)[:176, :177]) < 1
    with pytest.raises(ImageError, match=r"176 pixels each\. Received: shape \(175, 200\)"):
        ms_ssim(clean[:175], clean[:175])
    with pytest.raises(ImageError, match=r"22 pixels each"):
        ms_ssim(clean[:21], clean[:21], weights=(0.5, 0.5))
    with pytest.raises(ImageError, match=r"11 pixels each\. Received: shape \(200, 200, 3\)"):
        ssim(np.stack([clean] * 3, -1), np.stack([clean] * 3, -1))
    with pytest.raises(ImageError, match="two axes or more"):
        ssim(clean[0], clean[0])
    with pytest.raises(ConfigError, match="channel_axis"):
        ssim(clean, clean, channel_axis=2)
    with pytest.raises(ConfigError, match="weights"):
        ms_ssim(clean, clean, weights=())
    with pytest.raises(ConfigError, match="weights"):
        ms_ssim(clean, clean, weights=(0.5, -0.5))


@pytest.mark.parametrize("window", ["tukey", "hann", None])
def test_frc_of_equal_images_is_one(clean, window):
    frequencies, correlations = fourier_ring_correlation(clean, clean, window=window)
    np.testing.assert_allclose(correlations, 1, atol=1e-9)
    np.testing.assert_allclose(frequencies, np.arange(1, 101) / 200)
    assert np.isnan(frc_resolution(clean, clean, window=window))
    np.testing.assert_allclose(fourier_ring_correlation(clean, -1.0 * clean)[1], -1, atol=1e-9)


@pytest.mark.parametrize("shape", [(256, 256), (129, 200)])
def test_frc_of_independent_noise_is_none(rng, shape):
    a, b = rng.normal(size=(2, *shape))
    _, correlations = fourier_ring_correlation(a, b, window=None)
    n = min(shape)
    y, x = (np.fft.fftfreq(s) * n for s in shape)
    rings = np.rint(np.hypot(y[:, None], x[None])).astype(int)
    count = np.bincount(rings.ravel())[1 : n // 2 + 1]
    assert len(correlations) == n // 2
    deviations = correlations * np.sqrt(count)
    assert np.mean(np.abs(deviations) < 3) > 0.97
    assert 0.8 < deviations.std() < 1.2
    assert np.isnan(frc_resolution(a, b, window=None))


def test_frc_crosses_where_the_detail_ends(rng):
    """Detail below 0.2 cycles per pixel, and noise everywhere: nothing is shared beyond."""
    n = 256
    radius = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None])
    detail = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, n))) * (radius < 0.2)).real
    # per coefficient 4 times less power than the detail
    a, b = detail + rng.normal(0, 0.5, (2, n, n))
    frequencies, correlations = fourier_ring_correlation(a, b)
    assert correlations[(frequencies > 0.1) & (frequencies < 0.19)].mean() == approx(0.8, abs=0.02)
    assert correlations[frequencies > 0.21].mean() == approx(0, abs=0.02)
    assert frc_resolution(a, b, window=None) == approx(5, rel=0.02)
    # the window smears over a ring or two of the 51
    assert frc_resolution(a, b) == approx(5, rel=0.04)
    assert frc_resolution(a, b, pixel_size=0.065) == approx(0.065 * frc_resolution(a, b))
    assert frc_resolution(a, b, threshold=0.5) >= frc_resolution(a, b)


def test_frc_of_known_signal_to_noise(rng):
    """White detail of variance 1 and white noise of variance v correlate as 1 / (1 + v)."""
    detail = rng.normal(size=(512, 512))
    a, b = detail + rng.normal(0, np.sqrt(0.5), (2, 512, 512))
    _, correlations = fourier_ring_correlation(a, b)
    assert correlations[20:].mean() == approx(1 / 1.5, abs=0.01)


def test_the_window_takes_away_what_only_edges_share(rng):
    """A slope has edges that differ; across the edge it is a step, at every frequency."""
    slope = 20 * np.linspace(0, 1, 256)[:, None] * np.ones(256)
    a, b = slope + rng.normal(size=(2, 256, 256))
    means = {w: fourier_ring_correlation(a, b, window=w)[1][20:60].mean() for w in ("tukey", None)}
    assert means[None] > 0.4
    assert abs(means["tukey"]) < 0.15


def test_blur_makes_the_resolution_coarser(clean):
    def frames(sigma):
        blurred = gaussian_filter(clean.astype(float), sigma)
        return noisy(blurred, 4, 1), noisy(blurred, 4, 2)

    found = [frc_resolution(*frames(sigma)) for sigma in (1.0, 2.0, 4.0)]
    assert found == sorted(found)
    assert found[2] > 1.5 * found[0]
    still, moved = frames(2.0)
    assert frc_resolution(still, shift(moved, (3, 0), mode="nearest")) > 1.5 * found[1]


@pytest.mark.parametrize("measure", OF_PAIRS)
def test_what_cannot_be_compared_is_refused(measure, clean):
    with pytest.raises(ImageError, match=r"same shape.*\(200, 200\) and \(199, 200\)"):
        measure(clean, clean[1:])
    with pytest.raises(ImageError, match=r"constant.*Received: 3 everywhere"):
        measure(np.full((200, 200), 3), clean)
    bad = noisy(clean, 1)
    bad[0, :2] = np.nan, np.inf
    with pytest.raises(ImageError, match="2 of 40000 pixels NaN or infinite in the second"):
        measure(clean, bad)
    with pytest.raises(ImageError, match=r"real numbers.*complex128"):
        measure(clean, clean * 1j)


def test_settings_that_make_no_sense(clean):
    for measure in (psnr, affine_psnr, ssim, ms_ssim):
        for wrong in (0, -1.0, np.nan, np.inf):
            with pytest.raises(ConfigError, match="data_range must be a number above 0"):
                measure(clean, noisy(clean, 1), wrong)
    assert psnr(np.zeros((4, 4)), np.ones((4, 4)), 10.0) == approx(20)
    for options, words in (
        ({"pixel_size": 0}, "pixel_size"),
        ({"window": "hamming"}, "hamming"),
        ({"threshold": 1.5}, "threshold"),
    ):
        with pytest.raises(ConfigError, match=words):
            frc_resolution(clean, clean, **options)
    with pytest.raises(ImageError, match="planes"):
        fourier_ring_correlation(np.stack([clean] * 3), np.stack([clean] * 3))
