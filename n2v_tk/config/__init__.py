"""Validated settings, one file per method."""

from .base import DenoiserConfig
from .n2v import N2VConfig

__all__ = ["DenoiserConfig", "N2VConfig"]
