"""Which paper a model goes back to."""

from __future__ import annotations

from typing import NamedTuple

from ..config.base import DenoiserConfig


class Citation(NamedTuple):
    """A paper."""

    text: str
    doi: str


_PAPERS = {
    "n2v": Citation(
        "A. Krull, T.-O. Buchholz, F. Jug. Noise2Void - Learning Denoising from Single Noisy "
        "Images. CVPR 2019.",
        "10.48550/arXiv.1811.10980",
    ),
    "n2v2": Citation(
        "E. Höck, T.-O. Buchholz, A. Brachmann, F. Jug, A. Freytag. N2V2 - Fixing Noise2Void "
        "Checkerboard Artifacts with Modified Sampling Strategies and a Tweaked Network "
        "Architecture. ECCV Workshops 2022.",
        "10.48550/arXiv.2211.08512",
    ),
    "structn2v": Citation(
        "C. Broaddus, A. Krull, M. Weigert, U. Schmidt, G. Myers. Removing Structured Noise with "
        "Self-Supervised Blind-Spot Networks. ISBI 2020.",
        "10.1109/ISBI45749.2020.9098336",
    ),
    "care": Citation(
        "M. Weigert, U. Schmidt, T. Boothe et al. Content-aware image restoration: pushing the "
        "limits of fluorescence microscopy. Nature Methods 2018.",
        "10.1038/s41592-018-0216-7",
    ),
    "n2n": Citation(
        "J. Lehtinen, J. Munkberg, J. Hasselgren, S. Laine, T. Karras, M. Aittala, T. Aila. "
        "Noise2Noise: Learning Image Restoration without Clean Data. ICML 2018.",
        "10.48550/arXiv.1803.04189",
    ),
    "r2r": Citation(
        "T. Pang, H. Zheng, Y. Quan, H. Ji. Recorrupted-to-Recorrupted: Unsupervised Deep Learning "
        "for Image Denoising. CVPR 2021.",
        "10.1109/CVPR46437.2021.00208",
    ),
    "hqssl": Citation(
        "S. Laine, T. Karras, J. Lehtinen, T. Aila. High-Quality Self-Supervised Deep Image "
        "Denoising. NeurIPS 2019.",
        "10.48550/arXiv.1901.10277",
    ),
    "masked": Citation(
        "H. Chen, J. Gu, Y. Liu, S. A. Magid, C. Dong, Q. Wang, H. Pfister, L. Zhu. Masked Image "
        "Training for Generalizable Deep Image Denoising. CVPR 2023.",
        "10.48550/arXiv.2303.13132",
    ),
}


def citation_of(config: DenoiserConfig) -> Citation:
    """The paper of the method that the settings ask for."""
    if config.method != "n2v":
        return _PAPERS[config.method]
    if config.structN2Vmask is not None:
        return _PAPERS["structn2v"]
    return _PAPERS["n2v2" if config.blurpool or config.skip_skipone else "n2v"]
