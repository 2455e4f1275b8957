"""Skeletons name their joints consistently and map to H36M-17 by the documented combinations."""

import numpy as np
import pytest
from posepipe.models.skeleton import (
    BLAZEPOSE33,
    COCO17,
    H36M17,
    HALPE26,
    LANDMARKS,
    MPII16,
    SKELETONS,
    Skeleton,
    mapping_to_h36m17,
)

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


@every_skeleton
def test_landmark_weights_are_means(skeleton: Skeleton) -> None:
    weights = skeleton.landmark_weights(*LANDMARKS)
    assert weights.shape == (len(LANDMARKS), len(skeleton.joints))
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)


@every_skeleton
def test_mirror_swaps_sides_twice_to_nothing(skeleton: Skeleton) -> None:
    mirror = skeleton.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(skeleton.joints)))
    assert mirror[skeleton.index("left_knee")] == skeleton.index("right_knee")


@every_skeleton
def test_bones_connect_all_limbs(skeleton: Skeleton) -> None:
    bones = {frozenset(bone) for bone in skeleton.bones}
    assert {frozenset(("left_hip", "left_knee")), frozenset(("right_elbow", "right_wrist"))} <= bones
    assert skeleton.bone_indices.shape == (len(skeleton.bones), 2)


def test_pelvis_of_coco_is_the_middle_of_the_hips() -> None:
    assert COCO17.landmark("pelvis") == (COCO17.index("left_hip"), COCO17.index("right_hip"))
    assert H36M17.landmark("pelvis") == (0,)


@pytest.mark.parametrize(
    ("joints", "bones", "message"),
    [
        (("nose", "nose"), (), "names a joint twice"),
        (("nose",), (("nose", "tail"),), "has no joint 'tail'"),
        (("nose",), (), "landmark 'pelvis'"),
    ],
)
def test_inconsistent_skeletons_are_refused(joints: tuple, bones: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Skeleton("broken", joints, bones)


def test_mapping_to_itself_changes_nothing() -> None:
    keypoint, confidence = _detection(H36M17)
    mapped, trusted = mapping_to_h36m17(H36M17).apply(keypoint, confidence)
    np.testing.assert_array_equal(mapped, keypoint)
    np.testing.assert_array_equal(trusted, confidence)


@pytest.mark.parametrize("source", [COCO17, BLAZEPOSE33], ids=lambda skeleton: skeleton.name)
def test_joints_built_from_ears_hips_and_shoulders(source: Skeleton) -> None:
    keypoint, confidence = _detection(source)
    mapped, trusted = mapping_to_h36m17(source).apply(keypoint, confidence)
    at = dict(zip(source.joints, keypoint[0], strict=True))
    sure = dict(zip(source.joints, confidence[0], strict=True))
    hips = (at["left_hip"] + at["right_hip"]) / 2
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    ears = (at["left_ear"] + at["right_ear"]) / 2
    expected = {
        "pelvis": hips,
        "thorax": shoulders,
        "spine": (hips + shoulders) / 2,
        "head": ears + (ears - shoulders) / 2,
        "nose": at["nose"],
        "left_wrist": at["left_wrist"],
    }
    for joint, value in expected.items():
        np.testing.assert_allclose(mapped[0, H36M17.index(joint)], value, rtol=1e-5, err_msg=joint)
    assert trusted[0, H36M17.index("pelvis")] == min(sure["left_hip"], sure["right_hip"])
    weakest = min(sure[f"{side}_{part}"] for side in ("left", "right") for part in ("ear", "shoulder"))
    assert trusted[0, H36M17.index("head")] == pytest.approx(weakest / 2)


@pytest.mark.parametrize("source", [HALPE26, MPII16], ids=lambda skeleton: skeleton.name)
def test_skeletons_with_a_pelvis_keep_it(source: Skeleton) -> None:
    keypoint, confidence = _detection(source)
    mapped, _ = mapping_to_h36m17(source).apply(keypoint, confidence)
    pelvis = keypoint[:, source.landmark("pelvis")[0]]
    thorax = keypoint[:, source.landmark("thorax")[0]]
    np.testing.assert_array_equal(mapped[:, H36M17.index("pelvis")], pelvis)
    np.testing.assert_allclose(mapped[:, H36M17.index("spine")], (pelvis + thorax) / 2, rtol=1e-6)


def test_a_missing_parent_makes_exactly_its_children_missing() -> None:
    keypoint, confidence = _detection(COCO17)
    keypoint[:, COCO17.index("left_hip")] = np.nan
    mapped, trusted = mapping_to_h36m17(COCO17).apply(keypoint, confidence)
    lost = {joint for joint, value in zip(H36M17.joints, mapped[0], strict=True) if np.isnan(value).any()}
    assert lost == {"pelvis", "spine", "left_hip"}
    np.testing.assert_array_equal(trusted == 0, np.isnan(mapped).any(-1))


def test_an_unknown_skeleton_has_no_mapping() -> None:
    stranger = Skeleton("stranger", H36M17.joints, H36M17.bones)
    with pytest.raises(ValueError, match="no mapping from skeleton 'stranger'"):
        mapping_to_h36m17(stranger)


def _detection(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Random keypoints (2, joint, 2) px and confidences (2, joint)."""
    rng = np.random.default_rng(0)
    joints = len(skeleton.joints)
    return rng.uniform(0, 1000, (2, joints, 2)).astype("f4"), rng.uniform(0.1, 1, (2, joints)).astype("f4")
