"""Pictures for people: in notebooks, reports and files.

What the functions return shows itself in a notebook, and ``figure.savefig(path)`` writes it.
"""

from __future__ import annotations

from .history import history
from .images import before_after, masked_patch, strip, uncertainty
from .noise import residual, spectrum
from .picture import Picture

__all__ = [
    "LivePictures", "LiveTraining", "Picture", "before_after", "history", "in_notebook",
    "masked_patch", "residual", "spectrum", "strip", "uncertainty",
]  # fmt: skip

# of Keras, which pictures of images can do without
_LIVE = ("LivePictures", "LiveTraining", "in_notebook")


def __getattr__(name):
    if name not in _LIVE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import live

    return getattr(live, name)
