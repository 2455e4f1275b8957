"""CanonPose: a lifter trained by reprojecting each view's pose into the other views.

Wandt et al., CanonPose: Self-Supervised Monocular 3D Human Pose Estimation in the Wild (CVPR 2021). Needs two
or more synchronised views of one person (three or more to be well-posed), no calibration and no images. The
mirror quotient (``handedness``) and recipe "fast" are ours; recipe "published" trains as the paper does.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from .geometry import normalise_keypoints, project_weak_perspective
from .handedness import Parity, mirror_quotient
from .lifter import Lifter, Rotation
from .losses import mean_where, scale_free_distance
from .method import Batch, Method, MethodSettings, Phase, Prediction, View
from .skeleton import Skeleton

PUBLISHED: dict[str, Any] = {
    "epochs": 100,
    "batch_size": 32,
    "width": 1024,
    "layer_norm": False,
    "rotation": "axis_angle",
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "schedule": "steps",
    "min_steps": 1,
}
"""Recipe "published": network (Fig. 3), optimiser and schedule (Sec. 3.5) of the paper and its code."""

_LEARNING_RATE_DROPS = (0.3, 0.6, 0.9)
"""Shares of the training after which the published learning rate falls tenfold."""

_WEIGHT_DECAY = 1e-5

_PREDICTION_CHUNK = 64
"""Frames lifted at once, always this many, so that rounding does not depend on how frames are batched."""


class CanonPoseSettings(MethodSettings):
    """Settings of CanonPose. The defaults are recipe "fast"; "published" replaces those not given."""

    recipe: Literal["fast", "published"] = Field("fast", description="ours, or that of the paper")
    handedness: Literal["quotient", "none"] = Field(
        "quotient", description="none: chance decides whether the world is learnt mirrored, as in the paper"
    )
    camera_weight: float = Field(0.1, ge=0, description="weight of the consistency of unmoved cameras")
    epochs: int = Field(24, ge=1, description="passes over the training instants")
    min_steps: int = Field(25, ge=1, description="steps of an epoch at least, for short footage")
    batch_size: int = Field(128, ge=1, description="synchronised instants in a step")
    width: int = Field(512, ge=1, description="units of a hidden layer")
    layer_norm: bool = Field(True, description="residual blocks with layer norm")
    rotation: Rotation = Field("two_columns", description="form in which the network predicts a rotation")
    optimizer: Literal["adam", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate")
    schedule: Literal["steps", "one_cycle"] = Field(
        "one_cycle", description="steps: tenfold drops after 30, 60 and 90 % of the epochs"
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("recipe") == "published":
            return PUBLISHED | given
        return given


class CanonPose(Method):
    """A canonical 3D pose and a camera rotation from one 2D pose, consistent over views."""

    Settings = CanonPoseSettings
    settings: CanonPoseSettings
    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: CanonPoseSettings) -> None:
        super().__init__(skeleton, settings)
        self.lifter = Lifter(len(skeleton.joints), settings.width, settings.layer_norm, settings.rotation)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    @property
    def settles_handedness(self) -> bool:
        """Whether the mirror quotient is on."""
        return self.settings.handedness == "quotient"

    def phases(self) -> tuple[Phase, ...]:
        settings = self.settings
        phase = Phase(
            name="lifter",
            epochs=settings.epochs,
            weights={"reprojection": 1.0, "view": 1.0, "camera": settings.camera_weight},
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            weight_decay=_WEIGHT_DECAY,
            schedule=settings.schedule,
            milestones=tuple(round(drop * settings.epochs) for drop in _LEARNING_RATE_DROPS),
            min_steps=settings.min_steps,
        )
        return (phase,)

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Reprojection into the own view (CanonPose, Eq. 5), other views (Sec. 3.2) and other instants (Eq. 8).

        Each is a mean over the views that exist; the latter two are summed over source views, as in the
        released code.
        """
        observed, seen = normalise_keypoints(batch.keypoint, batch.confidence, self.root)
        pose, R, _ = self._lift(observed, batch.confidence)
        # (B, source view, target view): the pose lifted from one view, seen by the camera of another.
        reprojected = project_weak_perspective(pose[:, :, None], R[:, None])
        distance = scale_free_distance(observed[:, None], reprojected, batch.confidence[:, None])
        exists = seen[:, :, None] & seen[:, None, :]
        own = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
        return {
            "reprojection": mean_where(distance, exists & own, (0, 1, 2)),
            "view": mean_where(distance, exists & ~own, (0, 2)).sum(),
            "camera": self._camera_consistency(batch, observed, seen, pose, R),
        }

    def _camera_consistency(
        self,
        batch: Batch,
        observed: Tensor,  # (B, V, J, 2)
        seen: Tensor,  # (B, V) bool
        pose: Tensor,  # (B, V, J, 3)
        R: Tensor,  # (B, V, 3, 3)
    ) -> Tensor:
        """Loss of reprojecting with relative rotations of another instant of the same rig (CanonPose, Eq. 8).

        A mean over samples, so that its weight does not depend on how many rigs share a batch; 0 where no
        two instants share an unmoved rig.
        """
        total = observed.new_zeros(())
        views = range(observed.shape[1])
        for source in views:
            other, paired = partners(batch.rig)
            in_camera = pose[:, source] @ R[:, source].mT
            elsewhere = (in_camera @ R[other, source])[:, None]  # canonical, as the other instant has it
            distance = scale_free_distance(observed, project_weak_perspective(elsewhere, R[other]), batch.confidence)
            exists = seen & seen[other] & (paired & seen[:, source] & seen[other, source])[:, None]
            targets = torch.tensor([view != source for view in views], device=seen.device)
            total = total + mean_where(distance, exists & targets, (0, 1))
        return total

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses ``R X`` of one camera's frames, root-centred; NaN where a frame has no root."""
        observed, seen = normalise_keypoints(view.keypoint, view.confidence, self.root)
        frames = len(seen)
        padding = -frames % _PREDICTION_CHUNK
        chunks = [
            torch.cat([part, part.new_zeros(padding, *part.shape[1:])]).split(_PREDICTION_CHUNK)
            for part in (observed, view.confidence)
        ]
        lifted = [self._lift(*chunk) for chunk in zip(*chunks, strict=True)]
        pose, R, parity = (torch.cat(parts)[:frames] for parts in zip(*lifted, strict=True))
        canonical = (pose - (self.root @ pose)[:, None]).masked_fill(~seen[:, None, None], torch.nan)
        return Prediction(
            joint=canonical @ R.mT,
            canonical=canonical,
            camera_from_canonical=R,
            parity=parity.masked_fill(~seen, torch.nan),
        )

    def _lift(self, observed: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical poses (..., J, 3), rotations (..., 3, 3) and the network's own parities (...)."""
        pose, R = self.lifter(observed, confidence)
        parity = self.parity(pose)
        if self.settles_handedness:
            pose, R = mirror_quotient(pose, R, parity)
        return pose, R, parity


def partners(rig: Tensor) -> tuple[Tensor, Tensor]:
    """A random permutation of instants within each unmoved rig, and which instants take part.

    Args:
        rig: (B) int64; -1: cameras moved, no partner.

    Returns:
        For each instant the index of its partner (B), and a mask (B) of instants whose rig has at least two.
    """
    # Drawn on the CPU: one random state to store, whatever the device.
    shuffled = torch.randperm(len(rig)).to(rig.device)
    drawn = shuffled[rig[shuffled].argsort(stable=True)]
    partner = torch.empty_like(drawn)
    partner[rig.argsort(stable=True)] = drawn
    companions = (rig[:, None] == rig).sum(1)
    return partner, (rig >= 0) & (companions > 1)
