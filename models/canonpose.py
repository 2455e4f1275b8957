"""CanonPose: a lifter trained by reprojecting each view's pose into the other views.

Wandt et al., CanonPose: Self-Supervised Monocular 3D Human Pose Estimation in the Wild (CVPR 2021). Needs two
or more synchronised views of one person (three or more to be well-posed), no calibration and no images. The
mirror quotient (``handedness``) and recipe "fast" are ours; recipe "published" trains as the paper does.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from .canonical import PUBLISHED, CanonicalMethod, CanonicalSettings
from .geometry import normalise_keypoints
from .losses import camera_consistency, reprojection
from .method import Batch, Phase


class CanonPoseSettings(CanonicalSettings):
    """Settings of CanonPose. The defaults are recipe "fast"; "published" replaces those not given."""

    recipe: Literal["fast", "published"] = Field("fast", description="ours, or that of the paper")

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("recipe") == "published":
            return PUBLISHED | given
        return given


class CanonPose(CanonicalMethod):
    """A canonical 3D pose and a camera rotation from one 2D pose, consistent over views."""

    Settings = CanonPoseSettings
    settings: CanonPoseSettings

    def phases(self) -> tuple[Phase, ...]:
        settings = self.settings
        weights = {"reprojection": 1.0, "view": 1.0, "camera": settings.camera_weight}
        return (self.phase("lifter", settings.epochs, weights),)

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Reprojection into the own view, other views and, by way of other instants, unmoved cameras."""
        batch = self.augment(batch)
        observed, seen = normalise_keypoints(batch.keypoint, batch.confidence, self.root)
        pose, R, parity = self.lift(observed, batch.confidence)
        own, others = reprojection(observed, batch.confidence, seen, pose, R)
        camera = camera_consistency(observed, batch.confidence, seen, pose, R, batch.rig)
        return {"reprojection": own, "view": others, "camera": camera, **self.priors(pose, parity, seen)}
