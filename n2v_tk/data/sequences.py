"""Batches for training, as Keras data sets."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from ..masking.masker import BlindSpotMasker
from .patches import Images, allowed_symmetries, as_image_list, check_patch_fits
from .sampling import PatchSampler, ScaledImages, middle


class N2VDataWrapper(keras.utils.PyDataset):
    """Random patches of noisy images with blind spots, as Noise2Void trains on them.

    Batch ``i`` of epoch ``e`` is drawn from ``SeedSequence([seed, e, i])`` and from nothing
    else, so it is the same in any order and with any number of workers. Images are read where a
    patch is cut, so they may be memory-mapped.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C) or sequence of such
        Noisy images, of any real dtype. Sizes may differ within a sequence; larger ones are drawn
        from more often, by the number of places a patch can be cut from.
    batch_size : int
        Patches per batch.
    length : int
        Batches per epoch.
    shape : tuple of int
        Patch, one side per spatial axis.
    masker : BlindSpotMasker, optional
        Default: ``BlindSpotMasker(n_dim)``.
    augment : bool
        Turn and flip patches at random in the XY plane, as far as `shape` and `structN2Vmask`
        allow.
    structN2Vmask : array_like, optional
        Mask that limits `augment`; the same that `masker` has.
    seed : int, optional
        Seed; None draws one.
    offset, scale : ndarray (C,), or list of ndarray (S, C), one per image, optional
        ``(patch - offset) / scale`` normalises patches. By default images are taken as they are.
    **kwargs
        `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Examples
    --------
    >>> data = N2VDataWrapper(np.zeros((2, 96, 96, 1)), batch_size=4, length=10, shape=(64, 64))
    >>> x, y = data[0]
    >>> x.shape, y.shape
    ((4, 64, 64, 1), (4, 64, 64, 2))
    """

    def __init__(
        self,
        X: Images,
        batch_size: int,
        length: int,
        shape: Sequence[int] = (64, 64),
        masker: BlindSpotMasker | None = None,
        augment: bool = False,
        structN2Vmask=None,
        seed: int | None = 0,
        offset=None,
        scale=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.images = as_image_list(X, len(self.shape))
        check_patch_fits(self.images, self.shape)
        self.batch_size = batch_size
        self.length = length
        self.masker = BlindSpotMasker(len(self.shape)) if masker is None else masker
        self.symmetries = allowed_symmetries(self.shape, structN2Vmask) if augment else ()
        self.seed = draw_seed() if seed is None else seed
        self.epoch = 0
        self._sampler = PatchSampler(self.images, self.shape, self.symmetries)
        self._scaled = ScaledImages(self.images, offset, scale)

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``index`` of this epoch, in fresh arrays.

        Returns
        -------
        x : ndarray of float32 (B, (Z,) Y, X, C)
            Patches with blind spots filled.
        y : ndarray of float32 (B, (Z,) Y, X, 2C)
            The patches as they were, then 1 at blind spots and 0 elsewhere.
        """
        rng = batch_rng(self.seed, self.epoch, index)
        x = self._scaled.cut(self._sampler.draw(self.batch_size, rng))
        return masked_pair(x, self.masker, rng)

    def on_epoch_end(self) -> None:
        """Go on to the draws of the next epoch."""
        self.epoch += 1

    def fingerprint(self) -> str:
        """Tells images from others: `ScaledImages.fingerprint`."""
        return self._scaled.fingerprint()

    def example(self, side: int) -> np.ndarray:
        """The middle of the first image ((Z,) Y, X, C), in its own units."""
        return middle(self.images[0][0], side)


def batch_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """What draws batch `index` of an epoch: the same in any order, with any number of workers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, index])))


def draw_seed() -> int:
    """A seed from the operating system."""
    return int(np.random.SeedSequence().entropy % 2**63)


def masked_pair(
    x: np.ndarray, masker: BlindSpotMasker, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Hide blind spots in patches and pair them with their target.

    Parameters
    ----------
    x : ndarray of float32 (B, (Z,) Y, X, C)
        Normalised patches; changed in place if they are contiguous.
    masker : BlindSpotMasker
    rng : numpy.random.Generator

    Returns
    -------
    x : ndarray of float32 (B, (Z,) Y, X, C)
        Patches with blind spots filled.
    y : ndarray of float32 (B, (Z,) Y, X, 2C)
        Original values, then the mask of blind spots.
    """
    x = np.ascontiguousarray(x, np.float32)
    n_channels = x.shape[-1]
    y = np.zeros((*x.shape[:-1], 2 * n_channels), np.float32)
    y[..., :n_channels] = x
    spots = masker(x, rng)
    y[(*spots[:-1], spots[-1] + n_channels)] = 1
    return x, y
