"""Files of 2D poses take the place of videos, from end to end."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from footage import RATE, a_track, detected, detected_take, seen, some_frames
from known_clip import a_pose
from known_scene import cameras, people
from posepipe.models.body.metrics import joint_errors
from posepipe.pipeline.arrays import Pose3D, Timeline, Track
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.pages.consistency import disagreement_in_3d
from posepipe.pipeline.runs import checks, fit_takes
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.runs.people.athletes import Athlete
from posepipe.pipeline.settings import Settings, SynchronizeSettings, load_settings
from posepipe.pipeline.stages.synchronize.stage import synchronize
from quick_fit import QUICK

FRAMES = 40


def quick(*overrides: str) -> Settings:
    return load_settings(overrides=[*QUICK, *overrides])


def test_fit_and_infer_without_any_video(tmp_path: Path) -> None:
    take = detected_take(tmp_path / "run")
    done = fit(take, settings=quick())
    assert [folder.name for folder in done.results] == ["cam0", "cam1", "cam2"]
    with np.load(done.results[1] / "poses.npz") as poses:
        np.testing.assert_allclose(poses["keypoint"][:, :17], seen(1, np.arange(FRAMES)), rtol=1e-6)
        np.testing.assert_allclose(poses["time"], np.arange(FRAMES) / RATE)
        assert np.isfinite(poses["joint"][:, :17]).all()
    assert not (done.results[1] / "overlay.mp4").exists()
    assert fit(take, settings=quick()).nothing_to_do

    page = done.report.read_text(encoding="utf-8")
    assert "mmpose file" in page
    assert "of the height" in page  # how far the cameras disagree

    said = {"keypoints": {"rate_hz": RATE, "skeleton": "h36m17"}}
    made = infer(detected(tmp_path / "new" / "clip.json", 3), model=done.model, overrides=said)
    assert {file.suffix for file in made.files} == {".npz", ".csv", ".trc", ".html"}
    assert made.pose.joint.shape == (FRAMES, 17, 3)
    np.testing.assert_allclose(made.pose.time, np.arange(FRAMES) / RATE)


def test_pictures_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="learns from pictures, and files of 2D poses have none"):
        fit(detected_take(tmp_path / "run"), settings=load_settings(overrides=["train.method=iqbal"]))


def test_a_file_with_an_error_is_named(tmp_path: Path) -> None:
    take = detected_take(tmp_path / "run")
    (take / "posepipe.toml").write_text("")
    with pytest.raises(PosepipeError, match=r"cam0.json: it does not say its frames per second"):
        fit(take, settings=quick())
    (take / "posepipe.toml").write_text("[keypoints]\nrate = 60\n")
    with pytest.raises(PosepipeError, match=r"posepipe.toml: unknown setting 'keypoints.rate'; did you mean"):
        fit(take, settings=quick())
    with pytest.raises(PosepipeError, match="is a folder"):
        infer(take)


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "a,b\n1,2\n"), ("a.json", '{"a": 1}'), ("a.nc", "no"), ("a.h5", "")]
)
def test_what_is_called_like_2d_poses_and_holds_none_is_no_broken_video(
    name: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PosepipeError, match=f"{name} holds no 2D poses in a format that is known: openpose, mmpose"):
        infer(tmp_path / name)


def test_openpose_folders_are_cameras(tmp_path: Path) -> None:
    for camera in range(2):
        folder = tmp_path / "pose" / f"cam{camera}_json"
        folder.mkdir(parents=True)
        (folder / "cam_000000.json").write_text(f'{{"version": 1.{camera}, "people": []}}')
    cameras = Recording.open(tmp_path / "pose").takes[0].cameras
    assert [camera.name for camera in cameras] == ["cam0", "cam1"]
    with pytest.raises(PosepipeError, match="holds nobody in any frame"):
        fit(tmp_path / "pose", settings=quick("keypoints.rate_hz=50"))


def left(folder: Path, *names: str) -> list[str]:
    recording = Recording.open(folder).without(names)
    return [f"{take.name}/{camera.name}" for take in recording.takes for camera in take.cameras]


def test_takes_and_cameras_are_left_out_by_name(tmp_path: Path) -> None:
    for take in ("first", "second"):
        detected_take(tmp_path / "day" / take)
    day = tmp_path / "day"
    assert left(day, "first") == ["second/cam0", "second/cam1", "second/cam2"]
    assert left(day, "first/cam1") == [name for name in left(day) if name != "first/cam1"]
    assert left(day, "cam1") == ["first/cam0", "first/cam2", "second/cam0", "second/cam2"]
    with pytest.raises(PosepipeError, match="unknown take or camera to leave out 'frist'; did you mean 'first'"):
        left(day, "frist")
    with pytest.raises(PosepipeError, match="take first has 1 cameras"):
        left(day, "first/cam1", "first/cam2")
    with pytest.raises(PosepipeError, match="every take is left out"):
        left(day, "first", "second")
    (day / "posepipe.toml").write_text('leave_out = ["second"]\n')
    assert left(day) == ["first/cam0", "first/cam1", "first/cam2"]
    (day / "posepipe.toml").unlink()
    (day / "second" / "posepipe.toml").write_text('leave_out = ["cam0"]\n')
    assert left(day) == ["first/cam0", "first/cam1", "first/cam2", "second/cam1", "second/cam2"]


def test_only_the_same_cameras_are_the_same_rig(tmp_path: Path) -> None:
    for take in ("first", "second"):
        detected_take(tmp_path / take)
    (tmp_path / "posepipe.toml").write_text('rig = "hall"\n')

    def rigs(*left_out: str) -> set[str]:
        return {Athlete(take, 0, (True,), True).rig for take in Recording.open(tmp_path).without(left_out).takes}

    assert len(rigs()) == len(rigs("cam1")) == 1
    assert len(rigs("first/cam1")) == 2


def align(tracks: list[Track]) -> Timeline:
    names = [str(number) for number in range(len(tracks))]
    frames = [some_frames(track.time) for track in tracks]
    return synchronize(frames, tracks, names, [0.0] * len(tracks), SynchronizeSettings())


def a_lifted(joint: np.ndarray) -> Pose3D:
    pose = a_pose(np.arange(len(joint)) / RATE)
    pose.joint[:] = joint
    return pose


def test_disagreement_is_what_no_turning_and_scaling_explains() -> None:
    joint = people(FRAMES)
    turned = 1.2 * people(FRAMES) @ cameras(2).R[0].T + 3
    moved = joint.copy()
    moved[:, 3] += [0, 0, 0.17]
    timeline = align([a_track(seen(camera, np.arange(FRAMES)), np.arange(FRAMES) / RATE) for camera in range(3)])
    np.testing.assert_allclose(
        disagreement_in_3d([a_lifted(joint), a_lifted(turned), None], timeline)[:2], 0, atol=1e-6
    )
    alone = disagreement_in_3d([a_lifted(joint), None, None], timeline)
    assert np.isnan(alone).all()
    residual = disagreement_in_3d([a_lifted(joint), a_lifted(turned), a_lifted(moved)], timeline)
    assert residual[2] > residual[0] > 0
    assert 0.01 < residual[2] < 0.03  # 0.17 in one of 17 joints, which the similarity spreads over all


def test_a_take_whose_cameras_disagree_most_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two takes in which both cameras show the same, which else is refused, and one whose second stands elsewhere."""
    monkeypatch.setattr(checks, "_check_contents", lambda sources: None)
    monkeypatch.setattr(fit_takes, "SAME_VIEW", 0.0)
    day = tmp_path / "day"
    for take in ("first", "second", "third"):
        detected_take(day / take, 2)
        if take != "third":
            detected(day / take / "cam1.json", 0)
    own = ("synchronize.offsets=stated", "sides.repair=false")
    done = fit(day, settings=quick(*own), exports=["npz"])
    (said,) = [each for each in done.warnings if "disagree" in each]
    found = re.match(
        r"the cameras of take third disagree by (.*)% of the body height, those of the others by 0.0%", said
    )
    assert found and float(found[1]) > 0.5
    with np.load(done.results[-2] / "poses.npz") as one, np.load(done.results[-1] / "poses.npz") as other:
        apart = joint_errors(one["joint_raw"][:, :17], other["joint_raw"][:, :17], "procrustes")
    assert float(found[1]) / 100 == pytest.approx(np.median(apart.mean(-1)), rel=0.35)  # before it is smoothed
    assert "--leave-out 'third'" in said
    left_out = fit(day, settings=quick('leave_out=["third"]', *own), exports=["npz"], until="samples")
    assert not any("disagree" in each for each in left_out.warnings)
