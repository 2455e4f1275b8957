"""The contract of a training method: everything the pipeline knows about a paper.

A method is one ``nn.Module`` in one file, named by one line in ``posepipe.models.METHODS``:

    class MyMethod(Method):
        Settings = MySettings                # pydantic, a subclass of MethodSettings
        needs = frozenset({"intrinsics"})    # data it cannot do without

        def phases(self): ...                # what is trained, how long, with which loss weights
        def losses(self, batch, phase): ...  # unweighted terms by name
        def predict(self, view): ...         # one camera in, nothing else

What it needs beyond 2D poses stands in ``needs`` (or, where settings decide, ``needs_with``), in the words of
``NEEDS``. Two needs ask for more, which a method says by a hook of its class that takes its settings:

* "reconstruction": ``first_training`` says what is trained to find poses to start from (``FirstTraining``).
* "labelled_2d": ``labelled_files`` says where the pictures and their annotations are (``LabelledFiles``).

It is constructed as ``MyMethod(skeleton, settings)`` under a fixed seed, so that building it draws the initial
weights. The training loop moves it to a device, minimises ``sum(weights[k] * losses[k])`` over batches of
synchronised instants, phase after phase, and stores ``state_dict()``. ``predict`` is called in eval mode without
gradients. Prediction must not depend on how frames are batched.

A method that looks at neighbours in time says at how many frames (``window``); batches and views then carry a
``Window`` around each instant and each frame, so that a frame brings all that its pose depends on. Windows step
through time as they did in training: by the median time between training instants, in seconds of the clip, whatever
its frame rate (``pipeline/training/windows.py``); where times are unknown, from instant to instant.

Conventions: pixels with x right and y down, camera axes x right, y down, z forward; a missing joint has keypoint 0
and confidence 0, never NaN; a missing view is one whose joints are all missing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from .skeleton import Skeleton

NEEDS = frozenset({"intrinsics", "extrinsics", "labels", "reconstruction", "crops", "labelled_2d"})
"""All that a method may need beside 2D poses; ``Method.needs`` says what each gives."""


class MethodSettings(BaseModel):
    """Settings that every method has; a method adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(100, ge=1, description="passes over the training instants")


@dataclass(frozen=True)
class Phase:
    """One phase of training: schedules are data, not code."""

    name: str
    epochs: int
    weights: Mapping[str, float]
    """Loss term -> weight; terms not named here are monitored, not minimised."""
    batch_size: int
    """Synchronised instants per step."""
    learning_rate: float
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["steps", "one_cycle"] = "steps"
    milestones: tuple[int, ...] = ()
    """Epochs of this phase after which the learning rate falls tenfold (schedule ``steps``)."""
    min_steps: int = 1
    """Least number of steps per epoch: an epoch passes over short footage several times."""
    max_steps: int | None = None
    """Largest number of them: an epoch sees a part of long footage. None: never."""
    ramps: Mapping[str, float] = field(default_factory=dict)
    """Loss term -> share of the phase's epochs over which its weight grows linearly to its value in ``weights``."""
    labelled: int = 0
    """Pictures with 2D labels per step, for a method that needs them."""
    filmed: int = 0
    """Views per step that are filmed anew from the reconstruction, for a method that needs one."""
    generic: int = 0
    """Views per step of any body before any camera."""
    half: int | None = None
    """Half of the footage that it learns from; None: all of it."""

    def weights_in(self, epoch: int) -> dict[str, float]:
        """Weights in an epoch (0 ... epochs - 1) of this phase."""
        grown = {name: min((epoch + 1) / (share * self.epochs), 1.0) for name, share in self.ramps.items() if share}
        return {name: weight * grown.get(name, 1.0) for name, weight in self.weights.items()}


@dataclass(frozen=True)
class FirstTraining:
    """How CanonPose finds the poses that a method with the need "reconstruction" learns from, once they are fused."""

    epochs: int  # passes over the training instants
    width: int  # units of a hidden layer


@dataclass(frozen=True)
class LabelledFiles:
    """Where the pictures of other people are that a method with the need "labelled_2d" learns from."""

    images: str  # folder of the pictures; empty where the user names none
    annotations: str  # annotation file; empty where the user names none


@dataclass(frozen=True)
class Labelled2D:
    """Pictures (M) of any people with 2D labels, for methods that are trained on those as well."""

    crop: Tensor  # (M, H, W, 3) uint8 RGB, the person in the middle
    keypoint: Tensor  # (M, J, 2) px of the crop, 0 where missing
    confidence: Tensor  # (M, J): 1 where labelled, less where derived from labelled joints, 0 where missing


@dataclass(frozen=True)
class Window:
    """What a camera showed around an instant: W frames in order of time, W odd, with the instant in the middle.

    Before the start and after the end of a clip, its first and last frames are repeated.
    """

    keypoint: Tensor  # (..., W, J, 2) px, 0 where missing
    confidence: Tensor  # (..., W, J) in 0..1, 0 where missing, and for all joints of a missing frame
    K: Tensor | None = None  # (..., W, 3, 3) px, undefined where the frame is missing


@dataclass(frozen=True)
class Drawn:
    """Views (M) that no camera has filmed: windows of W frames, and the true pose of the one in the middle."""

    keypoint: Tensor  # (M, W, J, 2) in any unit of length, 0 where missing
    confidence: Tensor  # (M, W, J) in 0..1, 0 where missing
    label: Tensor  # (M, J, 3) in the camera's axes, in any unit of length


@dataclass(frozen=True)
class Batch:
    """Synchronised instants (B) seen by cameras (V): joints (J) in pixels."""

    keypoint: Tensor  # (B, V, J, 2) px, 0 where missing
    confidence: Tensor  # (B, V, J) in 0..1, 0 where missing
    rig: Tensor  # (B) int64: cameras did not move between instants with the same number; -1: they move
    K: Tensor | None = None  # (B, V, 3, 3) px
    R: Tensor | None = None  # (B, V, 3, 3) camera_from_world
    t: Tensor | None = None  # (B, V, 3) m
    label: Tensor | None = None  # (B, V, J, 3) triangulated, in each camera's axes and the unit of t, 0 if missing
    label_confidence: Tensor | None = None  # (B, V, J) in 0..1, 0 where there is no label
    crop: Tensor | None = None  # (B, V, H, W, 3) uint8 RGB, the person in the middle; black where the view is missing
    crop_from_image: Tensor | None = None  # (B, V, 2, 3) affine map from the camera's pixels to the crop's
    window: Window | None = None  # (B, V, W, ...)
    labelled: Labelled2D | None = None  # drawn anew for every step
    drawn: Drawn | None = None  # drawn anew for every step


@dataclass(frozen=True)
class View:
    """Frames (N) of one camera."""

    keypoint: Tensor  # (N, J, 2) px, 0 where missing
    confidence: Tensor  # (N, J) in 0..1
    K: Tensor | None = None  # (N, 3, 3) px
    crop: Tensor | None = None  # (N, H, W, 3) uint8 RGB
    crop_from_image: Tensor | None = None  # (N, 2, 3)
    window: Window | None = None  # (N, W, ...)


@dataclass(frozen=True)
class Prediction:
    """Root-relative 3D poses of one camera's frames, in body scale; NaN where a frame cannot be lifted."""

    joint: Tensor  # (N, J, 3) camera axes
    canonical: Tensor  # (N, J, 3) axes of the person
    camera_from_canonical: Tensor  # (N, 3, 3)
    parity: Tensor  # (N) evidence that the network's own pose, before any mirroring, is right-handed
    expected_error: Tensor | None = None  # (N, J) expected distances from the truth, in the unit of joint, if known

    @staticmethod
    def in_camera_axes(joint: Tensor, parity: Tensor, expected_error: Tensor | None = None) -> Prediction:
        """The prediction (N) of a method without axes of the person, for which those of the camera are used."""
        identity = torch.eye(3, dtype=joint.dtype, device=joint.device).repeat(len(joint), 1, 1)
        return Prediction(joint, joint, identity, parity, expected_error)


class Method(nn.Module, ABC):
    """Network, unweighted losses, phases and prediction of one training method."""

    Settings: ClassVar[type[MethodSettings]]
    version: ClassVar[int] = 1
    """Raised when training, network or prediction change: models are then trained, and clips lifted, again."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Among ``NEEDS``: "intrinsics", "extrinsics", "labels", "reconstruction", "crops", "labelled_2d".

    "intrinsics" gives K to batches and to views, "extrinsics" K, R and t to batches (if they are unknown they come
    from joints), "labels" all of these and triangulated poses, "reconstruction" poses that need no calibration, as
    labels (``first_training``); "crops" pictures of the person to batches and to views, "labelled_2d" pictures of
    other people with 2D labels to batches (``labelled_files``).
    """

    @classmethod
    def needs_with(cls, settings: MethodSettings) -> frozenset[str]:
        """The data that the method needs under these settings; ``needs`` unless a method says otherwise."""
        return cls.needs

    @classmethod
    def first_training(cls, settings: MethodSettings) -> FirstTraining:
        """What is trained first, where the method needs a reconstruction.

        Raises:
            NotImplementedError: the class needs one, but does not say which.
        """
        raise NotImplementedError

    @classmethod
    def labelled_files(cls, settings: MethodSettings) -> LabelledFiles:
        """Where pictures with 2D labels are, where the method needs them.

        Raises:
            NotImplementedError: the class needs them, but does not say where they are.
        """
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        """Check that the class says what it needs.

        Raises:
            TypeError: it does not.
        """
        super().__init_subclass__(**options)
        checked_needs(cls, cls.needs)

    @classmethod
    def lifts_with_intrinsics(cls, settings: MethodSettings) -> bool:
        """Whether ``predict`` needs K under these settings."""
        return "intrinsics" in cls.needs

    prior_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that must be those of the generic lifter, for ``start_from`` to take it; none: it never does."""
    mirror_fits: ClassVar[bool] = True
    """Whether the world mirrored in depth explains the images equally well, which perspective cameras rule out.

    If so, training that leaves handedness undecided is refused; otherwise anatomy only serves to check the cameras.
    """

    @property
    def settles_handedness(self) -> bool:
        """Whether predictions are made right-handed by their own parity, so that only the size of parity matters."""
        return False

    @property
    def window(self) -> int:
        """Frames in the windows of batches and views, odd; 1: no windows, the method sees single frames."""
        return 1

    def __init__(self, skeleton: Skeleton, settings: MethodSettings) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.settings = settings

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over a pre-trained backbone (setting ``backbone_weights``) before the first phase.

        Args:
            weights: tensors (...) of a checkpoint by name.

        Raises:
            ValueError: the method has no backbone, or the weights belong to another network.
        """
        raise ValueError("this method has no backbone")

    @abstractmethod
    def phases(self) -> tuple[Phase, ...]:
        """Phases of training in order."""

    @abstractmethod
    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Unweighted scalar losses () of a batch by name.

        Raises:
            ValueError: the batch lacks what the method ``needs``.
        """

    @abstractmethod
    def predict(self, view: View) -> Prediction:
        """3D poses (N, J, 3) of one camera's frames from that camera alone.

        Raises:
            ValueError: the view lacks what the method needs for prediction.
        """


HOOKS = {"reconstruction": "first_training", "labelled_2d": "labelled_files"}
"""Class methods that a need asks for."""


def checked_needs(kind: type[Method], needs: frozenset[str]) -> frozenset[str]:
    """What a method says that it needs, if the class says all that belongs to it.

    Raises:
        TypeError: a need that nobody can give, or one whose hook (``HOOKS``) the class does not define.
    """
    if unknown := sorted(set(needs) - NEEDS):
        raise TypeError(
            f"{kind.__name__} needs {unknown[0]!r}, which nobody gives; known: {', '.join(sorted(NEEDS))}"
        )
    for need in sorted(set(needs) & set(HOOKS)):
        hook = HOOKS[need]
        if getattr(kind, hook).__func__ is getattr(Method, hook).__func__:
            raise TypeError(f"{kind.__name__} needs {need!r}, so it must define {hook}")
    return needs


T = TypeVar("T")


def given(array: T | None, name: str) -> T:
    """The array (...), which must be there because the method needs it.

    Raises:
        ValueError: it is None. The pipeline provides what ``needs`` lists, or tells users what they must provide.
    """
    if array is None:
        raise ValueError(f"this method needs {name}")
    return array


_CHUNK = 64
"""Frames per chunk."""


def in_chunks(function: Callable[..., tuple[Tensor, ...]], *inputs: Tensor, size: int = _CHUNK) -> tuple[Tensor, ...]:
    """Apply a function to inputs (N, ...) in chunks of fixed size, and join its results (N, ...).

    Rounding then does not depend on how frames are batched. The last chunk is padded with the last frame.
    """
    count = len(inputs[0])
    chunks = [torch.cat([part, part[-1:].expand(-count % size, *part.shape[1:])]).split(size) for part in inputs]
    results = [function(*chunk) for chunk in zip(*chunks, strict=True)]
    return tuple(torch.cat(parts)[:count] for parts in zip(*results, strict=True))
