"""Li et al.: a lifter trained by moving its poses into other calibrated cameras and projecting them there.

Li, Li, Jiang, Zhang, Huang and Xu, Geometry-driven self-supervised method for 3D human pose estimation (AAAI 2020).
Needs intrinsics, extrinsics and two or more synchronised views for training, and intrinsics for prediction: the
networks see absolute image coordinates at focal length 1, as a person's place in the picture tells perspective.

The loss ``turn`` is ours. A single view tells a person's distance to some 4 % only. At 10 to 45 m this is more than
the pose's own errors: in the other views it shifts all joints alike, and as distances are not squared, the pose
learns little but that shift. So poses are also compared where the other view itself says the person is. *Measured*
on ``ski6`` (moving, zooming cameras), 20 epochs of a quarter of the training takes, others held out, NMPJPE / PMPJPE:
204 / 96 without it, 100 / 68 with it; 89 / 64 without it if the network is told where people truly are.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ..body.handedness import Parity
from ..geometry.geometry import normalise_by_intrinsics
from ..method import Batch, Method, MethodSettings, Phase, Prediction, View, given, in_chunks
from ..skeleton import Skeleton
from .li_placed_lifter import NEAREST_M, Backbone, Body, Encoding, PlacedLifter, middle
from .li_virtual_views import virtual_cameras

PUBLISHED: dict[str, Any] = {
    "epochs": 300,
    "pretraining_epochs": 20,
    "batch_size": 1024,
    "pairs": "random",
    "transform_weight": 1.0,
    "turn_weight": 0.0,
    "backbone": "four_blocks",
    "encoding": "absolute",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "steps",
    "min_steps": 1,
}
"""Recipe "published": networks and schedule of the paper (Method, Implementation Details); docs/methods.md."""

PUBLISHED_WIDTH = 1024
"""Of the paper's backbones."""
CLAMPED_M = 0.1
"""Smallest depth that is projected."""
RESIDUAL_UNIT = 1e-3
"""Residuals count in thousandths of the focal length."""


class LiSettings(MethodSettings):
    """Settings of Li et al. The defaults are recipe "fast"; "published" replaces those not given."""

    recipe: Literal["fast", "published"] = Field("fast", description="ours, or that of the paper")
    backbone: Backbone = Field(
        "layer_norm",
        description="layer_norm: ours, two residual blocks; of the paper, 1024 wide with dropout: reslinear (two "
        "blocks), four_blocks, temporal (dilated convolutions over the frames around an instant)",
    )
    temporal_frames: tuple[int, ...] = Field(
        (3, 3, 3, 3, 3),
        min_length=1,
        description="temporal: frames that each layer joins, odd; their product is seen",
    )
    epochs: int = Field(20, ge=1, description="passes over the training instants after pre-training")
    pretraining_epochs: int = Field(1, ge=1, description="passes that only move poses to where the cameras look")
    min_steps: int = Field(25, ge=1, description="least number of steps per epoch, for short footage")
    batch_size: int = Field(64, ge=1, description="synchronised instants per step")
    pairs: Literal["random", "all"] = Field("all", description="pairs of views per instant: one at random, or all")
    transform_weight: float = Field(4.0, ge=0, description="weight of reprojection into other views (lambda)")
    turn_weight: float = Field(
        4.0,
        ge=0,
        description="weight of reprojection with the root as each target view predicts it; 0 in the paper",
    )
    weighting: Literal["source", "both"] = Field(
        "source", description="weight of residuals: confidence of the source view, or geometric mean of both views'"
    )
    virtual_views: int = Field(
        0,
        ge=0,
        description="virtual cameras between neighbouring cameras, which see triangulated poses; paper: 2",
    )
    width: int = Field(512, ge=1, description="units of a hidden layer; 1024 by default in the paper's backbones")
    encoding: Encoding = Field(
        "parts",
        description="absolute: as in the paper; parts: networks see shape, place and size of the 2D pose separately, "
        "and predict the root relative to place and size",
    )
    optimizer: Literal["adam", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate")
    schedule: Literal["steps", "one_cycle"] = Field("one_cycle", description="steps: tenfold drops after each third")

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe_and_backbone(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("recipe") == "published":
            given = PUBLISHED | given
        if isinstance(given, dict) and given.get("backbone", "layer_norm") != "layer_norm":
            given = {"width": PUBLISHED_WIDTH} | given
        return given

    @field_validator("temporal_frames")
    @classmethod
    def _have_a_middle(cls, frames: tuple[int, ...]) -> tuple[int, ...]:
        if any(joined < 1 or joined % 2 == 0 for joined in frames):
            raise ValueError("every layer must join an odd number of frames")
        return frames

    @model_validator(mode="after")
    def _virtual_views_are_instants(self) -> Self:
        if self.virtual_views and self.backbone == "temporal":
            raise ValueError("virtual views show single instants, but backbone temporal looks at the frames around")
        return self


class Seen(NamedTuple):
    """What calibrated views show at an instant and, for the temporal backbone, around it (W frames, else 1)."""

    images: Tensor  # (B, V, W, J, 2) at focal length 1
    confidences: Tensor  # (B, V, W, J), 0 where missing
    R: Tensor  # (B, V, 3, 3) camera_from_world
    t: Tensor  # (B, V, 3)

    @property
    def image(self) -> Tensor:
        """(B, V, J, 2) at the instant."""
        return middle(self.images, -3)

    @property
    def confidence(self) -> Tensor:
        """(B, V, J) at the instant."""
        return middle(self.confidences, -2)


class Li(Method):
    """Two networks of one view: the pose relative to its root, and where the root is."""

    Settings = LiSettings
    settings: LiSettings
    needs = frozenset({"intrinsics", "extrinsics"})
    mirror_fits = False
    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: LiSettings) -> None:
        super().__init__(skeleton, settings)
        body = Body(settings.backbone, settings.width, settings.temporal_frames)
        self.network = PlacedLifter(skeleton, body, settings.encoding)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    @classmethod
    def needs_with(cls, settings: MethodSettings) -> frozenset[str]:
        """Virtual views show triangulated poses."""
        virtual = isinstance(settings, LiSettings) and settings.virtual_views
        return cls.needs | ({"labels"} if virtual else set())

    @property
    def window(self) -> int:
        """Frames that the temporal backbone sees."""
        return self.network.window

    def phases(self) -> tuple[Phase, ...]:
        """Pre-training brings roots to where the cameras look, so that projections are defined (Eqs. 6, 7)."""
        settings = self.settings
        weights = {"reprojection": 1.0, "transform": settings.transform_weight, "turn": settings.turn_weight}
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
        """Scalar losses of Eqs. 2, 5 and 6, and ``turn``: sums over joints (J) and both directions, means over pairs.

        ``transform`` moves the pose lifted from one view into another camera and compares it with the keypoints
        (B, V, J, 2) there. ``turn`` only rotates the pose, and places it at the root that the other view predicts.

        Raises:
            ValueError: the batch lacks intrinsics or extrinsics, or windows or labels where settings need them.
        """
        seen = self._seen(batch)
        if self.settings.pairs == "random":
            seen = two_views(seen, self._exists(seen.confidence))
        shown = seen.images, seen.confidences
        pose, position = self.network.pose(*shown), self.network.position(*shown)[..., None, :]
        placed = pose + position
        moved = to_other_cameras(placed, seen.R, seen.t)  # (B, source, target, J, 3)
        turned = to_other_cameras(pose, seen.R, torch.zeros_like(seen.t)) + position[:, None]
        error, turned_error = self._residual(moved, seen), self._residual(turned, seen)
        exists = self._exists(seen.confidence)
        pairs = exists[:, :, None] & exists[:, None] & ~torch.eye(exists.shape[1], dtype=torch.bool).to(exists.device)
        count = (pairs.sum() / 2).clamp_min(1)
        own = error.diagonal(dim1=1, dim2=2)[:, :, None].expand_as(error)
        apart = (moved - placed[:, None]).norm(dim=-1).sum(-1)
        terms = {"pretraining": apart, "reprojection": own, "transform": error, "turn": turned_error}
        return {name: (term * pairs).sum() / count for name, term in terms.items()}

    def _residual(self, points: Tensor, seen: Seen) -> Tensor:
        """Weighted distances (B, source, target) of images of points (B, source, target, J, 3) from what is seen."""
        distance = (project(points) - seen.image[:, None]).norm(dim=-1) / RESIDUAL_UNIT
        return (self._weight(seen.confidence) * distance).sum(-1)

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
        seen = Seen(*self._images(batch), R, t)
        if not self.settings.virtual_views:
            return seen
        world = (given(batch.label, "labels")[:, 0] - t[:, 0, None]) @ R[:, 0]
        R, t = virtual_cameras(R, t, self.settings.virtual_views)
        points = world[:, None] @ R.mT + t[..., None, :]
        confidence = given(batch.label_confidence, "labels")[:, :1] * (points[..., 2] > NEAREST_M)
        virtual = Seen(project(points)[:, :, None], confidence[:, :, None], R, t)
        return Seen(*(torch.cat(parts, 1) for parts in zip(seen, virtual, strict=True)))

    def _images(self, shown: Batch | View) -> tuple[Tensor, Tensor]:
        """Images (..., W, J, 2) at focal length 1 and confidences (..., W, J) of what the networks look at."""
        if self.window > 1:
            window = given(shown.window, "windows")
            return normalise_by_intrinsics(window.keypoint, given(window.K, "intrinsics")), window.confidence
        image = normalise_by_intrinsics(shown.keypoint, given(shown.K, "intrinsics"))
        return image[..., None, :, :], shown.confidence[..., None, :]

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames by the lifting network alone; NaN where a frame has no root."""

        def lift(images: Tensor, confidences: Tensor) -> tuple[Tensor]:
            return (self.network.pose(images, confidences),)

        (pose,) = in_chunks(lift, *self._images(view))
        exists = self._exists(view.confidence)
        pose = pose.masked_fill(~exists[:, None, None], torch.nan)
        return Prediction.in_camera_axes(pose, self.parity(pose))


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
