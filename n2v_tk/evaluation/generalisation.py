"""How well a denoiser does on noise that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass

import numpy as np

from ..errors import ConfigError, ImageError
from .metrics import psnr


@dataclass
class Generalisation:
    """PSNR of models on several kinds of noise, each at several strengths.

    Attributes
    ----------
    rows : list of dict
        With keys 'noise', 'strength', 'noisy' (PSNR of the noisy images) and the name of every
        model (PSNR of its results), in decibels, means over the images.
    models : list of str
    """

    rows: list[dict]
    models: list[str] = field(default_factory=list)

    def table(self) -> str:
        """The rows as a Markdown table."""
        names = ["noisy", *self.models]
        lines = [
            "| noise | strength | " + " | ".join(names) + " |",
            "|---" * (2 + len(names)) + "|",
        ]
        for row in self.rows:
            numbers = " | ".join(f"{row[name]:.2f}" for name in names)
            lines.append(f"| {row['noise']} | {row['strength']:g} | {numbers} |")
        return "\n".join(lines)

    __str__ = table

    def plot(self):
        """PSNR against strength, one diagram for each kind of noise (paper, figure 6).

        Returns
        -------
        matplotlib.figure.Figure
        """
        from matplotlib.figure import Figure

        kinds = list(dict.fromkeys(row["noise"] for row in self.rows))
        columns = min(4, len(kinds))
        n_rows = -(-len(kinds) // columns)
        figure = Figure(figsize=(3.2 * columns, 2.6 * n_rows), layout="constrained")
        diagrams = figure.subplots(n_rows, columns, squeeze=False).ravel()
        for diagram in diagrams[len(kinds) :]:
            diagram.set_axis_off()
        for diagram, kind in zip(diagrams, kinds, strict=False):
            rows = sorted(
                (r for r in self.rows if r["noise"] == kind), key=lambda row: row["strength"]
            )
            strengths = [row["strength"] for row in rows]
            for name in ("noisy", *self.models):
                style = {"color": "0.6", "linestyle": "--"} if name == "noisy" else {}
                values = [row[name] for row in rows]
                diagram.plot(strengths, values, marker="o", markersize=3, label=name, **style)
            diagram.set_title(kind)
            diagram.set_xlabel("strength")
            diagram.set_ylabel("PSNR (dB)")
        diagrams[0].legend(fontsize=7)
        return figure

    def _repr_html_(self):
        cells = "".join(
            "<tr>" + "".join(f"<td>{cell.strip()}</td>" for cell in line.split("|")[1:-1]) + "</tr>"
            for i, line in enumerate(self.table().splitlines())
            if i != 1
        )
        return f"<table>{cells}</table>"


def evaluate_generalisation(
    model,
    images,
    noises: Mapping[str, Sequence[Callable]] | Sequence[Callable],
    axes: str = "YXC",
    data_range: float | None = None,
    clip: tuple[float, float] | None = None,
    seed: int = 0,
    **options,
) -> Generalisation:
    """Add noise of many kinds to clean images, denoise them, and compare.

    Parameters
    ----------
    model : object with ``predict(image, axes)``, or mapping of name to such
        One model, or several to compare, e.g. masked and not.
    images : sequence of ndarray
        Clean images.
    noises : sequence of noise models, or mapping of name to such sequences
        Of `n2v_tk.data.noise`, in units of the images. The strength that is shown is the first
        parameter of the noise model.
    axes : str
        Of each image.
    data_range : float, optional
        Of the PSNR. Default: from the lowest to the highest value of all images.
    clip : (low, high), optional
        Clip noisy images to this range, as the paper's are.
    seed : int
        Of the noise: the same for every model.
    **options
        Passed to `predict`.

    Returns
    -------
    Generalisation
        Print it for a table, ``.plot()`` it for the curves of the paper.

    Raises
    ------
    ImageError
        If there are no images.
    ConfigError
        If there are no noise models, or one does not fit the images.

    Examples
    --------
    >>> from n2v_tk.data.noise import Gaussian
    >>> class Nothing:
    ...     def predict(self, image, axes):
    ...         return image
    >>> clean = np.random.default_rng(0).uniform(0, 255, (1, 256, 256))
    >>> print(evaluate_generalisation(Nothing(), clean, [Gaussian(0.0), Gaussian(25.5)], "YX",
    ...                               data_range=255.0))
    | noise | strength | noisy | model |
    |---|---|---|---|
    | gaussian | 0 | inf | inf |
    | gaussian | 25.5 | 20.0 | 20.0 |
    """
    models = dict(model) if isinstance(model, Mapping) else {"model": model}
    images = [np.asarray(image, np.float32) for image in images]
    if not images:
        raise ImageError("Clean images are needed to add noise to. Received: none.")
    if data_range is None:
        data_range = float(max(i.max() for i in images) - min(i.min() for i in images))
    rows = []
    for kind, noise in _listed(noises):
        scores = {name: [] for name in ("noisy", *models)}
        for index, clean in enumerate(images):
            rng = np.random.default_rng([seed, index])
            # noise models take batches with channels last
            layout = [axes.index(a) for a in axes if a != "C"] + (
                [axes.index("C")] if "C" in axes else []
            )
            batch = np.transpose(clean, layout)[np.newaxis]
            batch = batch if "C" in axes else batch[..., np.newaxis]
            noisy = noise(batch, rng)[0]
            noisy = noisy if "C" in axes else noisy[..., 0]
            noisy = np.transpose(noisy, np.argsort(layout))
            if clip is not None:
                noisy = np.clip(noisy, *clip)
            scores["noisy"].append(psnr(clean, noisy, data_range))
            for name, one in models.items():
                scores[name].append(psnr(clean, one.predict(noisy, axes, **options), data_range))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        rows.append({"noise": kind, "strength": _strength(noise), **means})
    return Generalisation(rows, list(models))


def _listed(noises):
    if isinstance(noises, Mapping):
        listed = [(kind, noise) for kind, several in noises.items() for noise in several]
    else:
        listed = [(type(noise).__name__.lower(), noise) for noise in noises]
    if not listed or not all(callable(noise) for _, noise in listed):
        raise ConfigError(
            "noises must hold noise models of n2v_tk.data.noise, in a list or in lists by name. "
            f"Received: {noises!r}."
        )
    return listed


def _strength(noise) -> float:
    """The first parameter of a noise model, the mean of its range."""
    value = getattr(noise, fields(noise)[0].name) if is_dataclass(noise) else 0.0
    return float(np.mean(value))
