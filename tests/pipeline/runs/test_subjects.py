"""The journal of a run says of every result whose it is: which clip's, which take's, or that of all takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from footage import FakeDetector, film
from posepipe.pipeline import fit, infer
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.runs.fit import STAGES
from posepipe.pipeline.runs.fit_run import FitRun
from posepipe.pipeline.runs.infer import _OneClip, find_model
from posepipe.pipeline.runtime.workplace import JOURNAL, Journal
from posepipe.pipeline.settings import Settings
from posepipe.pipeline.training.generic_lifter import generic_file
from quick_fit import Fitted


def subjects(folder: Path) -> dict[str, list[str]]:
    """Of each stage, whose results a run reached."""
    found: dict[str, list[str]] = {}
    for subject, stage, _ in Journal.read(folder / JOURNAL).reached:
        found.setdefault(stage, []).append(subject)
    return found


def test_results_of_a_fit_are_those_of_cameras_takes_or_all_takes(finished: Fitted) -> None:
    cameras = [f"ski run/cam{camera}" for camera in range(3)]
    of_cameras = ("extract_frames", "detect_poses", "correct_frames", "track_people", "track_athlete",
                  "morph_skeleton", "mend_sides", "lift_poses", "place_root", "adjust_clip",
                  "make_motion", "judge_clip")  # fmt: skip
    of_takes = ("synchronize", "match_people", "find_exchanges", "find_swaps")
    expected = {stage: cameras for stage in of_cameras} | {stage: ["ski run"] for stage in of_takes}
    expected |= {stage: ["all takes"] for stage in ("build_samples", "train_model")}
    found = subjects(finished.out)
    assert {stage: found.get(stage) for stage in expected} == expected
    assert all(subject.split("/")[0] in ("ski run", "all takes") for each in found.values() for subject in each)


def test_results_of_infer_are_those_of_the_clip(finished: Fitted, detector: FakeDetector, tmp_path: Path) -> None:
    clip = film(tmp_path / "a new one.mp4", 1, range(50, 58))
    made = infer(clip, model=finished.out / "model.pt", exports=["npz"])
    found = subjects(made.folder)
    assert set(found) == {
        "extract_frames", "detect_poses", "correct_frames", "track_people", "track_athlete", "morph_skeleton",
        "find_swaps", "mend_sides", "lift_poses", "place_root", "adjust_clip", "make_motion", "judge_clip",
    }  # fmt: skip
    assert all(each == ["a new one"] for each in found.values())
    assert list(made.people) == ["person0"]
    np.testing.assert_array_equal(made.people["person0"].joint, made.pose.joint)


def test_a_fit_may_be_stopped_behind_every_stage(
    fitted: Fitted, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind: dict[str, str] = {}
    monkeypatch.setattr(
        FitRun, "reached", lambda run, stage: behind.setdefault(stage, run.place.journal.reached[-1][1])
    )
    fit(fitted.footage, out=fitted.out, settings=quick, exports=["npz", "csv"])
    assert list(behind) == list(STAGES)
    assert behind == {
        "frames": "extract_frames", "detect": "correct_frames", "track": "track_athlete", "morph": "morph_skeleton",
        "synchronize": "synchronize", "match": "find_exchanges", "crop": "find_exchanges", "sides": "mend_sides",
        "samples": "build_samples", "calibrate": "build_samples", "label": "build_samples", "train": "train_model",
        "refine": "train_model", "lift": "lift_poses", "fuse": "lift_poses", "motion": "judge_clip",
    }  # fmt: skip


def test_a_model_is_looked_for_beside_the_clip_and_then_where_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, clips = tmp_path / "here", tmp_path / "clips"
    places = [clips / "model.pt", clips / "run_posepipe" / "model.pt", tmp_path / "clips_posepipe" / "model.pt",
              here / "model.pt", here / "old_posepipe" / "model.pt"]  # fmt: skip
    for place in (*places, here / "older_posepipe" / "model.pt"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    monkeypatch.chdir(here)
    for place in places[:-1]:
        assert find_model(clips / "a.mp4") == place
        place.unlink()
    with pytest.raises(PosepipeError, match=r"there are several models for .* choose one with --model"):
        find_model(clips / "a.mp4")
    (here / "older_posepipe" / "model.pt").unlink()
    assert find_model(clips / "a.mp4") == places[-1]
    places[-1].unlink()
    assert find_model(clips / "a.mp4") == generic_file()


class AskedError(Exception):
    """``infer`` has asked whether intrinsics are known."""


@pytest.mark.parametrize(
    ("said", "focal_px", "known"),
    [("", None, False), ("", 900.0, True), ("focal_px = 900.0\n", None, True), ("moving = true\n", None, False)],
)
def test_intrinsics_are_known_if_anybody_says_a_focal_length(
    said: str, focal_px: float | None, known: bool, finished: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(model: Any, known: bool) -> None:
        raise AskedError(known)

    monkeypatch.setattr("posepipe.pipeline.runs.infer.check_intrinsics", check)
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "posepipe.toml").write_text(said)
    with pytest.raises(AskedError, match=str(known)):
        infer(tmp_path / "clip.mp4", model=finished.out / "model.pt", focal_px=focal_px)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_model_is_given_a_camera_if_it_takes_one_and_somebody_knows_it(wanted: bool) -> None:
    camera = Camera.of_focal_length((100, 80), 90.0, "given")

    def given(focal_px: float | None = None, said_px: float | None = None, calibration: Camera | None = None) -> Any:
        clip: Any = SimpleNamespace(asked=SimpleNamespace(
            focal_px=focal_px, clip=SimpleNamespace(focal_px=said_px, calibration=calibration),
        ), model=SimpleNamespace(lifts_with_intrinsics=wanted))  # fmt: skip
        return _OneClip.trained_with(clip, camera)

    assert given() is None
    for known in (given(90.0), given(None, 90.0), given(None, None, camera)):
        assert (known is not None) == wanted
