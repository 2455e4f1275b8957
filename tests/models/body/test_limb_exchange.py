"""Movements made of those that were seen: the same limbs, each from a moment of its own."""

from __future__ import annotations

import numpy as np
import pytest
from known_scene import people
from posepipe.models.body.limb_exchange import exchange_a_limb, limb_joints
from posepipe.models.skeleton import SKELETONS, Skeleton

H36M17 = SKELETONS["h36m17"]
EVERY = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))


def lengths(joint: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(joint[:, H36M17.bone_indices], axis=2)[:, :, 0], axis=-1)


def bend(joint: np.ndarray, limb: list[int]) -> np.ndarray:
    """Cosines of the angles between the two bones of three joints."""
    a, b, c = (joint[:, index] for index in limb)
    return ((a - b) * (c - b)).sum(-1) / np.linalg.norm(a - b, axis=-1) / np.linalg.norm(c - b, axis=-1)


@EVERY
def test_a_limb_is_all_that_hangs_on_it(skeleton: Skeleton) -> None:
    for start, first, last in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        limb = [skeleton.joints[joint] for joint in limb_joints(skeleton, "left", start)]
        assert limb[0] == f"left_{first}" and f"left_{last}" in limb and len(limb) == len(set(limb))
        assert all(joint.startswith("left_") for joint in limb)
    toes = [joint for joint in skeleton.joints if joint.startswith("left_") and ("toe" in joint or "heel" in joint)]
    assert set(toes) <= {skeleton.joints[joint] for joint in limb_joints(skeleton, "left", "hip")}


@pytest.mark.parametrize("seed", range(5))
def test_a_limb_comes_from_the_moment_that_is_told(seed: int) -> None:
    joint = people(40).astype(np.float64)
    made, moment = exchange_a_limb(joint, H36M17, np.random.default_rng(seed))
    exchanged = np.flatnonzero((moment != np.arange(40)[:, None]).any(0))
    names = [H36M17.joints[index] for index in exchanged]
    assert len(names) == 2 and len({name.split("_")[0] for name in names}) == 1
    first = exchanged[0] - 1
    assert sorted(moment[:, exchanged[0]]) == list(range(40)), "each moment serves once"
    limb, when = [first, *exchanged], moment[:, exchanged[0]]
    np.testing.assert_allclose(bend(made, limb), bend(joint, limb)[when], atol=1e-6)
    np.testing.assert_array_equal(np.delete(made, exchanged, 1), np.delete(joint, exchanged, 1))


def test_the_body_stays_the_same() -> None:
    joint = people(40) + 0.1 * np.random.default_rng(0).normal(size=(40, 17, 3))  # of other lengths at each moment
    made, moment = exchange_a_limb(joint, H36M17, np.random.default_rng(0))
    outer = moment[:, H36M17.bone_indices[:, 1]]  # every bone's end is farther out than its start
    np.testing.assert_allclose(lengths(made), np.take_along_axis(lengths(joint), outer, 0), rtol=1e-9)


def test_nobody_is_mirrored_and_a_turned_person_makes_turned_bodies() -> None:
    joint = people(40).astype(np.float64)
    R = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    R *= np.linalg.det(R)
    made, _ = exchange_a_limb(joint, H36M17, np.random.default_rng(0))
    turned, _ = exchange_a_limb(joint @ R.T, H36M17, np.random.default_rng(0))
    np.testing.assert_allclose(turned, made @ R.T, atol=1e-6)
