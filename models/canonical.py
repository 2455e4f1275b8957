"""What methods share that lift one 2D pose to a canonical 3D pose and a camera rotation.

Wandt et al., CanonPose (CVPR 2021), Fig. 3; the mirror quotient (``handedness``) is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from .geometry import normalise_keypoints
from .handedness import Parity, mirror_quotient
from .lifter import Lifter, Rotation
from .method import Method, MethodSettings, Phase, Prediction, View
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
"""Network (Fig. 3), optimiser and schedule (Sec. 3.5) of the CanonPose paper and its code."""

_LEARNING_RATE_DROPS = (0.3, 0.6, 0.9)
"""Shares of the training after which the published learning rate falls tenfold."""

_WEIGHT_DECAY = 1e-5

_PREDICTION_CHUNK = 64
"""Frames lifted at once, always this many, so that rounding does not depend on how frames are batched."""


class CanonicalSettings(MethodSettings):
    """Network, optimiser and handedness. The defaults are ours, not those of a paper."""

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


class CanonicalMethod(Method):
    """A lifter, the mirror quotient, and prediction from one view."""

    settings: CanonicalSettings
    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: CanonicalSettings) -> None:
        super().__init__(skeleton, settings)
        self.lifter = Lifter(len(skeleton.joints), settings.width, settings.layer_norm, settings.rotation)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    @property
    def settles_handedness(self) -> bool:
        """Whether the mirror quotient is on."""
        return self.settings.handedness == "quotient"

    def phase(self, name: str, epochs: int, weights: Mapping[str, float]) -> Phase:
        """A phase with the optimiser and schedule of the settings."""
        settings = self.settings
        return Phase(
            name=name,
            epochs=epochs,
            weights=weights,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            weight_decay=_WEIGHT_DECAY,
            schedule=settings.schedule,
            milestones=tuple(round(drop * epochs) for drop in _LEARNING_RATE_DROPS),
            min_steps=settings.min_steps,
        )

    def lift(self, observed: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical poses (..., J, 3), rotations (..., 3, 3) and the network's own parities (...).

        Args:
            observed: (..., J, 2) normalised.
            confidence: (..., J).
        """
        pose, R = self.lifter(observed, confidence)
        parity = self.parity(pose)
        if self.settles_handedness:
            pose, R = mirror_quotient(pose, R, parity)
        return pose, R, parity

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
        lifted = [self.lift(*chunk) for chunk in zip(*chunks, strict=True)]
        pose, R, parity = (torch.cat(parts)[:frames] for parts in zip(*lifted, strict=True))
        canonical = (pose - (self.root @ pose)[:, None]).masked_fill(~seen[:, None, None], torch.nan)
        return Prediction(
            joint=canonical @ R.mT,
            canonical=canonical,
            camera_from_canonical=R,
            parity=parity.masked_fill(~seen, torch.nan),
        )
