"""The rules of docs/DESIGN.md that a test can keep."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "n2v_tk"
FLOORS = [
    {
        "errors",
        "html",
        "lazy",
        "replicas",
        "replicas_tf",
        "archives",
        "axes",
        "config",
        "layers",
        "machine",
        "masking",
        "normalization",
        "evaluation.fourier",
        "evaluation.metrics",
        "evaluation.pairs",
        "evaluation.similarity",
    },
    {"io", "nets", "data", "losses", "likelihood", "noise_term"},
    {"training", "prediction"},
    {"models", "export", "plot", "evaluation"},
    {"cli", "legacy"},
]
MODULES = sorted(ROOT.rglob("*.py"))


def floor(module):
    """Floor of a module by its dotted name below n2v_tk."""
    for height, rooms in enumerate(FLOORS):
        if any(module == room or module.startswith(f"{room}.") for room in rooms):
            # evaluation.metrics is lower than the rest of its room
            return height
    raise AssertionError(f"{module} stands on no floor: add it to docs/DESIGN.md and here")


def imports(path):
    """Dotted names that a file imports, relative ones made absolute."""
    package = ["n2v_tk", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inside = ROOT.parent.joinpath(*module.split("."), f"{alias.name}.py")
                yield (f"{module}.{alias.name}" if inside.exists() else module), node


def name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_is_imported_from_above(path):
    if name(path) == "__init__":
        return
    for module, _ in imports(path):
        if module.startswith("n2v_tk."):
            assert floor(module.removeprefix("n2v_tk.")) <= floor(name(path)), module


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_backends_are_imported_where_they_belong(path):
    top = {node.lineno for node in ast.parse(path.read_text(encoding="utf-8")).body}
    for module, node in imports(path):
        root = module.split(".")[0]
        if root == "tensorflow":
            assert path.stem.endswith("_tf") or name(path).split(".")[0] in ("export", "legacy")
        if root in ("jax", "torch"):
            assert node.lineno not in top
            assert node.col_offset > 0
        if root == "csbdeep" and not name(path).startswith("legacy"):
            assert module in ("csbdeep.utils", "csbdeep.data", "csbdeep.internals.probability")
        assert not module.startswith("keras.src")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_eval_no_pickle_no_global_randomness(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "pickle.load", "pickle.loads")
            if called.startswith(("np.random.", "numpy.random.")):
                assert called.split(".")[-1] in (
                    "default_rng", "Generator", "PCG64", "SeedSequence",
                )  # fmt: skip
    assert "pickle" not in {m.split(".")[0] for m, _ in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_rooms_and_functions_are_small(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 500
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                assert body[-1].end_lineno - body[0].lineno < 60, node.name
