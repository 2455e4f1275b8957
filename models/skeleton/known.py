"""The skeletons of detectors, of data sets and of results."""

from __future__ import annotations

from .skeleton import Skeleton

H36M17 = Skeleton(
    "h36m17",
    (
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
        "spine", "thorax", "nose", "head",
        "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ),
    (
        ("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("pelvis", "spine"), ("spine", "thorax"), ("thorax", "nose"), ("nose", "head"),
        ("thorax", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("thorax", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ),
)  # fmt: skip

_FOOT_BONES = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("ankle", "heel"), ("ankle", "big_toe"), ("heel", "big_toe"))
)

FEET = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")

H36M17_FEET = Skeleton("h36m17+feet", H36M17.joints + FEET, H36M17.bones + _FOOT_BONES, without_feet=H36M17)
"""Human3.6M-17 with heels and big toes, NaN where a detector has none."""

_ARMS_AND_LEGS = (
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip
_TRUNK = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
          ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))  # fmt: skip
_MIDPOINTS = (("pelvis", ("left_hip", "right_hip")), ("thorax", ("left_shoulder", "right_shoulder")))
_COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_COCO_FACE = (("nose", "left_eye"), ("left_eye", "left_ear"), ("nose", "right_eye"), ("right_eye", "right_ear"))

_FEET_OF_DETECTORS = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("ankle", "heel"), ("ankle", "big_toe"), ("big_toe", "small_toe"))
)

COCO17 = Skeleton(
    "coco17", _COCO_JOINTS, _ARMS_AND_LEGS + _TRUNK + _COCO_FACE, (*_MIDPOINTS, ("head", ("left_ear", "right_ear")))
)

COCO23 = Skeleton(
    "coco23",
    (
        *_COCO_JOINTS, "left_big_toe", "left_small_toe", "left_heel",
        "right_big_toe", "right_small_toe", "right_heel",
    ),
    COCO17.bones + _FEET_OF_DETECTORS,
    COCO17.stand_ins,
)  # fmt: skip
"""Body and feet of COCO-WholeBody."""

HALPE26 = Skeleton(
    "halpe26",
    (
        *_COCO_JOINTS, "head", "neck", "hip", "left_big_toe", "right_big_toe",
        "left_small_toe", "right_small_toe", "left_heel", "right_heel",
    ),
    (
        *_ARMS_AND_LEGS, *_COCO_FACE, ("hip", "neck"), ("neck", "head"), ("neck", "left_shoulder"),
        ("neck", "right_shoulder"), ("hip", "left_hip"), ("hip", "right_hip"),
        ("left_ankle", "left_heel"), ("left_ankle", "left_big_toe"), ("left_ankle", "left_small_toe"),
        ("right_ankle", "right_heel"), ("right_ankle", "right_big_toe"), ("right_ankle", "right_small_toe"),
    ),
    (("pelvis", ("hip",)), ("thorax", ("neck",))),
)  # fmt: skip

BLAZEPOSE33 = Skeleton(
    "blazepose33",
    (
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
        "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky",
        "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
        "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel",
        "left_foot_index", "right_foot_index",
    ),
    (
        *_ARMS_AND_LEGS, *_TRUNK, *_COCO_FACE, ("left_mouth", "right_mouth"),
        ("left_wrist", "left_pinky"), ("left_wrist", "left_index"), ("left_wrist", "left_thumb"),
        ("right_wrist", "right_pinky"), ("right_wrist", "right_index"), ("right_wrist", "right_thumb"),
        ("left_ankle", "left_heel"), ("left_heel", "left_foot_index"), ("left_ankle", "left_foot_index"),
        ("right_ankle", "right_heel"), ("right_heel", "right_foot_index"), ("right_ankle", "right_foot_index"),
    ),
    (*_MIDPOINTS, ("head", ("left_ear", "right_ear"))),
)  # fmt: skip

MPII16 = Skeleton(
    "mpii16",
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "neck", "head", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ),
    (
        *_ARMS_AND_LEGS, ("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "thorax"), ("thorax", "neck"),
        ("neck", "head"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder"),
    ),
    (("nose", ("neck",)),),
)  # fmt: skip

_OPENPOSE_ARMS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_OPENPOSE_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_OPENPOSE_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_OPENPOSE_BONES = (
    *_ARMS_AND_LEGS, *_COCO_FACE, ("neck", "nose"), ("neck", "left_shoulder"), ("neck", "right_shoulder"),
)  # fmt: skip

BODY25 = Skeleton(
    "body25",
    (
        *_OPENPOSE_ARMS, "mid_hip", *_OPENPOSE_LEGS, *_OPENPOSE_FACE,
        "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    ),
    (*_OPENPOSE_BONES, ("neck", "mid_hip"), ("mid_hip", "left_hip"), ("mid_hip", "right_hip"), *_FEET_OF_DETECTORS),
    (("pelvis", ("mid_hip",)), ("thorax", ("neck",)), ("head", ("left_ear", "right_ear"))),
)  # fmt: skip

BODY25B = Skeleton(
    "body25b",
    (
        *_COCO_JOINTS, "neck", "head", "left_big_toe", "left_small_toe", "left_heel",
        "right_big_toe", "right_small_toe", "right_heel",
    ),
    (
        *_ARMS_AND_LEGS, *_TRUNK, *_COCO_FACE, ("neck", "left_shoulder"), ("neck", "right_shoulder"),
        ("neck", "head"), *_FEET_OF_DETECTORS,
    ),
    _MIDPOINTS,
)  # fmt: skip
"""OpenPose's, whose neck is the upper end of the neck, and whose head is the top of the head."""

OPENPOSE18 = Skeleton(
    "openpose18",
    (*_OPENPOSE_ARMS, *_OPENPOSE_LEGS, *_OPENPOSE_FACE),
    (*_OPENPOSE_BONES, ("neck", "left_hip"), ("neck", "right_hip")),
    (("pelvis", ("left_hip", "right_hip")), ("thorax", ("neck",)), ("head", ("left_ear", "right_ear"))),
)

SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        H36M17, H36M17_FEET, COCO17, COCO23, HALPE26, BLAZEPOSE33, MPII16, BODY25, BODY25B, OPENPOSE18,
    )
}  # fmt: skip
