"""The model file: tensors and plain values, never code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ...models.method import Method, MethodSettings
from ...models.networks.feet import FootLifter
from ...models.networks.openmmlab import MissingPartError
from ...models.networks.refinement import RefinementUnit
from ...models.skeleton import H36M17_FEET, SKELETONS
from ..arrays import HandOver, KnownPoses
from ..errors import PosepipeError
from ..runtime.writing import write_atomically
from ..settings import Prior, method_class, parse
from .morph_file import MORPH_KINDS, MorphNetwork
from .torch_file import TorchFormat

FORMAT_VERSION = 3
"""Version of files with a skeleton morph, which older versions of posepipe would silently ignore."""
REFINED_VERSION = 2
"""Version of other files with a refinement unit, which the oldest would silently ignore."""
PLAIN_VERSION = 1
"""Version of all other files."""
FORMAT = TorchFormat(
    "posepipe model",
    FORMAT_VERSION,
    file="model file",
    noun="a posepipe model",
    origin="give the model.pt that `posepipe fit` wrote",
    again="run fit again",
)
_KINDS = {
    "method": str, "options": dict, "skeleton": str, "state": dict, "losses": list, "handedness": dict,
    "instants": int, "recipe": dict,
}  # fmt: skip
_OPTIONAL = {
    "window_step_s": float | int | None, "refinement": dict | None, "supervision": str, "prior": str, "morph": dict,
    "feet": dict | None, "learnt_from": torch.Tensor | None,
}  # fmt: skip
_TENSORS = ("state", "refinement", "morph", "feet", "learnt_from")
NO_SUPERVISION = "no 3D poses"


@dataclass(frozen=True)
class Model(HandOver):
    """A trained method, complete enough to build its network and lift clips with it."""

    method: str
    options: dict[str, Any]
    """All settings of the method."""
    skeleton: str
    state: dict[str, torch.Tensor]
    losses: list[dict[str, Any]]
    """One row per epoch: phase, epoch, each loss term, total, learning rate."""
    handedness: dict[str, Any]
    """How clearly handedness was decided: verdict, margin, majority share, and ``takes`` with these of each take."""
    instants: int
    """Training instants."""
    recipe: dict[str, Any]
    """Settings of the stages before training, which ``infer`` repeats, and digests of the training inputs."""
    window_step_s: float | None = None
    """Time between two frames of a window; None if the method has no windows, or times were not known."""
    refinement: dict[str, torch.Tensor] | None = None
    """Weights of the refinement unit, if one was trained."""
    supervision: str = NO_SUPERVISION
    """True 3D poses in training; with any, results are not self-supervised."""
    prior: Prior = "none"
    """What training started from: the generic lifter, which has learnt from motions of other people, or nothing."""
    morph: MorphNetwork | None = None
    """Maps the joints of 2D poses before they are lifted, as in training."""
    feet: dict[str, torch.Tensor] | None = None
    """Weights of what adds feet to lifted bodies, if training footage showed any."""
    learnt_from: torch.Tensor | None = None
    """Some of the 2D poses of training (pose, joint, 2) float16, as ``models.body.familiar`` compares them."""

    @cached_property
    def key(self) -> str:
        """Digest of all that lifting reads: the networks, not the notes on how they were trained.

        Settings of the stages behind lifting stand in ``recipe``; where they change, the same poses are lifted.
        """
        network: tuple[Any, ...] = (
            self.method,
            self.options,
            self.skeleton,
            self.window_step_s,
            self.refinement is not None,
        )
        network += () if self.feet is None else ("feet",)
        digest = hashlib.sha256(json.dumps(network, sort_keys=True).encode())
        for weights in (self.state, self.refinement or {}, self.feet or {}):
            for name, tensor in sorted(weights.items()):
                digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``model.pt``."""
        self.write(folder / "model.pt")

    def notes(self) -> dict[str, Any]:
        """Plain values for the manifest; the rest is in the model file."""
        names = ("method", "skeleton", "handedness", "supervision", "prior")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def load(cls, folder: Path, notes: dict[str, Any]) -> Self:
        """Read ``model.pt``."""
        return cls.read(folder / "model.pt")

    def write(self, path: Path) -> None:
        """Write the model file; equal models give equal bytes."""
        weights: dict[str, Any] = {"state": self.state}
        weights |= {} if self.refinement is None else {"refinement": self.refinement}
        weights |= {} if self.feet is None else {"feet": self.feet}
        weights |= {} if self.morph is None else {"morph": self.morph.content()}
        weights |= {} if self.learnt_from is None else {"learnt_from": self.learnt_from}
        names = [name for name in self.__dataclass_fields__ if name not in _TENSORS]
        plain = {name: getattr(self, name) for name in names}
        refined = PLAIN_VERSION if self.refinement is None else REFINED_VERSION
        plain = json.loads(json.dumps(plain))  # pickle distinguishes one string used twice from two equal strings
        write_atomically(path, FORMAT.pack(plain | weights, refined if self.morph is None else FORMAT_VERSION))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a model file; nothing in it is executed.

        Raises:
            PosepipeError: missing, not a posepipe model, of a newer version, or damaged.
        """
        content = FORMAT.read(path, _KINDS, _OPTIONAL)
        if "morph" in content:
            content["morph"] = MorphNetwork(**FORMAT.checked(path, content["morph"], MORPH_KINDS))
        return cls(**content)

    def with_morph(self, network: MorphNetwork | None) -> Self:
        """The same model with a skeleton morph for its 2D poses."""
        if network is None:
            return self
        recipe = self.recipe | {"morph": self.recipe["morph"] | {"network": ""}}  # it is here, not in a file
        supervision = f"{self.supervision}, but {network.supervision} for the skeleton morph"
        return replace(self, recipe=recipe, morph=network, supervision=supervision)

    @property
    def known_poses(self) -> KnownPoses | None:
        """What clips are compared with; None of models that do not say it."""
        if self.learnt_from is None:
            return None
        return KnownPoses(self.learnt_from.numpy().astype(np.float32), self.skeleton)

    @property
    def settings(self) -> MethodSettings:
        """The method's own settings."""
        return parse(method_class(self.method).Settings, self.options, "the model's settings")

    @property
    def needs(self) -> frozenset[str]:
        """Needs of the method under its settings (``Method.needs``)."""
        return method_class(self.method).needs_with(self.settings)

    @property
    def lifts_with_intrinsics(self) -> bool:
        """Whether lifting a clip needs the camera's intrinsics."""
        return method_class(self.method).lifts_with_intrinsics(self.settings)

    def build(self) -> Method:
        """The network with its trained weights, ready to predict.

        Raises:
            PosepipeError: a method or skeleton that this version does not know, weights that do not fit, or a network
                of pictures where MMPose is not installed.
        """
        kind = method_class(self.method)
        if self.skeleton not in SKELETONS:
            raise PosepipeError(f"the model's skeleton {self.skeleton!r} is unknown; known: {', '.join(SKELETONS)}")
        try:
            method = kind(SKELETONS[self.skeleton], self.settings)
        except MissingPartError as error:
            raise PosepipeError(f"the model is a network of pictures, which mmpose builds: {error}") from error
        try:
            method.load_state_dict(self.state)
        except RuntimeError as error:
            raise PosepipeError(
                f"the model's weights do not fit its method {self.method!r}; run fit again"
            ) from error
        return method.eval().requires_grad_(False)

    def build_feet(self) -> FootLifter | None:
        """What adds feet to lifted bodies, if the model has learnt it.

        Raises:
            PosepipeError: weights that do not fit.
        """
        if self.feet is None:
            return None
        lifter = FootLifter(H36M17_FEET)
        try:
            lifter.load_state_dict(self.feet)
        except RuntimeError as error:
            raise PosepipeError("the weights of the model's feet do not fit; run fit again") from error
        return lifter.eval().requires_grad_(False)

    def build_refinement(self) -> RefinementUnit | None:
        """The refinement unit, ready to refine, if the model has one.

        Raises:
            PosepipeError: weights that do not fit.
        """
        if self.refinement is None:
            return None
        unit = RefinementUnit(SKELETONS[self.skeleton])
        try:
            unit.load_state_dict(self.refinement)
        except RuntimeError as error:
            raise PosepipeError("the weights of the model's refinement unit do not fit; run fit again") from error
        return unit.eval().requires_grad_(False)


def network_versions(inputs: tuple[Any, ...], settings: Any) -> list[int]:
    """Versions of the networks of the model among a stage's inputs: the method's, and those behind it.

    Raises:
        PosepipeError: a method that this version does not know.
    """
    models = [each for each in inputs if isinstance(each, Model)]
    versions = [method_class(model.method).version for model in models]
    versions += [RefinementUnit.version for model in models if model.refinement is not None]
    return versions + [FootLifter.version for model in models if model.feet is not None]
