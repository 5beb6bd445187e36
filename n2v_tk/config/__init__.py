"""Validated settings, one file per method."""

from .base import DenoiserConfig
from .care import CAREConfig
from .n2v import N2VConfig

__all__ = ["CAREConfig", "DenoiserConfig", "N2VConfig"]
