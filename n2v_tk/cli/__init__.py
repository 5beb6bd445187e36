"""The command `n2v-tk`.

Nothing heavy is imported before a command runs, so help answers at once.
"""

from __future__ import annotations

from .app import main

__all__ = ["main"]
