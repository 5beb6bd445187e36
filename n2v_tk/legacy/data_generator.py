"""n2v's way from files to patches."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from glob import glob
from pathlib import Path

import numpy as np

from ..axes import StackLayout, normalize_axes
from ..data.patches import generate_patches
from ..errors import AxesError, ImageFileError
from ..io.limits import check_decoded
from ..io.tiff_claims import check_claims


def imread(file_path: str) -> np.ndarray:
    """A TIFF, or a PNG scaled to 0 to 1, as float32.

    Raises
    ------
    ImageFileError
        For JPEG, which is lossy and so ties the noise of neighbouring pixels together, for other
        types, and for files that cannot be read.
    """
    suffix = Path(file_path).suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        raise ImageFileError(
            "JPEG is lossy: it ties the noise of neighbouring pixels together, which Noise2Void "
            f"must not have. Received: {file_path}. Use the images as they were recorded."
        )
    if suffix not in (".tif", ".tiff", ".png"):
        raise ImageFileError(
            f"Only TIFF and PNG are read here. Received: {file_path}. Pass an image_reader for "
            "other types."
        )
    try:
        if suffix == ".png":
            from matplotlib.image import imread as read_png

            image = read_png(file_path)
        else:
            import tifffile

            with tifffile.TiffFile(file_path) as file:
                check_claims(file, Path(file_path))
                check_decoded(file.series[0].nbytes, Path(file_path))
                image = file.asarray()
    except ImageFileError:
        raise
    except FileNotFoundError as error:
        raise ImageFileError(f"There is no such image. Received: {file_path}.") from error
    except Exception as error:
        raise ImageFileError(f"The image cannot be read. Received: {file_path}: {error}") from error
    return image.astype(np.float32)


class N2V_DataGenerator:
    """Reads images and cuts patches with the interface of n2v.

    Parameters
    ----------
    seed : int
        Seed of what is drawn; n2v draws from numpy's global state.
    """

    def __init__(self, seed: int = 0):
        self._seeds = np.random.SeedSequence(seed)

    def load_imgs(
        self,
        files: Sequence[str],
        dims: str = "YX",
        image_reader: Callable[[str], np.ndarray] = imread,
    ) -> list[np.ndarray]:
        """Read images.

        Parameters
        ----------
        files : sequence of path
        dims : str
            Axes of the files, letters of 'TZYXC'.
        image_reader : callable
            Reads a file into an array.

        Returns
        -------
        list of ndarray (S, (Z,) Y, X, C)
            Time points become samples.

        Raises
        ------
        AxesError
            If `dims` does not fit an image.
        ImageFileError
            If a file cannot be read.
        """
        if "S" in dims.upper():
            raise AxesError(f"dims are letters of 'TZYXC'. Received: {dims!r}.")
        images = []
        for file in files:
            image = np.asarray(image_reader(str(file)))
            axes = normalize_axes(dims, image.ndim)
            n_dim = 3 if "Z" in axes else 2
            images.append(StackLayout.of(image, axes, n_dim).to_stack(image))
        return images

    def load_imgs_from_directory(
        self,
        directory: str,
        filter: str = "*.tif",
        dims: str = "YX",
        image_reader: Callable[[str], np.ndarray] = imread,
    ) -> list[np.ndarray]:
        """Read the images of a folder whose names match `filter`, by name, hidden ones left out.

        Other parameters, returns and errors as in `load_imgs`.
        """
        names = glob(filter, root_dir=directory)
        files = sorted(os.path.join(directory, name) for name in names)
        if not files:
            raise ImageFileError(
                f"No file of the folder matches. Received: filter={filter!r} in {directory}."
            )
        return self.load_imgs(files, dims, image_reader)

    def generate_patches(
        self,
        data: np.ndarray,
        num_patches: int | None = None,
        shape: Sequence[int] = (256, 256),
        augment: bool = True,
    ) -> np.ndarray:
        """Patches of one image, those of all samples shuffled together.

        Parameters
        ----------
        data : ndarray (S, (Z,) Y, X, C)
        num_patches : int, optional
            Random patches per sample. Default: all of a grid without overlap.
        shape : tuple of int
            Patch, one side per spatial axis.
        augment : bool
            Add turns and flips in the XY plane: eightfold for square patches, fourfold else.

        Returns
        -------
        ndarray (N, (Z,) Y, X, C)

        Raises
        ------
        ImageError
            If the image is smaller than a patch.
        """
        (child,) = self._seeds.spawn(1)
        seed = int(child.generate_state(1)[0])
        return generate_patches(data, shape, num_patches, augment, shuffle=True, seed=seed)

    def generate_patches_from_list(
        self,
        data: Sequence[np.ndarray],
        num_patches_per_img: int | None = None,
        shape: Sequence[int] = (256, 256),
        augment: bool = True,
        shuffle: bool = False,
    ) -> np.ndarray:
        """Patches of several images.

        They stand sample after sample, those of one sample shuffled; `shuffle` mixes all of them.
        Other parameters, returns and errors as in `generate_patches`.
        """
        samples = [image[i : i + 1] for image in data for i in range(len(image))]
        patches = np.concatenate(
            [self.generate_patches(s, num_patches_per_img, shape, augment) for s in samples]
        )
        if shuffle:
            (child,) = self._seeds.spawn(1)
            rng = np.random.default_rng(child)
            rng.shuffle(patches)
        return patches
