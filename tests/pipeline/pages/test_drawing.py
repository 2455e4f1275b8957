"""Poses stand upright in drawings, whatever the tilt of the camera."""

import numpy as np
from known_clip import a_pose, without
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.pages.drawing import scene_of, side
from scipy.spatial.transform import Rotation


def test_a_level_camera_is_taken_as_it_is() -> None:
    scene = scene_of(a_pose(np.arange(4) / 30))
    placed = scene.place(a_pose(np.arange(4) / 30).joint)
    assert placed[0, H36M17.index("head"), 2] > 0.75
    np.testing.assert_allclose(scene.floor, -0.9, atol=0.02)
    np.testing.assert_allclose(scene.upright @ scene.upright.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(scene.upright) > 0


def test_a_tilted_camera_is_levelled_and_a_lying_person_is_not_raised() -> None:
    pose = a_pose(np.arange(4) / 30)
    level = pose.joint.copy()
    for degrees, stands in ((25, True), (80, False)):
        tilt = Rotation.from_euler("xz", [degrees, -degrees / 5], degrees=True).as_matrix()
        pose.joint[:] = level @ tilt.T
        up = scene_of(pose).place(pose.joint[0, H36M17.index("thorax")] - pose.joint[0, H36M17.index("left_ankle")])
        assert (up[2] / np.linalg.norm(up) > 0.98) == stands


def test_a_clip_without_poses_has_a_scene() -> None:
    pose = without(a_pose(np.arange(3) / 30), 0, 1, 2)
    assert scene_of(pose).reach == 1.0


def test_sides() -> None:
    assert side("left_hip", "left_knee") == "left"
    assert side("pelvis", "right_hip") == "right"
    assert side("left_hip", "right_hip") == side("thorax", "nose") == "middle"
