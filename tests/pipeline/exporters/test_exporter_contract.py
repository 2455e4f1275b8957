"""What the pipeline expects of every exporter: a file of its name, and the same files each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from known_clip import a_clip
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import EXPORTERS, FROM_VIDEO, exporter


@pytest.mark.parametrize("name", [name for name in EXPORTERS if name not in FROM_VIDEO])
def test_an_exporter_keeps_the_contract(name: str, tmp_path: Path) -> None:
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        path = folder / EXPORTERS[name].file
        try:
            exporter(name)(a_clip(), path)
        except PosepipeError as error:
            pytest.skip(str(error))
        assert path.exists()
        files = [file for file in folder.rglob("*") if file.is_file()]
        found.append({file.relative_to(folder): file.read_bytes() for file in files})
    assert set(found[0]) == set(found[1])
    assert all(found[0].values())


def test_no_two_formats_write_one_file() -> None:
    files = [format_.file for format_ in EXPORTERS.values()]
    assert len(set(files)) == len(files)
