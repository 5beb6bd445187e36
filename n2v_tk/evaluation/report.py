"""A page of HTML that tells whether the result of a model can be trusted."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__, html
from ..data.noise_estimation import NoiseEstimate, noise_if_enough
from ..data.sampling import middle
from ..errors import ImageError
from ..io import check_output, replacing
from ..models.predicting import as_image
from ..normalization import check_image
from ..plot import history, residual, spectrum
from ..plot.picture import as_img, as_png, grey_scale, plane
from .metrics import psnr, ssim
from .report_parts import LEAST_SIDE, cut, part_of, parts_of_repeats
from .report_text import verdict_of_held_out, verdict_of_linearity, verdict_of_residual
from .trust import held_out_error, linearity, residual_of, unsupervised_mse
from .viewer import SCRIPT, STYLE, viewer

_HELD_OUT_SIDE = 384

_PAGE_STYLE = """
body{font-family:system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;
line-height:1.45;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #ccc}
img{max-width:100%}
ul.findings{padding:0}ul.findings li{list-style:none;margin:6px 0;padding:2px 0 2px 10px;
border-left:5px solid #888}
ul.findings li.good{border-color:#2a7}ul.findings li.warning{border-color:#c80}
ul.findings li.problem{border-color:#c22}
details{margin:.5em 0}
"""


@dataclass
class _Looked:
    """What the report is about: a part of an image, (Z,) Y, X, C."""

    noisy: np.ndarray
    denoised: np.ndarray
    truth: np.ndarray | None
    looks: list[np.ndarray]
    noise: NoiseEstimate | None

    def planes(self, which: str) -> np.ndarray:
        """The middle plane of 'noisy', 'denoised' or 'truth': (Y, X) or (Y, X, 3)."""
        image = np.asarray(getattr(self, which), np.float64)
        return plane(image, "ZYXC"[4 - image.ndim :])


def write_report(
    model,
    path: str | os.PathLike,
    image: np.ndarray | None = None,
    axes: str | None = None,
    truth: np.ndarray | None = None,
    repeats: np.ndarray | None = None,
    overwrite: bool = False,
) -> Path:
    """As `Denoiser.report`, which see."""
    path = Path(path)
    check_output(path, overwrite, (".html", ".htm"))
    looked = _look(model, image, axes, truth, repeats)
    sections, findings = [], []
    _add_training(model, looked, sections, findings)
    if looked is None:
        findings.append(("note", "No image was given, so this tells of the training only."))
    else:
        _add_images(looked, sections)
        _add_residual(looked, sections, findings)
        _add_brightness(looked, sections, findings)
        _add_quality(model, looked, sections, findings)
    _add_settings(model, sections)
    points = "".join(f'<li class="{kind}">{html.escape(text)}</li>' for kind, text in findings)
    body = "".join(f"<h2>{html.escape(title)}</h2>{inside}" for title, inside in sections)
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(model.name)}: report of n2v_tk</title>"
        f"<style>{_PAGE_STYLE}{STYLE}</style></head><body>"
        f"<h1>Report on {html.escape(model.name)} ({type(model).__name__})</h1>"
        f"<p>n2v_tk {__version__}, {time.strftime('%Y-%m-%d %H:%M')}</p>"
        f'<ul class="findings">{points}</ul>{body}<script>{SCRIPT}</script></body></html>'
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _look(model, image, axes, truth, repeats):
    """Denoise a part of the image, and cut the same from what else there is."""
    looks = [] if repeats is None else parts_of_repeats(repeats, model.config)
    if image is not None:
        image = as_image(image)
        axes = "YX" if axes is None and image.ndim == 2 else axes
        model.check(image, axes, look=False)
        noisy = part_of(image, axes, model.config.n_dim)
    elif looks:
        noisy = looks[0]
    elif model.example is not None and model.config.n_channel_out == model.config.n_channel_in:
        noisy = cut(model.example)
    else:
        return None
    if truth is not None:
        truth = as_image(truth)
        truth = part_of(truth, axes or "ZYX"[3 - truth.ndim :], model.config.n_dim)
    for name, other in (("truth", truth), *(("repeats", look) for look in looks)):
        if other is None:
            continue
        check_image(other, f"The {name}")
        if other.shape != noisy.shape:
            raise ImageError(
                f"The {name} must have the shape of the noisy image. Received: parts of shape "
                f"{other.shape} and {noisy.shape}."
            )
    check_image(noisy)
    if min(noisy.shape[-3:-1]) < LEAST_SIDE:
        raise ImageError(
            f"The image is too small for a report. Received: {noisy.shape[-3]} x {noisy.shape[-2]} "
            f"pixels. {LEAST_SIDE} x {LEAST_SIDE} are needed."
        )
    denoised = np.asarray(model.predict(noisy, model.config.axes))
    if denoised.shape != noisy.shape:
        raise ImageError(
            "A report compares an image with its denoised version of the same shape. Received: a "
            f"model that makes {denoised.shape} of {noisy.shape}."
        )
    noise = noise_if_enough(np.moveaxis(noisy, -1, 0))
    return _Looked(noisy, denoised, truth, looks, noise)


def _picture(figure, alt):
    return as_img(as_png(figure, 90), alt)


def _add_training(model, looked, sections, findings):
    curves = model.record.curves()
    if not curves:
        text = "Nothing is known of the training: its record (training.json) is not in the folder."
        findings.append(("note", text))
        return
    text = (
        "The loss is a distance to noisy values. It falls to the level of the noise, never to "
        "zero, and the image goes on getting better while the curve looks flat. Validation below "
        "training is normal where the validation patches are easier or not augmented. A "
        "validation loss that rises while the training loss falls means too few data."
    )
    sections.append(("Training", f"<p>{text}</p>{_picture(history(model), 'losses')}"))
    held_out = np.asarray(curves.get("val_loss", []))
    loss = np.asarray(curves["loss"])
    if not np.isfinite(loss).all():
        findings.append(("warning", "The loss became infinite or NaN in some epochs."))
    if len(held_out) >= 5 and np.isfinite(held_out).all():
        best = int(np.nanargmin(held_out))
        extent = float(np.nanmax(held_out) - np.nanmin(held_out))
        rose = float(held_out[-1] - held_out[best])
        if best == len(held_out) - 1 and held_out[-3] - held_out[-1] > 0.05 * extent:
            text = "The validation loss was still falling at the end: train longer."
            findings.append(("warning", text))
        elif rose > 0.3 * extent and loss[-1] < loss[best]:
            text = (
                f"The validation loss was lowest in epoch {best + 1} and rose by {rose:.3g} "
                "since: the network learns its images by heart. Give it more images or fewer "
                "epochs."
            )
            findings.append(("warning", text))
        else:
            findings.append(("good", "Training came to rest."))


def _add_images(looked, sections):
    noisy, denoised = looked.planes("noisy"), looked.planes("denoised")
    images = {"noisy": noisy, "denoised": denoised}
    if looked.truth is not None:
        images["ground truth"] = looked.planes("truth")
    low, high = grey_scale(list(images.values())[-1])
    sections.append(("Before and after", viewer(images, low, high)))


def _add_residual(looked, sections, findings):
    noisy, denoised = (np.asarray(looked.planes(w)) for w in ("noisy", "denoised"))
    found = residual_of(*(p if p.ndim == 2 else p.mean(axis=-1) for p in (noisy, denoised)))
    findings.extend(verdict_of_residual(found))
    text = (
        "What was taken away should look like noise: no edges, no shapes. Structure in it was "
        "signal. Its autocorrelation tells more than the eye: white beside the middle means that "
        "only independent noise was taken."
    )
    pictures = _picture(residual(noisy, denoised), "residual and its autocorrelation")
    spectra = {"noisy": noisy, "denoised": denoised}
    if looked.truth is not None:
        spectra["ground truth"] = looked.planes("truth")
    more = _picture(spectrum(spectra), "spectra")
    sections.append(("What was taken away", f"<p>{text}</p>{pictures}{more}"))


def _add_brightness(looked, sections, findings):
    from .report_pictures import draw_brightness

    slope, offset = linearity(looked.noisy, looked.denoised)
    findings.extend(verdict_of_linearity(slope, offset, looked.denoised))
    text = (
        "Denoising must not change brightness: pixels that are denoised to a grey value have it "
        f"on average before (slope {slope:.3f}, offset {offset:.3g} grey values; 1 and 0 are "
        "ideal). The histogram gets narrower, since noise had made it wide."
    )
    figure = draw_brightness(looked.noisy, looked.denoised)
    picture = _picture(figure, "histogram and linearity")
    sections.append(("Brightness", f"<p>{text}</p>{picture}"))


def _add_quality(model, looked, sections, findings):
    rows = {}
    extent = float(np.subtract(*np.percentile(looked.denoised, (99.9, 0.1))))
    if looked.noise is not None:
        crop = middle(looked.noisy, _HELD_OUT_SIDE)
        found = held_out_error(model, crop, looked.noise)
        findings.extend(verdict_of_held_out(found, extent))
        rows["noise, estimated (standard deviation)"] = f"{looked.noise.sigma:.4g} grey values"
        rows["error on held-out pixels (root mean square, against noisy pixels)"] = (
            f"{found.mse**0.5:.4g}, of which noise is about {found.noise**0.5:.4g}"
        )
        rows["so against clean pixels, without the pixel itself"] = f"about {found.error:.3g}"
    if looked.looks:
        # the one that was denoised first, and only once
        others = [look for look in looked.looks if not np.array_equal(look, looked.noisy)]
        looks = [looked.noisy, *others]
        error = unsupervised_mse(looked.denoised, looks) if others else 0.0
        if error > 0:
            value = 10 * np.log10(extent**2 / error)
            text = f"{value:.2f} dB (range {extent:.4g}, percentiles 0.1 to 99.9)"
            findings.append(("note", f"Unsupervised PSNR from {len(looks)} looks: {value:.1f} dB."))
        else:
            text = "cannot be told: the error is below what so many pixels tell"
        rows["unsupervised PSNR, from repeated looks"] = text
    if looked.truth is not None:
        for name, image in (("noisy", looked.noisy), ("denoised", looked.denoised)):
            near = _ssim(looked.planes("truth"), _plane(image))
            value = psnr(looked.truth, image)
            rows[f"{name} against ground truth"] = f"PSNR {value:.2f} dB, SSIM {near:.3f}"
        gain = psnr(looked.truth, looked.denoised) - psnr(looked.truth, looked.noisy)
        kind = "good" if gain > 0 else "problem"
        findings.append((kind, f"Against the ground truth denoising gains {gain:.2f} dB."))
    if rows:
        text = (
            "Pixels that are hidden from the network are a second look at the image: the "
            "difference to them is noise and the error of the network together. That holds for "
            "noise that is independent from pixel to pixel."
        )
        sections.append(("Quality", f"<p>{text}</p>{html.table(rows)}"))


def _plane(image):
    return plane(np.asarray(image), "ZYXC"[4 - image.ndim :])


def _ssim(truth, image):
    return ssim(truth, image, channel_axis=-1 if truth.ndim == 3 else None)


def _add_settings(model, sections):
    inside = model.config._repr_html_()
    runs = []
    for number, run in enumerate(model.record.runs, 1):
        facts = {k: v for k, v in run.items() if k not in ("history", "versions")}
        facts |= {f"version of {k}": v for k, v in run.get("versions", {}).items()}
        facts["epochs"] = len(run["history"].get("loss", []))
        runs.append(html.details(f"training {number}", html.table(facts)))
    command = f"n2v-tk predict IN... -m {model.logdir or model.name} -o OUT"
    reuse = f"<p>Denoise more images with it: <code>{html.escape(command)}</code></p>"
    sections.append(("Settings", f"{inside}{''.join(runs)}{reuse}"))
