"""Advice before training: what kind of noise an image has, and what denoises it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .. import html
from ..axes import StackLayout, normalize_axes
from ..data.noise_estimation import NoiseEstimate, noise_if_enough
from ..normalization import check_image
from .findings import Finding, look_for_faults, look_for_size, say_axes
from .noise_advice import Advice, advise, with_medians, with_r2r
from .noise_structure import NoiseStructure, noise_structure
from .sampled import sample_planes


@dataclass
class NoiseCheck:
    """What `check_noise` found. Print it for plain words, ``.plot()`` it for the pictures.

    Attributes
    ----------
    axes : str
        Axes of the image.
    noise : NoiseEstimate or None
        Standard deviation, gain and offset of the noise; None if the image is too small.
    correlation : dict
        Correlation of the noise with the next pixel along 'X' and 'Y', and with the same pixel of
        the next plane along 'Z' or 'T' or of the next channel along 'C', as far as there are such.
    findings : list of Finding
        Each with `kind`, `severity` ('good', 'note', 'warning', 'problem'), `text` and `advice`.
    method : str
        Recommended method, as `n2v_tk.denoise` takes it.
    settings : dict
        Settings for it that differ from the usual ones.
    """

    axes: str
    noise: NoiseEstimate | None
    correlation: dict[str, float]
    findings: list[Finding]
    method: str
    settings: dict
    reason: str
    _image: np.ndarray = field(repr=False)
    _planes: np.ndarray = field(repr=False)
    _structure: NoiseStructure | None = field(repr=False)

    @property
    def holds(self) -> bool:
        """Whether nothing was found that keeps the recommended method from working."""
        return not any(f.severity == "problem" for f in self.findings)

    def config(self, X=None, **changes):
        """Settings to train with, as recommended.

        Parameters
        ----------
        X : ndarray (S, (Z,) Y, X, C) or sequence of such, optional
            Training images. Default: the image that was checked.
        **changes
            Settings in place of the recommended ones, e.g. ``train_epochs=40``.

        Returns
        -------
        N2VConfig or N2NConfig
            Give it to the model of that method, e.g. ``N2V(config, name, basedir)``.
        """
        from ..models.one_call import choose_n_dim, make_config

        if X is None:
            n_dim = choose_n_dim([(self._image.shape, self.axes)], self.method)
            X = [StackLayout.of(self._image, self.axes, n_dim).to_stack(self._image)]
        images = [X] if hasattr(X, "ndim") else list(X)
        settings = {**self.settings, **changes}
        mask = settings.get("structN2Vmask")
        if mask is not None and np.ndim(mask) == 2 and images[0].ndim == 5:
            # within the planes of a volume
            settings["structN2Vmask"] = [mask]
        return make_config(images, self.method, **settings)

    def plot(self):
        """The image with the places that were looked at, its noise over brightness, the
        correlation of the noise and the histogram.

        Returns
        -------
        n2v_tk.plot.Picture
        """
        from .noise_pictures import draw_check

        return draw_check(self._planes, self._structure, self.noise)

    def __str__(self) -> str:
        lines = [f"{f.mark} {f.text}" + (f" {f.advice}" if f.advice else "") for f in self.findings]
        settings = ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())
        advice = f"Recommended: {self.method}{f' with {settings}' if settings else ''}. "
        return "\n".join([*lines, advice + self.reason])

    def _repr_html_(self) -> str:
        from ..plot.picture import as_img, as_png

        colours = {"good": "#2a7", "note": "#888", "warning": "#c80", "problem": "#c22"}
        rows = "".join(
            f'<li style="border-left:4px solid {colours[f.severity]};padding-left:8px;'
            f'list-style:none;margin:4px 0">{html.escape(f.text)} '
            f"<i>{html.escape(f.advice)}</i></li>"
            for f in self.findings
        )
        advice = html.escape(str(self).splitlines()[-1])
        picture = as_img(as_png(self.plot(), 80), "what was looked at", "max-width:100%")
        return f'<ul style="padding:0">{rows}</ul><p><b>{advice}</b></p>{picture}'

    def to_json(self) -> dict:
        """All of it but the pictures, as JSON holds it."""
        return {
            "axes": self.axes,
            "noise": None if self.noise is None else _without_nan(vars(self.noise)),
            "correlation": self.correlation,
            "findings": [vars(f) for f in self.findings],
            "method": self.method,
            "settings": self.settings,
            "reason": self.reason,
        }


def check_noise(image: np.ndarray, axes: str | None = None) -> NoiseCheck:
    """Look at an image before training: its noise, what was done to it, and what denoises it.

    Parameters
    ----------
    image : ndarray or LazyArray
        Noisy image in its own units, as it came from the camera. Of large ones some planes are
        looked at, in part.
    axes : str, optional
        Letters of 'STCZYX', one per dimension. Default: the last two are Y and X, or Y, X and C
        if the last has three values; the check says what it took them for.

    Returns
    -------
    NoiseCheck
        Print it for plain words; ``.plot()`` shows what was measured; ``.config()`` is a config
        that can be trained with.

    Raises
    ------
    ImageError
        If the image is constant or not finite.
    AxesError
        If the axes do not fit.

    Notes
    -----
    Correlation is told from the flattest parts of the image (`noise_structure`), for images with a
    T axis also from differences of frames; noise over brightness by `estimate_noise`. Fine texture
    without any flat part looks like correlated noise; the check says so where it cannot tell.

    Examples
    --------
    >>> noisy = np.random.default_rng(0).normal(100, 10, (256, 256))
    >>> check = check_noise(noisy)
    >>> check.method, bool(abs(check.correlation["X"]) < 0.05), round(check.noise.sigma)
    ('n2v', True, 10)
    """
    from ..plot.picture import guess_axes

    image = image if hasattr(image, "ndim") else np.asarray(image)
    guessed = axes is None
    axes = normalize_axes(axes or guess_axes(image), image.ndim)
    check_image(image, look=False)
    sampled = sample_planes(image, axes)
    planes = sampled.planes
    structure = _structure(sampled)
    noise = noise_if_enough(planes)
    advice: Advice = advise(structure, noise, sampled)
    faults = look_for_faults(planes, noise, structure, image.dtype)
    if any(fault.kind == "hot pixels" for fault in faults):
        advice = with_medians(advice)
    advice = with_r2r(advice, noise)
    findings = [
        say_axes(image, axes, guessed),
        *look_for_size(image.shape, axes),
        *advice.findings,
        *faults,
    ]
    return NoiseCheck(
        axes, noise, advice.correlation, findings, advice.method, advice.settings, advice.reason,
        image, planes, structure,
    )  # fmt: skip


def _structure(sampled):
    """Correlation of the noise, from planes or, where that leaves less, from their differences."""
    planes, following = sampled.planes, sampled.following
    found = noise_structure(planes, following)
    if found is None:
        return None
    if sampled.along == "T":
        differences = np.stack([planes[b] - planes[a] for a, b in following])
        of_frames = noise_structure(differences, [])
        if of_frames is not None and _smooth(of_frames) < _smooth(found):
            found = replace(found, map=of_frames.map, error=of_frames.error)
    farthest = max(found.along(a)[-1] for a in "XY")
    if farthest > 0.1:
        # noise that reaches farther than the blocks do
        return noise_structure(planes, following, (48,)) or found
    return found


def _smooth(structure):
    return min(structure.smooth_part(a) for a in "XY")


def _without_nan(numbers):
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def _short(value):
    """A mask by its size."""
    if not isinstance(value, list):
        return repr(value)
    return " × ".join(str(n) for n in np.shape(value)) + " pixels"
