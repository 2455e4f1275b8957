"""posepipe: a network over the frames of a clip, trained on what all views of a take show together.

Ours. CanonPose is trained on the takes first. A bundle adjustment that starts from its poses and rotations finds the
cameras, bone lengths and joints that explain all views of a take (the reconstruction). This network then learns to
predict those poses from the 2D poses of one camera. It needs two or more synchronised views, no calibration and no
3D, and looks at the frames around an instant if there are any.

It also predicts the error of each joint. Errors on footage that a network was trained on are smaller than elsewhere,
so a second network (``uncertainty``) is trained briefly on half of the footage. On the held-out half its uncertainty
is calibrated: one factor per joint (``calibration``) says how much larger errors are than it predicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from ..body.body import MEAN_BONE_M
from ..body.handedness import Parity
from ..geometry.geometry import mirrored, normalise_keypoints, rigid_alignment, where_rows
from ..method import Batch, FirstTraining, Method, MethodSettings, Phase, Prediction, View, given, in_chunks
from ..networks.precision import Precision, fastest_precision
from ..skeleton import Skeleton
from .posepipe_window_lifter import WindowLifter

_WEIGHT_DECAY = 1e-2
_AXES = 3
_SMALLEST_SPREAD = 1e-3
"""Lower bound of spreads: joints without error, such as the root, would otherwise dominate (a bone measures 0.25)."""
_UNCERTAINTY_SHARE = 1 / 6
"""Share of the student's epochs; it is enough to learn which joints are hard to see."""
_CALIBRATION_RATE = 0.05
_PRIOR_RATE = 0.5
"""Share of the learning rate with which a training starts from the generic lifter."""
_GENERIC = 0.35
"""Generic views beside it, as a share of those filmed from the reconstruction."""


class PosepipeSettings(MethodSettings):
    """Settings of posepipe's own method."""

    window: int = Field(27, ge=1, description="frames that the network sees, a power of 3; 1: each frame by itself")
    single_frame_share: float = Field(
        0.2, ge=0, le=1, description="share of training windows reduced to one frame, so that single frames work too"
    )
    flip: bool = Field(
        True,
        description="train on mirrored people too, and average the predictions of a pose and its mirror image",
    )
    canonpose_epochs: int = Field(
        24, ge=1, description="epochs of CanonPose, whose poses the reconstruction starts from"
    )
    epochs: int = Field(32, ge=1, description="passes over the training instants, within the next two bounds")
    min_steps: int = Field(80, ge=1, description="least number of steps per epoch, for short footage")
    max_steps: int = Field(600, ge=1, description="largest number of steps per epoch, for long footage")
    calibration_steps: int = Field(100, ge=1, description="steps that calibrate the expected errors")
    batch_size: int = Field(16, ge=1, description="synchronised instants per step")
    filmed: int = Field(128, ge=0, description="views per step that are filmed anew from the reconstruction")
    width: int = Field(512, ge=1, description="units of a hidden layer")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate; after a prior half of it")
    shape_weight: float = Field(20.0, ge=0, description="weight (1/m) of joint errors after rigid alignment")
    precision: Precision = Field(
        default_factory=fastest_precision,
        description="precision of hidden layers in training; bf16 is faster only with AMX",
    )

    @field_validator("window")
    @classmethod
    def _is_a_power_of_three(cls, window: int) -> int:
        if window not in (1, 3, 9, 27, 81, 243):
            raise ValueError("must be 1, 3, 9, 27, 81 or 243")
        return window


class Posepipe(Method):
    """A network of one view (the student) that learns the reconstruction from all views, and predicts its errors."""

    Settings = PosepipeSettings
    settings: PosepipeSettings
    version = 2
    needs = frozenset({"reconstruction"})
    prior_settings = ("window", "width")
    mirror_fits = False
    root: Tensor
    mirror: Tensor
    bones: Tensor

    def __init__(self, skeleton: Skeleton, settings: PosepipeSettings) -> None:
        super().__init__(skeleton, settings)
        joints = len(skeleton.joints)
        self.lifter = WindowLifter(joints, settings.window, settings.width, settings.precision)
        self.uncertainty = WindowLifter(joints, settings.window, settings.width, settings.precision)
        self.calibration = nn.Parameter(torch.zeros(joints))
        self.has_prior = False
        self.parity = Parity(skeleton)
        fixed = {
            "root": skeleton.landmark_weights("pelvis")[0],
            "mirror": skeleton.mirror,
            "bones": skeleton.body.bone_indices,
        }
        for name, array in fixed.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @classmethod
    def first_training(cls, settings: MethodSettings) -> FirstTraining:
        """CanonPose of the same width, for poses and rotations to start from."""
        assert isinstance(settings, PosepipeSettings)  # noqa: S101 - as everywhere with a method's own settings
        return FirstTraining(epochs=settings.canonpose_epochs, width=settings.width)

    @property
    def window(self) -> int:
        """Frames that the network sees."""
        return self.settings.window

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Start from the generic lifter, with poses that any body can take in every batch.

        Args:
            weights: tensors (...) of the same method by name.

        Raises:
            ValueError: they are of another network.
        """
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError("the prior is of another network") from error
        self.has_prior = True

    def phases(self) -> tuple[Phase, ...]:
        """Train the student on all footage, the uncertainty on half of it, and the calibration on the other half."""
        settings = self.settings
        rate, generic = (_PRIOR_RATE, _GENERIC) if self.has_prior else (1.0, 0.0)
        student = Phase(
            name="student",
            epochs=settings.epochs,
            weights={"pose": 1.0, "shape": settings.shape_weight},
            batch_size=settings.batch_size,
            learning_rate=rate * settings.learning_rate,
            optimizer="adamw",
            weight_decay=_WEIGHT_DECAY,
            schedule="one_cycle",
            min_steps=settings.min_steps,
            max_steps=settings.max_steps,
            filmed=settings.filmed,
            generic=round(generic * settings.filmed),
        )
        uncertainty = replace(
            student, name="uncertainty", epochs=math.ceil(_UNCERTAINTY_SHARE * settings.epochs), half=0
        )
        calibration = replace(
            uncertainty,
            name="calibration",
            epochs=1,
            min_steps=settings.calibration_steps,
            max_steps=settings.calibration_steps,
            weights={"pose": 1.0},
            learning_rate=_CALIBRATION_RATE,
            weight_decay=0.0,
            filmed=0,
            generic=0,
            half=1,
        )
        return student, uncertainty, calibration

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Scalar losses: negative log-likelihood of the labels ("pose"), errors after rigid alignment ("shape").

        Distances d (B, V, J) of joints are taken to be exponentially distributed with spread b. The negative
        log-likelihood is then ``d / b + 3 log b`` up to a constant, and b becomes a third of the expected distance.
        Which way a person faces is harder to see than the pose itself; "shape" keeps its errors from hiding those of
        the pose. All are means over joints, weighted by the confidence of their labels. "distance", the mean of d in
        the unit of ``targets``, is only monitored.

        Raises:
            ValueError: the batch has no reconstruction, or no windows where they are needed.
        """
        label, trust = given(batch.label, "a reconstruction"), given(batch.label_confidence, "a reconstruction")
        parts = [part.flatten(0, 1) for part in (*self._frames(batch), label, trust)]
        if (drawn := batch.drawn) is not None:
            more = drawn.keypoint, drawn.confidence, drawn.label, torch.ones_like(drawn.label[..., 0])
            parts = [torch.cat(both) for both in zip(parts, more, strict=True)]
        images, confidences, target, trust = parts
        target, trust = self.targets(target, trust)
        if phase.name == "calibration":
            with torch.no_grad():
                pose, spread, seen = self._with_its_mirror_image(self.uncertainty, images, confidences)
            spread = spread * self._calibration()
        else:
            if self.training:
                images, confidences, target, trust = self._varied(images, confidences, target, trust)
            lifter = self.uncertainty if phase.name == "uncertainty" else self.lifter
            pose, spread, seen = self._lift(lifter, images, confidences)
        trust = trust * seen[:, None]
        distance = (pose - target).norm(dim=-1)
        terms = {
            "pose": distance / spread + _AXES * spread.log(),
            "shape": (pose - rigid_alignment(target, pose, trust)).norm(dim=-1),
            "distance": distance,
        }
        total = trust.sum().clamp_min(torch.finfo(trust.dtype).tiny)
        return {name: (term * trust).sum() / total for name, term in terms.items()}

    def targets(self, label: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (N, J, 3) relative to the root, scaled to a mean bone length of 0.25 m, and confidences (N, J).

        A single view does not show the size of a person, so the network is not trained on sizes.

        Args:
            label: (N, J, 3) poses in camera axes, in any unit; zeros where missing.
            trust: (N, J) confidences of the labels, 0 where missing.
        """
        start, end = self.bones.unbind(-1)
        length = (label[:, start] - label[:, end]).norm(dim=-1).mean(-1)
        exists = length > 0
        pose = (label - (self.root @ label)[:, None]) * (MEAN_BONE_M / torch.where(exists, length, 1.0))[
            :, None, None
        ]
        return pose, trust * exists[:, None]

    def _varied(
        self, images: Tensor, confidences: Tensor, target: Tensor, trust: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reduce some windows to their middle frame, and mirror half of the people (``flip``)."""
        count, middle = len(images), self.window // 2
        alone = (torch.rand(count) < self.settings.single_frame_share).to(
            images.device
        )  # drawn on the CPU, whatever the device
        images = where_rows(alone, images[:, middle, None].expand_as(images), images)
        confidences = where_rows(alone, confidences[:, middle, None].expand_as(confidences), confidences)
        if not self.settings.flip:
            return images, confidences, target, trust
        flipped = (torch.rand(count) < 0.5).to(images.device)
        return (
            where_rows(flipped, mirrored(images, self.mirror), images),
            where_rows(flipped, confidences[..., self.mirror], confidences),
            where_rows(flipped, mirrored(target, self.mirror), target),
            where_rows(flipped, trust[..., self.mirror], trust),
        )

    def _frames(self, shown: Batch | View) -> tuple[Tensor, Tensor]:
        """Keypoints (..., W, J, 2) in px and confidences (..., W, J) that the network sees."""
        if self.window > 1:
            window = given(shown.window, "windows")
            return window.keypoint, window.confidence
        return shown.keypoint[..., None, :, :], shown.confidence[..., None, :]

    def _lift(self, lifter: WindowLifter, images: Tensor, confidences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Root-relative poses (N, J, 3), spreads (N, J), and which middle frames (N) show a person."""
        observed, seen = normalise_keypoints(images, confidences, self.root)
        pose, spread = lifter(observed, confidences * seen[..., None])
        pose = pose - (self.root @ pose)[:, None]
        return pose, spread.exp() + _SMALLEST_SPREAD, seen[:, self.window // 2]

    def _with_its_mirror_image(
        self, lifter: WindowLifter, images: Tensor, confidences: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As ``_lift``, averaged over people and their mirror images (``flip``)."""
        pose, spread, seen = self._lift(lifter, images, confidences)
        if self.settings.flip:
            twin, twin_spread, _ = self._lift(lifter, mirrored(images, self.mirror), confidences[..., self.mirror])
            pose, spread = (pose + mirrored(twin, self.mirror)) / 2, (spread + twin_spread[:, self.mirror]) / 2
        return pose, spread, seen

    def _calibration(self) -> Tensor:
        """Factors (J) by which errors on held-out footage exceed those that the uncertainty network predicts."""
        return ((self.calibration + self.calibration[self.mirror]) / 2).exp()

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses (N, J, 3) of one camera's frames in camera axes, and their expected errors (N, J).

        Raises:
            ValueError: the view has no windows, and the network needs them.
        """
        pose, error, seen = in_chunks(self._predict, *self._frames(view))
        pose, error = pose.masked_fill(~seen[:, None, None], torch.nan), error.masked_fill(~seen[:, None], torch.nan)
        return Prediction.in_camera_axes(pose, self.parity(pose), error)

    def _predict(self, images: Tensor, confidences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Poses (N, J, 3), expected errors (N, J) of their joints, and which frames (N) show a person."""
        pose, _, seen = self._with_its_mirror_image(self.lifter, images, confidences)
        _, spread, _ = self._with_its_mirror_image(self.uncertainty, images, confidences)
        return pose, _AXES * self._calibration() * spread, seen
