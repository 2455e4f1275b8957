"""The root trajectory: an estimate beside the poses, with what it assumes of the camera."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
from footage import FakeDetector, film, tag_focal
from known_clip import a_clip, a_moving_clip, the_pose, without
from posepipe.models.geometry.lens import distort
from posepipe.pipeline import as_dataset
from posepipe.pipeline.arrays import Pose3D, Samples, ViewPoses
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.footage.video import focal_length_35mm
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import MotionSettings, load_settings
from posepipe.pipeline.stages.place_root import place_root, place_views
from posepipe.pipeline.stages.smooth import make_motion
from quick_fit import QUICK, Fitted

K = np.array([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]])


def walking(frames: int = 120, noise_px: float = 0.0) -> tuple[Pose3D, np.ndarray]:
    """A person who walks away to the right, as a camera of ``K`` sees them, and where they truly are."""
    pose = the_pose(a_moving_clip(frames))
    joint = pose.joint - pose.joint[:, :1]
    share = np.linspace(0, 1, frames)[:, None]
    root = (1 - share) * [-2, 0.2, 6] + share * [2, 0.4, 14]
    seen = (joint + root[:, None]) @ K.T
    keypoint = seen[..., :2] / seen[..., 2:] + np.random.default_rng(0).normal(0, noise_px, (*joint.shape[:2], 2))
    return replace(pose, joint=joint.astype(np.float32), keypoint=keypoint.astype(np.float32)), root


def test_a_known_walk_is_recovered() -> None:
    pose, root = walking()
    placed = place_root(pose, Camera(K, source="focal length, given"))
    np.testing.assert_allclose(placed.root_trajectory, root, atol=1e-3)
    assert placed.root_camera == "focal length, given"
    np.testing.assert_array_equal(placed.joint, pose.joint)


def test_a_distorted_picture_is_straightened_first() -> None:
    pose, root = walking()
    lens = [-0.2, 0.05, 0.001, -0.001, 0.0]
    bent = K[0, 0] * distort((pose.keypoint - K[:2, 2]) / K[0, 0], np.array(lens)) + K[:2, 2]
    placed = place_root(replace(pose, keypoint=bent.astype(np.float32)), Camera(K, distortion=np.array(lens)))
    np.testing.assert_allclose(placed.root_trajectory, root, atol=5e-3)


def test_it_is_smoothed_and_filled_like_a_joint_and_kept_as_it_was() -> None:
    pose, root = walking(noise_px=4)
    without(pose, 0, 40, 41, *range(80, 100))
    placed = place_root(pose, Camera(K))
    made = make_motion(placed, MotionSettings(max_gap_s=0.2))
    np.testing.assert_array_equal(made.root_trajectory_raw, placed.root_trajectory)
    assert np.flatnonzero(np.isnan(made.root_trajectory).any(1)).tolist() == [0, *range(80, 100)]
    raw, smooth = (np.linalg.norm(found - root, axis=-1) for found in (placed.root_trajectory, made.root_trajectory))
    assert np.nanmean(smooth) < 0.6 * np.nanmean(raw)


def placed_clip(tmp_path: Path) -> Path:
    """The npz of a clip with a root trajectory that is missing in one frame."""
    clip = a_clip(frames=6)
    without(the_pose(clip), 2)
    placed = place_root(the_pose(clip), Camera(K, source="focal length of 1500 px, given"))
    clip = replace(clip, people=(replace(clip.people[0], pose=placed),))
    exporter("npz")(clip, tmp_path / "poses.npz")
    return tmp_path / "poses.npz"


def test_files_hold_it_as_a_variable_of_its_own(tmp_path: Path) -> None:
    clip = read([placed_clip(tmp_path)])
    root = the_pose(clip).root_trajectory
    assert root is not None
    assert np.isnan(root[2]).all()
    exporter("netcdf")(clip, tmp_path / "poses.nc")
    with xarray.open_dataset(tmp_path / "poses.nc") as data:
        assert data.root_trajectory.dims == ("time", "space", "individual")
        np.testing.assert_array_equal(data.root_trajectory[..., 0], root)
        assert "estimate" in data.root_trajectory.long_name
        assert "focal length of 1500 px, given" in data.attrs["root"]
    same = as_dataset(the_pose(clip))
    np.testing.assert_array_equal(same.root_trajectory[..., 0], root)
    exporter("root")(clip, tmp_path / "root.csv")
    with (tmp_path / "root.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["x"] == "" for row in rows] == [False, False, True, False, False, False]
    np.testing.assert_allclose([[float(row[axis]) for axis in "xyz"] for row in rows if row["x"]],
                               np.delete(root, 2, 0), atol=1e-6)  # fmt: skip


def test_without_it_files_say_so(tmp_path: Path) -> None:
    clip = a_clip()
    pose = replace(the_pose(clip), root_trajectory=None, root_camera="")
    clip = replace(clip, people=(replace(clip.people[0], pose=pose),))
    assert "not estimated" in clip.facts("")["root"]
    with pytest.raises(PosepipeError, match="image_size_px"):
        exporter("root")(clip, tmp_path / "root.csv")


# In fit and infer


def camera_of(file: Path) -> str:
    with np.load(file) as poses:
        assert np.isfinite(poses["root_trajectory"]).all()
        assert (poses["root_trajectory"][:, 2] > 0).all()
        return str(poses["root_camera"])


def test_infer_takes_the_focal_length_from_the_option_then_the_description_then_the_video(
    finished: Fitted, detector: FakeDetector, tmp_path: Path
) -> None:
    clip, model = film(tmp_path / "new.mp4", 1, range(100, 110)), finished.out / "model.pt"

    def camera(**options: object) -> str:
        return camera_of(infer(clip, model=model, exports=["npz"], **options).files[0])  # type: ignore[arg-type]

    assert "assumed: a field of view of 60° along the longer side" in camera()
    assert "field of view of 90°" in camera(overrides={"root": {"field_of_view_deg": 90}})
    tag_focal(clip, "26.00mm")
    assert "26 mm on 35 mm film, as the video says" in camera()
    (tmp_path / "posepipe.toml").write_text("focal_px = 200\n[cameras.new]\nfocal_px = 300\n[cameras.other]\n")
    assert camera() == "focal length of 300 px, given; principal point in the middle"
    assert "of 400 px, given" in camera(focal_px=400)
    about = json.loads((tmp_path / "new_posepipe" / "result.json").read_text())["about"]
    assert "of 400 px, given" in about["root"]


def test_fit_takes_what_calibrate_assumes(finished: Fitted, fitted: Fitted) -> None:
    assert "field of view of 60°" in camera_of(finished.out / "takes" / "ski run" / "cam1" / "poses.npz")
    settings = load_settings(overrides=[*QUICK, "calibrate.focal_px=250"])
    made = fit(fitted.footage, out=fitted.out, settings=settings, exports=["npz"])
    assert "of 250 px, assumed as calibrate says" in camera_of(made.results[0] / "poses.npz")


@pytest.mark.parametrize(("said", "focal"), [("26.00mm", 26.0), ("13", 13.0), ("0mm", None), ("wide", None)])
def test_focal_lengths_in_metadata(said: str, focal: float | None, tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", 0, range(3))
    assert focal_length_35mm(clip) is None
    tag_focal(clip, said)
    assert focal_length_35mm(clip) == focal


def walkers(views: int = 2) -> tuple[ViewPoses, Samples, np.ndarray]:
    """The person of ``walking`` in several views of which each has its own camera, and where they truly are."""
    pose, root = walking()
    matrices = np.stack([K * [[1 + view], [1 + view], [1]] for view in range(views)])
    seen = np.einsum("vab,sjb->svja", matrices, pose.joint + root[:, None])
    frames = len(root)
    order = {"take": np.zeros(frames, np.int64), "instant": np.arange(frames)}
    named = {"skeleton": pose.skeleton, "takes": ["a"]}
    spread = {name: np.stack([getattr(pose, name)] * views, 1) for name in ("joint", "canonical", "confidence")}
    turn = np.tile(np.eye(3, dtype=np.float32), (frames, views, 1, 1))
    views_of = ViewPoses(**spread, camera_from_canonical=turn, unit="m", **order, **named)
    samples = Samples(
        keypoint=(seen[..., :2] / seen[..., 2:]).astype(np.float32), confidence=spread["confidence"],
        rig=np.zeros(frames, np.int64), K=np.tile(matrices.astype(np.float32), (frames, 1, 1, 1)), R=None, t=None,
        **order, **named,
    )  # fmt: skip
    return views_of, samples, root


def test_every_view_of_a_keypoint_file_is_placed_by_its_own_camera() -> None:
    views, samples, root = walkers()
    views.joint[7, 1] = np.nan
    placed = place_views(views, samples, "given")
    found = np.asarray(placed.root_trajectory)
    assert np.isnan(found[7, 1]).all()
    np.testing.assert_allclose(found[:, 0], root, atol=2e-3)
    np.testing.assert_allclose(np.delete(found[:, 1], 7, 0), np.delete(root, 7, 0), atol=2e-3)
    with pytest.raises(ValueError, match="takes K"):
        place_views(views, replace(samples, K=None), "given")
