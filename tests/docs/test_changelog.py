"""Version, changelog and citation tell the same story, and what the workflows run is there."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HEADINGS = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def test_the_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert len(HEADINGS) == len(re.findall(r"^## ", text, re.M))
    assert HEADINGS[0] == ("Unreleased", "")
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= SECTIONS
    released = [date.fromisoformat(day) for _, day in HEADINGS[1:]]
    assert released and released == sorted(released, reverse=True)


def test_the_version_is_the_newest_release_or_on_the_way_to_the_next() -> None:
    newest = HEADINGS[1][0]
    numbers = [tuple(map(int, each.partition(".dev")[0].split("."))) for each in (newest, version())]
    assert version() == newest or (numbers[1] > numbers[0] and ".dev" in version())


def test_the_citation_is_of_the_newest_release() -> None:
    cited: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], str(cited["date-released"])) == HEADINGS[1]


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / ".pre-commit-config.yaml"], ids=lambda path: path.name
)
def test_files_that_workflows_hooks_and_templates_name_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    assert all((ROOT / name).is_file() for name in re.findall(r"\b(?:tools|docs|tests)/[\w/]+\.\w+", text))


def test_nothing_is_published_that_was_not_tried() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    publish = workflow["jobs"]["publish"]
    assert {"build", "try"} <= set(publish["needs"])
    assert "refs/tags/v" in publish["if"]
    assert [name for name, job in workflow["jobs"].items() if "id-token" in job.get("permissions", {})] == ["publish"]
