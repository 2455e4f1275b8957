"""Moving bodies: windows of clips, limbs of other moments, other proportions, poses of random joint angles."""

from __future__ import annotations

import pytest
import torch
from known_scene import people
from posepipe.models.body.handedness import Parity
from posepipe.models.skeleton import H36M17, H36M17_FEET, SKELETONS, Skeleton
from posepipe.models.synthesis.bodies import Bodies
from posepipe.models.synthesis.bones import Bones
from posepipe.models.synthesis.clips import Clips
from posepipe.models.synthesis.drawn_poses import drawn_poses
from posepipe.models.synthesis.limbs import LimbExchange
from torch import Generator, Tensor

EVERY = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
BONES = torch.from_numpy(H36M17.bone_indices)


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def windows(count: int, size: int = 5, skeleton: Skeleton = H36M17) -> Tensor:
    """People of whom every window shows one, in poses of his own."""
    pose = torch.from_numpy(people(count * size)).float().unflatten(0, (count, size))
    scale = torch.linspace(0.8, 1.2, count)[:, None, None, None]
    return pose * scale + torch.linspace(0, 3, size)[:, None, None]


def lengths(joint: Tensor) -> Tensor:
    return (joint[..., BONES[:, 0], :] - joint[..., BONES[:, 1], :]).norm(dim=-1)


def bend(joint: Tensor, *limb: str) -> Tensor:
    """Cosines of the angle at the middle of three joints."""
    a, b, c = (joint[..., H36M17.index(name), :] for name in limb)
    return torch.cosine_similarity(a - b, c - b, dim=-1)


def test_windows_step_through_one_clip_and_repeat_its_ends() -> None:
    clips = Clips([40, 7], [50.0, 25.0])
    frame = clips.windows(chance(), 5, torch.full((300,), 0.04))
    first = frame < 40
    assert first.any(0).all() and (~first).any(0).all()
    assert (first == first[:, :1]).all(), "a window of two clips"
    step = frame.diff()
    inside = (frame > 0).all(1) & (frame < 39).all(1)
    assert (step[inside] == 2).all() and ((step >= 0) & (step <= 2)).all()
    short = frame[frame[:, 0] >= 40]
    assert short.min() == 40 and short.max() == 46 and (short.diff() <= 1).all()


@EVERY
def test_every_joint_hangs_on_one_nearer_to_the_pelvis(skeleton: Skeleton) -> None:
    bones = Bones(skeleton)
    joint = torch.randn(3, len(skeleton.joints), 3, generator=chance())
    torch.testing.assert_close(bones.joints(bones.vectors(joint)), joint)
    limb = {skeleton.joints[index] for index in bones.from_joint(skeleton.index("left_knee")).tolist()}
    wanted = {
        name for name in skeleton.joints if name.startswith("left_") and name.endswith(("ankle", "toe", "heel"))
    }
    assert wanted <= limb
    arm = {skeleton.joints[index] for index in bones.from_joint(skeleton.index("right_elbow")).tolist()}
    assert "right_wrist" in arm and all(name.startswith("right_") for name in arm)


@EVERY
def test_limbs_are_those_beyond_hip_and_shoulder(skeleton: Skeleton) -> None:
    for line, inner in (("hip", "knee"), ("shoulder", "elbow")):
        left, right = LimbExchange(skeleton).limbs[line]
        for side, limb in (("left", left), ("right", right)):
            names = [skeleton.joints[joint] for joint in limb.tolist()]
            assert f"{side}_{inner}" in names and f"{side}_{line}" not in names
            assert all(name.startswith(side) for name in names)


def test_limbs_move_as_in_another_window_and_have_the_lengths_of_the_body() -> None:
    joint = windows(200)
    made = LimbExchange(H36M17)(chance(), joint)
    torch.testing.assert_close(lengths(made), lengths(joint), rtol=1e-3, atol=1e-4)
    trunk = [
        H36M17.index(name) for name in ("pelvis", "spine", "thorax", "nose", "head", "left_hip", "right_shoulder")
    ]
    torch.testing.assert_close(made[:, :, trunk], joint[:, :, trunk], rtol=0, atol=1e-5)
    for limb in (("left_hip", "left_knee", "left_ankle"), ("right_shoulder", "right_elbow", "right_wrist")):
        new, old = bend(made, *limb), bend(joint, *limb)
        changed = (new - old).abs().amax(1) > 1e-3
        assert 0.1 < changed.float().mean() < 0.3
        nearest = (new[changed][:, None] - old[None]).abs().amax(-1).amin(1)
        assert nearest.max() < 1e-3, "a movement that no window has"


def test_a_turned_person_makes_turned_bodies() -> None:
    joint = windows(60)
    R = torch.linalg.qr(torch.randn(3, 3, generator=chance(1)))[0]
    R = R * torch.linalg.det(R)
    exchange = LimbExchange(H36M17)
    torch.testing.assert_close(exchange(chance(), joint @ R.mT), exchange(chance(), joint) @ R.mT, rtol=0, atol=1e-4)


def test_proportions_differ_between_bodies_not_within_them_nor_between_their_sides() -> None:
    joint = windows(100)
    made = Bodies(H36M17).proportioned(chance(), joint)
    factor = lengths(made) / lengths(joint)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor), rtol=0, atol=1e-3)
    torch.testing.assert_close(factor, factor[..., torch.from_numpy(H36M17.mirror_bones)], rtol=0, atol=1e-3)
    assert factor[:, 0].std(0).min() > 0.03 and factor.min() > 0.4
    torch.testing.assert_close(made[:, :, 0], joint[:, :, 0])


def test_joints_of_other_detectors_are_fixed_to_the_trunk_and_alike_on_both_sides() -> None:
    pose = windows(50, 1).expand(50, 3, 17, 3).clone()
    made, derived = Bodies(H36M17).redefined(chance(), pose)
    torch.testing.assert_close(made[:, 0], made[:, 2])
    assert derived.any() and not derived.all()
    hips = made[derived][:, 0][:, [H36M17.index("left_hip"), H36M17.index("right_hip")]]
    torch.testing.assert_close(made[derived][:, 0, 0], hips.mean(1), rtol=0, atol=1e-5)
    off = (made - pose).norm(dim=-1)[~derived, 0]
    assert off[:, H36M17.index("head")].mean() > off[:, H36M17.index("left_knee")].mean() > 0.002


@pytest.mark.parametrize("size", [1, 3, 27])
def test_drawn_poses_are_bodies_with_human_joints(size: int) -> None:
    joint = drawn_poses(chance(), 200, size)
    assert joint.shape == (200, size, 21, 3) and joint.isfinite().all()
    ends = torch.from_numpy(H36M17_FEET.bone_indices)
    length = (joint[..., ends[:, 0], :] - joint[..., ends[:, 1], :]).norm(dim=-1)
    assert (length.std((0, 1)) < 0.02 * length.mean((0, 1)) + 0.002).all()
    parity = Parity(H36M17)(joint[:, size // 2, :17])
    assert (parity > 0).float().mean() > 0.9, "knees and elbows bend the wrong way"
    upright = joint[:, size // 2, H36M17.index("thorax"), 2] - joint[:, size // 2, 0, 2]
    assert 0.6 < (upright > 0).float().mean() < 0.98, "some bodies hang, most stand"


def test_drawn_poses_move_smoothly() -> None:
    joint = drawn_poses(chance(), 100, 27)
    travel = (joint - joint[:, :, :1]).diff(dim=1).norm(dim=-1)
    assert 0.001 < travel.mean() < 0.05 and travel.max() < 0.5
