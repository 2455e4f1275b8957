"""What is asked of a run: whatever its results depend on makes it another request."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from posepipe.pipeline.runs.up_to_date import FitRequest, digest_of, named_files
from posepipe.pipeline.runtime.digests import Digests
from posepipe.pipeline.settings import Settings, load_settings
from posepipe.pipeline.settings.extensions import forget_extensions


@pytest.mark.parametrize("setting", ["refine.reference", "morph.network", "detect.checkpoint"])
def test_the_content_of_a_file_that_settings_name_counts(setting: str, tmp_path: Path) -> None:
    path = tmp_path / "named"
    path.write_bytes(b"one")
    settings = load_settings(overrides=[f"{setting}={path}"])
    digests = []
    for content in (b"one", b"other", b"one"):
        path.write_bytes(content)
        request = FitRequest((), settings, named_files(settings), None, ())
        digests.append(digest_of(request, Digests(tmp_path / "digests.json")))
    assert digests[0] == digests[2] != digests[1]


def test_another_version_or_source_of_a_package_that_adds_something_is_something_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    request, digests, found = FitRequest((), Settings(), (), None, ()), Digests(tmp_path / "digests.json"), []
    for version, source in (("1.2", "SIZE = 1"), ("1.2", "SIZE = 2"), ("1.3", "SIZE = 2"), ("1.2", "SIZE = 1")):
        about = tmp_path / f"suits-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: suits\nVersion: {version}\n")
        (about / "entry_points.txt").write_text("[posepipe.exporters]\njsonl = suits:FORMAT\n")
        (tmp_path / "suits.py").write_text(source)
        forget_extensions()
        found.append(digest_of(request, digests))
        shutil.rmtree(about)
    forget_extensions()
    assert found[0] == found[3]
    assert len({digest_of(request, digests), *found}) == 4, "without the package it is another request as well"


def test_a_checkpoint_that_appears_on_the_disk_is_something_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``detect.detector`` auto it would detect from now on."""
    monkeypatch.setenv("POSEPIPE_MODELS", str(tmp_path))
    request, digests = FitRequest((), Settings(), (), None, ()), Digests(tmp_path / "digests.json")
    before = digest_of(request, digests)
    checkpoint = tmp_path / "td-hm_hrnet-w32_8xb64-210e_coco-256x192-1.pth"
    checkpoint.write_bytes(b"one")
    one = digest_of(request, digests)
    checkpoint.write_bytes(b"another")
    assert len({before, one, digest_of(request, digests)}) == 3
