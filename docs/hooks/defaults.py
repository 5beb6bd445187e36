"""Writes the defaults of all methods' settings into reference/configs.md."""

from n2v_tk.config.care import CAREConfig
from n2v_tk.config.hqssl import HQSSLConfig
from n2v_tk.config.masked import MaskedDenoiserConfig
from n2v_tk.config.n2n import N2NConfig
from n2v_tk.config.n2v import N2VConfig
from n2v_tk.config.r2r import R2RConfig

PLACE = "<!-- defaults -->"
CONFIGS = (N2VConfig, R2RConfig, HQSSLConfig, N2NConfig, CAREConfig, MaskedDenoiserConfig)


def on_page_markdown(markdown, **_):
    """Called by mkdocs for every page."""
    return markdown.replace(PLACE, table())


def table() -> str:
    """Settings as rows, classes as columns; empty where a class has no such setting."""
    names = list(dict.fromkeys(name for config in CONFIGS for name in config.model_fields))
    heads = [config.__name__.removesuffix("Config") for config in CONFIGS]
    lines = [f"| setting | {' | '.join(heads)} |", "|---" * (len(CONFIGS) + 1) + "|"]
    for name in names:
        values = [_value(config.model_fields.get(name)) for config in CONFIGS]
        lines.append(f"| `{name}` | {' | '.join(values)} |")
    return "\n".join(lines)


def _value(field):
    return "" if field is None else f"`{field.default!r}`"
