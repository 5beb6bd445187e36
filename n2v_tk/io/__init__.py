"""Images in and out of files, read as they are needed where they lie in chunks or planes."""

from .files import (
    SOURCE_SUFFIXES,
    SUFFIXES,
    check_format,
    check_output,
    check_writable,
    replacing,
)
from .image import Image
from .ome_zarr import is_in_store, is_store
from .read_write import (
    JPEG_SUFFIXES,
    images_in,
    read_image,
    read_stacks,
    split_inner,
    write_image,
)

__all__ = [
    "JPEG_SUFFIXES",
    "SOURCE_SUFFIXES",
    "SUFFIXES",
    "Image",
    "check_format",
    "check_output",
    "check_writable",
    "images_in",
    "is_in_store",
    "is_store",
    "read_image",
    "read_stacks",
    "replacing",
    "split_inner",
    "write_image",
]
