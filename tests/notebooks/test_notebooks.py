"""Every notebook is stored clean, and runs from start to end."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
BOOKS = {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}

# what the tests change in the settings, so that training is short but shows an effect
QUICK = {
    "01_first_denoising": {"method": "n2v", "epochs": 3, "steps": 160},
    "02_your_own_2d_data": {"epochs": 3, "steps": 12, "filters": 16},
    "03_volumes_and_films": {
        "patch": (8, 32, 32), "filters": 8, "epochs": 3, "steps": 15, "film_epochs": 3,
        "film_steps": 60,
    },
    "04_colours_and_channels": {"filters": 8, "epochs": 3, "steps": 120},
    "05_structured_noise": {"filters": 8, "epochs": 3, "steps": 200},
    "06_no_checkerboard": {"filters": 8, "epochs": 3, "steps": 200},
    "07_repeated_frames": {"patch": 64, "epochs": 3, "steps": 15},
    "08_uncertainty": {"width": 12, "patch": 64, "epochs": 3, "steps": 12},
    "09_deep_image_prior": {"filters": (16, 16, 16), "iterations": 80, "check_every": 20},
    "10_masked_training": {"width": 12, "patch": 16, "epochs": 3, "steps": 20},
    "11_export_and_serve": {"filters": 8, "epochs": 3, "steps": 200},
    "12_from_n2v": {"filters": 8, "epochs": 3, "steps": 50},
}  # fmt: skip

# a place of one computer: /home/..., C:\...
ABSOLUTE = re.compile(r"(?<![\w./:~])/(home|root|tmp|usr|var|Users|mnt|data|work)/|\b[A-Z]:\\")

# what TensorFlow's libraries write while they are loaded
KNOWN = re.compile(r"WARNING: All log messages before absl::InitializeLog|I0000 ")


def read(name):
    return nbformat.read(BOOKS[name], as_version=4)


def settings_cell(book):
    tagged = [i for i, c in enumerate(book.cells) if "parameters" in c.metadata.get("tags", ())]
    assert len(tagged) == 1
    return tagged[0]


def test_every_notebook_is_run_and_listed():
    assert list(BOOKS) == list(QUICK)
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\((\w+)\.ipynb\)", index)
    assert listed == list(BOOKS)


@pytest.mark.parametrize("name", QUICK)
def test_stored_without_outputs(name):
    book = read(name)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", id) for id in ids)


@pytest.mark.parametrize("name", QUICK)
def test_opens_with_what_it_is_for_and_ends_with_what_next(name):
    first, *_, last = read(name).cells
    assert first.cell_type == last.cell_type == "markdown"
    assert re.match(rf"# {int(name[:2])} \S", first.source)
    assert "**Which data.**" in first.source
    assert last.source.startswith("## What next\n")


@pytest.mark.parametrize("name", QUICK)
def test_settings_stand_at_the_top(name):
    """What the tests change must be there, and no code before it."""
    book = read(name)
    index = settings_cell(book)
    assert all(cell.cell_type == "markdown" for cell in book.cells[:index])
    names = {
        target.id
        for statement in ast.parse(book.cells[index].source).body
        for target in statement.targets
    }
    assert set(QUICK[name]) <= names


@pytest.mark.parametrize("name", QUICK)
def test_names_no_place_of_one_computer_and_no_missing_notebook(name):
    for cell in read(name).cells:
        assert not ABSOLUTE.search(cell.source)
        for link in re.findall(r"\]\((\w+)\.ipynb\)", cell.source):
            assert link in BOOKS


def test_the_first_notebook_has_five_code_cells():
    book = read("01_first_denoising")
    assert sum(cell.cell_type == "code" for cell in book.cells) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_runs_from_start_to_end(name, tmp_path, monkeypatch):
    """On its example, in an empty folder: no error, no warning, pictures, and less noise."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "run").mkdir()
    book = read(name)
    changes = "\n".join(f"{key} = {value!r}" for key, value in QUICK[name].items())
    book.cells.insert(settings_cell(book) + 1, new_code_cell(changes))
    book.cells.append(new_code_cell("print('gain:', gain)"))
    client = NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path / "run"}}
    )
    client.execute()  # raises if a cell fails

    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    said = [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert not [line for line in "".join(said).splitlines() if line and not KNOWN.match(line)]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    gain = float(re.fullmatch(r"gain: (\S+)\n", book.cells[-1].outputs[0].text)[1])
    assert gain > 0
