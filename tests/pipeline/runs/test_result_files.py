"""Result files are written once, whole, and only where they are not there from the same poses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from known_clip import a_clip, two_people
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import npz
from posepipe.pipeline.exporters.clip import Clip
from posepipe.pipeline.footage.recording import CameraClip, Take
from posepipe.pipeline.runs import results
from posepipe.pipeline.runs.results import about, about_results, are_written, say_verdict, write_model, write_results
from posepipe.pipeline.runs.up_to_date import FitRequest, is_finished, named_files
from posepipe.pipeline.runtime.workplace import JOURNAL, Journal
from posepipe.pipeline.settings import load_settings


def test_files_that_are_there_from_the_same_poses_stay(tmp_path: Path) -> None:
    clip = a_clip()
    made = write_results(clip, tmp_path / "cam", ["npz", "csv"])
    assert [path.name for path in made] == ["poses.npz", "poses.csv"]
    before = {path: path.stat().st_mtime_ns for path in made}
    made[1].unlink()
    again = write_results(clip, tmp_path / "cam", ["npz", "csv", "openpose"])
    assert again[:2] == made and len(again) == 3
    assert made[0].stat().st_mtime_ns == before[made[0]]
    assert made[1].exists()
    assert set(about_results(tmp_path / "cam")["files"]) == {"npz", "csv", "openpose"}
    other = replace(clip, provenance={"posepipe": "1", "model": "abc"})
    write_results(other, tmp_path / "cam", ["npz"])
    assert made[0].stat().st_mtime_ns != before[made[0]]
    assert set(about_results(tmp_path / "cam")["files"]) == {"npz"}
    assert about_results(tmp_path / "cam")["from"]["posepipe"] == "1"
    assert not list((tmp_path / "cam").glob(".making*"))


def test_what_is_there_is_told_from_what_is_missing(tmp_path: Path) -> None:
    assert not are_written(tmp_path, ["npz"])
    assert are_written(tmp_path, [])
    (file,) = write_results(a_clip(), tmp_path, ["npz"])
    assert are_written(tmp_path, ["npz"])
    assert not are_written(tmp_path, ["npz", "csv"])
    file.unlink()
    assert not are_written(tmp_path, ["npz"])


def test_the_record_says_who_is_in_the_clip_and_how_surely(tmp_path: Path) -> None:
    clip = two_people(3)
    both = [person.pose for person in clip.people]
    both[0].joint[[1, 2]] = np.nan
    both[0].confidence[0] = 0.25
    both[1].confidence[[0, 2]] = [[0.5], [1.0]]
    both[1].joint[2] = np.nan
    write_results(clip, tmp_path, ["npz"])
    said = about_results(tmp_path)["about"]
    assert (said["people"], said["frames"]) == (["ann", "bob"], 3)
    assert said["fraction_with_person"] == 0.3333
    assert said["mean_confidence"] == 0.375
    for pose in both:
        pose.joint[...] = np.nan
    write_results(replace(clip, provenance={"posepipe": "2"}), tmp_path, ["npz"])
    said = about_results(tmp_path)["about"]
    assert (said["fraction_with_person"], said["mean_confidence"]) == (0.0, 0.0)


def judged(clip: Clip, *levels: int) -> Clip:
    """The clip, each person's poses of one level."""
    people = []
    for person, level in zip(clip.people, levels, strict=True):
        frames = len(clip.time)
        known = {"likely_mm": np.full(frames, 90, np.float32), "sides_in_doubt": np.zeros(frames, bool),
                 "trust": np.full(frames, level, np.int8)}  # fmt: skip
        people.append(replace(person, pose=replace(person.pose, turn=np.zeros((frames, 3), np.float32), **known)))
    return replace(clip, people=tuple(people))


def test_the_record_says_how_far_to_trust_each_person(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = judged(two_people(3), 3, 1)
    write_results(clip, tmp_path, ["npz"])
    said = about_results(tmp_path)["about"]["verdict"]
    assert (said["ann"]["word"], said["bob"]["word"]) == ("green", "red")
    assert said["bob"]["sentence"].startswith("Do not rely on these poses") and said["bob"]["likely_mm"] == 90
    assert said["bob"]["red"] == 1 and said["bob"]["stretches"]
    assert said["ann"]["evidence"]["turn"] == 0 and said["ann"]["evidence"]["lifted"] is None
    with caplog.at_level("INFO"):
        say_verdict("run, bob", clip.people[1].pose)
    assert caplog.messages == [f"run, bob: red. {said['bob']['sentence']}"]
    write_results(two_people(3), tmp_path / "unjudged", ["npz"])
    assert about_results(tmp_path / "unjudged")["about"]["verdict"] == {}


def test_all_files_of_a_format_appear_together_the_main_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def several(clip: Any, path: Path) -> None:
        assert not list(path.parent.iterdir())
        (path.parent / "a_second").mkdir()
        (path.parent / "a_second" / "0.json").write_text("new")
        npz.write(clip, path)

    monkeypatch.setattr(results, "exporter", lambda name: several)
    (tmp_path / "a_second").mkdir(parents=True)
    (tmp_path / "a_second" / "old.json").write_text("old")
    (tmp_path / ".making-poses.npz").mkdir()
    (tmp_path / ".making-poses.npz" / "torn").write_text("from a run that was killed")
    made = write_results(a_clip(), tmp_path, ["npz"])
    assert [path.name for path in made] == ["poses.npz", "a_second"]
    assert [path.name for path in (tmp_path / "a_second").iterdir()] == ["0.json"]

    def torn(clip: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyError("broken")

    monkeypatch.setattr(results, "exporter", lambda name: torn)
    with pytest.raises(KeyError):
        write_results(a_clip(), tmp_path / "new", ["npz"])
    assert list((tmp_path / "new").iterdir()) == []


def test_a_model_is_written_with_a_row_for_each_epoch_and_its_settings(tmp_path: Path) -> None:
    losses = [{"epoch": 0, "total": 1.5}, {"epoch": 1, "total": 1.25}]
    model: Any = SimpleNamespace(losses=losses, write=lambda path: path.write_bytes(b"model"))
    write_model(model, tmp_path, "[train]\n")
    assert (tmp_path / "model.pt").read_bytes() == b"model"
    assert [json.loads(row) for row in (tmp_path / "losses.jsonl").read_text().splitlines()] == losses
    assert (tmp_path / "settings.toml").read_text() == "[train]\n"


def test_an_error_says_once_which_video_it_is_about(tmp_path: Path) -> None:
    video = tmp_path / "cam.mp4"
    for said, expected in (("it breaks off", f"{video}: it breaks off"), (f"{video} breaks off",) * 2):
        with pytest.raises(PosepipeError) as caught, about(video):
            raise PosepipeError(said)
        assert str(caught.value) == expected


def request(**more: Any) -> FitRequest:
    """A take of a video and a file of 2D poses."""
    nothing: dict[str, Any] = {"offset_s": None, "moving": None, "slow_motion": None, "calibration": None}
    filmed = CameraClip("a", Path("a.mp4"), **nothing)
    cameras = filmed, CameraClip("b", Path("b.json"), **nothing, keypoints={"rate_hz": 25})
    settings = load_settings(overrides=[f"fuse.enabled={more.pop('fused', 'true')}"])
    return FitRequest(
        (Take("run", cameras, "rig"),), settings, (), more.pop("until", None), ("npz", "overlay", "bvh")
    )


def test_formats_that_are_drawn_on_a_video_need_one() -> None:
    asked = request()
    (a, camera_a), (b, camera_b) = asked.cameras
    assert (a, b) == ("run/a", "run/b")
    assert asked.exports_of(camera_a) == ["npz", "overlay", "bvh"]
    assert asked.exports_of(camera_b) == ["npz", "bvh"]
    assert asked.fused_exports == ["npz", "bvh", "events", "measures"]


def test_a_fit_is_complete_if_every_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = tmp_path / "takes"
    wanted = {
        (takes / "run/a", ("npz", "overlay", "bvh")),
        (takes / "run/b", ("npz", "bvh")),
        (takes / "run", ("npz", "bvh", "events", "measures")),
    }
    there = set(wanted)
    monkeypatch.setattr(
        "posepipe.pipeline.runs.up_to_date.are_written", lambda folder, exports: (folder, tuple(exports)) in there
    )
    names = ("model.pt", "settings.toml", "report.html")
    for name in names:
        assert not request().is_complete(tmp_path)
        (tmp_path / name).touch()
    assert request().is_complete(tmp_path)
    for name in names:
        (tmp_path / name).unlink()
        assert not request().is_complete(tmp_path)
        (tmp_path / name).touch()
    for missing in wanted:
        there.remove(missing)
        assert not request().is_complete(tmp_path)
        assert request(fused="false").is_complete(tmp_path) == (missing[0] == takes / "run")
        assert request(until="track").is_complete(tmp_path)
        there.add(missing)


def test_a_run_is_finished_if_it_ended_with_this_request_and_all_its_files_are_there(tmp_path: Path) -> None:
    assert not is_finished(tmp_path, "digest", [])
    (file,) = write_results(a_clip(), tmp_path, ["npz"])
    Journal(tmp_path / JOURNAL).end("digest")
    assert is_finished(tmp_path, "digest", ["npz"])
    assert not is_finished(tmp_path, "other", ["npz"])
    assert not is_finished(tmp_path, "digest", ["npz", "csv"])
    file.unlink()
    assert not is_finished(tmp_path, "digest", ["npz"])


def test_files_and_folders_that_settings_name_are_found_wherever_they_stand(tmp_path: Path) -> None:
    file, folder = tmp_path / "weights.pt", tmp_path / "pictures"
    file.write_bytes(b"12345")
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.jpg").write_bytes(b"12")
    (folder / "a.jpg").write_bytes(b"1")
    named = {"train": [{"weights": str(file)}, (str(folder),)], "more": {"weights": str(file), "text": "no file"}}
    assert named_files(named) == (file, (("a.jpg", 1), ("b.jpg", 2)))
    assert named_files({"a": "", "b": "x\0y", "c": 3, "d": None}) == ()
    settings = load_settings(overrides=[f"morph.network={file}"])
    assert named_files(settings) == (file,)
