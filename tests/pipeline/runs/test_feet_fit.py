"""Feet from files of 2D poses to all results, of clips that have them and of those that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from footage import RATE, FakeDetector, a_track
from known_feet import seen_with_feet
from posepipe.models.skeleton import H36M17, H36M17_FEET
from posepipe.pipeline.runs.clip_chain import without_unseen_feet
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import load_settings
from posepipe.pipeline.training.model_file import Model
from quick_fit import QUICK

FRAMES = 40


def a_take(folder: Path, joints: int, cameras: int = 3) -> Path:
    """What the cameras see of the athlete, of the first joints of h36m17+feet, as files."""
    folder.mkdir()
    for camera in range(cameras):
        seen = seen_with_feet(FRAMES)[:, camera, :joints]
        names = np.array(H36M17_FEET.joints[:joints])
        np.savez(folder / f"cam{camera}.npz", keypoint=seen, joint_names=names, rate=RATE)
    (folder / "posepipe.toml").write_text("moving = false\n[keypoints]\nimage_size_px = [1000, 1000]\n")
    return folder


def test_feet_are_fitted_and_inferred(tmp_path: Path) -> None:
    settings = load_settings(overrides=[*QUICK, "fuse.enabled=true"])
    done = fit(a_take(tmp_path / "run", 21), out=tmp_path / "out", settings=settings, exports=["npz", "trc"])
    model = Model.read(done.model)
    assert (model.skeleton, model.feet is None) == ("h36m17", False)
    for path in (done.results[0] / "poses.npz", done.results[0].parent / "poses_multiview.npz"):
        with np.load(path) as poses:
            assert tuple(poses["joint_names"]) == H36M17_FEET.joints
            assert np.isfinite(poses["joint"]).all()
    assert "LBigToe" in (done.results[0] / "poses.trc").read_text(encoding="utf-8")
    bare = a_take(tmp_path / "bare", 17, 1) / "cam0.npz"
    pose = infer(bare, model=done.model, out=tmp_path / "new", exports=["npz", "trc"]).pose
    assert pose.skeleton == "h36m17" and np.isfinite(pose.joint).all()
    assert "LBigToe" not in (tmp_path / "new" / "poses.trc").read_text(encoding="utf-8")


def test_files_without_feet_have_results_without(tmp_path: Path) -> None:
    settings = load_settings(overrides=[*QUICK, "fuse.enabled=true"])
    done = fit(a_take(tmp_path / "run", 17), out=tmp_path / "out", settings=settings, exports=["npz"])
    assert Model.read(done.model).feet is None
    for path in (done.results[0] / "poses.npz", done.results[0].parent / "poses_multiview.npz"):
        with np.load(path) as poses:
            assert tuple(poses["joint_names"]) == H36M17.joints
            assert np.isfinite(poses["joint"]).all()
    pose = infer(a_take(tmp_path / "feet", 21, 1) / "cam0.npz", model=done.model, exports=["npz"]).pose
    assert np.isfinite(pose.joint[:, :17]).all() and np.isnan(pose.joint[:, 17:]).all()
    assert np.isfinite(pose.keypoint).all(), "what the detector found is kept"
    alone = load_settings(overrides=[*QUICK, "morph.skeleton=h36m17"])
    again = fit(a_take(tmp_path / "body", 21), out=tmp_path / "body_out", settings=alone, exports=["npz"])
    with np.load(again.results[0] / "poses.npz") as poses:
        assert tuple(poses["joint_names"]) == H36M17.joints


def test_a_detector_without_feet_leaves_them_empty(take: Path, detector: FakeDetector, tmp_path: Path) -> None:
    done = fit(take, out=tmp_path / "out", settings=load_settings(overrides=QUICK), exports=["npz"])
    with np.load(done.results[0] / "poses.npz") as poses:
        assert tuple(poses["joint_names"]) == H36M17_FEET.joints
        assert np.isnan(poses["joint"][:, 17:]).all() and not poses["confidence"][:, 17:].any()
        assert np.isfinite(poses["joint"][:, :17]).all(-1).any()


def test_people_of_a_file_have_feet_together_or_not_at_all() -> None:
    seen = np.ones((2, 21, 2), np.float32)
    whole, bare = (a_track(seen, np.arange(2.0), skeleton="h36m17+feet") for _ in range(2))
    bare.confidence[:, 17:] = 0
    assert [track.skeleton for track in without_unseen_feet([whole, bare])] == ["h36m17+feet"] * 2
    assert [track.skeleton for track in without_unseen_feet([bare, bare])] == ["h36m17"] * 2
