"""The centre of mass of a body from its joints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import Skeleton
from .soles import toe_of

Array = NDArray[np.float64]

HEAD, TRUNK = (0.0681, 0.49), (0.4302, 0.405)
"""Share of the body's mass, and where on the way from the upper to the lower end, or outwards, its centre lies.

De Leva, Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters, 1996, table 4; means of women and men. The
head ends at the thorax, the trunk reaches from the middle of the shoulders to the middle of the hips.
"""
LIMBS = {
    ("shoulder", "elbow"): (0.0263, 0.576), ("elbow", "wrist"): (0.0150, 0.457),
    ("hip", "knee"): (0.1447, 0.385), ("knee", "ankle"): (0.0457, 0.437),
}  # fmt: skip
HAND, FOOT = 0.0059, (0.0133, 0.421)
"""The hand is taken to be at the wrist; a foot reaches from the heel to the toes, or is at the ankle without them."""


def mass_weights(skeleton: Skeleton) -> Array:
    """Weights (joint): ``weights @ joints`` gives the centre of mass."""

    def at(name: str) -> Array:
        return skeleton.landmark_weights(name)[0].astype(np.float64)

    def between(share: float, start: Array, end: Array) -> Array:
        return (1 - share) * start + share * end

    head = between(HEAD[1], at("head"), at("thorax")) if "head" in skeleton.joints else at("head")
    total = HEAD[0] * head + TRUNK[0] * between(TRUNK[1], at("thorax"), at("pelvis"))
    for side in ("left", "right"):
        for (start, end), (mass, share) in LIMBS.items():
            total = total + mass * between(share, at(f"{side}_{start}"), at(f"{side}_{end}"))
        total = total + HAND * at(f"{side}_wrist")
        heel, toe = f"{side}_heel", toe_of(skeleton, side)
        if heel in skeleton.joints and toe is not None:
            ends = (np.eye(len(skeleton.joints))[skeleton.index(name)] for name in (heel, toe))
            total = total + FOOT[0] * between(FOOT[1], *ends)
        else:
            total = total + FOOT[0] * at(f"{side}_ankle")
    return total / total.sum()
