"""poses.parquet has the rows of poses.csv, typed, and says what they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from known_clip import JOINTS, a_clip, awkward_clips
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import parquet as poses_parquet
from posepipe.pipeline.exporters.csv import COLUMNS
from pyarrow import parquet


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    poses_parquet.write(clip, tmp_path / "poses.parquet")
    table = pandas.read_parquet(tmp_path / "poses.parquet")
    assert set(table.columns) == set(COLUMNS)
    assert len(table) == len(clip.people) * len(clip.time) * JOINTS
    for person in clip.people:
        rows = table[table.person == person.name]
        assert rows.joint.tolist() == list(H36M17.joints) * len(clip.time)
        np.testing.assert_array_equal(rows.time, np.repeat(clip.time, JOINTS))
        np.testing.assert_array_equal(rows.frame, np.repeat(np.arange(len(clip.time)), JOINTS))
        np.testing.assert_array_equal(rows[["x", "y", "z"]], person.pose.joint.reshape(-1, 3))
        np.testing.assert_array_equal(rows[["x_px", "y_px"]], person.pose.keypoint.reshape(-1, 2))
        np.testing.assert_array_equal(rows.confidence, person.pose.confidence.ravel())
    facts = parquet.read_schema(tmp_path / "poses.parquet").metadata
    assert facts[b"rate"].decode() == str(clip.life_rate)
    assert facts[b"unit"].decode() == clip.unit
    assert json.loads(facts[b"provenance"]) == clip.provenance


def test_what_is_missing_is_null(tmp_path: Path) -> None:
    poses_parquet.write(awkward_clips()["missing frames"], tmp_path / "poses.parquet")
    table = parquet.read_table(tmp_path / "poses.parquet")
    assert table["x"].null_count == table["x_px"].null_count == 5 * JOINTS
    assert table["confidence"].null_count == 0


def test_chunks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses_parquet.write(a_clip(), tmp_path / "whole")
    monkeypatch.setattr(poses_parquet, "CHUNK_FRAMES", 3)
    poses_parquet.write(a_clip(), tmp_path / "chunks")
    assert parquet.read_table(tmp_path / "whole").equals(parquet.read_table(tmp_path / "chunks"))


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PosepipeError, match=r"pip install 'posepipe\[parquet\]'"):
        poses_parquet.write(a_clip(), tmp_path / "poses.parquet")
