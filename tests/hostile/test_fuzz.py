"""What fuzzing found does not come back, and fuzzing itself runs."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FINDINGS = sorted((ROOT / "tests" / "data" / "fuzz").iterdir())

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def targets(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from fuzz.targets import TARGETS

    return TARGETS


@pytest.fixture
def in_time():
    """Ends what never does."""

    def late(*_):
        raise TimeoutError

    if not hasattr(signal, "SIGALRM"):
        pytest.skip("the system has no alarms")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_what_was_found(path, targets, caplog, in_time):
    caplog.set_level("CRITICAL", "tifffile")
    targets[path.name.partition("-")[0]](path.read_bytes())


@pytest.mark.parametrize("name", ["config", "tiff", "picture", "hdf5"])
def test_seeds_are_taken(name, targets, monkeypatch):
    from fuzz import seeds

    taken = list(seeds.SEEDS[name]())
    assert len(taken) >= 3
    for seed in taken:
        targets[name](seed)


def test_settings_are_changed(targets):
    import random

    from fuzz import seeds

    seed = next(iter(seeds.config()))
    changed = {seeds.change_setting(seed, random.Random(i)) for i in range(50)}
    assert len(changed) > 40
    assert seeds.change_setting(b'\0["a", "b"]', random.Random(0)) is None
    for data in changed - {None}:
        targets["config"](data)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize("name", ["config", "keras", "package", "tiff", "picture"])
def test_fuzzing_for_a_while(name, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz", name, "--seconds", "40", "--findings", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    counts = json.loads(ended.stdout.splitlines()[-1])
    assert counts["target"] == name
    assert counts["executions"] > 10
    assert counts["findings"] == 0, counts["what"]
