"""The documentation as a site, and links that lead somewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
AT_TOP = ["README.md", "CHANGELOG.md"]


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.links |= {attributes[name] for name in ("href", "src") if attributes.get(name)}


@pytest.mark.slow
def test_the_site_builds_without_warnings_and_its_links_resolve(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert not re.search(r"^WARNING", done.stderr, re.MULTILINE), done.stderr[-3000:]
    pages = {path: Page(path) for path in tmp_path.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 30
    from_elsewhere = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                from_elsewhere += [link] if link.endswith((".js", ".css", ".png", ".svg")) else []
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path.relative_to(tmp_path)}: {link}"
            if anchor and target in pages:
                assert unquote(anchor) in pages[target].anchors, f"{path.name}: {link}"
    assert not from_elsewhere  # the site works offline
    # docstrings have arrived
    models = (tmp_path / "reference" / "models.html").read_text(encoding="utf-8")
    assert "validation_X" in models
    for verb in ("train", "predict", "predict_large", "export", "save"):
        assert f'id="n2v_tk.models.base.Denoiser.{verb}"' in models, verb
    assert "docker" in (tmp_path / "serving.html").read_text(encoding="utf-8")


def slug(heading):
    """The anchor that GitHub and mkdocs make of a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text)).strip("-")


@pytest.mark.parametrize("name", AT_TOP)
def test_links_of_pages_at_the_top_resolve(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        assert (ROOT / file).exists(), link
        if anchor:
            page = (ROOT / file).read_text(encoding="utf-8")
            assert anchor in {slug(h) for h in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}, link


def test_every_page_is_in_the_navigation():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", config.split("\nnav:")[1]))
    assert listed == {p.relative_to(ROOT / "docs").as_posix() for p in ROOT.glob("docs/**/*.md")}
