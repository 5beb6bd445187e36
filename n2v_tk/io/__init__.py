"""Images in and out of files: TIFF, OME-TIFF, ImageJ TIFF, PNG and NPY."""

from .files import SUFFIXES, check_format, check_output, check_writable, replacing
from .image import Image
from .read_write import JPEG_SUFFIXES, read_image, write_image

__all__ = [
    "JPEG_SUFFIXES",
    "SUFFIXES",
    "Image",
    "check_format",
    "check_output",
    "check_writable",
    "read_image",
    "replacing",
    "write_image",
]
