"""Wide lenses are found from the athlete alone where they bend, and straight ones stay straight."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from footage import RATE, athlete
from known_scene import Array, cameras
from posepipe.models.body.body import body_size
from posepipe.models.geometry.geometry import procrustes
from posepipe.models.multiview.find import Found, Seen, find_athlete
from posepipe.models.multiview.lenses import WIDE
from posepipe.models.skeleton import H36M17
from torch import from_numpy

FOCAL = 0.4775
"""Of an equidistant lens that sees 120 degrees along the longer side, in longer sides."""
COUNT = 96


def walk() -> Array:
    """A person (T, 17, 3) who walks through most of the pictures."""
    time = np.arange(COUNT) / RATE
    way = np.stack([1.6 * np.sin(1.1 * time), 1.4 * np.cos(0.9 * time), 0.2 * np.sin(time)], -1)
    return athlete(time) + way[:, None]


def film(joint: Array, wide: bool) -> Array:
    """Images (T, V, J, 2) in longer sides from the middle."""
    rig = cameras(4, distance_m=3.2)
    seen = rig.see(joint)
    flat = (seen[..., :2] / seen[..., 2:]).reshape(1, -1, 2)
    if not wide:
        return (FOCAL * flat).reshape(*seen.shape[:-1], 2)
    K = np.diag([FOCAL, FOCAL, 1.0])
    return cv2.fisheye.distortPoints(flat, K, np.zeros(4)).reshape(*seen.shape[:-1], 2)


def find(keypoint: Array, joint: Array, usual: Array | None = None) -> Found:
    """What is found from noisy images, starting from somewhat wrong poses of each view."""
    rng, rig = np.random.default_rng(0), cameras(4, distance_m=3.2)
    lifted = np.einsum("vab,tjb->tvja", rig.R, joint - joint[:, :1]) / 1.7
    noisy = keypoint + rng.normal(0, 0.002, keypoint.shape)
    return find_athlete(
        Seen(
            keypoint=noisy,
            confidence=np.full(keypoint.shape[:3], 0.9),
            lifted=lifted + rng.normal(0, 0.02, lifted.shape),
            regular=np.ones(COUNT - 2, bool),
            moving=False,
            picture=1.0,
            step_s=1 / RATE,
            usual_bend=usual,
        ),
        H36M17,
    )


def off_mm(found: Found, joint: Array) -> float:
    """Mean distance of the whole scene from the true one after one similarity."""
    made, true = from_numpy(found.scene.joint.reshape(1, -1, 3)), from_numpy(joint.reshape(1, -1, 3))
    return float((procrustes(made, true).apply(made) - true).norm(dim=-1).mean()) * 1000


@pytest.mark.parametrize("usual", [None, np.full(4, WIDE)], ids=["nothing said", "wide"])
def test_a_lens_of_120_degrees_is_found(usual: Array | None) -> None:
    joint = walk()
    found = find(film(joint, wide=True), joint, usual)
    assert found.scene.cameras.bend == pytest.approx(-0.36 / FOCAL**2, rel=0.15)
    assert off_mm(found, joint) < 40


def test_a_straight_lens_stays_straight() -> None:
    joint = walk()
    found = find(film(joint, wide=False), joint)
    np.testing.assert_array_equal(found.scene.cameras.bend, 0)
    assert np.median(body_size(found.scene.joint, H36M17)) == pytest.approx(1)
