"""Angles of poses built by hand are what a protractor says, and do not care where the camera stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_scene import people
from posepipe.models.body.angles import asymmetry, joint_angles, segment_lengths, unwrapped
from posepipe.models.skeleton import BLAZEPOSE33, COCO17, H36M17, HALPE26, Skeleton
from scipy.spatial.transform import Rotation

CAMERA_FROM_BODY = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
"""Of a person seen from behind by a level camera: ahead, left, up to right, down, forward."""


def standing(skeleton: Skeleton = H36M17, **moved: tuple[float, float, float]) -> np.ndarray:
    """A pose (1, joint, 3) in camera axes, arms hanging, of joints (ahead, left, up); ``moved`` are elsewhere."""
    side = {"hip": (0, 0.1, 0), "knee": (0, 0.1, -0.45), "ankle": (0, 0.1, -0.9), "shoulder": (0, 0.2, 0.5),
            "elbow": (0, 0.2, 0.2), "wrist": (0, 0.2, -0.1), "big_toe": (0.2, 0.1, -0.9),
            "foot_index": (0.2, 0.1, -0.9)}  # fmt: skip
    middle = {"pelvis": (0, 0, 0), "hip": (0, 0, 0), "spine": (0, 0, 0.25), "thorax": (0, 0, 0.5),
              "neck": (0, 0, 0.5), "nose": (0.1, 0, 0.6), "head": (0, 0, 0.75)}  # fmt: skip
    pose = np.zeros((len(skeleton.joints), 3))
    for number, name in enumerate(skeleton.joints):
        first, _, rest = name.partition("_")
        if name in moved:
            pose[number] = moved[name]
        elif first in ("left", "right"):
            pose[number] = np.array(side.get(rest, (0, 0, 0))) * (1, 1 if first == "left" else -1, 1)
        else:
            pose[number] = middle[name]
    return pose[None] @ CAMERA_FROM_BODY.T


def angle(name: str, pose: np.ndarray, skeleton: Skeleton = H36M17) -> float:
    return float(joint_angles(pose, skeleton)[name][0])


@pytest.mark.parametrize("skeleton", [H36M17, COCO17, HALPE26, BLAZEPOSE33], ids=lambda skeleton: skeleton.name)
def test_standing_upright_all_angles_are_zero(skeleton: Skeleton) -> None:
    angles = joint_angles(standing(skeleton), skeleton)
    assert ("left_ankle_dorsiflexion" in angles) == (skeleton in (HALPE26, BLAZEPOSE33))
    for name, value in angles.items():
        assert value == pytest.approx([0], abs=1e-6), name


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("name", "joint", "place", "expected"),
    [
        ("hip_flexion", "knee", (0.45, 0.1, 0), 90),
        ("hip_flexion", "knee", (-0.45, 0.1, -0.45), -45),
        ("hip_flexion", "knee", (0.3, 0.3, 0), 90),  # spread as well: the flexion is in the sagittal plane
        ("knee_flexion", "ankle", (-0.45, 0.1, -0.45), 90),
        ("knee_flexion", "ankle", (-0.45, 0.1, 0), 135),
        ("shoulder_flexion", "elbow", (0.3, 0.2, 0.5), 90),
        ("shoulder_flexion", "elbow", (-0.3, 0.2, 0.2), -45),
        ("shoulder_flexion", "elbow", (0, 0.2, 0.8), 180),
        ("elbow_flexion", "wrist", (0.3, 0.2, 0.2), 90),
        ("elbow_flexion", "wrist", (0.3, 0.2, 0.5), 135),
    ],
)
def test_one_joint_bent(side: str, name: str, joint: str, place: tuple[float, float, float], expected: float) -> None:
    sign = 1 if side == "left" else -1
    pose = standing(**{f"{side}_{joint}": (place[0], sign * place[1], place[2])})
    found = angle(f"{side}_{name}", pose)
    assert abs(found) == pytest.approx(180) if expected == 180 else found == pytest.approx(expected)
    other = "right" if side == "left" else "left"
    assert angle(f"{other}_{name}", pose) == pytest.approx(0, abs=1e-6)


def test_toes_up_is_positive() -> None:
    for height, expected in ((-0.7, 45), (-1.1, -45)):
        pose = standing(HALPE26, left_big_toe=(0.2, 0.1, height))
        assert angle("left_ankle_dorsiflexion", pose, HALPE26) == pytest.approx(expected)


def test_the_trunk_leans() -> None:
    """All of the upper body turns about the hips."""
    for axis, name, signs in (("y", "trunk_lean_forward", (1, 0)), ("x", "trunk_lean_left", (0, 1))):
        turn = Rotation.from_euler(axis, 30 if axis == "y" else -30, degrees=True).as_matrix()
        body = standing()[0] @ CAMERA_FROM_BODY
        lower = ("pelvis", "hip", "knee", "ankle")
        upper = [number for number, joint in enumerate(H36M17.joints) if joint.split("_")[-1] not in lower]
        body[upper] = body[upper] @ turn.T
        pose = body[None] @ CAMERA_FROM_BODY.T
        assert angle(name, pose) == pytest.approx(30)
        other = "trunk_lean_left" if signs[0] else "trunk_lean_forward"
        assert angle(other, pose) == pytest.approx(0, abs=1e-6)
    assert angle("left_hip_flexion", pose) == pytest.approx(0, abs=1e-6), "the trunk leans to the side"


def test_shoulders_turned_to_the_left_are_positive() -> None:
    sin, cos = 0.2 * np.sin(np.radians(40)), 0.2 * np.cos(np.radians(40))
    pose = standing(left_shoulder=(-sin, cos, 0.5), right_shoulder=(sin, -cos, 0.5))
    assert angle("shoulder_pelvis_separation", pose) == pytest.approx(40)


def test_an_arm_held_sideways_has_no_flexion() -> None:
    assert np.isnan(angle("left_shoulder_flexion", standing(left_elbow=(0, 0.5, 0.5))))


def test_a_missing_joint_is_nan_in_its_angles_only() -> None:
    pose = standing()
    pose[0, H36M17.index("left_wrist")] = np.nan
    angles = joint_angles(pose, H36M17)
    assert [name for name, value in angles.items() if np.isnan(value[0])] == ["left_elbow_flexion"]


def test_angles_go_on_where_they_would_jump() -> None:
    """An arm that swings all round, ahead and over the head: two turns without a jump."""
    turn = np.radians(np.arange(0, 721, 10))
    poses = np.concatenate([standing(left_elbow=(0.3 * np.sin(a), 0.2, 0.5 - 0.3 * np.cos(a))) for a in turn])
    np.testing.assert_allclose(joint_angles(poses, H36M17)["left_shoulder_flexion"], np.degrees(turn), atol=1e-6)
    gap = np.radians([170, np.nan, -170, np.nan, -150])
    np.testing.assert_allclose(unwrapped(gap), [170, np.nan, 190, np.nan, 210])


POSES = (
    np.concatenate([people(6, seed=1), people(6, seed=2, turn=False)])
    @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
)


@settings(max_examples=40, deadline=None)
@given(
    vector=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-50, 50)] * 3),
    scale=st.floats(0.1, 10),
)
def test_angles_do_not_depend_on_the_camera(
    vector: tuple[float, float, float], shift: tuple[float, float, float], scale: float
) -> None:
    turn = Rotation.from_rotvec(vector).as_matrix()
    before, after = joint_angles(POSES, H36M17), joint_angles(scale * (POSES @ turn.T) + shift, H36M17)
    for name, value in before.items():
        if not name.startswith("trunk_lean"):
            np.testing.assert_allclose(
                np.exp(1j * np.radians(after[name])), np.exp(1j * np.radians(value)), atol=1e-6
            )


@given(degrees=st.floats(-180, 180))
def test_the_lean_does_not_depend_on_where_the_person_faces(degrees: float) -> None:
    turn = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    before, after = joint_angles(POSES, H36M17), joint_angles(POSES @ turn.T, H36M17)
    for name in ("trunk_lean_forward", "trunk_lean_left"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)


def test_a_mirrored_person_has_left_and_right_exchanged() -> None:
    mirrored = (POSES * (-1, 1, 1))[:, H36M17.mirror]
    before, after = joint_angles(POSES, H36M17), joint_angles(mirrored, H36M17)
    for name, value in before.items():
        partner = name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
        if name in ("shoulder_pelvis_separation", "trunk_lean_left"):
            np.testing.assert_allclose(after[name], -value, atol=1e-6)
        else:
            np.testing.assert_allclose(after[partner], value, atol=1e-6)


def test_segments_and_asymmetry() -> None:
    lengths = segment_lengths(standing(left_ankle=(0, 0.1, -0.85)), H36M17)
    expected = {"left_thigh": 0.45, "right_thigh": 0.45, "left_shank": 0.4, "right_shank": 0.45,
                "left_upper_arm": 0.3, "right_forearm": 0.3, "trunk": 0.5, "shoulder_width": 0.4,
                "hip_width": 0.2}  # fmt: skip
    assert {name: float(lengths[name][0]) for name in expected} == pytest.approx(expected)
    assert asymmetry(0.4, 0.45) == pytest.approx(-11.7647, abs=1e-3)
