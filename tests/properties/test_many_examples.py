"""The properties of this folder once more, with many examples."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = sorted(set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)})


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_with_many_examples(path):
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-profile=many", str(path)]
    command += ["-m", "slow or not slow"]
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
