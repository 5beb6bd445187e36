"""The page on compatibility holds what was measured, and the ranges of setup.py."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")


def test_the_table_has_the_figures_that_are_kept():
    kept = ROOT / "benchmarks" / "results" / "compatibility.json"
    rows = json.loads(kept.read_text(encoding="utf-8"))["rows"]
    assert rows
    for row in rows:
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| {row['row']} |"))
        assert row["result"] in line
        assert re.fullmatch(r"\d+ passed", row["result"])
        for name in ("python", "tensorflow", "keras", "numpy", row["backend"]):
            assert row["versions"][name] in line


def test_the_ranges_are_those_of_the_package():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for name in ("tensorflow", "keras", "numpy", "imagecodecs", "typer", "jax"):
        least = re.search(rf'"{name}>=([\d.]+)', setup)[1]
        row = re.search(rf"^\| {name} \| ([\d.]+) \|", PAGE, re.MULTILINE | re.IGNORECASE)
        assert row[1] == least, name
