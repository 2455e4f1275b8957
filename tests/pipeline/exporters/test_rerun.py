"""poses.rrd is a recording that Rerun's own reader opens."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from known_clip import a_clip, awkward_clips
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.rerun import write


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.rrd")
    reader = pytest.importorskip("rerun.dataframe", reason="rerun-sdk is too new: it has no reader of tables")
    recording = reader.load_recording(tmp_path / "poses.rrd")
    for person in clip.people:
        table = recording.view(index="frame", contents=f"world/{person.name}").select().read_all().to_pandas()
        there = np.isfinite(person.pose.joint).all((1, 2))
        places = table[f"/world/{person.name}:Position3D"]
        for frame, place in zip(table["frame"], places, strict=True):
            if there[frame]:
                np.testing.assert_allclose(np.stack(place), person.pose.joint[frame], rtol=1e-6)
        assert sorted(table["frame"]) == list(range(len(clip.time)))


def test_without_rerun_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(PosepipeError, match=r"pip install 'posepipe\[rerun\]'"):
        write(a_clip(), tmp_path / "poses.rrd")
