"""CVSF: CanonPose whose 2D poses are refined by fusing the views, without calibration, and lifted a second time.

Kim et al., Cross-View Self-Fusion for Self-Supervised 3D Human Pose Estimation in the Wild (ACCV 2022). A joint
seen by one view lies, at unknown depth, on a line in every other; where lines and detection agree is the refined
joint. Needs what CanonPose needs; prediction is the first lifting of a single view.

Recipe "ours" differs from the paper. Views have different scales, and the noise of a root joint shifts its whole
view: the mean lifted pose undoes both. *Measured* on ``static4`` with true rotations and poses: 92.3 % of joints
lie within half a head of the truth as detected, 81.9 % refined as in the paper, 97.3 % with views aligned. Maxima are
found between bins, 3D poses are compared at equal size. The first stage is CanonPose alone, as views are fused by
rotations that it has to find first; its losses never vanish. Recipe "paper" follows the text; "released" takes the
shortcuts of the published code as well.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ..geometry.geometry import normalise_keypoints, unit_norm
from ..method import Batch, Phase
from ..skeleton import Skeleton
from .base import PUBLISHED, CanonicalMethod
from .cvsf_fusion import FusionSettings, fuse
from .losses import camera_consistency, mean_where, reprojection, scale_free_distance

PAPER: dict[str, Any] = PUBLISHED | {
    "epochs": 200,
    "first_stage_share": 0.5,
    "batch_size": 64,
    "camera_weight": 0.0,
    "alignment": "none",
    "joint_sigma": 3 / 64,
    "line_sigma": 2 / 64,
    "refine_below": 1.01,
    "grid_bins": 64,
    "grid_half_side": 0.5,
    "sub_pixel": False,
    "equal_size": False,
}
"""Recipe "paper": all joints of all views refined by the maximum of maps of 64 bins (Eq. 2)."""

RELEASED: dict[str, Any] = PAPER | {
    "camera_weight": 0.1,
    "joint_map": "reprojection",
    "refine_below": 0.85,
    "kept_joints": ("pelvis", "thorax", "nose", "head"),
}
"""Recipe "released": what the published code would do if its second stage ran."""

_RECIPES = {"ours": {}, "paper": PAPER, "released": RELEASED}

_WEIGHTS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "ours": (
        {"reprojection": 1, "view": 1},
        {"reprojection": 0.1, "view": 0.1, "refinement": 0.01, "refined_reprojection": 1, "consistency": 0.01},
    ),
    "paper": (
        {"reprojection": 1, "view": 1, "refinement": 1, "refined_reprojection": 0.01, "consistency": 0.01},
        {"reprojection": 0.01, "view": 0.01, "refinement": 0.01, "refined_reprojection": 1, "consistency": 1},
    ),
    "released": (
        {"reprojection": 1, "view": 1, "refinement": 1, "refined_reprojection": 0.01, "consistency": 0.001}
        | {"agreement": 0.1},
        {"reprojection": 0.1, "view": 0.1, "refinement": 0.01, "refined_reprojection": 1, "consistency": 0.01}
        | {"agreement": 0.001},
    ),
}
"""Loss weights of the two stages (Sec. 3.4); the camera's is a setting."""

_OF_REFINED = {"refinement", "refined_reprojection", "consistency", "agreement"}
"""Terms that need fusion, which costs more than all others together."""

_TINY = 1e-6


class CVSFSettings(FusionSettings):
    """Settings of CVSF. The defaults are recipe "ours"; the others replace those not given."""

    recipe: Literal["ours", "paper", "released"] = Field("ours", description="ours, the paper's or its code's")
    epochs: int = Field(48, ge=1, description="passes over the training instants, both stages together")
    first_stage_share: float = Field(
        2 / 3, gt=0, le=1, description="share of the epochs before refined poses take the lead"
    )
    equal_size: bool = Field(True, description="3D poses of two views are compared at equal norm")

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, given: Any) -> Any:
        return _RECIPES.get(str(given.get("recipe")), {}) | given if isinstance(given, dict) else given


class CVSF(CanonicalMethod):
    """CanonPose, cross-view self-fusion, and a second lifting with shared weights."""

    Settings = CVSFSettings
    version = 2
    settings: CVSFSettings
    refinable: Tensor

    def __init__(self, skeleton: Skeleton, settings: CVSFSettings) -> None:
        super().__init__(skeleton, settings)
        refinable = torch.tensor([joint not in settings.kept_joints for joint in skeleton.joints])
        self.register_buffer("refinable", refinable, persistent=False)

    def phases(self) -> tuple[Phase, ...]:
        """The two stages, each with a schedule of its own; in hard mode ``refinement`` is a monitor only."""
        settings = self.settings
        first = max(1, round(settings.first_stage_share * settings.epochs))
        camera = {"camera": settings.camera_weight}
        stages = zip(("views", "refined"), (first, settings.epochs - first), _WEIGHTS[settings.recipe], strict=True)
        without_gradient = {"refinement"} if settings.fusion == "hard" else set()
        return tuple(
            self.phase(
                name,
                epochs,
                {term: weight for term, weight in weights.items() if term not in without_gradient} | camera,
                settled=name == "refined",
            )
            for name, epochs, weights in stages
            if epochs
        )

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """The terms of CVSF, Eq. 3 to 6, with CanonPose's kernel, and CanonPose's camera consistency.

        ``reprojection`` and ``view`` are Eq. 3 for the own and other views; ``refinement`` is Eq. 4 within a view
        (across views it compares different images); ``refined_reprojection`` is Eq. 5; ``consistency`` is
        Eq. 6 as a mean; ``agreement`` of first and second lifting is the published code's.
        """
        batch = self.augment(batch)
        confidence = batch.confidence
        observed, seen = normalise_keypoints(batch.keypoint, confidence, self.root)
        pose, R, parity = self.lift(observed, confidence)
        own, others = reprojection(observed, confidence, seen, pose, R)
        camera = camera_consistency(observed, confidence, seen, pose, R, batch.rig)
        terms = {"reprojection": own, "view": others, "camera": camera, **self.priors(pose, parity, seen)}
        if phase.weights.keys() & _OF_REFINED:
            terms |= self._refined_terms(observed, confidence, seen, pose, R)
        return terms

    def _refined_terms(
        self, observed: Tensor, confidence: Tensor, seen: Tensor, pose: Tensor, R: Tensor
    ) -> dict[str, Tensor]:
        """Those that need fusion and the second lifting."""
        fused = self.fuse(observed, confidence, seen, pose, R)
        refined, _ = normalise_keypoints(fused, confidence, self.root)
        second, _, _ = self.lift(refined, confidence)
        return {
            "refinement": mean_where(scale_free_distance(observed, refined, confidence), seen, (0, 1)),
            "refined_reprojection": torch.stack(reprojection(refined, confidence, seen, pose, R)).sum(),
            "consistency": consistency(unit_norm(second) if self.settings.equal_size else second, seen),
            "agreement": (mean_where((pose - second).square().mean((-2, -1)), seen, (0, 1)) + _TINY**2).sqrt(),
        }

    @torch.no_grad()
    def refine(self, batch: Batch) -> Tensor:
        """Keypoints (B, V, J, 2) in px with the unsure joints where the views together see them."""
        observed, seen = normalise_keypoints(batch.keypoint, batch.confidence, self.root)
        pose, R, _ = self.lift(observed, batch.confidence)
        fused = self.fuse(observed, batch.confidence, seen, pose, R)
        centred = batch.keypoint - (self.root @ batch.keypoint)[..., None, :]
        norm = (centred * (batch.confidence > 0)[..., None]).norm(dim=(-2, -1), keepdim=True)
        return batch.keypoint + (fused - observed) * norm

    def fuse(self, observed: Tensor, confidence: Tensor, seen: Tensor, pose: Tensor, R: Tensor) -> Tensor:
        """2D poses (B, V, J, 2) refined by what all views (B, V) seen say of each; see ``self_fusion.fuse``."""
        confidence = confidence * seen[..., None]
        return fuse(observed, confidence, self._centred(pose), R, self.refinable, self.settings)


def consistency(pose: Tensor, seen: Tensor) -> Tensor:
    """Mean absolute difference of the canonical poses (B, V, J, 3) of two views (CVSF, Eq. 6)."""
    difference = (pose[:, :, None] - pose[:, None]).abs().mean((-2, -1))
    other = ~torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
    return mean_where(difference, seen[:, :, None] & seen[:, None, :] & other, (0, 1, 2))
