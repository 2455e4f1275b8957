"""2D poses in sizes of the person, and what of them no body explains."""

from __future__ import annotations

import numpy as np
from known_scene import cameras, people, weak_perspective
from posepipe.models.geometry.weak_perspective import pose_in_sizes, rank_residual
from posepipe.models.skeleton import COCO17, H36M17


def test_a_size_is_the_root_mean_square_distance_from_the_root() -> None:
    keypoint = np.random.default_rng(0).normal(200, 50, (3, 17, 2))
    keypoint[1, 5:9] = np.nan
    keypoint[2, H36M17.index("pelvis")] = np.nan
    pose, seen = pose_in_sizes(keypoint, H36M17)
    for number, missing in ((0, []), (1, [5, 6, 7, 8])):
        there = np.setdiff1d(np.arange(17), missing)
        centred = keypoint[number] - keypoint[number, H36M17.index("pelvis")]
        size = np.sqrt((centred[there] ** 2).sum() / len(there))
        np.testing.assert_allclose(pose[number, there], centred[there] / size)
        assert not pose[number, missing].any()
        assert np.flatnonzero(~seen[number]).tolist() == missing
    assert not seen[2].any() and not pose[2].any()
    root = keypoint[0, [COCO17.index("left_hip"), COCO17.index("right_hip")]].mean(0)
    coco, _ = pose_in_sizes(keypoint[0], COCO17)
    np.testing.assert_allclose(coco * np.sqrt(((keypoint[0] - root) ** 2).sum() / 17), keypoint[0] - root)
    point, _ = pose_in_sizes(np.full((17, 2), 7.0), H36M17)
    assert not point.any()
    tiny, _ = pose_in_sizes(1e-9 * keypoint[0], H36M17)
    np.testing.assert_allclose(tiny, 1e-9 * (keypoint[0] - keypoint[0, 0]) / 1e-6, rtol=1e-5)


def test_the_residual_of_joints_is_their_distance_from_the_first_three_singular_vectors() -> None:
    pose = weak_perspective(people(6), cameras(3)) + np.random.default_rng(0).normal(0, 5, (6, 3, 17, 2))
    pose -= pose[:, :, :1]
    seen = np.ones(pose.shape[:3], bool)
    seen[1, 2, 4:6] = seen[2, 1] = False
    pose[~seen] = 0
    found = rank_residual(pose, seen)
    assert found.shape == (6, 17)
    for instant in range(6):
        views = [view for view in range(3) if seen[instant, view].any()]
        joints = [joint for joint in range(17) if seen[instant, views, joint].all()]
        matrix = pose[instant][views][:, joints].transpose(0, 2, 1).reshape(2 * len(views), len(joints))
        U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
        rest = matrix - U[:, :3] @ np.diag(s[:3]) @ Vt[:3]
        np.testing.assert_allclose(found[instant, joints], np.linalg.norm(rest, axis=0), atol=1e-9)
        assert not np.delete(found[instant], joints).any()
