"""The documentation builds without a warning, its links lead somewhere, and it needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import posepipe.pipeline
import pytest
from posepipe.models import METHODS
from posepipe.pipeline.cli import app
from posepipe.pipeline.pages import fit_verdict as trust
from posepipe.pipeline.settings import Settings, setting_names
from typer.testing import CliRunner

pytest.importorskip("sphinx", reason="needs pip install '.[docs]'")
ROOT = Path(__file__).parents[2]
LOADED = {"link": "href", "use": "href"} | dict.fromkeys(("img", "script", "iframe", "video", "source"), "src")
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """Anchors of a page, where its links lead, what it loads, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])  # type: ignore[arg-type]
        if (loaded := given.get(LOADED.get(tag, ""))) and given.get("rel") not in ("prev", "next", "index", "search"):
            self.loads.append(loaded)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; the notebook is shown but not run, which is another test's task."""
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(out / "doctrees")]
    build += ["-D", "nb_execution_mode=off", str(ROOT / "docs"), str(out / "html")]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "html"


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_link_inside_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            target = urlsplit(link)
            if target.scheme:
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            anchors = pages[file].anchors if file in pages else {target.fragment}
            if not file.is_file() or (target.fragment and target.fragment not in anchors):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert not lost


def test_nothing_is_loaded_from_a_network(site: Path, pages: dict[Path, Page]) -> None:
    loaded = {link for page in pages.values() for link in page.loads if urlsplit(link).netloc}
    assert not loaded
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//", text), sheet
    scripts = {Path(link).name.partition("?")[0] for page in pages.values() for link in page.loads if ".js" in link}
    assert scripts <= {"documentation_options.js", "doctools.js", "sphinx_highlight.js", "furo.js", "theme.js",
                       "searchtools.js", "language_data.js", "searchindex.js"}  # fmt: skip


def test_every_name_of_the_api_is_documented(pages: dict[Path, Page], site: Path) -> None:
    documented = pages[site / "api.html"].anchors
    assert {f"posepipe.pipeline.{name}" for name in posepipe.pipeline.__all__} <= documented


def test_every_setting_and_command_is_listed(site: Path, pages: dict[Path, Page]) -> None:
    for name in setting_names(Settings):
        assert name == "method" or name in pages[site / "settings.html"].text
    commands = re.findall(r"^  ([a-z]+) ", CliRunner().invoke(app, ["--help"]).output.partition("Commands:")[2], re.M)
    assert "fit" in commands
    for name in commands:
        assert f"posepipe {name}" in pages[site / "command_line.html"].text


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_files_that_pages_name_exist(path: Path) -> None:
    named = re.findall(r"`((?:models|pipeline|tools|tests|demo|docs)/[\w./]+)`", path.read_text(encoding="utf-8"))
    lost = [name for name in named if not (ROOT / name).exists()]
    assert not lost


def test_every_method_has_a_place_on_the_page_of_methods() -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    built_in = [name for name, place in METHODS.items() if place.startswith("posepipe.models.")]
    assert len(built_in) >= 6
    assert all(f"| `{name}` |" in text for name in built_in)


def test_the_tutorial_judges_as_the_report_does() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for limit in (f"{trust.AGREE:.1%}", f"{trust.DISAGREE:.1%}", f"{trust.NEAR:.0%} of the body height",
                  f"more than {trust.FAR:.0%}", f"{trust.SEEN:.0%}", f"{trust.SELDOM:.0%}",
                  f"{trust.SURE:.0%}", f"{trust.SMALL_PX} px", f"{trust.FEW_CAMERAS} or more",
                  f"{trust.SHORT_S:.0f} s"):  # fmt: skip
        assert limit in text
    poor = trust.Evidence("thin", [0.02], 0.7, 0.5, 100, 2, 10, ["unsure"], 0.07, False)
    for advice in trust.judge(poor).advice:
        numbers = re.findall(r"\d+(?: px|°)", advice)
        assert all(number in text for number in numbers)
