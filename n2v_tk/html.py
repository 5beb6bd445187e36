"""The little HTML that objects show themselves with in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

__all__ = ["details", "escape", "table"]

_CELL = 'style="text-align:left;vertical-align:top;padding:1px 12px 1px 0"'


def table(rows: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Names and values, one row each, as text.

    Examples
    --------
    >>> "&lt;b&gt;" in table({"name": "<b>"})
    True
    """
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    cells = "".join(
        f"<tr><th {_CELL}>{escape(str(name))}</th><td {_CELL}>{escape(str(value))}</td></tr>"
        for name, value in pairs
    )
    return f"<table>{cells}</table>"


def details(summary: str, inside: str) -> str:
    """HTML that is folded away under a line of text."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"
