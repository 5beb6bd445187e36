"""Errors are those of n2v_tk.errors, say what was received, and are in the docs."""

import ast
import builtins
import inspect
import re
from pathlib import Path

import pytest

from n2v_tk import errors

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "n2v_tk").rglob("*.py"))
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and kind.__module__ == errors.__name__
}
# what Python asks of these functions; NotImplementedError is for what subclasses must have
PROTOCOLS = {
    "__getattr__": {"AttributeError"},
    "__getitem__": {"IndexError", "KeyError"},
    "__missing__": {"KeyError"},
    "__next__": {"StopIteration"},
}
# (file, function): why it raises something else
JUSTIFIED = {
    ("config/files.py", "parse_config"): "those who read it say which file it is",
    ("cli/app.py", "_version"): "typer's way to end",
    ("export/client.py", "_call"): "cannot be reached",
    ("io/ome_zarr.py", "_transforms"): "read_image says which store cannot be read",
    ("lazy.py", "_full_key"): "a part of __getitem__",
    ("legacy/modules.py", "get"): "a module's __getattr__",
    ("prediction/tiling.py", "_whole"): "check_n_tiles says what was received",
    ("training/stopping.py", "stop"): "a SystemExit that knows its signal",
    ("training/state.py", "_check"): "load says which file is damaged",
    ("models/large.py", "*"): "UnwrittenError tells failed writes from failed reads, within",
    (
        "models/large_state.py",
        "*",
    ): "UnwrittenError tells failed writes from failed reads, within",
}


def functions(tree):
    """All raises with the functions and the try blocks around them, innermost last."""

    def walk(node, around, tries):
        if isinstance(node, ast.Raise):
            yield node, around, tries
        if isinstance(node, ast.FunctionDef):
            around, tries = [*around, node.name], []
        for field, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    inside = isinstance(node, ast.Try) and field == "body"
                    yield from walk(child, around, [*tries, node] if inside else tries)

    yield from walk(tree, [], [])


def raised(node):
    """Name of the class that a statement raises, None where it raises what it caught or made."""
    called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = getattr(called, "id", getattr(called, "attr", None))
    return name if name is not None and name[0].isupper() else None


def caught(name, tries, groups):
    """Whether a try around catches it, to say it better; `groups` are tuples of the file."""
    kind = getattr(builtins, name, None)
    for handler in (h for t in tries for h in t.handlers if h.type is not None):
        caught = groups.get(ast.unparse(handler.type), handler.type)
        several = caught.elts if isinstance(caught, ast.Tuple) else [caught]
        for one in several:
            other = getattr(builtins, ast.unparse(one), None)
            if kind is not None and isinstance(other, type) and issubclass(kind, other):
                return True
    return False


def strangers(path):
    """Raises of a file that are neither of n2v_tk.errors nor of a protocol nor caught again."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    groups = {n.targets[0].id: n.value for n in tree.body
              if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}  # fmt: skip
    for node, around, tries in functions(tree):
        name = raised(node)
        if name is None or name in CLASSES or name in ("NotImplementedError", "SystemExit"):
            continue
        if any(name in PROTOCOLS.get(function, ()) for function in around):
            continue
        if not caught(name, tries, groups):
            yield name, node.lineno, around[-1] if around else ""


def test_every_error_is_one_of_the_package():
    unused = set(JUSTIFIED)
    for path in MODULES:
        file = path.relative_to(ROOT / "n2v_tk").as_posix()
        for name, line, function in strangers(path):
            reasons = {(file, function), (file, "*")} & set(JUSTIFIED)
            assert reasons, f"{file}:{line} raises {name} in {function}"
            unused -= reasons
    assert not unused, "no longer needed"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_message_says_what_was_received(path):
    for node, _, _ in functions(ast.parse(path.read_text(encoding="utf-8"))):
        if raised(node) not in CLASSES or not isinstance(node.exc, ast.Call):
            continue
        text = node.exc.args[0] if node.exc.args else None
        # what another error says is told with it
        if isinstance(text, ast.Constant | ast.JoinedStr) and "{error}" not in ast.unparse(text):
            assert "Received" in ast.unparse(text), f"line {node.lineno}"


def test_errors_are_built_in_ones_too():
    for name, kind in CLASSES.items():
        if name == "N2VTKError" or issubclass(kind, Warning):
            continue
        assert issubclass(kind, errors.N2VTKError)
        assert any(b.__module__ == "builtins" and b is not Exception for b in kind.__mro__[1:-3])
        assert inspect.getdoc(kind)


def test_the_page_of_errors_tells_when_each_is_raised_and_what_to_do():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = {}
    for row in re.findall(r"^\| `(\w+)` \|(.+)\|$", page, re.MULTILINE):
        rows[row[0]] = [cell.strip() for cell in row[1].split("|")]
    assert rows.keys() == CLASSES.keys()
    for name, (also, when, remedy) in rows.items():
        assert also.strip("`") in {base.__name__ for base in CLASSES[name].__mro__[1:]}
        assert len(when) > 10, name
        assert len(remedy) > 10, name
