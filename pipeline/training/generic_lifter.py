"""The generic lifter: weights that come with the package, learnt from motions of other people.

``tools/train_lifter.py`` trains it on motion capture and drawn poses; docs/generic_model.md is its model card.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.skeleton import H36M17
from ..errors import PosepipeError
from ..settings import AFTER_LIFTING, OF_CLIP, REPEATED, Settings

if TYPE_CHECKING:
    from .model_file import Model

WEIGHTS = Path(__file__).parent / "generic"
"""Folder of its model files, one per skeleton."""
SHA256 = {"h36m17": "38df72fbe44485d24473b471710c5b020c537f9a422f69adfc6d5d369bd53fee"}
"""Digests of these files by skeleton: what the package has is what was measured."""
GENERIC = "generic"
"""Instead of the path of a model."""

WINDOW_STEP_S = 0.03
"""Time between two frames of a window."""
SUPERVISION = (
    "the generic model: true 3D poses of other people (motion capture) and drawn poses, none of this footage"
)
IN_WORDS = "generic model: fit on your own footage for more"


def generic_lifter(skeleton: str) -> Path | None:
    """The model file for a skeleton's bodies; None if there is none."""
    path = WEIGHTS / f"{skeleton.removesuffix('+feet')}.pt"
    return path if path.is_file() else None


def generic_file() -> Path:
    """The model file that lifts any footage.

    Raises:
        PosepipeError: it is not where it belongs.
    """
    path = generic_lifter(H36M17.name)
    if path is None:
        raise PosepipeError(f"the generic model is missing in {WEIGHTS}; install posepipe again")
    return path


def named_model(model: Path | str) -> Path:
    """The file of a model that is named, where "generic" is the one that comes with posepipe."""
    path = Path(model)
    return generic_file() if str(model) == GENERIC and not path.exists() else path


def is_generic(path: Path) -> bool:
    """Whether a model file is one that comes with the package."""
    return path.absolute().parent == WEIGHTS.absolute()


def read_model(path: Path) -> Model:
    """The model of a fit, or the generic one, which goes through the stages with their usual settings.

    Raises:
        PosepipeError: as ``Model.read``, or a generic one that is not that of this version.
    """
    from .model_file import Model  # which waits for torch

    model = Model.read(path)
    if not is_generic(path):
        return model
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[path.stem]:
        raise PosepipeError(f"{path} is not the generic model of this version; install posepipe again")
    return replace(model, recipe=usual_recipe())


def usual_recipe() -> dict[str, Any]:
    """Settings of the stages around training, for poses of any detector."""
    settings, names = Settings(), (*REPEATED, *AFTER_LIFTING, *OF_CLIP)
    recipe = {name: getattr(settings, name).model_dump(mode="json") for name in names}
    return recipe | {"detector": ""}
