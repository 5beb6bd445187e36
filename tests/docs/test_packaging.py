"""What is built for others holds what they need, and works where nothing else is installed."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import n2v_tk

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "environments", "site"
)


def run(*command, cwd):
    # what is installed, not what a path of the caller's names
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Paths of the sdist and of the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, folder / "checkout", ignore=LEFT_OUT)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist",
        cwd=folder / "checkout")  # fmt: skip
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return sdist, wheel


def package_files():
    files = ROOT.joinpath("n2v_tk").rglob("*")
    return {p.relative_to(ROOT).as_posix() for p in files if p.is_file() and p.suffix != ".pyc"}


@pytest.mark.slow
def test_sdist_and_wheel_hold_what_they_need(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(n for n in names if n.endswith("/METADATA"))).decode()
    assert {n for n in names if n.startswith("n2v_tk/")} == package_files()
    others = {"tests", "benchmarks", "docs", "examples", "fuzz"}
    assert not {n.split("/")[0] for n in names} & others
    assert any(n.endswith("LICENSE") for n in names)
    assert f"\nVersion: {n2v_tk.__version__}\n" in metadata
    assert "# n2v_tk" in metadata  # the README
    assert {"gpu", "docs", "serving", "tensorboard"} <= set(
        re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE)
    )
    with tarfile.open(sdist) as archive:
        inside = {n.split("/", 1)[1] for n in archive.getnames() if "/" in n}
    assert package_files() <= inside
    assert {
        "LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "mkdocs.yml", "setup.py",
        "pyproject.toml", "docs/index.md", "docs/images/demo.png", "tests/docs/test_packaging.py",
    } <= inside  # fmt: skip


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(built, tmp_path):
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    python, tool = venv / "bin" / "python", venv / "bin" / "n2v-tk"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", built[1], cwd=tmp_path)
    # what n2v_tk depends on comes from the environment that runs the tests, after the new one's own
    (own,) = venv.glob("lib/python*/site-packages")
    (own / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import n2v_tk; print(n2v_tk.__file__)", cwd=tmp_path)
    assert where.startswith(str(own))
    assert run(tool, "--version", cwd=tmp_path) == f"n2v_tk {n2v_tk.__version__}\n"
    noisy = np.random.default_rng(0).normal(100, 10, (64, 64)).astype("float32")
    np.save(tmp_path / "noisy.npy", noisy)
    run(tool, "train", "noisy.npy", "-o", "model", "--epochs", 1, "--steps", 20, "--patch", "32,32",
        "--seed", 0, cwd=tmp_path)  # fmt: skip
    run(tool, "predict", "noisy.npy", "-m", "model", "-o", "denoised.npy", cwd=tmp_path)
    denoised = np.load(tmp_path / "denoised.npy")
    assert denoised.shape == noisy.shape
    assert denoised.std() < noisy.std()


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == n2v_tk.__version__
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    for paper in citation["references"]:
        assert {"type", "title", "authors", "year", "doi"} <= paper.keys()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{n2v_tk.__version__}]" in changes
