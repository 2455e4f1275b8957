"""What methods share that lift one 2D pose to a canonical 3D pose and a camera rotation.

Wandt et al., CanonPose (CVPR 2021), Fig. 3; the mirror quotient (``handedness``) is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ..body.handedness import Parity, mirror_quotient, parity_hinge
from ..geometry.geometry import mirrored, normalise_keypoints, unit_norm, where_rows
from ..method import Batch, Method, MethodSettings, Phase, Prediction, View, in_chunks
from ..networks.lifter import Lifter, Rotation
from ..networks.precision import Precision, fastest_precision
from ..skeleton import Skeleton
from .losses import bone_prior, mean_where

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
    "flip": False,
    "bone_prior": "never",
    "camera_weight": 0.1,
    "camera_ramp": 0.0,
    "precision": "fp32",
}
"""Network (Fig. 3), optimiser and schedule (Sec. 3.5) of the CanonPose paper and its code."""

_LEARNING_RATE_DROPS = (0.3, 0.6, 0.9)
"""Shares of the training after which the published learning rate falls tenfold."""

_WEIGHT_DECAY = 1e-5

FEWEST_EPOCHS = 8
"""A training of fewer epochs has as many steps as the least of so many.

*Measured* on 50 instants of four real cameras, ten seeds, as PMPJPE to the poses of 64 epochs: 225 to 275 mm after 25
steps, as near to the mirror image as to the truth, so that knees and noses tell front from back by chance, and often
wrongly; after 100 steps it depends on the seed; after 200 all are right, 35 to 75 mm.
"""

_PRIORS = {"hinge": 0.3, "bones": 1.0}
"""Weights beside a reprojection loss of about 0.4."""


class CanonicalSettings(MethodSettings):
    """Network, optimiser and handedness. The defaults are ours, not those of a paper."""

    handedness: Literal["quotient", "hinge", "both", "none"] = Field(
        "quotient",
        description="how the mirror ambiguity is resolved; none: at random, as in the paper",
    )
    flip: bool = Field(
        True,
        description="train on mirrored people too, and average the predictions of a pose and its mirror image",
    )
    confidence_input: bool = Field(True, description="give the network confidences as well as keypoints")
    bone_prior: Literal["two_views", "always", "never"] = Field(
        "two_views",
        description="prior that bones are equal on both sides and at all instants; two_views: only at instants that "
        "two cameras see",
    )
    camera_weight: float = Field(0.5, ge=0, description="weight of the consistency of static cameras")
    camera_ramp: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the epochs over which camera_weight grows, because cameras of flat poses mean little",
    )
    epochs: int = Field(32, ge=1, description="passes over the training instants")
    min_steps: int = Field(
        25,
        ge=1,
        description="least number of steps per epoch, for short footage; trainings of fewer than 8 epochs have the "
        "steps of 8",
    )
    batch_size: int = Field(128, ge=1, description="synchronised instants per step")
    width: int = Field(512, ge=1, description="units of a hidden layer")
    layer_norm: bool = Field(True, description="residual blocks with layer norm")
    rotation: Rotation = Field("two_columns", description="form in which the network predicts a rotation")
    optimizer: Literal["adam", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate")
    schedule: Literal["steps", "one_cycle"] = Field(
        "one_cycle", description="steps: tenfold drops after 30, 60 and 90 % of the epochs"
    )
    precision: Precision = Field(
        default_factory=fastest_precision,
        description="precision of hidden layers in training; bf16 is faster only with AMX",
    )


class CanonicalMethod(Method):
    """A lifter, the mirror quotient, and prediction from one view."""

    settings: CanonicalSettings
    root: Tensor
    mirror: Tensor
    bones: Tensor
    mirror_bones: Tensor

    def __init__(self, skeleton: Skeleton, settings: CanonicalSettings) -> None:
        super().__init__(skeleton, settings)
        self.lifter = Lifter(
            len(skeleton.joints), settings.width, settings.layer_norm, settings.rotation, settings.precision
        )
        self.parity = Parity(skeleton)
        fixed = {
            "root": skeleton.landmark_weights("pelvis")[0],
            "mirror": skeleton.mirror,
            "bones": skeleton.bone_indices,
            "mirror_bones": skeleton.mirror_bones,
        }
        for name, array in fixed.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @property
    def settles_handedness(self) -> bool:
        """Whether the mirror quotient is on."""
        return self.settings.handedness in ("quotient", "both")

    def phase(self, name: str, epochs: int, weights: Mapping[str, float], settled: bool = False) -> Phase:
        """A phase with the optimiser, schedule and priors of the settings.

        Args:
            settled: poses are no longer flat when it begins, and left and right are told apart.
        """
        settings = self.settings
        fewest = epochs if settled else max(epochs, FEWEST_EPOCHS)
        return Phase(
            name=name,
            epochs=epochs,
            weights={**weights, **{prior: _PRIORS[prior] for prior in self._wanted_priors}},
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer=settings.optimizer,
            weight_decay=_WEIGHT_DECAY,
            schedule=settings.schedule,
            milestones=tuple(round(drop * epochs) for drop in _LEARNING_RATE_DROPS),
            min_steps=math.ceil(settings.min_steps * fewest / epochs),
            ramps={} if settled else {"camera": settings.camera_ramp},
        )

    def augment(self, batch: Batch) -> Batch:
        """With ``flip``, half of the instants seen in a mirror.

        It shows people who exist as well, to the mirrored rig, which is therefore another; labels are mirrored,
        calibrations are dropped.
        """
        if not self.settings.flip:
            return batch
        flipped = (torch.rand(len(batch.rig)) < 0.5).to(batch.rig.device)  # drawn on the CPU, whatever the device
        label = None if batch.label is None else where_rows(flipped, mirrored(batch.label, self.mirror), batch.label)
        return Batch(
            where_rows(flipped, mirrored(batch.keypoint, self.mirror), batch.keypoint),
            where_rows(flipped, batch.confidence[..., self.mirror], batch.confidence),
            torch.where(batch.rig >= 0, 2 * batch.rig + flipped, batch.rig),
            label=label,
        )

    def lift(self, observed: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical poses (..., J, 3), rotations (..., 3, 3) and the network's own parities (...).

        Args:
            observed: (..., J, 2) normalised.
            confidence: (..., J).
        """
        known = confidence if self.settings.confidence_input else (confidence > 0).to(confidence)
        pose, R = self.lifter(observed, known)
        parity = self.parity(pose)
        if self.settles_handedness:
            pose, R = mirror_quotient(pose, R, parity)
        return pose, R, parity

    @property
    def _wanted_priors(self) -> tuple[str, ...]:
        hinge = ("hinge",) if self.settings.handedness in ("hinge", "both") else ()
        return hinge + (("bones",) if self.settings.bone_prior != "never" else ())

    def priors(self, pose: Tensor, parity: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """What is known of people, as far as settings want it.

        Args:
            pose: (B, V, J, 3) canonical.
            parity: (B, V) the network's own.
            seen: (B, V) bool.

        Returns:
            "hinge" on the parities; "bones", of instants that two cameras see, or of all.
        """
        terms = {}
        if "hinge" in self._wanted_priors:
            terms["hinge"] = mean_where(parity_hinge(parity), seen, (0, 1))
        if "bones" in self._wanted_priors:
            judged = seen if self.settings.bone_prior == "always" else seen & (seen.sum(1, keepdim=True) == 2)
            terms["bones"] = bone_prior(pose, judged, self.bones, self.mirror_bones)
        return terms

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses ``R X`` of one camera's frames, root-centred; NaN where a frame has no root."""
        observed, seen = normalise_keypoints(view.keypoint, view.confidence, self.root)
        joint, R, parity = in_chunks(self._predict, observed, view.confidence)
        joint = joint.masked_fill(~seen[:, None, None], torch.nan)
        return Prediction(
            joint=joint,
            canonical=joint @ R,
            camera_from_canonical=R,
            parity=parity.masked_fill(~seen, torch.nan),
        )

    def _predict(self, observed: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Root-relative poses (N, J, 3) in camera axes, rotations (N, 3, 3), and parities (N)."""
        pose, R, parity = self.lift(observed, confidence)
        joint = self._centred(pose) @ R.mT
        if self.settings.flip:
            twin, twin_R, _ = self.lift(mirrored(observed, self.mirror), confidence[:, self.mirror])
            joint = unit_norm(joint) + unit_norm(mirrored(self._centred(twin) @ twin_R.mT, self.mirror))
        return joint, R, parity

    def _centred(self, pose: Tensor) -> Tensor:
        """Poses (..., J, C) relative to the root."""
        return pose - (self.root @ pose)[..., None, :]
