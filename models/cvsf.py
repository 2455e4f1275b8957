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

from .canonical import PUBLISHED, CanonicalMethod, CanonicalSettings
from .geometry import normalise_keypoints, project_weak_perspective, unit_norm
from .heatmap import Grid, Ridges, argmax, heat, lattice, segment_distances, soft_argmax
from .losses import camera_consistency, mean_where, reprojection, scale_free_distance
from .method import Batch, Phase
from .skeleton import Skeleton

PAPER: dict[str, Any] = PUBLISHED | {
    "epochs": 200,
    "first_stage": 0.5,
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

_AGREE = 3.0
"""Evidence that lies farther apart than this many sigmas of a line has nothing in common."""

_WINDOW_SIGMAS, _WINDOW_POINTS, _SHARPNESS = 4.0, 13, 3.0
"""Soft-argmax: half side of the window, points in a row, and factor of the softmax."""

_TINY = 1e-6


class CVSFSettings(CanonicalSettings):
    """Settings of CVSF. The defaults are recipe "ours"; the others replace those not given."""

    recipe: Literal["ours", "paper", "released"] = Field("ours", description="ours, the paper's or its code's")
    epochs: int = Field(48, ge=1, description="passes over the training instants, both stages together")
    first_stage: float = Field(
        2 / 3, gt=0, le=1, description="share of the epochs before refined poses take the lead"
    )
    fusion: Literal["hard", "soft"] = Field(
        "hard",
        description="hard: refined poses carry no gradient, their distance to the detections is only monitored",
    )
    joint_map: Literal["detection", "reprojection"] = Field(
        "detection", description="what speaks for a joint beside the lines of the other views"
    )
    alignment: Literal["none", "scale", "scale_and_shift"] = Field(
        "scale_and_shift", description="what of each view is brought in line with the mean lifted pose before fusion"
    )
    refine_below: float = Field(0.85, ge=0, description="joints of at least this confidence stay as they are")
    kept_joints: tuple[str, ...] = Field((), description="joints that stay as they are at any confidence")
    line_half_length: float = Field(0.6, gt=0, description="largest depth of a joint, in norms of a 2D pose")
    joint_sigma: float = Field(2 / 64, gt=0, description="spread of a detection, in norms of a 2D pose")
    line_sigma: float = Field(4 / 64, gt=0, description="spread of a line, in norms of a 2D pose")
    grid_bins: int = Field(160, ge=16, multiple_of=16, description="bins in a row of a map")
    grid_half_side: float = Field(0.65, gt=0, description="half the side of a map, in norms of a 2D pose")
    sub_pixel: bool = Field(True, description="maxima between bins")
    equal_size: bool = Field(True, description="3D poses of two views are compared at equal norm")

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, given: Any) -> Any:
        return _RECIPES.get(str(given.get("recipe")), {}) | given if isinstance(given, dict) else given


class CVSF(CanonicalMethod):
    """CanonPose, cross-view self-fusion, and a second lifting with shared weights."""

    Settings = CVSFSettings
    settings: CVSFSettings
    refinable: Tensor

    def __init__(self, skeleton: Skeleton, settings: CVSFSettings) -> None:
        super().__init__(skeleton, settings)
        refinable = torch.tensor([joint not in settings.kept_joints for joint in skeleton.joints])
        self.register_buffer("refinable", refinable, persistent=False)
        self.grid = Grid(settings.grid_bins, settings.grid_half_side)

    def phases(self) -> tuple[Phase, ...]:
        """The two stages, each with a schedule of its own; in hard mode ``refinement`` is a monitor only."""
        settings = self.settings
        first = max(1, round(settings.first_stage * settings.epochs))
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

    def fuse(
        self,
        observed: Tensor,  # (B, V, J, 2) normalised
        confidence: Tensor,  # (B, V, J)
        seen: Tensor,  # (B, V) bool
        pose: Tensor,  # (B, V, J, 3)
        R: Tensor,  # (B, V, 3, 3)
    ) -> Tensor:
        """2D poses (B, V, J, 2) refined by cross-view self-fusion (CVSF, Eq. 2), neither centred nor normalised.

        A joint stays where it is if it is sure, missing, or if no line comes near another or near the detection.
        """
        settings = self.settings
        confidence = confidence * seen[..., None]
        scale, shift = torch.ones_like(R[..., 0, 0]), torch.zeros_like(observed[..., :1, :])
        if settings.alignment != "none":
            with_shift = settings.alignment == "scale_and_shift"
            scale, shift = view_frames(observed, confidence, unit_norm(self._centred(pose)), R, with_shift)
        aligned = observed - shift
        lines = self._lines(aligned, confidence, scale, R)
        points = self._points(aligned, confidence, pose, R)
        unsure = (confidence > 0) & (confidence < settings.refine_below) & self.refinable
        lines, points, joint = lines.pick(unsure), points.pick(unsure), aligned[unsure]
        agreed = _evidence_meets(joint, lines, _AGREE * settings.line_sigma)
        ridges = Ridges(*(torch.cat(pair, 1) for pair in zip(points, lines, strict=True))).pick(agreed)
        joint = joint.masked_scatter(agreed[:, None], self._maximum(ridges))
        return aligned.masked_scatter(unsure[..., None], joint) + shift

    def _maximum(self, ridges: Ridges) -> Tensor:
        """Points (N, 2) where maps are highest, with a gradient in soft mode."""
        highest = argmax(ridges.detach(), self.grid, self.settings.sub_pixel)
        if self.settings.fusion == "hard":
            return highest
        spacing = 2 * _WINDOW_SIGMAS * self.settings.line_sigma / (_WINDOW_POINTS - 1)
        window = highest[:, None] + lattice(_WINDOW_POINTS, spacing, highest)
        return soft_argmax(heat(window, ridges), window, _SHARPNESS)

    def _lines(self, observed: Tensor, confidence: Tensor, scale: Tensor, R: Tensor) -> Ridges:
        """Epipolar segments (B, V, J, V - 1) of the joints of all other views in each view.

        ``g(z) = s_n/s_m R_mn[:2, :2] p_n + z R_mn[:2, 2]`` with ``R_mn = R_m R_n^T`` (the paper has it
        transposed) and ``s`` the scales (B, V); where axes are parallel a segment shrinks to a point.
        """
        target, source = _other_views(scale.shape[1], R.device)  # (V, V - 1)
        relative = R[:, target] @ R[:, source].mT  # (B, V, V - 1, 3, 3)
        joint = observed[:, source] * (scale[:, source] / scale[:, target])[..., None, None]
        origin = (joint @ relative[..., :2, :2].mT).transpose(2, 3)
        direction = (self.settings.line_half_length * relative[..., None, :2, 2]).transpose(2, 3)
        height = confidence[:, source].mT
        return Ridges(origin, direction.expand_as(origin), height, torch.full_like(height, self.settings.line_sigma))

    def _points(self, observed: Tensor, confidence: Tensor, pose: Tensor, R: Tensor) -> Ridges:
        """What speaks for the joints of a view itself (B, V, J, 1 or V): detections, or lifted poses of all views."""
        if self.settings.joint_map == "detection":
            origin, height = observed[..., None, :], confidence[..., None]
        else:
            image = project_weak_perspective(self._centred(pose)[:, None], R[:, :, None])
            visible = (confidence > 0)[:, :, None, :, None]
            size = (image * visible).norm(dim=(-2, -1), keepdim=True).clamp_min(_TINY)
            origin = (image / size).transpose(2, 3)  # (B, V, J, source view, 2)
            height = confidence.mT[:, None].expand(origin.shape[:-1])
        return Ridges(origin, torch.zeros_like(origin), height, torch.full_like(height, self.settings.joint_sigma))


@torch.no_grad()
def view_frames(
    observed: Tensor,  # (B, V, J, 2) normalised
    confidence: Tensor,  # (B, V, J), 0 throughout where the view is missing
    pose: Tensor,  # (B, V, J, 3) centred, of unit norm
    R: Tensor,  # (B, V, 3, 3)
    with_shift: bool,
) -> tuple[Tensor, Tensor]:
    """Scales s (B, V) and shifts b (B, V, 1, 2) with which ``P_v = Pi R_v X / s_v + b_v`` for the mean pose X.

    Exact projections have ``s = |Pi R X|`` and no shift; detections have a root that is not where it should
    be, and joints gone astray that inflate the norm which they were divided by. Hence centres and norms are
    compared, of joints weighed by their confidence.
    """
    seen = (confidence > 0).any(-1)
    mean = mean_where(pose, seen[..., None, None], (1,))
    image = project_weak_perspective(mean[:, None], R)
    weight = confidence[..., None]
    total = weight.square().sum(-2, keepdim=True).clamp_min(_TINY)
    centres = [(weight.square() * part).sum(-2, keepdim=True) / total * with_shift for part in (image, observed)]
    of_image, of_observed = (
        ((part - centre) * weight).norm(dim=(-2, -1)).clamp_min(_TINY)
        for part, centre in zip((image, observed), centres, strict=True)
    )
    scale = torch.where(seen, of_image / of_observed, 1.0)
    return scale, centres[1] - centres[0] / scale[..., None, None]


def consistency(pose: Tensor, seen: Tensor) -> Tensor:
    """Mean absolute difference of the canonical poses (B, V, J, 3) of two views (CVSF, Eq. 6)."""
    difference = (pose[:, :, None] - pose[:, None]).abs().mean((-2, -1))
    other = ~torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
    return mean_where(difference, seen[:, :, None] & seen[:, None, :] & other, (0, 1, 2))


@torch.no_grad()
def _evidence_meets(joint: Tensor, lines: Ridges, distance: float) -> Tensor:
    """Mask (N) of joints (N, 2) one of whose lines (N, S) comes that near to another or to the joint."""
    origin = torch.cat([joint[:, None], lines.origin], 1)
    direction = torch.cat([torch.zeros_like(joint)[:, None], lines.direction], 1)
    exists = torch.cat([torch.ones_like(joint[:, :1]), lines.height], 1) > 0
    pairs = exists[:, :, None] & exists[:, None, :]
    near = segment_distances(origin, direction) <= distance
    return (near & pairs).triu(1).flatten(1).any(1)


def _other_views(views: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Each view beside each of the others: indices (V, V - 1) of both."""
    pairs = (~torch.eye(views, dtype=torch.bool, device=device)).nonzero()
    target, source = pairs.unflatten(0, (views, views - 1)).unbind(-1)
    return target, source
