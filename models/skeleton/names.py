"""Which skeleton joint names spell."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .known import H36M17, SKELETONS
from .skeleton import Skeleton

SYNONYMS = {
    "root": "pelvis", "hip": "pelvis", "mid_hip": "pelvis", "chip": "pelvis", "neck": "thorax", "head_top": "head",
}  # fmt: skip
"""What H36M-17 joints are called elsewhere; a name counts as itself where both are there."""


def recognise(names: Sequence[str]) -> tuple[Skeleton, np.ndarray]:
    """The skeleton that joint names spell, and where each of its joints stands among them (joint) int64.

    Names may be in any order and abbreviate sides (``r_hip``, ``RHip``); of the known skeletons the one that most
    of them belong to counts, other joints are left out.

    Raises:
        ValueError: no known skeleton; the sentence says what is missing for H36M-17.
    """
    plain = [plain_name(name) for name in names]
    renamed = [SYNONYMS[name] if SYNONYMS.get(name, name) not in plain else name for name in plain]
    for spelled in (plain, renamed):
        fitting = [skeleton for skeleton in SKELETONS.values() if set(skeleton.joints) <= set(spelled)]
        if fitting:
            skeleton = max(fitting, key=lambda skeleton: len(skeleton.joints))
            return skeleton, np.array([spelled.index(joint) for joint in skeleton.joints], np.int64)
    missing = sorted(set(H36M17.joints) - set(renamed))
    raise ValueError(
        f"the {len(names)} joint names are those of no known skeleton ({', '.join(SKELETONS)}); "
        f"for h36m17 these are missing: {', '.join(missing)}"
    )


def plain_name(name: str) -> str:
    """A joint name in words of ours: RHip, r_hip and right-hip are all right_hip."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^[LR])(?=[A-Z])|[\s-]+", "_", name.strip()).lower().split("_")
    return "_".join({"r": "right", "l": "left"}.get(word, word) for word in words)
