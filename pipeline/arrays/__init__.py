"""Hand-overs: what one stage gives to the next, as frozen dataclasses of checked arrays.

Conventions: image axes x right, y down; camera axes x right, y down, z forward; seconds, pixels, metres.
A missing keypoint is NaN with confidence 0.
"""

from .clip import POSES_ONLY, Crops, Detections, Frames, Identities, LabelledPictures, Parts, Track
from .hand_over import Dims, HandOver, Pieces, array_fields, durable, resting
from .poses import FusedPoses, KnownPoses, Pose3D, ViewPoses
from .takes import Athletes, Exchanges, Followed, Labels, Rig, Samples, Swaps, Timeline, TruePoses
from .world import WorldPoses

__all__ = [
    "POSES_ONLY",
    "Athletes", "Crops", "Detections", "Dims", "Exchanges", "Followed", "Frames", "FusedPoses", "HandOver",
    "Identities", "KnownPoses", "LabelledPictures", "Labels", "Parts", "Pieces", "Pose3D", "Rig", "Samples", "Swaps",
    "Timeline", "Track", "TruePoses", "ViewPoses", "WorldPoses", "array_fields", "durable", "resting",
]  # fmt: skip
