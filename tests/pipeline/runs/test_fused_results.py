"""``poses_multiview.npz`` is the known scene, at the instants at which it was so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w
from footage import RATE, athlete, detected_take, picture_size, scene_cameras, seen
from known_scene import Cameras, cameras
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses, array_fields
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.fit_fused import FusedPerson
from posepipe.pipeline.runtime.cache import read_manifest
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK

TAKES = {"first": range(0, 40), "second": range(200, 250)}
NOBODY = {"first": {0, 1, 2, *range(20, 32)}, "second": {*range(205, 220), 249}}
"""Instants, of which those inside are too many to be filled."""
CAMERAS = 3
SETTINGS = load_settings(overrides=[*QUICK, "fuse.enabled=true", "motion.filter=none", "synchronize.offsets=stated"])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of two takes of calibrated cameras, whose results are not smoothed."""
    day = tmp_path_factory.mktemp("fused") / "day"
    for take, instants in TAKES.items():
        calibrate(detected_take(day / take, CAMERAS, instants, NOBODY[take]), scene_cameras(CAMERAS))
    fit(day, out=day.with_name("out"), settings=SETTINGS, exports=["npz"])
    return day.with_name("out")


def calibrate(take: Path, rig: Cameras) -> Path:
    """Say where the cameras of a take stand."""
    known = {
        f"cam{camera}": {
            "size": list(picture_size(camera)), "matrix": K.tolist(),
            "rotation": cv2.Rodrigues(R)[0].ravel().tolist(),
            "translation": t.tolist(), "distortions": [0.0] * 4,
        }
        for camera, (K, R, t) in enumerate(zip(rig.K, rig.R, rig.t, strict=True))
    }  # fmt: skip
    (take / "calib.toml").write_text(tomli_w.dumps(known))
    description = take / "posepipe.toml"
    description.write_text('calibration = "calib.toml"\n' + description.read_text())
    return take


def fused(out: Path) -> FusedPoses:
    """What the stage made."""
    (entry,) = (out / "cache" / "fuse_views").iterdir()
    return FusedPoses.load(entry, read_manifest(entry)["notes"])


@pytest.mark.parametrize("take", TAKES)
def test_each_instant_has_the_pose_that_the_cameras_saw_then(take: str, out: Path) -> None:
    instants, rig = np.array(TAKES[take]), scene_cameras(CAMERAS)
    here = ~np.isin(instants, list(NOBODY[take]))
    detections = np.stack([seen(camera, instants[here]) for camera in range(CAMERAS)], 1)
    with np.load(out / "takes" / take / "poses_multiview.npz") as file:
        np.testing.assert_allclose(file["time"], np.arange(len(instants)) / RATE, atol=1e-6)
        assert (str(file["unit"]), file["camera_names"].tolist()) == ("m", ["cam0", "cam1", "cam2"])
        np.testing.assert_array_equal(np.isfinite(file["joint"]).all((1, 2)), here)
        np.testing.assert_array_equal(file["trusted"].any(1), here)
        np.testing.assert_allclose(file["keypoint"][here], detections[:, 0], rtol=1e-5)
        turn, root = file["camera_from_rig"][here], file["root_in_camera"][here]
        np.testing.assert_allclose(turn, np.tile(rig.R @ rig.R[0].T, (here.sum(), 1, 1, 1)), atol=1e-4)
        np.testing.assert_allclose(root, np.tile(rig.t, (here.sum(), 1, 1)), atol=0.05)  # the pelvis does not move
        np.testing.assert_allclose(file["root_trajectory"][here], root[:, 0], atol=1e-5)
        camera = np.einsum("tvab,tjb->tvja", turn, file["joint"][here]) + root[:, :, None]
        image = np.einsum("vab,tvjb->tvja", rig.K, camera)
        distance = np.linalg.norm(image[..., :2] / image[..., 2:] - detections, axis=-1)
        np.testing.assert_allclose(file["residual"][here], distance, atol=0.02)
        assert np.median(distance) < 3


@pytest.mark.parametrize("take", TAKES)
def test_all_that_is_known_beside_the_poses_stands_at_its_instant(take: str, out: Path) -> None:
    found = fused(out)
    own = found.take == list(TAKES).index(take)
    names = {
        "root": "root_in_camera",
        **{name: name for name in ("covariance", "camera_from_rig", "focal", "residual")},
    }
    assert {*names, "trusted"} <= set(array_fields(FusedPoses))
    with np.load(out / "takes" / take / "poses_multiview.npz") as file:
        for name, written in names.items():
            expected = np.full((len(TAKES[take]), *getattr(found, name).shape[1:]), np.nan, np.float32)
            expected[found.instant[own]] = getattr(found, name)[own]
            np.testing.assert_array_equal(file[written], expected, err_msg=name)
        assert not np.allclose(file["covariance"][5, 1:], file["covariance"][6, 1:])  # so that the instant matters
        trusted = np.zeros((len(TAKES[take]), 17), bool)
        trusted[found.instant[own]] = found.trusted[own]
        np.testing.assert_array_equal(file["trusted"], trusted)


def test_values_stand_at_the_instants_of_their_own_take() -> None:
    one: Any = SimpleNamespace(rows=np.array([1, 2]), instant=np.array([3, 1]), time=np.arange(5))
    nan = np.nan
    np.testing.assert_array_equal(FusedPerson.spread(one, np.array([7.0, 8, 9])), [nan, 9, nan, 8, nan])


def test_a_camera_that_stands_elsewhere_than_its_calibration_says_is_left_out_and_named(tmp_path: Path) -> None:
    rig = scene_cameras(4)
    order = [2, 1, 2, 3]
    take = calibrate(detected_take(tmp_path / "take", 4), replace(rig, R=rig.R[order], t=rig.t[order]))
    done = fit(take, out=tmp_path / "out", settings=SETTINGS, exports=["npz"])
    (said,) = (warning for warning in done.warnings if "on nobody" in warning)
    assert said.startswith("take take: camera cam0 agrees with the others on nobody, and is left out")
    with np.load(tmp_path / "out" / "takes" / "take" / "poses_multiview.npz") as file:
        assert np.isfinite(file["root_in_camera"]).all((0, 2)).tolist() == [False, True, True, True]
        np.testing.assert_allclose(file["root_trajectory"], file["root_in_camera"][:, 1], atol=1e-6)
        np.testing.assert_allclose(file["keypoint"], seen(1, range(40)), rtol=1e-5)
        np.testing.assert_allclose(file["root_trajectory"], np.tile(rig.t[1], (40, 1)), atol=0.05)


def test_a_calibration_that_cannot_be_right_turns_the_verdict_red(tmp_path: Path) -> None:
    rig = scene_cameras(4)
    take = calibrate(detected_take(tmp_path / "take", 4), replace(rig, t=7 * rig.t))
    done = fit(take, out=tmp_path / "out", settings=SETTINGS, exports=["npz"])
    assert any("the person would be 11." in warning and "calibration" in warning for warning in done.warnings)
    assert "Do not rely on this model" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_calibration_of_other_cameras_is_refused(tmp_path: Path) -> None:
    rig = scene_cameras(4)
    order = [1, 0]
    take = calibrate(
        detected_take(tmp_path / "take", 2), replace(rig, K=rig.K[order], R=rig.R[order], t=rig.t[order])
    )
    with pytest.raises(PosepipeError, match=r"no two cameras of take take agree.*the calibration does not belong"):
        fit(take, out=tmp_path / "out", settings=SETTINGS, exports=["npz"])


def test_arrays_whose_views_show_different_people_are_said_to_be_impossible(tmp_path: Path) -> None:
    rig, time = cameras(3), np.arange(40) / 20
    seen = [rig.project(athlete(time, seed)) for seed in (0, 7)]
    keypoint = np.stack([seen[0][:, 0], seen[0][:, 1], seen[1][:, 2]], 1)
    arrays = {"keypoint": keypoint, "joint_names": np.array(H36M17.joints), "image_size": np.full((3, 2), 1000)}
    np.savez(tmp_path / "arrays.npz", **arrays)
    done = fit(tmp_path / "arrays.npz", out=tmp_path / "out", settings=SETTINGS)
    assert any("take 0: the focal length of camera view3 would be" in warning for warning in done.warnings)
