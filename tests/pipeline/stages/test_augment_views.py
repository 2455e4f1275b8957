"""Turned footage: the same people, filmed from sides where no camera stood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from known_samples import samples_of_two_takes
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import FusedPoses, Samples
from posepipe.pipeline.stages.augment_views import LARGEST_PITCH_DEG, PLAIN_COPIES, augment_samples, rotate_cameras
from posepipe.pipeline.stages.label import label_from_fused

TAKES, INSTANTS, VIEWS, COPIES, FOCAL = 2, 6, 3, 4, 900.0
COUNT = TAKES * INSTANTS
CENTRE = np.array([320.0, 240.0])


def scene() -> tuple[Samples, FusedPoses, np.ndarray]:
    """Samples with detection errors, the poses that were seen, and those errors (S, V, J, 2) px."""
    rig, world = cameras(VIEWS), people(COUNT)
    root = world[:, :1]
    place = np.einsum("vab,tb->tva", rig.R, root[:, 0]) + rig.t
    joint = world - root
    seen = np.einsum("vab,tjb->tvja", rig.R, joint) + place[:, :, None]
    error = np.random.default_rng(0).normal(scale=3, size=(COUNT, VIEWS, 17, 2))
    confidence = np.full((COUNT, VIEWS, 17), 0.9, np.float32)
    confidence[2, 1] = 0
    keypoint = CENTRE + FOCAL * seen[..., :2] / seen[..., 2:] + error
    time = np.tile(np.arange(INSTANTS) / 50, TAKES)
    samples = samples_of_two_takes(np.where(confidence[..., None] > 0, keypoint, 0), confidence, time=time)
    fused = FusedPoses(
        joint=joint.astype(np.float32),
        covariance=np.zeros((COUNT, 17, 3, 3), np.float32),
        trusted=np.ones((COUNT, 17), bool),
        camera_from_rig=np.tile(rig.R, (COUNT, 1, 1, 1)).astype(np.float32),
        root=place.astype(np.float32),
        focal=np.full((COUNT, VIEWS), FOCAL, np.float32),
        bend=np.zeros((COUNT, VIEWS), np.float32),
        residual=np.linalg.norm(error, axis=-1).astype(np.float32),
        take=samples.take,
        instant=samples.instant,
        skeleton=H36M17.name,
        unit="body heights",
        takes=samples.takes,
        cameras="nothing",
    )
    return samples, fused, error


def test_rotated_cameras_show_images_of_their_labels_with_the_errors_of_the_real_ones() -> None:
    samples, fused, error = scene()
    rotated = rotate_cameras(fused, COPIES, 0)
    training_set, labels = augment_samples(samples, rotated), label_from_fused(rotated)
    assert training_set.keypoint.shape == (COUNT * (1 + COPIES), VIEWS, 17, 2) == (*labels.joint.shape[:-1], 2)
    np.testing.assert_array_equal(training_set.keypoint[:COUNT], samples.keypoint)
    image = CENTRE + FOCAL * labels.joint[..., :2] / labels.joint[..., 2:]
    expected = image + np.concatenate([error] * (1 + COPIES))
    shown = training_set.confidence > 0
    np.testing.assert_array_equal(shown, np.concatenate([samples.confidence > 0] * (1 + COPIES)))
    np.testing.assert_allclose(training_set.keypoint[shown], expected[shown], atol=2e-2)
    assert (training_set.keypoint[~shown] == 0).all()


def test_people_are_the_same_from_another_side() -> None:
    _, fused, _ = scene()
    rotated = rotate_cameras(fused, COPIES, 0)
    R = rotated.camera_from_rig
    np.testing.assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-5)
    assert (np.linalg.det(R) > 0).all(), "no mirror images"
    up = fused.joint[:INSTANTS, H36M17.joints.index("thorax")]
    up = (up / np.linalg.norm(up, axis=-1, keepdims=True)).mean(0)
    seen = R @ (up / np.linalg.norm(up))
    of_first = rotated.take % TAKES == 0
    tilt = np.degrees(np.arccos((seen * np.concatenate([seen[:COUNT]] * (1 + COPIES))).sum(-1).clip(-1, 1)))
    assert tilt[of_first].max() < LARGEST_PITCH_DEG + 0.1, "upright people stay upright"
    moved = np.linalg.norm(R[COUNT:] - np.concatenate([R[:COUNT]] * COPIES), axis=(-1, -2))
    assert np.median(moved) > 1


def test_the_last_copies_show_other_movements_as_sure_as_they_were() -> None:
    _, fused, _ = scene()
    sure = np.arange(COUNT * 17, dtype=np.float32).reshape(COUNT, 17)
    fused = replace(fused, covariance=np.eye(3, dtype=np.float32) * sure[..., None, None])
    rotated = rotate_cameras(fused, PLAIN_COPIES + 2, 0)
    joint, sure = (array.reshape(-1, COUNT, *array.shape[1:]) for array in (rotated.joint, rotated.covariance))
    assert (joint[: 1 + PLAIN_COPIES] == fused.joint).all()
    for other, known in zip(joint[1 + PLAIN_COPIES :], sure[1 + PLAIN_COPIES :], strict=True):
        moved = (other != fused.joint).any(-1)
        assert 0 < moved.any(0).sum() <= 4, "a limb of each take"
        assert (known[moved] != fused.covariance[moved]).any() and (known[~moved] == fused.covariance[~moved]).all()
        for take in range(TAKES):
            here = slice(take * INSTANTS, (take + 1) * INSTANTS)
            assert set(known[here].ravel()) <= set(np.asarray(fused.covariance)[here].ravel()), "of the same take"


def test_copies_are_takes_of_their_own_and_the_seed_decides() -> None:
    samples, fused, _ = scene()
    rotated = rotate_cameras(fused, COPIES, 0)
    training_set = augment_samples(samples, rotated)
    assert len(training_set.takes) == len(set(training_set.takes)) == TAKES * (1 + COPIES)
    assert len(np.unique(training_set.take)) == len(training_set.takes)
    assert training_set.time is not None and len(training_set.time) == len(training_set.take)
    for take in np.unique(training_set.take):
        still = rotated.camera_from_rig[rotated.take == take]
        np.testing.assert_allclose(still, np.broadcast_to(still[0], still.shape), atol=1e-6)
    np.testing.assert_array_equal(rotated.camera_from_rig, rotate_cameras(fused, COPIES, 0).camera_from_rig)
    assert (rotated.camera_from_rig != rotate_cameras(fused, COPIES, 1).camera_from_rig).any()


def test_views_that_a_take_does_not_have_stay_missing() -> None:
    samples, fused, _ = scene()
    there = np.ones(fused.root.shape[:2], bool)
    there[:INSTANTS, 2] = False
    gone = {
        "camera_from_rig": np.where(there[..., None, None], fused.camera_from_rig, np.nan),
        "root": np.where(there[..., None], fused.root, np.nan),
        "focal": np.where(there, fused.focal, np.nan),
        "residual": np.where(there[..., None], fused.residual, np.nan),
    }
    samples = replace(
        samples, confidence=samples.confidence * there[..., None], keypoint=samples.keypoint * there[..., None, None]
    )
    rotated = rotate_cameras(replace(fused, **gone), 2, 0)
    training_set, labels = augment_samples(samples, rotated), label_from_fused(rotated)
    assert np.isfinite(training_set.keypoint).all() and np.isfinite(labels.joint).all()
    missing = np.concatenate([~there] * 3)
    assert (training_set.confidence[missing] == 0).all() and (labels.confidence[missing] == 0).all()


def test_copies_have_the_times_and_frames_of_what_was_filmed() -> None:
    samples, fused, _ = scene()
    time, frame = np.arange(COUNT) / 8, np.arange(COUNT * VIEWS, dtype=np.int32).reshape(COUNT, VIEWS)
    training_set = augment_samples(replace(samples, time=time, frame=frame), rotate_cameras(fused, COPIES, 0))
    np.testing.assert_array_equal(training_set.time, np.tile(time, 1 + COPIES))
    np.testing.assert_array_equal(training_set.frame, np.tile(frame, (1 + COPIES, 1)))
