import numpy as np
import pytest

from n2v_tk.evaluation.metrics import psnr


def test_psnr(rng):
    truth = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    noisy = truth + rng.normal(0, 25, truth.shape)
    expected = 20 * np.log10(255 / np.sqrt(np.mean((truth - noisy) ** 2)))
    assert psnr(truth, noisy, 255) == pytest.approx(expected)
    assert psnr(truth * 2.0, noisy * 2) == pytest.approx(psnr(truth, noisy))
