"""n2v_tk: remove noise from images without clean targets.

The public names are imported when first used, so ``import n2v_tk`` is instant.
"""

from __future__ import annotations

__version__ = "0.1.0"

_LAZY = {
    "N2V": ".models.n2v",
    "N2VConfig": ".config.n2v",
    "HQSSL": ".models.hqssl",
    "HQSSLConfig": ".config.hqssl",
    "N2N": ".models.n2n",
    "N2NConfig": ".config.n2n",
    "R2R": ".models.r2r",
    "R2RConfig": ".config.r2r",
    "CARE": ".models.care",
    "CAREConfig": ".config.care",
    "DeepImagePrior": ".models.dip",
    "DIPConfig": ".config.dip",
    "MaskedDenoiser": ".models.masked",
    "MaskedDenoiserConfig": ".config.masked",
    "evaluate_generalisation": ".evaluation.generalisation",
    "ServedModel": ".export.client",
    "estimate_noise": ".data.noise_estimation",
    "check_noise": ".evaluation.noise_check",
    "denoise": ".models.one_call",
    "load_model": ".models.loading",
    "read_image": ".io",
    "read_stacks": ".io",
    "write_image": ".io",
    "psnr": ".evaluation.metrics",
    "ssim": ".evaluation.metrics",
}

# modules that are used by name, as in n2v_tk.plot.before_after
_ROOMS = ("plot",)

__all__ = ["__version__", *_LAZY]


def __getattr__(name):
    if name in _ROOMS:
        from importlib import import_module

        return import_module(f".{name}", __name__)
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__, *_ROOMS})
