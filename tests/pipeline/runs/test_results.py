"""Results on the disk: nothing of an earlier run stays where the present one does not make it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from footage import FakeDetector
from known_clip import a_clip, two_people
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.results import remove_other_results, write_results
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK, Fitted


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_of_an_earlier_run_go_with_their_record(tmp_path: Path) -> None:
    write_results(a_clip(), tmp_path, ["npz", "trc", "openpose"])
    (tmp_path / "notes.txt").write_text("of the user")
    write_results(two_people(), tmp_path, ["npz", "csv"])
    assert names(tmp_path) == {"poses_ann.npz", "poses_bob.npz", "poses.csv", "result.json", "notes.txt"}
    assert json.loads((tmp_path / "result.json").read_text())["files"] == {
        "npz": ["poses_ann.npz", "poses_bob.npz"],
        "csv": ["poses.csv"],
    }


def test_other_formats_of_the_same_poses_stay(tmp_path: Path) -> None:
    write_results(two_people(), tmp_path, ["npz", "trc"])
    write_results(two_people(), tmp_path, ["npz", "csv"])
    assert {"poses_ann.trc", "poses.csv"} <= names(tmp_path)


def test_export_goes_by_the_record_and_adds_to_it(tmp_path: Path) -> None:
    write_results(two_people(), tmp_path, ["npz"])
    write_results(a_clip(), tmp_path / "elsewhere", ["npz"])
    (tmp_path / "elsewhere" / "poses.npz").rename(tmp_path / "poses.npz")  # as an earlier version left it
    made = export(tmp_path, ["trc", "csv"])
    assert [path.name for path in made] == ["poses_ann.trc", "poses_bob.trc", "poses.csv"]
    record = json.loads((tmp_path / "result.json").read_text())
    assert set(record["files"]) == {"npz", "trc", "csv"}
    assert export(tmp_path, ["bvh"])
    write_results(two_people(), tmp_path, ["npz"])
    assert "poses_ann.trc" in names(tmp_path), "of the same poses"
    write_results(replace(two_people(), provenance={"posepipe": "1"}), tmp_path, ["npz"])
    assert names(tmp_path) == {"poses_ann.npz", "poses_bob.npz", "poses.npz", "result.json", "elsewhere"}


def test_results_of_clips_that_are_no_longer_asked_for_go(tmp_path: Path) -> None:
    kept, camera, take = tmp_path / "run" / "cam0", tmp_path / "run" / "cam1", tmp_path / "walk" / "cam0"
    for folder in (kept, camera, take):
        write_results(a_clip(), folder, ["npz"])
    (camera / "notes.txt").write_text("of the user")
    remove_other_results(tmp_path, [kept])
    assert names(kept) == {"poses.npz", "result.json"}
    assert names(camera) == {"notes.txt"}
    assert not (tmp_path / "walk").exists()


def test_a_camera_that_is_left_out_has_no_results_any_more(fitted: Fitted, detector: FakeDetector) -> None:
    assert (fitted.out / "takes" / "ski run" / "cam2" / "result.json").exists()
    settings = load_settings(overrides=[*QUICK, 'leave_out=["cam2"]'])
    fit(fitted.footage, out=fitted.out, settings=settings, exports=["npz"])
    assert names(fitted.out / "takes" / "ski run") == {"cam0", "cam1"}


@pytest.mark.parametrize("exports", [["npz"], ["npz", "csv"]])
def test_what_a_run_does_not_make_anew_stays_as_it_is(exports: list[str], tmp_path: Path) -> None:
    write_results(a_clip(), tmp_path, ["npz"])
    stamp = (tmp_path / "poses.npz").stat().st_mtime_ns
    write_results(a_clip(), tmp_path, exports)
    assert (tmp_path / "poses.npz").stat().st_mtime_ns == stamp
