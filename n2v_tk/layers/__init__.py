"""Layers that this field needs and Keras lacks."""

from .max_blur_pool import MaxBlurPool

__all__ = ["MaxBlurPool"]
