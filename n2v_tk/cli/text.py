"""Text that commands read and print."""

from __future__ import annotations

from ..errors import ConfigError


def say(console, text):
    """Print text in which brackets are not markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them."""
    try:
        found = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise ConfigError(
            f"{option} must be whole numbers with commas, e.g. 64,64. Received: {text!r}."
        )
    return found
