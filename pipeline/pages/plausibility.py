"""What cannot be true of the skeleton of all views and its cameras, whatever the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...models.body.body import body_size, limb_lengths
from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses

STATURE_M = 0.5, 2.5
"""Between these people are tall."""
BUILD = 1.7
"""Times longer or shorter than usual beside the rest of the body no limb is."""
LIMBS = "knee", "ankle", "elbow", "wrist"
"""Joints at the ends of bones whose lengths every detector gives alike."""
OFF = 0.05
"""Median distance of a camera's detections from the skeleton, in sizes of the person in the picture: three times what
calibrated cameras and common detectors have."""
LONGEST_FOCAL = 50.0
"""Focal length in longer sides of the picture: an angle of view of one degree."""


def impossible(fused: FusedPoses, take: int, cameras: Sequence[tuple[str, Sequence[float]]]) -> Iterator[str]:
    """A sentence for everything that cannot be true of an athlete.

    Args:
        take: number of the athlete's take among those of the poses.
        cameras: names, and width and height (px) of the pictures.
    """
    here = np.asarray(fused.take) == take
    yield from _body(fused, here)
    advice = (
        "check its calibration, and that it filmed the same moments"
        if fused.cameras == "all"
        else "check that it filmed the same person at the same moments"
    )
    for view, (name, size) in enumerate(cameras):
        off, focal = _off(fused, here, view), np.asarray(fused.focal)[here, view]
        if off > OFF:
            yield f"camera {name} sees joints {off:.0%} of the person's size off the skeleton of all views: {advice}"
        if (focal > LONGEST_FOCAL * max(size)).any():
            yield (
                f"the focal length of camera {name} would be {focal[np.isfinite(focal)].max():.2g} px: its distance "
                "from the person is unknown, so film from nearer by, or give a calibration"
            )


def _body(fused: FusedPoses, here: np.ndarray) -> Iterator[str]:
    """What no body has: its stature, and the first of its limbs that is out of proportion."""
    skeleton, joint = SKELETONS[fused.skeleton], np.asarray(fused.joint)[here].astype(float)
    if not len(joint):
        return
    stature = float(np.median(body_size(joint, skeleton)))
    low, high = STATURE_M
    if fused.unit == "m" and not low <= stature <= high:
        yield f"the person would be {stature:,.2f} m tall: check the calibration's unit and size of pictures"
    bones, usual = limb_lengths(skeleton)
    length = np.median(np.linalg.norm(joint[:, bones[:, 0]] - joint[:, bones[:, 1]], axis=-1), 0)
    build = length / usual / np.median(length / usual)
    for (start, end), one, each in zip(bones.tolist(), length, build, strict=True):
        ends = skeleton.joints[start], skeleton.joints[end]
        if not 1 / BUILD < each < BUILD and any(joint.endswith(LIMBS) for joint in ends):
            yield (
                f"{ends[0].replace('_', ' ')} and {ends[1].replace('_', ' ')} would be {one / stature:.2f} statures "
                "apart, which no body has: check the calibration and the synchronisation"
            )
            return


def _off(fused: FusedPoses, here: np.ndarray, view: int) -> float:
    """Median distance of a view's detections from the skeleton, in sizes of the person there; NaN of none."""
    joint = np.einsum("sab,sjb->sja", fused.camera_from_rig[here, view], fused.joint[here])
    joint = joint + np.asarray(fused.root)[here, view][:, None]
    image = fused.focal[here, view, None, None] * joint[..., :2] / joint[..., 2:]
    size = np.linalg.norm(np.ptp(image, axis=1), axis=-1)
    share = np.asarray(fused.residual)[here, view] / size[:, None]
    return float(np.nanmedian(share)) if np.isfinite(share).any() else np.nan
