"""Labels: triangulated joints in each camera's axes, from pairs or from all views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_scene import cameras, people
from posepipe.pipeline.arrays import FusedPoses, Labels, Rig, Samples
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.settings import LabelSettings
from posepipe.pipeline.stages.label import label_from_fused, label_poses

PAIRS, ALL = LabelSettings(triangulation="pairs"), LabelSettings(triangulation="all")
BOTH = pytest.mark.parametrize("settings", [PAIRS, ALL], ids=["pairs", "all"])


def scene(views: int = 4, moving: bool = False, noise_px: float = 0.0) -> tuple[Samples, Rig, np.ndarray]:
    """Samples, their true rig, and true joints (S, V, J, 3) in each camera's axes."""
    world = people(12)
    rigs = [cameras(views, seed if moving else 0) for seed in range(12)]
    seen = np.stack([rig.see(pose) for rig, pose in zip(rigs, world, strict=True)])
    keypoint = np.stack([rig.project(pose) for rig, pose in zip(rigs, world, strict=True)])
    keypoint += np.random.default_rng(0).normal(0, noise_px, keypoint.shape)
    K, R, t = (np.stack([getattr(rig, name) for rig in rigs]).astype(np.float32) for name in "KRt")
    samples = Samples(
        keypoint=keypoint.astype(np.float32),
        confidence=np.full(keypoint.shape[:-1], 0.8, np.float32),
        instant=np.arange(12),
        take=np.zeros(12, np.int64),
        rig=np.full(12, -1 if moving else 0),
        K=K,
        R=R,
        t=t,
        skeleton="h36m17",
        takes=["take"],
    )
    return samples, Rig(K, R, t, np.zeros((12, views), np.float32), "given", "given"), seen


def with_confidence(samples: Samples, confidence: np.ndarray) -> Samples:
    keypoint = np.where(confidence[..., None] > 0, samples.keypoint, 0)
    return replace(samples, confidence=confidence.astype(np.float32), keypoint=keypoint.astype(np.float32))


def error(labels: Labels, seen: np.ndarray) -> np.ndarray:
    """Distances (S, V, J) of labels from the truth in m."""
    return np.linalg.norm(labels.joint - seen, axis=-1)


@BOTH
@pytest.mark.parametrize("views", [2, 3, 4])
@pytest.mark.parametrize("moving", [False, True])
def test_labels_are_the_truth(settings: LabelSettings, views: int, moving: bool) -> None:
    samples, rig, seen = scene(views, moving)
    labels = label_poses(samples, rig, settings)
    assert error(labels, seen).max() < 1e-4
    np.testing.assert_allclose(labels.confidence, 0.8, rtol=1e-6)
    assert np.nanmax(labels.residual) < 0.01


@BOTH
def test_a_joint_that_one_camera_sees_has_no_label(settings: LabelSettings) -> None:
    samples, rig, seen = scene()
    confidence = samples.confidence.copy()
    confidence[3, 1:, 5] = 0  # one camera sees it
    confidence[4, 1:, 6] = 0.2  # and here the others are unsure
    confidence[5, 0] = 0  # a missing view
    labels = label_poses(with_confidence(samples, confidence), rig, settings)
    lost = np.zeros(labels.confidence.shape, bool)
    lost[3, :, 5] = lost[4, :, 6] = True
    np.testing.assert_array_equal(labels.confidence == 0, lost)
    assert (labels.joint[lost] == 0).all()
    assert error(labels, seen)[~lost].max() < 1e-4  # in the axes of the missing view as well
    assert np.isnan(labels.residual[5, 0]).all() and np.isfinite(labels.residual[5, 1:]).all()


def test_pairs_are_neighbours() -> None:
    samples, rig, _ = scene()
    confidence = samples.confidence.copy()
    confidence[:, [1, 3], 7] = 0  # only opposite cameras see it
    samples = with_confidence(samples, confidence)
    assert (label_poses(samples, rig, PAIRS).confidence[..., 7] == 0).all()
    assert (label_poses(samples, rig, ALL).confidence[..., 7] > 0).all()


@BOTH
def test_one_wrong_view_is_outvoted(settings: LabelSettings) -> None:
    samples, rig, seen = scene(views=6, noise_px=1)
    samples.keypoint[:, 2, 13] += 150
    labels = label_poses(samples, rig, settings)
    assert np.median(error(labels, seen)[..., 13]) < 0.03
    assert np.median(labels.residual[:, 2, 13]) > 100
    assert np.median(labels.residual[:, 0, 13]) < 20


def test_points_behind_a_camera_are_no_labels() -> None:
    samples, rig, _ = scene()
    turned = rig.R[3].copy()
    turned[0] = np.diag([-1, 1, -1]) @ turned[0]  # one camera looks away, and yet sees somebody
    R, t = rig.R.copy(), rig.t.copy()
    R[3], t[3, 0] = turned, np.diag([-1, 1, -1]) @ t[3, 0]
    labels = label_poses(samples, replace(rig, R=R, t=t), ALL)
    assert (labels.confidence[3] == 0).mean() > 0.5
    assert (labels.confidence[:3] > 0).all()


@BOTH
def test_nothing_to_triangulate_is_refused(settings: LabelSettings) -> None:
    samples, rig, _ = scene()
    confidence = samples.confidence.copy()
    confidence[:, 1:] = 0.1
    with pytest.raises(PosepipeError, match="no joint could be triangulated"):
        label_poses(with_confidence(samples, confidence), rig, settings)


def fused_scene() -> tuple[FusedPoses, np.ndarray]:
    """True poses as if they had been fused, and where joints are (S, V, J, 3) in each camera's axes."""
    samples, rig, seen = scene(views=3)
    world, count = people(12), len(seen)
    centre = world[:, :1]
    fused = FusedPoses(
        joint=(world - centre).astype(np.float32),
        covariance=np.zeros((count, 17, 3, 3), np.float32),
        trusted=np.ones((count, 17), bool),
        camera_from_rig=np.array(rig.R),
        root=seen[:, :, 0].astype(np.float32),
        focal=np.full((count, 3), 1000, np.float32),
        bend=np.zeros((count, 3), np.float32),
        residual=np.zeros((count, 3, 17), np.float32),
        take=samples.take,
        instant=samples.instant,
        skeleton="h36m17",
        unit="body heights",
        takes=["take"],
        cameras="nothing",
    )
    return fused, seen


def test_fused_poses_become_labels_in_every_camera() -> None:
    fused, seen = fused_scene()
    labels = label_from_fused(fused)
    np.testing.assert_allclose(labels.joint, seen, atol=1e-5)
    np.testing.assert_array_equal(labels.confidence, 1)


def test_fused_joints_count_as_far_as_they_are_trusted() -> None:
    fused, _ = fused_scene()
    fused.trusted[2, 5] = False
    fused.covariance[3, 7] = np.diag([0.03, 0.04, 0.0]) ** 2  # a deviation of 0.05
    fused.camera_from_rig[4:, 1], fused.root[4:, 1] = np.nan, np.nan
    labels = label_from_fused(fused)
    assert (labels.confidence[2, :, 5] == 0).all()
    np.testing.assert_allclose(labels.confidence[3, :, 7], 0.5, rtol=1e-5)
    assert (labels.confidence[4:, 1] == 0).all() and (labels.joint[4:, 1] == 0).all()
    assert np.isfinite(labels.joint).all()


def test_joints_count_from_the_least_confidence_on() -> None:
    samples, rig, _ = scene()
    half = with_confidence(samples, np.full_like(samples.confidence, 0.5))
    found = label_poses(half, rig, LabelSettings(triangulation="pairs", min_confidence=0.5))
    assert (found.confidence > 0).all()
