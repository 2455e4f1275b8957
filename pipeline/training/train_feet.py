"""Training of what places feet: on the bodies that a trained method lifts from its training views."""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.networks.feet import FootLifter
from ...models.skeleton import Skeleton

STEPS, BATCH_SIZE, LEARNING_RATE = 1000, 256, 3e-3


def train_feet(
    skeleton: Skeleton, joint: Tensor, keypoint: Tensor, confidence: Tensor, seed: int
) -> dict[str, Tensor] | None:
    """Weights of a ``FootLifter``; None where no foot is seen by two views at once.

    Args:
        skeleton: of the 2D poses, feet last.
        joint: (B, V, J, 3) bodies lifted from each view, in its camera's axes; NaN where missing.
        keypoint: (B, V, J + F, 2) px of the same views.
        confidence: (B, V, J + F), 0 where missing.
        seed: of all random draws.
    """
    torch.manual_seed(seed)
    lifter = FootLifter(skeleton).to(joint.device)
    there = joint.isfinite().all(-1).all(-1)
    body, offset, trust = lifter.observe(joint.nan_to_num(), keypoint, confidence * there[..., None])
    target, agreed = lifter.targets(body, offset, trust)
    trust = trust * agreed[:, None]
    rows = trust.sum(-1) > 0
    body, offset, trust, target = (values[rows] for values in (body, offset, trust, target))
    if not len(body):
        return None
    optimizer = torch.optim.AdamW(lifter.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        some = torch.randint(len(body), (BATCH_SIZE,)).to(body.device)
        loss = lifter.loss(body[some], offset[some], trust[some], target[some])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return {name: value.cpu() for name, value in lifter.state_dict().items()}
