"""What the README promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def n2v_tk(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", "from n2v_tk.cli import main; main()", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, "COLUMNS": "200"}, check=False,
    )  # fmt: skip


def test_the_two_commands_are_there():
    assert "pip install . && n2v-tk demo" in README
    assert 'pip install ".[test]" && pytest' in README


@pytest.mark.slow
def test_the_demo_gains_at_least_6_db(tmp_path):
    done = n2v_tk("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    gain = float(re.search(r"([+-][\d.]+) dB$", done.stderr, re.MULTILINE)[1])
    assert gain >= 6
    names = {"noisy.tif", "denoised.tif", "clean.tif", "panel.png"}
    assert {p.name for p in tmp_path.iterdir()} == names


@pytest.mark.slow
def test_ctrl_c_in_a_terminal(tmp_path):
    """A real SIGINT while it trains: no traceback, weights kept, exit code 130."""
    import signal
    import time

    process = subprocess.Popen(
        [sys.executable, "-c", "from n2v_tk.cli import main; main()", "demo", "--steps", "10",
         "--epochs", "1000"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("epoch 3/"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130, "".join(lines) + rest
    assert "best weights so far" in rest
    assert "Traceback" not in rest
    assert {"config.json", "weights_best.h5"} <= {
        p.name for p in (tmp_path / "demo_model").iterdir()
    }
