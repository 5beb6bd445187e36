"""What the documentation shows can be typed: commands, options and Python code."""

import ast
import importlib.util
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer

import n2v_tk
from n2v_tk.cli.app import app
from n2v_tk.cli.settings import configs_of, settings_of
from n2v_tk.config.dip import DIPConfig
from n2v_tk.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app)
# at the start of a line, or after another command or what a notebook wants before it
TYPED = re.compile(r"(?:^|&& |^!|^[A-Z_]+=\w+ )n2v-tk ([^`]+)$")
QUOTED = re.compile(r"`n2v-tk ([^`]+)`")


def title(path):
    return str(path.relative_to(ROOT))


def typed(text):
    """Command lines in code, which must be whole."""
    return [m[1] for line in text.splitlines() if (m := TYPED.search(line.strip()))]


def quoted(text):
    """Command lines in sentences, which may leave out what is clear there."""
    return [re.sub(r"\s+", " ", line) for line in QUOTED.findall(text)]


def check(line, whole):
    arguments = shlex.split(line, comments=True)
    name, rest = arguments[0], arguments[1:]
    if name in ("...", "COMMAND"):
        return
    if name.startswith("-"):
        assert any(name in p.opts for p in COMMANDS.params) or name == "--help", line
        return
    assert name in COMMANDS.commands, f"there is no command {name}: n2v-tk {line}"
    command = COMMANDS.commands[name]
    rest = [word for word in rest if word not in ("...", "--help", "--debug")]
    if whole and rest:
        command.make_context(name, list(rest))  # which takes them out
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word not in known]
    assert not unknown, f"{name} has no {unknown}: n2v-tk {line}"
    named = [value for option, value in pairwise(rest) if option == "--set"]
    method = dict(pairwise(rest)).get("--method", "n2v")
    for config in [DIPConfig] if name == "dip" else configs_of(method):
        config(**settings_of({}, named, [config]))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_command_lines_parse(page):
    text = page.read_text(encoding="utf-8")
    for line in typed(text):
        check(line, whole=True)
    for line in quoted(text):
        check(line, whole=False)


def test_command_lines_are_found():
    text = "    pip install . && n2v-tk demo\nSay `n2v-tk info\nx.tif`.\n    n2v-tk info x.tif  # a"
    assert typed(text) == ["demo", "info x.tif  # a"]
    assert quoted(text) == ["info x.tif"]
    assert sum(len(typed(page.read_text(encoding="utf-8"))) for page in PAGES) > 50


@pytest.mark.parametrize(
    "line",
    [
        "denoise a.tif",
        "denoise a.tif -o b.tif --epoch 3",
        "denose a.tif -o b.tif",
        "denoise a.tif -o b.tif --epochs many",
        "predict a.tif -o b.tif --model",
        "denoise a.tif -o b.tif --set unet_n_dept=3",
        "denoise a.tif -o b.tif --set unet_n_depth=many",
        "train a.tif -o b --method hqssl --set unet_n_depth=3",
    ],
)
def test_wrong_command_lines_are_told(line):
    with pytest.raises((AssertionError, ConfigError, click_error())):
        check(line, whole=True)


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_settings_in_sentences_exist(page):
    configs = [*configs_of(None), DIPConfig]
    for words in re.findall(r"`(--set [^`]+)`", page.read_text(encoding="utf-8")):
        named = [value for option, value in pairwise(shlex.split(words)) if option == "--set"]
        if named != ["NAME=VALUE"]:
            settings_of({}, named, configs)


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        (
            "trainN2V.py",
            "baseDir name dataPath fileName validationFraction dims patchSizeXY patchSizeZ epochs "
            "stepsPerEpoch batchSize netDepth netKernelSize n2vPercPix learningRate unet_n_first "
            "noAugment",
        ),
        ("predictN2V.py", "baseDir name dataPath fileName output dims tile"),
    ],
)
def test_every_flag_of_the_old_scripts_is_in_the_tables(script, flags):
    """As n2v 0.3.3 has them."""
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    table = page.partition(f"| {script} |")[2].partition("\n\n")[0]
    old = {flag for row in table.splitlines() for flag in re.findall(r"--(\w+)", row.split("|")[1])}
    assert old == set(flags.split())


def click_error():
    """What typer's parser raises, wherever typer has it from."""
    return next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def blocks(text):
    """Python code in fences, without the indentation of what it stands in."""
    for indent, code in re.findall(r"^( *)```python\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
        yield "\n".join(line.removeprefix(indent) for line in code.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_python_code_compiles_and_its_imports_exist(page):
    for code in blocks(page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "n2v_tk":
                for alias in node.names:
                    assert exists(node.module, alias.name), f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "n2v_tk":
                assert exists("n2v_tk", node.attr), f"n2v_tk.{node.attr}"


def exists(module, name):
    """Whether a module has a name, told from its source: importing would start TensorFlow."""
    if module == "n2v_tk" and name in n2v_tk.__all__:
        return True
    path = ROOT.joinpath(*module.split("."))
    if path.joinpath(f"{name}.py").exists() or path.joinpath(name, "__init__.py").exists():
        return True
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return source.exists() and bool(re.search(rf"\b{name}\b", source.read_text(encoding="utf-8")))


def test_every_command_and_option_is_in_the_reference():
    path = ROOT / "docs" / "hooks" / "commands.py"
    spec = importlib.util.spec_from_file_location("commands", path)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    page = hook.on_page_markdown(page)
    head = page.split("\n## ")[0]
    for parameter in COMMANDS.params:
        assert parameter.hidden or all(f"`{option}`" in head for option in parameter.opts)
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(COMMANDS.commands)
    for name, command in COMMANDS.commands.items():
        assert command.help.split(".")[0] in sections[name]
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-"):
                    assert f"`{option}`" in sections[name], f"{name} {option}"


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_extras_exist(page):
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    extras = set(re.findall(r'^ +"(\w+)": \[', setup, re.MULTILINE))
    assert {"gpu", "docs", "test"} <= extras
    for names in re.findall(r"(?:n2v_tk|\.)\[([\w,]+)\]", page.read_text(encoding="utf-8")):
        assert set(names.split(",")) <= extras, names
