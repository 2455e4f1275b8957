"""What cannot be true of a body or a camera is said, whatever the cause; what can be is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from footage import RATE, athlete
from known_scene import cameras
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses
from posepipe.pipeline.pages.fit_verdict import Evidence, judge
from posepipe.pipeline.pages.plausibility import impossible

RIG, JOINT = cameras(2), athlete(np.arange(20) / RATE)
CAMERAS = [("left", (1000, 800)), ("right", (800, 1000))]
ROOT = RIG.see(JOINT)[:, :, 0]
SEEN = np.linalg.norm(np.ptp(RIG.project(JOINT), axis=2), axis=-1)


def fused(scale: float = 1.0, off: float = 0.01, focal: float = 1200.0, unit: str = "m") -> FusedPoses:
    """Skeletons of a size, whose detections in the second camera are off by a share of the person's size."""
    relative = np.einsum("ab,tjb->tja", RIG.R[0], JOINT - JOINT[:, :1])
    between = np.broadcast_to(RIG.R @ RIG.R[0].T, (20, 2, 3, 3))
    share = np.stack([np.full(20, 0.01), np.full(20, off)], 1)
    return FusedPoses(
        joint=(scale * relative).astype(np.float32),
        covariance=np.zeros((20, 17, 3, 3), np.float32),
        trusted=np.ones((20, 17), bool),
        camera_from_rig=between.astype(np.float32),
        root=(scale * ROOT).astype(np.float32),
        focal=np.full((20, 2), focal, np.float32),
        bend=np.zeros((20, 2), np.float32),
        residual=np.repeat((share * SEEN)[..., None], 17, 2).astype(np.float32),
        take=np.zeros(20, int),
        instant=np.arange(20),
        skeleton=H36M17.name,
        unit=unit,
        takes=["only"],
        cameras="all" if unit == "m" else "nothing",
    )


def test_a_person_is_possible() -> None:
    assert list(impossible(fused(), 0, CAMERAS)) == []
    assert list(impossible(fused(40.0, unit="body heights"), 0, CAMERAS)) == []
    assert list(impossible(fused(), 1, CAMERAS)) == [], "a take of which nothing is known"


@pytest.mark.parametrize(("scale", "said"), [(1000.0, "would be 1,6"), (0.1, "would be 0.17"), (3, "m tall")])
def test_nobody_is_so_tall(scale: float, said: str) -> None:
    (sentence,) = impossible(fused(scale), 0, CAMERAS)
    assert said in sentence
    assert "calibration" in sentence


def test_limbs_are_in_proportion() -> None:
    odd = fused()
    knee, hip = H36M17.index("left_knee"), H36M17.index("left_hip")
    odd.joint[:, knee] = odd.joint[:, hip] + (odd.joint[:, knee] - odd.joint[:, hip]) * 0.35
    (sentence,) = impossible(odd, 0, CAMERAS)
    assert sentence.startswith("left hip and left knee would be 0.1")


@pytest.mark.parametrize(("unit", "advice"), [("m", "calibration"), ("body heights", "same person")])
def test_residuals_beyond_reason_name_the_camera(unit: str, advice: str) -> None:
    (sentence,) = impossible(fused(off=0.12, unit=unit), 0, CAMERAS)
    assert sentence.startswith("camera right sees joints 12% of the person's size off")
    assert advice in sentence


def test_a_focal_length_without_end_is_none() -> None:
    said = list(impossible(fused(focal=1e12), 0, CAMERAS))
    assert len(said) == 2
    assert all("would be 1e+12 px" in sentence for sentence in said)


def test_what_cannot_be_turns_the_verdict_red_and_given_places_make_two_cameras_enough() -> None:
    good = Evidence("clear", [0.01, 0.01], 1.0, 0.9, 400, 2, 60, ["ok"], None, False, placed=True)
    assert judge(good).word == "green"
    assert judge(replace(good, placed=False)).word == "doubtful"
    verdict = judge(replace(good, impossible=["take a: the person would be 12 m tall"]))
    assert verdict.word == "red"
    assert "Take a: the person would be 12 m tall." in verdict.reasons
