"""EpipolarPose: a network of one view that learns from poses triangulated out of all views.

Kocabas, Karagoz and Akbas, Self-Supervised Learning of 3D Human Pose using Multi-view Geometry (CVPR 2019). Needs
intrinsics and two or more synchronised views; extrinsics are used if given, else found from joints. Triangulation
and cheirality settle the handedness, so there is no mirror to fear. The paper trains a network of pictures (student
"volumetric"); a lifter of 2D poses can learn from the same labels, in minutes (student "lifter").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..body.body import MEAN_BONE_M
from ..body.handedness import Parity
from ..geometry.geometry import normalise_keypoints
from ..method import Batch, Method, MethodSettings, Phase, Prediction, View, given, in_chunks
from ..networks.lifter import residual_network
from ..networks.pose_cnn import Backbone
from ..networks.precision import Precision, fastest_precision
from ..skeleton import Skeleton
from .epipolarpose_volumetric import VolumetricStudent

MIN_BONES = 0.5
"""Share of bones that a label must have, so that its size can be told."""

_DROPOUT = 0.25
_WEIGHT_DECAY = 1e-2
_LEARNING_RATE_DROPS = (90 / 140, 120 / 140)
"""Shares of the volumetric student's training after which the learning rate falls tenfold (paper, Sec. 4)."""
_FRAMES, _PICTURES = 64, 16
"""2D poses and pictures in the network at once when predicting."""

VOLUMETRIC: dict[str, Any] = {"epochs": 140, "min_steps": 1, "batch_size": 8}
"""What the paper says of its training; eight instants of four views are its 32 pictures."""


class EpipolarPoseSettings(MethodSettings):
    """Settings of EpipolarPose. The defaults are the lifter's; "volumetric" replaces some of those not given."""

    student: Literal["lifter", "volumetric"] = Field(
        "lifter", description="lifter: a network that lifts 2D poses; volumetric: one that sees pictures"
    )
    epochs: int = Field(20, ge=1, description="passes over the training instants")
    min_steps: int = Field(25, ge=1, description="least number of steps per epoch, for short footage")
    batch_size: int = Field(128, ge=1, description="synchronised instants in a step")
    learning_rate: float = Field(1e-3, gt=0, description="largest learning rate")
    width: int = Field(512, ge=1, description="lifter: units of a hidden layer")
    blocks: int = Field(2, ge=1, description="lifter: residual blocks")
    backbone: Backbone = Field("resnet50", description="volumetric: network under the head")
    backbone_weights: str = Field(
        "", description="volumetric: checkpoint of MMPose or torchvision to start from, a local file"
    )
    head_width: int = Field(256, ge=1, description="volumetric: channels of the transposed convolutions")
    depth_bins: int = Field(64, ge=2, description="volumetric: bins of depth")
    precision: Precision = Field(
        default_factory=fastest_precision, description="volumetric: in training; bf16 needs AMX to be faster"
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_student(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("student") == "volumetric":
            return VOLUMETRIC | given
        return given


class LifterStudent(nn.Module):
    """Poses from the normalised 2D pose and its confidences."""

    root: Tensor

    def __init__(self, skeleton: Skeleton, settings: EpipolarPoseSettings) -> None:
        super().__init__()
        joints = len(skeleton.joints)
        self.network = residual_network(
            3 * joints, 3 * joints, settings.width, settings.blocks, norm="layer", dropout=_DROPOUT
        )
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)

    def forward(self, view: View) -> tuple[Tensor, Tensor]:
        """Poses (N, J, 3) in camera axes, of bones 0.25 m long on average, and which frames (N) have one."""
        observed, seen = normalise_keypoints(view.keypoint, view.confidence, self.root)
        # Unit Frobenius norm leaves each coordinate small; the network is easier to start with numbers around 1.
        numbers = torch.cat([observed * observed.shape[-2] ** 0.5, view.confidence[..., None]], -1)
        return self.network(numbers.flatten(-2)).unflatten(-1, (-1, 3)), seen


def build_student(skeleton: Skeleton, settings: EpipolarPoseSettings) -> LifterStudent | VolumetricStudent:
    """A network of one view: ``student(view)`` gives poses (N, J, 3) and a mask (N)."""
    if settings.student == "lifter":
        return LifterStudent(skeleton, settings)
    return VolumetricStudent(
        skeleton, settings.backbone, settings.head_width, settings.depth_bins, settings.precision
    )


class EpipolarPose(Method):
    """A student that learns triangulated poses."""

    Settings = EpipolarPoseSettings
    settings: EpipolarPoseSettings
    needs = frozenset({"labels"})
    mirror_fits = False
    root: Tensor
    bones: Tensor

    def __init__(self, skeleton: Skeleton, settings: EpipolarPoseSettings) -> None:
        super().__init__(skeleton, settings)
        self.student = build_student(skeleton, settings)
        self.parity = Parity(skeleton)
        self.register_buffer("root", torch.from_numpy(skeleton.landmark_weights("pelvis")[0]), persistent=False)
        self.register_buffer("bones", torch.from_numpy(skeleton.body.bone_indices), persistent=False)

    @classmethod
    def needs_with(cls, settings: MethodSettings) -> frozenset[str]:
        """Pictures as well, for the student that sees them; with intrinsics it predicts perspective poses."""
        pictures = isinstance(settings, EpipolarPoseSettings) and settings.student == "volumetric"
        return cls.needs | {"crops", "intrinsics"} if pictures else cls.needs

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a backbone, in their own shapes (...), if the student has one.

        Raises:
            ValueError: the student has no backbone, or another one.
        """
        if isinstance(self.student, VolumetricStudent):
            self.student.start_from(weights)
        else:
            super().start_from(weights)

    def phases(self) -> tuple[Phase, ...]:
        """One phase, with the optimiser that suits the student."""
        settings = self.settings
        lifter = settings.student == "lifter"
        phase = Phase(
            name="student",
            epochs=settings.epochs,
            weights={"label": 1.0},
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer="adamw" if lifter else "adam",
            weight_decay=_WEIGHT_DECAY if lifter else 0.0,
            schedule="one_cycle" if lifter else "steps",
            milestones=tuple(round(drop * settings.epochs) for drop in _LEARNING_RATE_DROPS),
            min_steps=settings.min_steps,
        )
        return (phase,)

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Smooth L1 distance to labels (B, V, J, 3), summed over visible joints and axes, mean over poses (Eq. 2).

        Raises:
            ValueError: the batch has no labels, or no crops where the student needs them.
        """
        if isinstance(self.student, VolumetricStudent):
            return {"label": self.student.loss(batch)}
        label, confidence = given(batch.label, "labels"), given(batch.label_confidence, "labels")
        pose, seen = self.student(View(batch.keypoint.flatten(0, 1), batch.confidence.flatten(0, 1)))
        target, visible = self.targets(label.flatten(0, 1), confidence.flatten(0, 1))
        visible = visible & seen[:, None]
        distance = nn.functional.smooth_l1_loss(pose, target, reduction="none").sum(-1)
        poses = visible.any(-1).sum().clamp_min(1)
        return {"label": (distance * visible).sum() / poses}

    def targets(self, label: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (N, J, 3) relative to the root, of bones 0.25 m long on average, and which joints (N, J) have one.

        A single view cannot tell the size of a person, so none is taught (docs/methods.md).
        """
        visible = confidence > 0
        start, end = self.bones.unbind(-1)
        length = (label[:, start] - label[:, end]).norm(dim=-1)
        measured = visible[:, start] & visible[:, end]
        mean = (length * measured).sum(-1) / measured.sum(-1).clamp_min(1)
        whole = (visible | (self.root == 0)).all(-1) & (measured.float().mean(-1) >= MIN_BONES) & (mean > 0)
        pose = (label - (self.root @ label)[:, None]) * (MEAN_BONE_M / torch.where(whole, mean, 1.0))[:, None, None]
        visible = visible & whole[:, None]
        return pose * visible[..., None], visible

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames, root-centred, in camera axes; NaN where a frame has no root."""
        fields = {name: value for name, value in vars(view).items() if value is not None}
        size = _FRAMES if view.crop is None else _PICTURES
        pose, seen = in_chunks(lambda *parts: self.student(_view(fields, parts)), *fields.values(), size=size)
        pose = (pose - (self.root @ pose)[:, None]).masked_fill(~seen[:, None, None], torch.nan)
        return Prediction.in_camera_axes(pose, self.parity(pose))


def _view(names: Iterable[str], parts: Iterable[Tensor]) -> View:
    fields: dict[str, Any] = dict(zip(names, parts, strict=True))
    return View(**fields)
