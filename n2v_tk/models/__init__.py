"""One class per method, imported when first used."""

from importlib import import_module

_LAZY = {
    "CARE": ".care",
    "CAREConfig": "..config.care",
    "HQSSL": ".hqssl",
    "HQSSLConfig": "..config.hqssl",
    "N2N": ".n2n",
    "N2NConfig": "..config.n2n",
    "N2V": ".n2v",
    "N2VConfig": "..config.n2v",
    "R2R": ".r2r",
    "R2RConfig": "..config.r2r",
    "load_model": ".loading",
}

__all__ = list(_LAZY)


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)
