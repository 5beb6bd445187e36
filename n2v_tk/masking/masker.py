"""Blind spots for a batch: coordinates, values and hidden neighbours in one call."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from ..errors import ConfigError, ImageError
from .coordinates import BlindSpots, box_side, stratified_coordinates
from .manipulators import MANIPULATORS, Neighbourhood, draw_neighbours, hides_window
from .structn2v import hidden_pixels, mask_offsets


class BlindSpotMasker:
    """Hides blind spots in batches of patches.

    Parameters
    ----------
    n_dim : {2, 3}
        Number of spatial axes.
    perc_pix : float
        Percentage of pixels to hide, per channel.
    manipulator : str
        A name in `n2v_tk.masking.manipulators.MANIPULATORS`.
    radius : int
        Radius of the window of replacement values, in pixels.
    structN2Vmask : array_like of 0 and 1, optional
        Neighbours to hide with each blind spot, `n_dim` axes of odd length.
    structN2V_fill : 'neighbours' or (low, high)
        What hides them: pixels from the window around each, those that its own mask would hide
        left out, or uniform noise of that range (n2v: -2 to 2 on data of unit standard
        deviation). A network sees where such noise is, learns to look for it, and then does
        something else where there is none: in whole images. With noise the mask may hide the
        whole window; blind spots are then replaced by hidden pixels, as n2v does with any mask.
    legacy_density : bool
        n2v's boxes (`stratified_coordinates`).
    sigma : float
        Standard deviation for the manipulator 'normal_additive'.

    Examples
    --------
    >>> masker = BlindSpotMasker(2, perc_pix=1.5, manipulator="median", radius=2)
    >>> batch = np.zeros((4, 64, 64, 1), "float32")
    >>> spots = masker(batch, np.random.default_rng(0))
    >>> len(spots)
    4
    """

    def __init__(
        self,
        n_dim: int,
        perc_pix: float = 1.5,
        manipulator: str = "uniform_withCP",
        radius: int = 5,
        structN2Vmask=None,
        structN2V_fill: str | Sequence[float] = "neighbours",
        legacy_density: bool = False,
        sigma: float = 1.0,
    ):
        if manipulator not in MANIPULATORS:
            near = get_close_matches(str(manipulator), MANIPULATORS, 1)
            raise ConfigError(
                f"Unknown n2v_manipulator. Received: {manipulator!r}. "
                + (f"Did you mean {near[0]!r}? " if near else "")
                + f"Known are {', '.join(MANIPULATORS)}."
            )
        box_side(perc_pix, n_dim)
        self.perc_pix = perc_pix
        self.legacy_density = legacy_density
        self.manipulator = MANIPULATORS[manipulator]
        self.structN2V_fill = structN2V_fill
        self.hidden = None if structN2Vmask is None else mask_offsets(structN2Vmask, n_dim)
        self.neighbourhood = Neighbourhood(radius, n_dim, None, sigma)
        fills_with_noise = structN2V_fill != "neighbours"
        if not (fills_with_noise and hides_window(self.hidden, radius, n_dim)):
            self.neighbourhood = Neighbourhood(radius, n_dim, self.hidden, sigma)
        if self.hidden is not None and not fills_with_noise:
            # seen from a hidden pixel the blind spot lies the other way round
            both = np.concatenate([self.hidden, -self.hidden])
            self._fill_offsets = Neighbourhood(radius, n_dim, both).offsets(centre=False)

    def __call__(self, batch: np.ndarray, rng: np.random.Generator) -> BlindSpots:
        """Hide blind spots in `batch` (B, (Z,) Y, X, C), in place, and say where they are.

        The batch must be a C-contiguous float array, else it could not be changed in place.
        """
        if not batch.flags.c_contiguous or batch.dtype.kind != "f":
            raise ImageError(
                "BlindSpotMasker needs a C-contiguous batch of floats. Received: "
                f"dtype {batch.dtype}, strides {batch.strides}. Use numpy.ascontiguousarray."
            )
        spots = self.coordinates(batch.shape, rng)
        values = self.manipulator(batch, spots, self.neighbourhood, rng)
        if self.hidden is not None:
            hidden = hidden_pixels(batch.shape, spots, self.hidden)
            batch[hidden] = self._fill(batch, hidden, rng)
        # last: a blind spot under the mask of another one keeps its own replacement
        batch[spots] = values
        return spots

    def coordinates(self, batch_shape: Sequence[int], rng: np.random.Generator) -> BlindSpots:
        """Where blind spots of a batch (B, (Z,) Y, X, C) are."""
        return stratified_coordinates(batch_shape, self.perc_pix, rng, self.legacy_density)

    def _fill(self, batch, hidden, rng):
        if self.structN2V_fill == "neighbours":
            offsets = self._fill_offsets
            return draw_neighbours(batch, hidden, offsets, None, rng)
        low, high = self.structN2V_fill
        noise = rng.random(hidden[0].size, dtype=np.float32)
        return noise * np.float32(high - low) + np.float32(low)
