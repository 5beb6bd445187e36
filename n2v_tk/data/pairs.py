"""Batches of pairs: images and targets, repeated frames, clean images with made noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import keras
import numpy as np

from ..errors import ImageError
from ..normalization import normalize
from .patches import Images, allowed_symmetries, as_image_list, check_patch_fits
from .sampling import PatchSampler, ScaledImages, middle
from .sequences import batch_rng, draw_seed

Scaling = tuple

# correlation that a shift must gain before pairs count as not aligned
_NOT_ALIGNED = 0.1


class PairDataWrapper(keras.utils.PyDataset):
    """Random patches of pairs of images, for training with a target.

    Batches are drawn as those of `N2VDataWrapper` are, from the same place in both images.

    Parameters
    ----------
    X, Y : ndarray (S, (Z,) Y, X, C) or sequence of such
        Images and their targets, alike in everything but channels.
    batch_size, length : int
        Patches per batch, batches per epoch.
    shape : tuple of int
        Patch, one side per spatial axis.
    augment : bool
        Turn and flip both patches of a pair alike, at random in the XY plane.
    augmenter : callable, optional
        ``augmenter(x, y)`` gives the batch to train on in place of (x, y).
    seed : int, optional
        Seed; None draws one.
    scaling, target_scaling : (offset, scale), optional
        As in `ScaledImages`.
    anneal_over : int, optional
        Add a channel to targets that falls from 2 to 0 over so many batches, for the loss
        `n2v_tk.losses.annealed_l0`.
    **kwargs
        `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Examples
    --------
    >>> images = np.zeros((2, 96, 96, 1))
    >>> x, y = PairDataWrapper(images, images + 1, batch_size=4, length=10, shape=(64, 64))[0]
    >>> x.shape, y.shape, float(y.mean())
    ((4, 64, 64, 1), (4, 64, 64, 1), 1.0)
    """

    def __init__(
        self,
        X: Images,
        Y: Images,
        batch_size: int,
        length: int,
        shape: Sequence[int],
        augment: bool = False,
        augmenter=None,
        seed: int | None = 0,
        scaling: Scaling = (None, None),
        target_scaling: Scaling = (None, None),
        anneal_over: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        X, Y = check_pairs(X, Y, len(shape))
        check_patch_fits(X, shape)
        self.batch_size, self.length, self.augmenter = batch_size, length, augmenter
        self.seed = draw_seed() if seed is None else seed
        self.epoch, self.anneal_over = 0, anneal_over
        # of this training: those before it are counted in `epoch`
        self.first_epoch = 0
        self._sampler = PatchSampler(X, shape, allowed_symmetries(shape) if augment else ())
        self._inputs = ScaledImages(X, *scaling)
        self._targets = ScaledImages(Y, *target_scaling)

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``index`` of this epoch: inputs and targets, float32 (B, (Z,) Y, X, C)."""
        x, y = self._pair(batch_rng(self.seed, self.epoch, index))
        if self.augmenter is not None:
            x, y = self.augmenter(x, y)
        if self.anneal_over is not None:
            made = (self.epoch - self.first_epoch) * self.length + index
            done = made / max(1, self.anneal_over - 1)
            gamma = np.full((*y.shape[:-1], 1), 2 * max(0.0, 1 - done), np.float32)
            y = np.concatenate([y, gamma], axis=-1)
        return x, y

    def _pair(self, rng):
        places = self._sampler.draw(self.batch_size, rng)
        return self._inputs.cut(places), self._targets.cut(places)

    def on_epoch_end(self) -> None:
        """Go on to the draws of the next epoch."""
        self.epoch += 1

    def fingerprint(self) -> str:
        """Tells images from others: `ScaledImages.fingerprint`."""
        return self._inputs.fingerprint() + self._targets.fingerprint()

    def example(self, side: int) -> np.ndarray:
        """The middle of the first input ((Z,) Y, X, C), in its own units."""
        return middle(self._inputs.images[0][0], side)


class FrameDataWrapper(PairDataWrapper):
    """Random pairs of two different frames of one scene, of all pairs there are.

    Parameters
    ----------
    frames : sequence of ndarray (F, (Z,) Y, X, C)
        Repeated frames, one array per scene.
    batch_size, length, shape, augment, augmenter, seed, scaling, **kwargs
        As in `PairDataWrapper`.
    """

    def __init__(self, frames, *args, scaling: Scaling = (None, None), **kwargs):
        frames = as_image_list(frames)
        super().__init__(frames, frames, *args, scaling=scaling, target_scaling=scaling, **kwargs)
        self._counts = [len(scene) for scene in frames]

    def _pair(self, rng):
        places = self._sampler.draw(self.batch_size, rng)
        others = []
        for place in places:
            count = self._counts[place.image]
            step = int(rng.integers(1, count))
            others.append(place._replace(sample=(place.sample + step) % count))
        return self._inputs.cut(places), self._inputs.cut(others)


class NoisyDataWrapper(PairDataWrapper):
    """Clean patches with made noise, and the same with other noise or none as targets.

    Parameters
    ----------
    clean : ndarray (S, (Z,) Y, X, C) or sequence of such
    noise_model : callable
        Of `n2v_tk.data.noise` or `n2v_tk.data.structured_noise`, in units of the images. One with
        a true attribute `whole_images` is applied before patches are cut.
    with_mask : bool
        Targets get the mask of `noise_model.with_mask` as further channels.
    clean_targets : bool
        Targets are the clean patches.
    clip : (low, high), optional
        Noisy inputs are clipped to this range.
    batch_size, length, shape, augment, augmenter, seed, scaling, **kwargs
        As in `PairDataWrapper`.
    """

    def __init__(
        self,
        clean,
        noise_model: Callable,
        *args,
        with_mask: bool = False,
        clean_targets: bool = False,
        clip: tuple[float, float] | None = None,
        scaling: Scaling = (None, None),
        **kwargs,
    ):
        clean = as_image_list(clean)
        super().__init__(clean, clean, *args, **kwargs)
        self._noise, self._with_mask, self._scaling = noise_model, with_mask, scaling
        self._clean_targets, self._clip = clean_targets, clip

    def _pair(self, rng):
        places = self._sampler.draw(self.batch_size, rng)
        if getattr(self._noise, "whole_images", False):
            return self._of_whole_images(places, rng)
        clean = self._inputs.cut(places)
        x = self._scaled(self._clipped(self._noise(clean, rng)))
        if self._clean_targets:
            return x, self._scaled(clean)
        if not self._with_mask:
            return x, self._scaled(self._noise(clean, rng))
        y, mask = self._noise.with_mask(clean, rng)
        return x, np.concatenate([self._scaled(y), np.broadcast_to(mask, y.shape)], axis=-1)

    def example(self, side: int) -> np.ndarray:
        """The middle of the first image ((Z,) Y, X, C), with noise."""
        clean = np.asarray(super().example(side), np.float32)
        return self._clipped(self._noise(clean[np.newaxis], np.random.default_rng(0)))[0]

    def _of_whole_images(self, places, rng):
        first = self._scaled(self._clipped(self._cut_of_noisy(places, rng)))
        if self._clean_targets:
            return first, self._scaled(self._inputs.cut(places))
        return first, self._scaled(self._cut_of_noisy(places, rng))

    def _cut_of_noisy(self, places, rng):
        patches = []
        for place in places:
            image = np.asarray(self._inputs.images[place.image][place.sample], np.float32)
            noisy = [self._noise(image[np.newaxis], rng)]
            patches.append(ScaledImages(noisy).cut([place._replace(image=0, sample=0)])[0])
        return np.stack(patches)

    def _clipped(self, batch):
        return batch if self._clip is None else np.clip(batch, *self._clip)

    def _scaled(self, batch):
        offset, scale = self._scaling
        return batch if offset is None else normalize(batch, offset, scale)


def check_pairs(
    X: Images, Y: Images, n_dim: int | None = None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images and targets as lists of 'S(Z)YXC', alike in everything but channels.

    Raises
    ------
    ImageError
        If they differ in number or sides.
    """
    X, Y = as_image_list(X, n_dim), as_image_list(Y, n_dim)
    if [i.shape[:-1] for i in X] != [i.shape[:-1] for i in Y]:
        raise ImageError(
            "Every image needs a target of the same size. Received: shapes "
            f"{[tuple(i.shape) for i in X][:8]} and {[tuple(i.shape) for i in Y][:8]}."
        )
    return X, Y


def warn_of_bad_pairs(X: list[np.ndarray], Y: list[np.ndarray]) -> None:
    """Warn of pairs that are the same image twice, or shifted against each other.

    Looks at the first and the last pair.
    """
    pairs = [(X[0][0], Y[0][0]), (X[-1][-1], Y[-1][-1])]
    if any(x.shape == y.shape and np.array_equal(x, y) for x, y in pairs):
        warnings.warn(
            "A noisy image and its target are identical, so the network would learn to change "
            "nothing. Pairs must show the same scene with noise that was drawn twice.",
            stacklevel=4,
        )
        return
    shifts = {_shift(x, y) for x, y in pairs}
    if len(shifts) == 1 and (shift := shifts.pop()) != (0, 0):
        warnings.warn(
            f"Images and targets seem to be shifted against each other by {shift} pixels along Y "
            "and X. Noise2Noise needs pairs that lie on each other; align them first.",
            stacklevel=4,
        )


def _shift(x, y):
    """The shift (Y, X) at which two images correlate clearly better than as they are."""
    a, b = (np.asarray(i, np.float64) for i in (x, y))
    while a.ndim > 2:
        # channels and planes together
        axis = -1 if a.ndim == x.ndim else 0
        a, b = a.mean(axis=axis), b.mean(axis=axis)
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a**2).sum() * (b**2).sum())
    if norm == 0:
        return (0, 0)
    correlation = np.fft.ifft2(np.fft.fft2(a) * np.conj(np.fft.fft2(b))).real / norm
    best = np.unravel_index(np.argmax(correlation), correlation.shape)
    if correlation[best] < correlation[0, 0] + _NOT_ALIGNED:
        return (0, 0)
    return tuple(
        int(-(p if p <= side // 2 else p - side))
        for p, side in zip(best, correlation.shape, strict=True)
    )
