"""The world as a stage: sources of up and metres, similarity, and what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from posepipe.models.world.vertical import angle_deg
from posepipe.pipeline.arrays import Pose3D, WorldPoses
from posepipe.pipeline.settings import MotionSettings, WorldSettings
from posepipe.pipeline.stages.smooth import make_motion
from posepipe.pipeline.stages.world import Placed, place_in_world, stated_metres
from walker import RATE, SKELETON, SPEED, jump, turned, walk

Z = np.array([0.0, 0, 1])
CENTRE = np.array([3.0, -6.0, 1.5])
"""Where the camera stands."""
LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Rotation of a level camera that looks along y."""


def camera() -> Placed:
    """A camera that looks down a little, and is rolled."""
    pitch, roll = np.radians(12), np.radians(7)
    down = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    rolled = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    R = rolled @ down @ LEVEL
    return Placed(R, -R @ CENTRE)


def motion(joint: np.ndarray, unit: str = "m", size: float = 1.0) -> Pose3D:
    """Somebody in the world as the camera has them, as a motion."""
    placed = camera()
    seen = size * (joint @ placed.R.T + placed.t)
    root = seen[:, 0]
    relative = (seen - root[:, None]).astype(np.float32)
    noise = np.random.default_rng(0).normal(scale=0.003 * size, size=relative.shape).astype(np.float32)
    pose = Pose3D(
        time=np.arange(len(joint)) / RATE,
        joint=relative + noise,
        canonical=relative,
        camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (len(joint), 1, 1)),
        confidence=np.ones(joint.shape[:2], np.float32),
        keypoint=np.zeros((*joint.shape[:2], 2), np.float32),
        skeleton=SKELETON.name,
        unit=unit,
        root_trajectory=root.astype(np.float32),
    )
    return make_motion(pose, MotionSettings())


def placed(pose: Pose3D, where: Placed | None = None, by_flight: bool = True, **settings: object) -> WorldPoses:
    return place_in_world(pose, where, by_flight, WorldSettings.model_validate(settings))


def test_a_calibrations_world_is_taken_over() -> None:
    joint, standing = walk()
    world = placed(motion(joint), camera())
    assert (world.up_source, world.scale_source, world.unit) == ("calibration", "calibration", "m")
    np.testing.assert_allclose(world.joint_world, joint, atol=0.03)
    np.testing.assert_allclose(world.root_world, joint[:, 0], atol=0.02)
    assert world.floor == pytest.approx([0], abs=0.02)
    assert (world.standing == standing).mean() > 0.93
    A, pose = world.world_from_camera, motion(joint)
    assert pose.root_trajectory is not None
    again = np.einsum("tab,tb->ta", A[..., :3], pose.root_trajectory) + A[..., 3]
    np.testing.assert_allclose(again, joint[:, 0], atol=0.02)


def test_a_calibration_whose_y_points_down_is_put_upright() -> None:
    joint, _ = walk()
    given = camera()
    flip = LEVEL  # its world has y down, as the first camera of many programs has
    world = placed(motion(joint), Placed(given.R @ flip.T, given.t))
    assert world.up_source == "calibration"
    np.testing.assert_allclose(world.joint_world[..., 2], joint[..., 2], atol=0.03)


def test_axes_of_a_calibration_that_hang_askew_are_not_the_worlds() -> None:
    joint, _ = walk()
    given, askew = camera(), turned(np.zeros((1, 1, 3)), 3)[1]
    assert np.abs(askew).max() < 0.95
    world = placed(motion(joint), Placed(given.R @ askew, given.t))
    assert world.up_source != "calibration"
    assert "one standard deviation" in world.notes_on_world[0]
    assert tilt(world) < 2


def tilt(world: WorldPoses) -> float:
    """Angle between up as found and as it is."""
    return angle_deg(world.world_from_camera[0, 2, :3], camera().R @ Z)


def test_without_a_calibration_people_tell_up_and_the_height_metres() -> None:
    joint, _ = walk()
    pose = motion(joint, "body heights", 1 / 1.8)
    unknown = placed(pose)
    assert (unknown.unit, unknown.scale_source) == ("body heights", "")
    assert "say --height" in " ".join(unknown.notes_on_world)
    assert tilt(unknown) < 2
    stature = stature_of(joint)
    world = placed(pose, height_m=stature)
    assert (world.unit, world.scale_source) == ("m", "height")
    assert world.stature == pytest.approx(stature, rel=1e-3)
    travel = np.linalg.norm(world.root_world[-1, :2] - world.root_world[0, :2])
    assert travel == pytest.approx(SPEED * (len(joint) - 1) / RATE, rel=0.02)
    assert world.floor == pytest.approx([0], abs=0.02)


def stature_of(joint: np.ndarray) -> float:
    """Stature of the drawn person."""
    pose = motion(joint)
    return 1.8 / (stated_metres(pose, WorldSettings(height_m=1.8)) or 0)


def test_segments_tell_metres_as_well() -> None:
    joint, _ = walk()
    arm = float(np.linalg.norm(joint[0, SKELETON.index("left_elbow")] - joint[0, SKELETON.index("left_shoulder")]))
    world = placed(motion(joint, "body heights", 0.6), segments_m={"upper_arm": arm})
    assert world.scale_source == "segments"
    assert world.stature == pytest.approx(stature_of(joint), rel=0.02)


def test_flights_tell_metres_unless_others_of_the_take_do_not_fly() -> None:
    joint, _ = jump(0.5)
    pose = motion(joint, "body heights", 1 / 1.8)
    world = placed(pose)
    assert world.scale_source == "flight"
    assert abs(world.metres / 1.8 - 1) < 1.96 * world.scale_deviation < 0.1
    assert "95 %" in " ".join(world.notes_on_world)
    assert placed(pose, by_flight=False).unit == "body heights"


def test_a_slope_has_no_floor_and_that_is_said() -> None:
    joint, _ = walk(slope=0.4)
    world = placed(motion(joint))
    assert world.floor == []
    assert "floor: none, as the feet stand on a slope" in world.notes_on_world


def test_somebody_who_lies_is_doubted() -> None:
    joint, _ = walk(2.0)
    lying = joint[..., [2, 1, 0]] * np.array([1.0, 1, -1])
    assert any("does the person lie" in said for said in placed(motion(lying)).notes_on_world)
    assert not any("does the person lie" in said for said in placed(motion(joint)).notes_on_world)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_a_few_frames_are_placed_without_a_floor(frames: int) -> None:
    joint = walk()[0][:frames]
    world = placed(motion(joint))
    assert world.joint_world.shape == joint.shape
    assert np.isfinite(world.joint_world).all()
    assert world.floor == [] or frames > 3


def test_gaps_stay_missing() -> None:
    joint, _ = walk()
    pose = motion(joint)
    lost = np.array(pose.joint)
    lost[80:120] = np.nan
    world = placed(replace(pose, joint=lost))
    assert np.isnan(world.joint_world[80:120]).all()
    assert np.isnan(world.root_world[80:120]).all()
    assert np.isfinite(world.joint_world[:80]).all()


def test_what_it_takes_is_checked() -> None:
    pose = motion(walk()[0])
    with pytest.raises(ValueError, match="root trajectory"):
        placed(replace(pose, root_trajectory=None))
    nothing = np.full_like(pose.joint, np.nan)
    assert place_in_world(replace(pose, joint=nothing, joint_raw=nothing), None, True, WorldSettings()) is None
