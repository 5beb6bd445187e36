"""Settings by name, `--set NAME=VALUE`, beside those that have an option of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config.settings import Settings

# as the documentation of Python writes them
_WORDS = {"True": True, "False": False, "None": None}
# what images or other options say, whatever the method is
_ELSEWHERE = {
    "n_dim": "The images have it: use --dim.",
    "axes": "The images have them: use --axes.",
    "n_channel_in": "The images have them: leave it out.",
    "n_channel_out": "The images have them: leave it out.",
    "axis": "Use --struct-axis.",
    "length": "Use --struct-length.",
}
_LONGEST = 60


def settings_of(
    options: Mapping[str, tuple[str, Any]],
    named: Sequence[str] | None,
    configs: Iterable[type[Settings]],
) -> dict[str, Any]:
    """Settings that were given, by options and by name.

    Parameters
    ----------
    options : dict of str to (str, value)
        For each setting its option, as it is typed, and what was given there, or None.
    named : sequence of str, optional
        Each 'NAME=VALUE'.
    configs : iterable of type
        Classes of settings, of which any may be named.

    Raises
    ------
    ConfigError
        If one is not of that form, a setting is unknown or given twice, or not given by name.

    Examples
    --------
    >>> from n2v_tk.config import N2VConfig
    >>> epochs = {"train_epochs": ("--epochs", 5)}
    >>> settings_of(epochs, ["train_batch_size=64"], [N2VConfig])
    {'train_epochs': 5, 'train_batch_size': 64}
    """
    from ..config.checks import refuse_unknown

    known = _names(configs)
    settings = {name: value for name, (_, value) in options.items() if value is not None}
    given_by = {name: options[name][0] for name in settings}
    for pair in named or ():
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not name or not equals:
            raise ConfigError(
                f"--set must be NAME=VALUE, e.g. --set train_batch_size=64. Received: {pair!r}."
            )
        shown = f"--set {name}={text}"[:_LONGEST]
        if name in _ELSEWHERE:
            raise ConfigError(f"{name} is not set by name. Received: {shown}. {_ELSEWHERE[name]}")
        refuse_unknown([name], known, "docs/reference/configs.md lists all.")
        if name in given_by:
            raise ConfigError(
                f"{name} must be given once. Received: {given_by[name]} and {shown}. Leave one of "
                "them out."
            )
        settings[name], given_by[name] = value_of(text), shown
    return settings


def value_of(text: str) -> Any:
    """What a text says: JSON, else a list where it has commas, else the text itself.

    Examples
    --------
    >>> value_of("0.198"), value_of("false"), value_of("64,64"), value_of("median")
    (0.198, False, [64, 64], 'median')
    """
    if text in _WORDS:
        return _WORDS[text]
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return [value_of(part.strip()) for part in text.split(",")] if "," in text else text


def configs_of(method: str | None) -> list[type[Settings]]:
    """The settings of a method that trains a model; those of all for one that is not known."""
    from ..config.reading import CONFIGS, VARIANTS

    name = VARIANTS.get(method, method)
    return [CONFIGS[name]] if name in CONFIGS else list(CONFIGS.values())


def _names(configs):
    """Of settings, each once, in order."""
    return list(dict.fromkeys(name for config in configs for name in config.model_fields))


def names_for_training(ctx: typer.Context) -> list[str]:
    """What a shell completes --set with: settings of the method that stands before it."""
    configs = configs_of(ctx.params.get("method") or "n2v")
    return [f"{name}=" for name in _names(configs) if name not in _ELSEWHERE]


def names_for_dip() -> list[str]:
    """As `names_for_training`, of Deep Image Prior."""
    from ..config.dip import DIPConfig

    return [f"{name}=" for name in DIPConfig.model_fields if name != "task"]
