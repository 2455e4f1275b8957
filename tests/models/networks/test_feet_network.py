"""Feet are placed where the views show them, in depth as well, and not made up."""

from __future__ import annotations

import numpy as np
import torch
from known_feet import with_feet
from known_scene import cameras, people
from posepipe.models.networks.feet import FootLifter
from posepipe.models.skeleton import H36M17_FEET
from posepipe.pipeline.training.train_feet import train_feet

COUNT, VIEWS = 120, 4
FOOT = slice(17, 21)


def a_scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """People (B, V, 21, 3) in the axes of each camera, their images in px, and confidences."""
    rig = cameras(VIEWS)
    pose = with_feet(people(COUNT))
    solid = np.einsum("vac,bjc->bvja", rig.R, pose - pose[:, :1])
    flat = 300 * solid[..., :2] + np.array([500.0, 400.0])
    return (*(torch.from_numpy(array).float() for array in (solid, flat)), torch.ones(COUNT, VIEWS, 21))


def test_views_agree_on_where_the_feet_are() -> None:
    solid, flat, confidence = a_scene()
    lifter = FootLifter(H36M17_FEET)
    body, offset, trust = lifter.observe(solid[:, :, :17], flat, confidence)
    start, end = lifter.bones.unbind(-1)
    length = (solid[:, :, start] - solid[:, :, end]).norm(dim=-1).mean(-1)[..., None, None]
    true = (solid[:, :, FOOT] - solid[:, :, lifter.ankles]) / length
    torch.testing.assert_close(offset, true[..., :2], atol=1e-4, rtol=1e-3)
    target, agreed = lifter.targets(body, offset, trust)
    assert agreed.all()
    torch.testing.assert_close(target, true, atol=5e-3, rtol=1e-2)
    hidden = trust.clone()
    hidden[0, 1:, 2] = 0
    assert not lifter.targets(body, offset, hidden)[1][0, 2], "one view alone tells no depth"


def test_feet_of_one_view_are_learnt_from_several() -> None:
    solid, flat, confidence = a_scene()
    state = train_feet(H36M17_FEET, solid[:, :, :17], flat, confidence, 1)
    assert state is not None
    lifter = FootLifter(H36M17_FEET)
    lifter.load_state_dict(state)
    lifter.eval()
    for scale in (1.0, 3.0):  # of the lifted poses
        placed = lifter.place(scale * solid[:, 0, :17], flat[:, 0], confidence[:, 0]) / scale
        torch.testing.assert_close(placed[:, :17], solid[:, 0, :17])
        assert (placed - solid[:, 0])[:, FOOT].norm(dim=-1).mean() < 0.02, "of a person of 1.7 m"
    hidden = confidence[:, 0].clone()
    hidden[:, FOOT] = 0
    guessed = lifter.place(solid[:, 0, :17], flat[:, 0], hidden)
    assert (guessed - solid[:, 0])[:, FOOT].norm(dim=-1).mean() < 0.05


def test_a_foot_that_two_views_never_show_is_not_learnt() -> None:
    solid, flat, confidence = a_scene()
    confidence[:, 1:, FOOT] = 0
    assert train_feet(H36M17_FEET, solid[:, :, :17], flat, confidence, 1) is None
