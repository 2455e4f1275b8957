"""Anatomy tells a scene from its mirror image, exactly, on every skeleton, and says when it cannot."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_scene import cameras, people
from posepipe.models.body.handedness import Parity, judge_handedness, mirror_quotient, parity_hinge
from posepipe.models.geometry.geometry import project_weak_perspective, rotation_from_axis_angle
from posepipe.models.skeleton import H36M17, LANDMARKS, SKELETONS, Skeleton

FLIP = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)


def test_real_people_have_positive_parity() -> None:
    parity = Parity(H36M17)(torch.from_numpy(people(500)))
    assert parity.min() > 0.03
    assert 0.1 < parity.mean() < 0.3


def test_parity_is_the_literal_sum_of_its_cues() -> None:
    pose = people(1, seed=4)[0]
    at = dict(zip(H36M17.joints, pose, strict=True))
    forward = np.cross(at["left_hip"] - at["right_hip"], at["thorax"] - at["pelvis"])
    forward /= np.linalg.norm(forward)
    expected = (at["nose"] - (at["thorax"] + at["head"]) / 2) @ forward
    for side in ("left", "right"):
        hip, knee, ankle = (at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        leg = (ankle - hip) / np.linalg.norm(ankle - hip)
        expected += (knee - hip - (knee - hip) @ leg * leg) @ forward
    expected /= np.linalg.norm([at[name] - at["pelvis"] for name in LANDMARKS])
    assert Parity(H36M17)(torch.from_numpy(pose)).item() == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.floats(0.01, 100))
def test_parity_ignores_rotation_place_and_size_and_changes_sign_with_depth(values: list[float], size: float) -> None:
    pose, parity = torch.from_numpy(people(5)), Parity(H36M17)
    motion = torch.tensor(values, dtype=torch.float64)
    moved = size * (pose @ rotation_from_axis_angle(motion[:3]).mT + motion[3:])
    torch.testing.assert_close(parity(moved), parity(pose), atol=1e-6, rtol=0)
    torch.testing.assert_close(parity(moved * FLIP), -parity(moved), atol=1e-12, rtol=0)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_parity_works_on_every_skeleton(skeleton: Skeleton) -> None:
    pose = torch.from_numpy(_on(skeleton, people(100)))
    parity = Parity(skeleton)(pose)
    assert parity.min() > 0.02
    torch.testing.assert_close(Parity(skeleton)(pose * FLIP), -parity)


def test_parity_of_a_collapsed_pose_is_finite_and_so_is_its_gradient() -> None:
    pose = torch.zeros(2, 17, 3, requires_grad=True)
    parity = Parity(H36M17)(pose)
    assert parity.tolist() == [0, 0]
    parity_hinge(parity).sum().backward()
    assert pose.grad.isfinite().all()


def test_the_hinge_is_its_equation_and_pulls_to_the_right_hand() -> None:
    parity = torch.tensor([-0.2, -0.01, 0.0, 0.03, 0.2], dtype=torch.float64, requires_grad=True)
    found = parity_hinge(parity)
    for value, k in zip(found.tolist(), parity.tolist(), strict=True):
        assert value == pytest.approx(math.log(1 + math.exp(-40 * k)))
    assert torch.autograd.gradcheck(parity_hinge, parity)
    pose = (torch.from_numpy(people(3)) * FLIP).requires_grad_()
    before = Parity(H36M17)(pose)
    parity_hinge(before).sum().backward()
    assert (Parity(H36M17)(pose.detach() - 1e-3 * pose.grad) > before).all()


def test_quotient_leaves_images_alone_and_makes_everybody_right_handed() -> None:
    pose, R = torch.from_numpy(people(8)), torch.from_numpy(cameras(8).R)
    mirrored = torch.arange(8) % 2 == 0
    flip = torch.where(mirrored[:, None], FLIP, torch.ones(3))
    mixed, mixed_R = pose * flip[:, None], R * flip[:, :, None] * flip[:, None]
    parity = Parity(H36M17)(mixed)
    assert ((parity < 0) == mirrored).all()
    found, found_R = mirror_quotient(mixed, mixed_R, parity)
    torch.testing.assert_close(found, pose)
    torch.testing.assert_close(found_R, R)
    torch.testing.assert_close(project_weak_perspective(mixed, mixed_R), project_weak_perspective(pose, R))
    torch.testing.assert_close(torch.linalg.det(mixed_R), torch.ones(8, dtype=torch.float64))


def test_quotient_passes_the_gradient() -> None:
    pose = torch.from_numpy(people(2)).requires_grad_()
    found, _ = mirror_quotient(pose, torch.eye(3).expand(2, 3, 3), torch.tensor([1.0, -1.0]))
    found.sum().backward()
    torch.testing.assert_close(pose.grad, torch.stack([torch.ones(17, 3).double(), FLIP.expand(17, 3)]))


# Parities as networks that were trained with the quotient show them (standard deviations measured).
rng = np.random.default_rng(0)
BENT = rng.normal(0.15, 0.04, 1000)
STRAIGHT = rng.normal(0.002, 0.013, 1000)
BETWEEN = rng.normal(0.045, 0.02, 1000)
SIDES = np.where(rng.random(1000) < 0.5, 1, -1)


@pytest.mark.parametrize(
    ("parity", "quotient", "verdict"),
    [
        (BENT, True, "clear"),
        (-BENT, True, "clear"),
        (SIDES * BENT, True, "clear"),
        (BETWEEN, True, "thin"),
        (STRAIGHT, True, "undecided"),
        (3 * STRAIGHT, False, "undecided"),
        (BENT, False, "clear"),
        (-BENT, False, "mirrored"),
        (SIDES * BENT, False, "undecided"),
        (np.full(5, np.nan), True, "undecided"),
    ],
)
def test_verdicts(parity: np.ndarray, quotient: bool, verdict: str) -> None:
    assert judge_handedness(parity, quotient).verdict == verdict


def test_a_verdict_comes_with_its_numbers() -> None:
    found = judge_handedness(np.array([0.2, 0.1, -0.3, 0.0, np.nan]))
    assert found.margin == pytest.approx(0.15)
    assert found.evident == 0.75
    assert found.majority == 0.75
    assert "75% of 4 poses" in found.sentence


def _on(skeleton: Skeleton, pose: np.ndarray) -> np.ndarray:
    """H36M-17 poses on another skeleton: limbs as they are, the face around the nose, ears between nose and back."""
    at = {joint: pose[:, i] for i, joint in enumerate(H36M17.joints)}
    back = 2 * (at["thorax"] + at["head"]) / 2 - at["nose"]
    at["neck"] = 0.7 * at["nose"] + 0.3 * back if skeleton.name == "mpii16" else at["thorax"]
    at["hip"] = at["mid_hip"] = at["pelvis"]
    ears = 0.5 * at["nose"] + 0.5 * back

    def place(joint: str) -> np.ndarray:
        if joint in at:
            return at[joint]
        side = joint.split("_")[0]
        if "ear" in joint:
            return ears
        if any(part in joint for part in ("eye", "mouth")):
            return at["nose"]
        limb = "ankle" if any(part in joint for part in ("toe", "heel", "foot")) else "wrist"
        return at[f"{side}_{limb}"]

    return np.stack([place(joint) for joint in skeleton.joints], 1)
