"""Writes the commands of `n2v-tk` and their options into reference/command-line.md."""

import re

import typer

from n2v_tk.cli.app import app

OPTIONS, COMMANDS = "<!-- options -->", "<!-- commands -->"
HEAD = ("| option | meaning |", "|---|---|")


def on_page_markdown(markdown, **_):
    """Called by mkdocs for every page."""
    if COMMANDS not in markdown:
        return markdown
    group = typer.main.get_command(app)
    commands = "\n".join(_command(name, command) for name, command in group.commands.items())
    rows = [_row(_names(p), p) for p in group.params if not p.hidden]
    options = "\n".join([*HEAD, *rows])
    return markdown.replace(OPTIONS, options).replace(COMMANDS, commands)


def _command(name, command):
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join(["n2v-tk", name, *(_metavar(p) for p in arguments), "[OPTIONS]"])
    rows = [_row(f"`{_metavar(p)}`", p) for p in arguments]
    rows += [_row(_names(p), p) for p in options]
    table = [*HEAD, *rows] if rows else []
    # the examples that end the help: a heading, then one line each
    examples = [f"    {line}" for line in (command.epilog or "").split("\n\n")[1:]]
    parts = [f"## {name}", "", _text(command.help), "", f"    {usage}", "", *table, ""]
    return "\n".join([*parts, *examples, ""])


def _metavar(parameter):
    name = (parameter.metavar or parameter.name).upper()
    return f"{name}..." if parameter.nargs == -1 else name


def _names(option):
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return names if option.is_flag else f"{names} {_metavar(option)}"


def _row(names, parameter):
    help = _text(getattr(parameter, "help", "") or "")
    default = parameter.default
    if parameter.required:
        help = f"{help} Required."
    elif isinstance(default, str | int | float) and not isinstance(default, bool):
        help = f"{help} Default: {default}." if "Default" not in help else help
    return f"| {names} | {help} |"


def _text(help):
    text = re.sub(r"\s+", " ", help or "").strip()
    return re.sub(r"([|*\[\]])", r"\\\1", text).replace("<", "&lt;")
