"""n2v's manipulators, which work on one patch, and what takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..data.sequences import N2VDataWrapper
from ..errors import ConfigError
from ..masking.coordinates import stratified_coordinates
from ..masking.manipulators import MANIPULATORS, Neighbourhood
from ..masking.masker import BlindSpotMasker
from ..masking.structn2v import mask_offsets


@dataclass
class PixelManipulator:
    """What stands in the place of blind spots, called as n2v's manipulators are.

    Parameters
    ----------
    name : str
        Of `n2v_tk.masking.manipulators.MANIPULATORS`.
    radius : int
        Radius of the window of replacement values, in pixels; for 'normal_additive' the standard
        deviation, as in n2v.
    """

    name: str
    radius: float
    _rng: np.random.Generator = field(
        default_factory=lambda: np.random.default_rng(0), repr=False, compare=False
    )

    def __call__(
        self, patch: np.ndarray, coords: Sequence, dims: int, structN2Vmask=None
    ) -> np.ndarray:
        """One value per blind spot.

        Parameters
        ----------
        patch : ndarray ((Z,) Y, X)
        coords : sequence of int, one per axis
            Positions of the blind spots.
        dims : {2, 3}
        structN2Vmask : array_like, optional
            What it hides is not used as a replacement.

        Returns
        -------
        ndarray (N,)
        """
        hidden = None if structN2Vmask is None else mask_offsets(structN2Vmask, dims)
        batch = np.ascontiguousarray(patch, np.float32)[None, ..., None]
        coords = [np.asarray(c, np.intp) for c in coords]
        zeros = np.zeros(coords[0].size, np.intp)
        spots = (zeros, *coords, zeros)
        return MANIPULATORS[self.name](batch, spots, self.neighbourhood(dims, hidden), self._rng)

    def neighbourhood(self, n_dim: int, hidden=None) -> Neighbourhood:
        """The window of replacement values."""
        if self.name == "normal_additive":
            return Neighbourhood(1, n_dim, None, float(self.radius))
        return Neighbourhood(int(self.radius), n_dim, hidden)


def pm_normal_withoutCP(local_sub_patch_radius: int) -> PixelManipulator:
    """A pixel nearby, near ones more often, never the blind spot itself."""
    return PixelManipulator("normal_withoutCP", local_sub_patch_radius)


def pm_uniform_withCP(local_sub_patch_radius: int) -> PixelManipulator:
    """A pixel of the window, the blind spot included."""
    return PixelManipulator("uniform_withCP", local_sub_patch_radius)


def pm_uniform_withoutCP(local_sub_patch_radius: int) -> PixelManipulator:
    """A pixel of the window, the blind spot excluded."""
    return PixelManipulator("uniform_withoutCP", local_sub_patch_radius)


def pm_mean(local_sub_patch_radius: int) -> PixelManipulator:
    """Mean of the window, the blind spot excluded."""
    return PixelManipulator("mean", local_sub_patch_radius)


def pm_median(local_sub_patch_radius: int) -> PixelManipulator:
    """Median of the window, the blind spot excluded."""
    return PixelManipulator("median", local_sub_patch_radius)


def pm_normal_additive(pixel_gauss_sigma: float) -> PixelManipulator:
    """The pixel plus normal noise of a standard deviation."""
    return PixelManipulator("normal_additive", pixel_gauss_sigma)


def pm_normal_fitted(local_sub_patch_radius: int) -> PixelManipulator:
    """A draw from the normal distribution fitted to the window."""
    return PixelManipulator("normal_fitted", local_sub_patch_radius)


def pm_identity(local_sub_patch_radius: int) -> PixelManipulator:
    """The pixel itself."""
    return PixelManipulator("identity", local_sub_patch_radius)


class N2V_DataWrapper(N2VDataWrapper):
    """Batches of patches with blind spots, with the arguments of n2v.

    Targets are 0 outside blind spots, as n2v's are.

    Parameters
    ----------
    X : ndarray (S, (Z,) Y, X, C)
        Normalised noisy images.
    Y : object
        Not used; n2v does not use it either.
    batch_size, length : int
        Patches per batch, batches per epoch.
    perc_pix : float
        Percentage of blind spots.
    shape : tuple of int
        Patch.
    value_manipulation : callable, optional
        One of the `pm_` functions called with a radius, or a function of the same form.
        Default: ``pm_uniform_withCP(5)``.
    structN2Vmask : array_like, optional
        Neighbours to hide with each blind spot.
    """

    def __init__(
        self,
        X,
        Y,
        batch_size: int,
        length: int,
        perc_pix: float = 0.198,
        shape: Sequence[int] = (64, 64),
        value_manipulation: Callable | None = None,
        structN2Vmask=None,
    ):
        manipulation = pm_uniform_withCP(5) if value_manipulation is None else value_manipulation
        masker = _masker(manipulation, len(shape), perc_pix, structN2Vmask)
        super().__init__(X, batch_size, length, shape, masker)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``index`` of this epoch, in fresh arrays."""
        x, y = super().__getitem__(index)
        target, mask = np.split(y, 2, axis=-1)
        target *= mask
        return x, y


def manipulate_val_data(
    X_val: np.ndarray,
    Y_val: np.ndarray,
    perc_pix: float = 0.198,
    shape: Sequence[int] = (64, 64),
    value_manipulation: Callable | None = None,
) -> None:
    """Hide blind spots in validation patches and write their targets, both in place.

    Parameters
    ----------
    X_val : ndarray of float (S, (Z,) Y, X, C)
        Normalised patches.
    Y_val : ndarray of float (S, (Z,) Y, X, 2C)
        Gets the values at blind spots, and then 1 there; all else becomes 0.
    perc_pix : float
        Percentage of blind spots.
    shape : tuple of int
        Its length is the number of spatial axes.
    value_manipulation : callable, optional
        As in `N2V_DataWrapper`.
    """
    n_channels = X_val.shape[-1]
    if Y_val.shape != (*X_val.shape[:-1], 2 * n_channels):
        raise ConfigError(
            f"Y_val must have the shape of X_val and twice its channels. Received: {X_val.shape} "
            f"and {Y_val.shape}."
        )
    manipulation = pm_uniform_withCP(5) if value_manipulation is None else value_manipulation
    masker = _masker(manipulation, len(shape), perc_pix, None)
    rng = np.random.default_rng(0)
    spots = stratified_coordinates(X_val.shape, perc_pix, rng)
    batch = np.ascontiguousarray(X_val, np.float32)
    values = masker.manipulator(batch, spots, masker.neighbourhood, rng)
    Y_val[...] = 0
    Y_val[spots] = X_val[spots]
    Y_val[(*spots[:-1], spots[-1] + n_channels)] = 1
    X_val[spots] = values


def _masker(manipulation, n_dim, perc_pix, structN2Vmask):
    if isinstance(manipulation, PixelManipulator):
        masker = BlindSpotMasker(n_dim, perc_pix, manipulation.name, 5, structN2Vmask)
        masker.neighbourhood = manipulation.neighbourhood(n_dim, masker.hidden)
        return masker
    masker = BlindSpotMasker(n_dim, perc_pix, "identity", 5, structN2Vmask)
    masker.manipulator = _one_by_one(manipulation, n_dim, structN2Vmask)
    return masker


def _one_by_one(manipulation, n_dim, structN2Vmask):
    """A user's own manipulator, called for every channel of every patch as n2v does."""

    def manipulate(batch, spots, neighbourhood, rng):
        values = np.empty(spots[0].size, np.float32)
        for patch, channel in np.ndindex(batch.shape[0], batch.shape[-1]):
            (here,) = np.nonzero((spots[0] == patch) & (spots[-1] == channel))
            coords = tuple(s[here] for s in spots[1:-1])
            values[here] = manipulation(batch[patch, ..., channel], coords, n_dim, structN2Vmask)
        return values

    return manipulate
