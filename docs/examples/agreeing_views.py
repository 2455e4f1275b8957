"""Agreeing views: a view's pose, turned onto that of another view, must look like what the other view shows.

Weak perspective: joints are where the picture shows them, and a network adds their depths. Views are turned onto each
other by the rotation that fits best (Umeyama, PAMI 1991), so nothing is known or learnt of cameras.
"""

from __future__ import annotations

import torch
from posepipe.models.body.handedness import Parity
from posepipe.models.geometry.geometry import normalise_keypoints, rigid_alignment
from posepipe.models.method import Batch, Method, MethodSettings, Phase, Prediction, View, in_chunks
from posepipe.models.methods.losses import mean_where
from posepipe.models.networks.lifter import residual_network
from posepipe.models.skeleton import Skeleton
from pydantic import Field
from torch import Tensor


class AgreeingViewsSettings(MethodSettings):
    """Settings of agreeing views; on the command line ``--set train.width=256``."""

    epochs: int = Field(24, ge=1, description="passes over the training instants")
    min_steps: int = Field(25, ge=1, description="least number of steps per epoch, for short footage")
    batch_size: int = Field(64, ge=1, description="synchronised instants in a step")
    width: int = Field(512, ge=1, description="units of a hidden layer")
    learning_rate: float = Field(1e-3, gt=0, description="largest learning rate")


class AgreeingViews(Method):
    """Depths of one 2D pose, which the other views must confirm."""

    Settings = AgreeingViewsSettings
    settings: AgreeingViewsSettings
    settles_handedness = True
    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: AgreeingViewsSettings) -> None:
        super().__init__(skeleton, settings)
        joints = len(skeleton.joints)
        self.network = residual_network(3 * joints, joints, settings.width, blocks=2, norm="layer", dropout=0.0)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    def phases(self) -> tuple[Phase, ...]:
        """One phase; losses that it does not weigh would only be shown."""
        of = self.settings
        return (
            Phase("lifter", of.epochs, {"agreement": 1.0}, of.batch_size, of.learning_rate,
                  optimizer="adamw", schedule="one_cycle", min_steps=of.min_steps),
        )  # fmt: skip

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """The distance of turned poses from what other views show, mean over pairs of views."""
        observed, seen = normalise_keypoints(batch.keypoint, batch.confidence, self.root)
        pose, _ = self.lift(observed, batch.confidence)
        both = batch.confidence[:, :, None] * batch.confidence[:, None]
        turned = rigid_alignment(pose[:, :, None], pose[:, None], both)  # (B, source view, target view, J, 3)
        distance = (both * (turned[..., :2] - observed[:, None]).norm(dim=-1)).sum(-1)
        other = ~torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
        return {"agreement": mean_where(distance, seen[:, :, None] & seen[:, None] & other, (0, 1, 2))}

    def lift(self, observed: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Right-handed poses (..., J, 3) of normalised 2D poses (..., J, 2), and the network's own parities (...)."""
        numbers = torch.cat([observed * observed.shape[-2] ** 0.5, confidence[..., None]], -1)
        depth = self.network(numbers.flatten(0, -3).flatten(1)).unflatten(0, observed.shape[:-2])
        depth = (depth - (depth @ self.root)[..., None])[..., None]
        parity = self.parity(torch.cat([observed, depth], -1))
        depth = depth * torch.where(parity < 0, -1.0, 1.0)[..., None, None]
        return torch.cat([observed, depth], -1), parity

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames; NaN where a frame has no root."""
        observed, seen = normalise_keypoints(view.keypoint, view.confidence, self.root)
        pose, parity = in_chunks(self.lift, observed, view.confidence)
        pose = pose.masked_fill(~seen[:, None, None], torch.nan)
        return Prediction.in_camera_axes(pose, parity)
