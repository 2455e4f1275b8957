"""posepipe: a network of a clip's frames that learns from what all views of a take say together.

Ours. CanonPose learns the takes; a bundle adjustment that starts from its poses and rotations finds the cameras, bone
lengths and joints that explain all views of a take (the reconstruction); this network learns to see those poses in
the 2D poses of one camera. Needs two or more synchronised views, no calibration and no 3D. It looks at the frames
around an instant if there are any.

It says how far off each joint may be, too. A network knows the footage that it learnt from better than any other, and
what it thinks of its errors there says little. So a second one, the rehearsal, learns from half of the footage,
shortly; on the other half it is found how much farther off it is than it expects (the caution), joint by joint.
"""

from __future__ import annotations

import math
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
"""Lest what is always right, as the root is, were worth any price (a bone measures 0.25)."""
_HALF = {"rehearsal": 0, "caution": 1}
"""Which half of the footage a phase learns from, if not from all of it."""
_REHEARSED = 1 / 6
"""Share of the epochs that are enough to learn how hard joints are to see."""
_CAUTION_RATE = 0.05


class PosepipeSettings(MethodSettings):
    """Settings of posepipe's own method."""

    window: int = Field(27, ge=1, description="frames that are looked at, a power of 3; 1: each frame alone")
    alone: float = Field(
        0.2, ge=0, le=1, description="share of training windows that show one frame only, so that this works as well"
    )
    flip: bool = Field(
        True, description="learn from mirrored people as well, and average a pose and its mirror image"
    )
    first_epochs: int = Field(
        24, ge=1, description="passes of CanonPose over the training instants, for poses to start from"
    )
    epochs: int = Field(32, ge=1, description="epochs of training")
    steps: int = Field(600, ge=1, description="steps of an epoch, however long footage is")
    instants: int = Field(
        14000,
        ge=0,
        description="training instants, about: shorter footage is filmed again by turned cameras; 0: never",
    )
    batch_size: int = Field(16, ge=1, description="synchronised instants in a step")
    width: int = Field(512, ge=1, description="units of a hidden layer")
    learning_rate: float = Field(2e-3, gt=0, description="largest learning rate")
    shape_weight: float = Field(
        20.0, ge=0, description="weight (1/m) of how far joints are off once the pose is turned as it should be"
    )
    precision: Precision = Field(
        default_factory=fastest_precision, description="of hidden layers in training; bf16 needs AMX to be faster"
    )

    @field_validator("window")
    @classmethod
    def _is_a_power_of_three(cls, window: int) -> int:
        if window not in (1, 3, 9, 27, 81, 243):
            raise ValueError("must be 1, 3, 9, 27, 81 or 243")
        return window


class Posepipe(Method):
    """A student of the reconstruction of its own takes."""

    Settings = PosepipeSettings
    settings: PosepipeSettings
    needs = frozenset({"reconstruction"})
    mirror_fits = False
    root: Tensor
    mirror: Tensor
    bones: Tensor

    def __init__(self, skeleton: Skeleton, settings: PosepipeSettings) -> None:
        super().__init__(skeleton, settings)
        joints = len(skeleton.joints)
        self.lifter = WindowLifter(joints, settings.window, settings.width, settings.precision)
        self.rehearsal = WindowLifter(joints, settings.window, settings.width, settings.precision)
        self.caution = nn.Parameter(torch.zeros(joints))
        self.parity = Parity(skeleton)
        fixed = {
            "root": skeleton.landmark_weights("pelvis")[0],
            "mirror": skeleton.mirror,
            "bones": skeleton.bone_indices,
        }
        for name, array in fixed.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @classmethod
    def first_training(cls, settings: MethodSettings) -> FirstTraining:
        """CanonPose of the same width, for poses and rotations to start from."""
        assert isinstance(settings, PosepipeSettings)  # noqa: S101 - as everywhere with a method's own settings
        return FirstTraining(epochs=settings.first_epochs, width=settings.width, instants=settings.instants)

    @property
    def window(self) -> int:
        """Frames that it looks at."""
        return self.settings.window

    def phases(self) -> tuple[Phase, ...]:
        """The student learns from all footage, the rehearsal from half of it, and its caution from the other half."""
        settings = self.settings
        student = Phase(
            name="student",
            epochs=settings.epochs,
            weights={"pose": 1.0, "shape": settings.shape_weight},
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            optimizer="adamw",
            weight_decay=_WEIGHT_DECAY,
            schedule="one_cycle",
            steps=settings.steps,
        )
        rehearsal = replace(
            student,
            name="rehearsal",
            epochs=math.ceil(_REHEARSED * settings.epochs),
            batch_size=2 * settings.batch_size,  # of which half count
        )
        caution = replace(
            rehearsal,
            name="caution",
            epochs=1,
            steps=math.ceil(_REHEARSED * settings.steps),
            weights={"pose": 1.0},
            learning_rate=_CAUTION_RATE,
            weight_decay=0.0,
        )
        return student, rehearsal, caution

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """How unlikely the labels are ("pose"), and how far off they are if turned and moved to fit best ("shape").

        Joints whose distance from the prediction falls off exponentially have, with spread b, ``d / b + 3 log b`` for
        minus the logarithm of their likelihood, up to a constant, so that b becomes a third of the expected distance.
        Which way a person faces is harder to see than how limbs lie to each other; "shape" keeps the one from hiding
        the other. Means over joints, which count by the confidence of their labels. "distance" is shown beside them.
        """
        label, trust = given(batch.label, "a reconstruction"), given(batch.label_confidence, "a reconstruction")
        parts = [*self._frames(batch), label, trust]
        if phase.name in _HALF:
            mine = given(batch.half, "halves of the footage") == _HALF[phase.name]
            parts = [part[mine] for part in parts]
        images, confidences, target, trust = (part.flatten(0, 1) for part in parts)
        target, trust = self.targets(target, trust)
        if phase.name == "caution":
            with torch.no_grad():
                pose, spread, seen = self._with_its_mirror_image(self.rehearsal, images, confidences)
            spread = spread * self._caution()
        else:
            if self.training:
                images, confidences, target, trust = self._varied(images, confidences, target, trust)
            lifter = self.rehearsal if phase.name == "rehearsal" else self.lifter
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
        """Labels (N, J, 3) relative to the root, of bones 0.25 m long on average, and how sure (N, J) they are.

        A single view cannot tell the size of a person, so none is taught.
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
        """Some windows reduced to their middle frame, and half of the people mirrored (``flip``)."""
        count, middle = len(images), self.window // 2
        alone = (torch.rand(count) < self.settings.alone).to(images.device)  # drawn on the CPU, whatever the device
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
        """Keypoints (..., W, J, 2) px and confidences (..., W, J) of what the network looks at."""
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
        """The same, as the mean of people and of their mirror images (``flip``)."""
        pose, spread, seen = self._lift(lifter, images, confidences)
        if self.settings.flip:
            twin, twin_spread, _ = self._lift(lifter, mirrored(images, self.mirror), confidences[..., self.mirror])
            pose, spread = (pose + mirrored(twin, self.mirror)) / 2, (spread + twin_spread[:, self.mirror]) / 2
        return pose, spread, seen

    def _caution(self) -> Tensor:
        """How many times (J) as far off as the rehearsal expects joints are in footage that it does not know."""
        return ((self.caution + self.caution[self.mirror]) / 2).exp()

    @torch.no_grad()
    def predict(self, view: View) -> Prediction:
        """Poses of one camera's frames in camera axes and the errors that they are expected to have."""
        pose, error, seen = in_chunks(self._predict, *self._frames(view))
        pose, error = pose.masked_fill(~seen[:, None, None], torch.nan), error.masked_fill(~seen[:, None], torch.nan)
        return Prediction.in_camera_axes(pose, self.parity(pose), error)

    def _predict(self, images: Tensor, confidences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Poses, expected distances of their joints from the truth, and which frames show a person."""
        pose, _, seen = self._with_its_mirror_image(self.lifter, images, confidences)
        _, spread, _ = self._with_its_mirror_image(self.rehearsal, images, confidences)
        return pose, _AXES * self._caution() * spread, seen
