"""Validated settings, one file per method."""

from .base import DenoiserConfig
from .care import CAREConfig
from .dip import DIPConfig
from .hqssl import HQSSLConfig
from .masked import MaskedDenoiserConfig
from .n2n import N2NConfig
from .n2v import N2VConfig
from .r2r import R2RConfig

__all__ = [
    "CAREConfig",
    "DIPConfig",
    "DenoiserConfig",
    "HQSSLConfig",
    "MaskedDenoiserConfig",
    "N2NConfig",
    "N2VConfig",
    "R2RConfig",
]
