"""Joints of the user's own, declared in the settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models.skeleton import H36M17, Mapping
from ..errors import PosepipeError
from ..settings import check_name


def declared_mapping(names: Sequence[str], parts: dict[str, list[str]], section: str) -> Mapping:
    """The map to H36M-17 from joints of these names: each joint is the middle of ``parts``, else of its own name.

    Raises:
        PosepipeError: a joint of H36M-17 that nothing stands for, or a name that is none of the joints'.
    """
    for joint in parts:
        check_name("joint of h36m17", joint, H36M17.joints)
    weights = np.zeros((len(H36M17.joints), len(names)), np.float32)
    for row, joint in zip(weights, H36M17.joints, strict=True):
        sources = parts.get(joint, [joint])
        for source in sources:
            if source not in names:
                raise PosepipeError(
                    f"h36m17's {joint} is made of {source!r}, but the joints are {', '.join(names)}; "
                    f'say under [{section}.h36m17]: {joint} = ["..."]'
                )
            row[list(names).index(source)] += 1 / len(sources)
    return Mapping(H36M17, H36M17, weights, np.ones(len(weights), np.float32))
