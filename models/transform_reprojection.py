"""Li et al.: a lifter trained by moving its poses into other calibrated cameras and projecting them there.

Li, Li, Jiang, Zhang, Huang and Xu, Geometry-driven self-supervised method for 3D human pose estimation (AAAI 2020).
Needs intrinsics, extrinsics and two or more synchronised views for training, and intrinsics for prediction: the
networks see absolute image coordinates at focal length 1, as a person's place in the picture tells perspective.
The paper's temporal backbone is not here: a batch holds single instants.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import softplus

from .handedness import Parity
from .lifter import Norm, residual_network
from .method import Batch, Method, MethodSettings, Phase, Prediction, View, given, in_chunks
from .skeleton import Skeleton
from .virtual_views import virtual_cameras

PUBLISHED: dict[str, Any] = {
    "epochs": 300,
    "pretraining_epochs": 20,
    "batch_size": 1024,
    "pairs": "random",
    "transform_weight": 1.0,
    "width": 1024,
    "norm": "batch",
    "backbone": "four_blocks",
    "encoding": "absolute",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "steps",
    "min_steps": 1,
}
"""Recipe "published": networks and schedule of the paper (Method, Implementation Details); methods.md B3."""

BLOCKS = {"reslinear": 2, "four_blocks": 4}

NEAREST_M = 0.3
"""Depth of the root beyond which the network chooses."""
CLAMPED_M = 0.1
"""Smallest depth that is projected."""
RESIDUAL_UNIT = 1e-3
"""Residuals count in thousandths of the focal length."""

_DROPOUT = 0.25
_SMALLEST_SIZE = 1e-6
_BODY_M = 0.35
"""Root mean square of a person's coordinates relative to the root."""
_CAUTION = 0.1


class TransformReprojectionSettings(MethodSettings):
    """Settings of Li et al. The defaults are recipe "fast"; "published" replaces those not given."""

    recipe: Literal["fast", "published"] = Field("fast", description="ours, or that of the paper")
    backbone: Literal["reslinear", "four_blocks"] = Field("reslinear", description="residual blocks: two, or four")
    epochs: int = Field(20, ge=1, description="passes over the training instants after pre-training")
    pretraining_epochs: int = Field(1, ge=1, description="passes that only bring poses to where the cameras look")
    min_steps: int = Field(25, ge=1, description="steps of an epoch at least, for short footage")
    batch_size: int = Field(64, ge=1, description="synchronised instants in a step")
    pairs: Literal["random", "all"] = Field("all", description="pairs of views of an instant in a step: one, or all")
    transform_weight: float = Field(4.0, ge=0, description="weight of projections into the other views (lambda)")
    weighting: Literal["source", "both"] = Field(
        "source", description="confidences that weigh residuals: of the source view, or root of both views' product"
    )
    virtual_views: int = Field(
        0,
        ge=0,
        description="virtual cameras between each two neighbours, which see triangulated poses; the paper has 2",
    )
    width: int = Field(512, ge=1, description="units of a hidden layer")
    encoding: Literal["parts", "absolute"] = Field(
        "parts",
        description="absolute: as in the paper; parts: networks see shape, place and size one by one, and say where "
        "the root is in proportion to them",
    )
    norm: Norm = Field("layer", description="batch: with dropout, as in the paper")
    optimizer: Literal["adam", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate")
    schedule: Literal["steps", "one_cycle"] = Field("one_cycle", description="steps: tenfold drops after each third")

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("recipe") == "published":
            return PUBLISHED | given
        return given


class Seen(NamedTuple):
    """What calibrated views show."""

    image: Tensor  # (B, V, J, 2) at focal length 1
    confidence: Tensor  # (B, V, J), 0 where missing
    R: Tensor  # (B, V, 3, 3) camera_from_world
    t: Tensor  # (B, V, 3)


class TransformReprojection(Method):
    """Two networks of one view: the pose relative to its root, and where the root is."""

    Settings = TransformReprojectionSettings
    settings: TransformReprojectionSettings
    needs = frozenset({"intrinsics", "extrinsics"})
    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: TransformReprojectionSettings) -> None:
        super().__init__(skeleton, settings)
        joints, blocks = len(skeleton.joints), BLOCKS[settings.backbone]
        numbers = 2 * joints + (3 if settings.encoding == "parts" else 0)
        self.lifting = residual_network(numbers, 3 * joints, settings.width, blocks, settings.norm, _DROPOUT)
        self.placing = residual_network(numbers, 3, settings.width, blocks, settings.norm, _DROPOUT)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    @classmethod
    def needs_with(cls, settings: MethodSettings) -> frozenset[str]:
        """Virtual views show triangulated poses."""
        virtual = isinstance(settings, TransformReprojectionSettings) and settings.virtual_views
        return cls.needs | ({"labels"} if virtual else set())

    def phases(self) -> tuple[Phase, ...]:
        """Pre-training brings roots to where the cameras look, so that projections are defined (Eqs. 6, 7)."""
        settings = self.settings
        weights = {"reprojection": 1.0, "transform": settings.transform_weight}
        third = settings.epochs // 3
        return (
            self._phase("pre-training", settings.pretraining_epochs, {"pretraining": 1.0}, "steps"),
            self._phase("training", settings.epochs, weights, settings.schedule, (third, 2 * third)),
        )

    def _phase(
        self,
        name: str,
        epochs: int,
        weights: dict[str, float],
        schedule: Literal["steps", "one_cycle"],
        milestones: tuple[int, ...] = (),
    ) -> Phase:
        settings = self.settings
        return Phase(
            name=name,
            epochs=epochs,
            weights=weights,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            schedule=schedule,
            milestones=milestones,
            min_steps=settings.min_steps,
        )

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Terms of Eqs. 2, 5 and 6: sums over joints and over both directions of a pair, means over pairs."""
        seen = self._seen(batch)
        if self.settings.pairs == "random":
            seen = two_views(seen, self._exists(seen.confidence))
        shown = seen.image, seen.confidence
        placed = self.pose(*shown) + self.position(*shown)[..., None, :]
        moved = to_other_cameras(placed, seen.R, seen.t)  # (B, source, target, J, 3)
        error = (project(moved) - seen.image[:, None]).norm(dim=-1) / RESIDUAL_UNIT
        error = (self._weight(seen.confidence) * error).sum(-1)
        exists = self._exists(seen.confidence)
        pairs = exists[:, :, None] & exists[:, None] & ~torch.eye(exists.shape[1], dtype=torch.bool).to(exists.device)
        count = (pairs.sum() / 2).clamp_min(1)
        own = error.diagonal(dim1=1, dim2=2)[:, :, None].expand_as(error)
        apart = (moved - placed[:, None]).norm(dim=-1).sum(-1)
        terms = {"pretraining": apart, "reprojection": own, "transform": error}
        return {name: (term * pairs).sum() / count for name, term in terms.items()}

    def _weight(self, confidence: Tensor) -> Tensor:
        """Weights (B, source, target, J) of residuals; 0 where the target is missing."""
        source, target = confidence[:, :, None], confidence[:, None]
        return (source * target).sqrt() if self.settings.weighting == "both" else source * (target > 0)

    def _exists(self, confidence: Tensor) -> Tensor:
        """Which views (...) show the root."""
        return ((confidence > 0) | (self.root == 0)).all(-1)

    def _seen(self, batch: Batch) -> Seen:
        """All views of a batch, the virtual ones behind the real ones."""
        R, t = given(batch.R, "extrinsics"), given(batch.t, "extrinsics")
        image = normalise_by_intrinsics(batch.keypoint, given(batch.K, "intrinsics"))
        seen = Seen(image, batch.confidence, R, t)
        if not self.settings.virtual_views:
            return seen
        world = (given(batch.label, "labels")[:, 0] - t[:, 0, None]) @ R[:, 0]
        R, t = virtual_cameras(R, t, self.settings.virtual_views)
        points = world[:, None] @ R.mT + t[..., None, :]
        confidence = given(batch.label_confidence, "labels")[:, :1] * (points[..., 2] > NEAREST_M)
        virtual = Seen(project(points), confidence, R, t)
        return Seen(*(torch.cat(parts, 1) for parts in zip(seen, virtual, strict=True)))

    def pose(self, image: Tensor, confidence: Tensor) -> Tensor:
        """Poses (..., J, 3) relative to the root, in camera axes, of images (..., J, 2)."""
        pose = self._run(self.lifting, self._filled(image, confidence)).unflatten(-1, (-1, 3))
        return pose - (self.root @ pose)[..., None, :]

    def position(self, image: Tensor, confidence: Tensor) -> Tensor:
        """Where the roots of images (..., J, 2) are (..., 3) in camera axes, always before the camera."""
        image = self._filled(image, confidence)
        answer = self._run(self.placing, image)
        if self.settings.encoding == "absolute":
            return torch.cat([answer[..., :2], softplus(answer[..., 2:]) + NEAREST_M], -1)
        _, place, size = self._parts(image)
        # Small steps from what the size suggests: where depth has once collapsed, nothing brings it back.
        answer = _CAUTION * answer
        depth = _BODY_M / size * softplus(answer[..., 2:]) / softplus(torch.zeros_like(size)) + NEAREST_M
        return torch.cat([depth * (place + size * answer[..., :2]), depth], -1)

    def _run(self, network: torch.nn.Module, image: Tensor) -> Tensor:
        """Output (..., O) for images (..., J, 2) in the form that the settings say."""
        numbers = image.flatten(-2)
        if self.settings.encoding == "parts":
            shape, place, size = self._parts(image)
            numbers = torch.cat([shape.flatten(-2), place, size.log()], -1)
        return network(numbers.flatten(0, -2)).unflatten(0, numbers.shape[:-1])

    def _filled(self, image: Tensor, confidence: Tensor) -> Tensor:
        """Images (..., J, 2) whose missing joints are put amid the others."""
        visible = (confidence > 0).to(image)[..., None]
        middle = (image * visible).sum(-2, keepdim=True) / visible.sum(-2, keepdim=True).clamp_min(1)
        return torch.where(visible > 0, image, middle)

    def _parts(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shape (..., J, 2) of order 1, place (..., 2) and size (..., 1) that make up images (..., J, 2)."""
        place = self.root @ image
        shape = image - place[..., None, :]
        size = shape.square().mean((-2, -1)).sqrt()[..., None].clamp_min(_SMALLEST_SIZE)
        return shape / size[..., None], place, size

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames by the lifting network alone; NaN where a frame has no root."""

        def lift(image: Tensor, confidence: Tensor) -> tuple[Tensor]:
            return (self.pose(image, confidence),)

        image = normalise_by_intrinsics(view.keypoint, given(view.K, "intrinsics"))
        (pose,) = in_chunks(lift, image, view.confidence)
        exists = self._exists(view.confidence)
        pose = pose.masked_fill(~exists[:, None, None], torch.nan)
        return Prediction(
            joint=pose,
            canonical=pose,
            camera_from_canonical=torch.eye(3, dtype=pose.dtype, device=pose.device).repeat(len(pose), 1, 1),
            parity=self.parity(pose),
        )


def normalise_by_intrinsics(keypoint: Tensor, K: Tensor) -> Tensor:
    """Image coordinates (..., J, 2) at focal length 1 of keypoints (..., J, 2) px under K (..., 3, 3)."""
    x, y = (keypoint - K[..., None, :2, 2]).unbind(-1)
    y = y / K[..., None, 1, 1]
    x = (x - K[..., None, 0, 1] * y) / K[..., None, 0, 0]
    return torch.stack([x, y], -1)


def project(points: Tensor) -> Tensor:
    """Image coordinates (..., 2) at focal length 1 of points (..., 3) in camera axes."""
    return points[..., :2] / points[..., 2:].clamp_min(CLAMPED_M)


def to_other_cameras(placed: Tensor, R: Tensor, t: Tensor) -> Tensor:
    """Poses (B, V, J, 3) of each camera in the axes of all: (B, source, target, J, 3).

    ``tau(Y) = R_12 Y + t_2 - R_12 t_1`` with ``R_12 = R_2 R_1^T``, for ``X_camera = R X_world + t``. The paper's
    ``R_12 (Y - t_12)`` with ``t_12 = R_1 (t_2 - t_1)`` (Eqs. 3, 4) is the same if its t are the cameras' centres.
    """
    between = R[:, None] @ R[:, :, None].mT  # (B, source, target, 3, 3)
    shift = t[:, None] - (between @ t[:, :, None, :, None]).squeeze(-1)
    return placed[:, :, None] @ between.mT + shift[..., None, :]


def two_views(seen: Seen, exists: Tensor) -> Seen:
    """Two different views of each instant at random, of those (B, V) that exist if there are two."""
    # Drawn on the CPU: one random state to store, whatever the device.
    order = (torch.rand(exists.shape).to(exists.device) + exists).argsort(1, descending=True)[:, :2]
    rows = torch.arange(len(order), device=order.device)[:, None]
    return Seen(*(part[rows, order] for part in seen))
