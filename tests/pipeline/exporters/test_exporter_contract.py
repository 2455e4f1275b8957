"""What the pipeline expects of every exporter: a file of its name, and the same files each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from known_clip import a_clip
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import EXPORTERS, exporter, without_video
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.settings.extensions import forget_extensions


@pytest.mark.parametrize("name", without_video(EXPORTERS))
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


def test_a_format_of_another_package_may_need_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "site" / "films-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: films\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[posepipe.exporters]\nfilm = films:FORMAT\n")
    (about.parent / "films.py").write_text(
        "from posepipe.pipeline import exporters\n"
        "FORMAT = exporters.Format('film.mp4', 'films:write', from_video=True)\n"
    )
    monkeypatch.syspath_prepend(about.parent)
    forget_extensions()
    assert without_video(["npz", "film", "overlay", "csv"]) == ["npz", "csv"]
    with pytest.raises(PosepipeError, match="film needs the video; make it with `posepipe infer CLIP --export film`"):
        export(tmp_path / "poses.npz", ["film"])
    monkeypatch.undo()
    forget_extensions()
