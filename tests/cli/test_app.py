"""What all commands have in common: help, errors, shell completion."""

import errno
import os
import re
import subprocess
import sys

import pytest

from n2v_tk.cli.app import app
from n2v_tk.cli.failing import LONGEST
from n2v_tk.errors import ImageError

COMMANDS = [info.callback.__name__ for info in app.registered_commands]


@pytest.fixture
def fail(run, monkeypatch):
    """Run a command that raises this error: exit code and what it printed."""

    def fail(error, *arguments):
        def broken(*given):
            raise error

        monkeypatch.setattr("n2v_tk.cli.info.info", broken)
        return run(*(arguments or ("info", "image.tif")))

    return fail


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_with_examples_that_exist(run, name, capsys, monkeypatch):
    from n2v_tk.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["n2v-tk", *([name] if name else []), "--help"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    page = capsys.readouterr().out
    assert max(len(line) for line in page.splitlines()) <= 80
    examples = [line.strip() for line in page.partition("Examples:")[2].splitlines()]
    examples = [line for line in examples if line]
    assert 1 <= len(examples) <= 3
    for example in examples:
        assert example.startswith(f"n2v-tk {name}".strip())
        # an option that is gone would make it a lie
        options = set(re.findall(r" (--?[a-z][a-z-]*)", example))
        assert all(re.search(rf"{option}\b", page) for option in options), example


def test_paragraphs_of_help_flow(capsys, monkeypatch):
    """The line breaks of the source are not those of an 80-column page."""
    from n2v_tk.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["n2v-tk", "evaluate", "--help"])
    with pytest.raises(SystemExit):
        main()
    page = capsys.readouterr().out
    paragraph = page.partition("Images are compared")[2].partition("╭")[0].strip().splitlines()
    assert all(len(line.strip()) > 50 for line in paragraph[:-1])


def test_errors_for_people_are_one_line(fail):
    code, text = fail(ImageError("The image is odd. Received: 3 [px]."))
    assert (code, text) == (1, "Error: The image is odd. Received: 3 [px].")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("4 GiB"), ["Memory ran out", "MemoryError: 4 GiB"]),
        (MemoryError(), ["Memory ran out", "Received: MemoryError. If"]),
        (OSError(errno.ENOSPC, "No space left", "out.tif"), ["disk is full", "OSError", "out.tif"]),
        (OSError(errno.ENAMETOOLONG, "too long", "x"), ["name of a file is longer", "too long"]),
        (PermissionError(errno.EACCES, "denied", "x"), ["could not be read", "PermissionError"]),
        (OSError("odd"), ["could not be read", "Received: OSError: odd. If"]),
        (KeyError("gain"), ["should not", "Received: KeyError: 'gain'. If"]),
        (ValueError("a [b]\n  c\n" + "d" * 999), ["ValueError: a [b] c ddd", "ddd... If"]),
    ],
)
def test_other_errors_are_one_line_with_their_type(fail, error, words):
    code, text = fail(error)
    assert code == 1
    assert text.startswith("Error: ")
    assert "Traceback" not in text
    assert "run again with --debug for the traceback and report it." in text
    assert len(text) < LONGEST + 250
    for word in words:
        assert word in text


@pytest.mark.parametrize("arguments", [["--debug", "info", "a.tif"], ["info", "a.tif", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(fail, arguments):
    for error in (KeyError("gain"), ImageError("The image is odd.")):
        code, text = fail(error, *arguments)
        assert code == 1
        assert "Traceback (most recent call last)" in text
        assert "in broken raise error" in text
        assert type(error).__name__ in text


@pytest.mark.parametrize(
    "arguments", [["info"], ["nonsense"], ["info", "x", "--stepz"], ["denoise", "x", "-o", "y",
     "--epochs", "0"]],
)  # fmt: skip
def test_usage_errors_exit_with_2(run, arguments):
    code, text = run(*arguments)
    assert code == 2
    assert "Usage" in text
    assert "Traceback" not in text


SHELLS = """
import contextlib, io, os, sys
from n2v_tk.cli import main
sys.argv = ["n2v-tk"]
for settings in (
    {"_N2V_TK_COMPLETE": "source_bash"},
    {"_N2V_TK_COMPLETE": "source_zsh"},
    {"_N2V_TK_COMPLETE": "source_fish"},
    {"_N2V_TK_COMPLETE": "complete_bash", "COMP_WORDS": "n2v-tk de", "COMP_CWORD": "1"},
    {"_N2V_TK_COMPLETE": "complete_bash", "COMP_WORDS": "n2v-tk train --method n2",
     "COMP_CWORD": "3"},
    {"_N2V_TK_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "n2v-tk export m --to fi"},
    {"_N2V_TK_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "n2v-tk eva",
     "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
):
    os.environ.update(settings)
    print("::", settings["_N2V_TK_COMPLETE"])
    try:
        main()
    except SystemExit:
        pass
heavy = "tensorflow keras jax torch matplotlib skimage scipy csbdeep numpy"
print(":: heavy", [m for m in heavy.split() if m in sys.modules])
"""


def test_shell_completion():
    done = subprocess.run(
        [sys.executable, "-c", SHELLS], capture_output=True, text=True, check=True,
        env={**os.environ},
    )  # fmt: skip
    parts = [part.strip() for part in done.stdout.split("::")[1:]]
    bash, zsh, fish, commands, methods, formats, one, heavy = parts
    assert "complete -o default -F _n2v_tk_completion n2v-tk" in bash
    assert "compdef _n2v_tk_completion n2v-tk" in zsh
    assert "complete --command n2v-tk" in fish
    assert commands.split()[1:] == ["denoise", "demo"]
    assert methods.split()[1:] == ["n2v", "n2v2", "n2n"]
    assert "fiji-n2v" in formats
    assert "onnx" not in formats
    assert one.split()[1] == "evaluate"
    assert heavy == "heavy []"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_installed(run, shell, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    # the shell is named, not looked for among the parents of the tests
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from n2v_tk.cli import main; sys.argv = ['n2v-tk', "
         f"'--install-completion', '{shell}']; main()"],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    assert f"{shell} completion installed" in done.stdout
    written = [p for p in tmp_path.rglob("*n2v-tk*") if p.is_file()]
    assert len(written) == 1
    assert "_N2V_TK_COMPLETE" in written[0].read_text()
