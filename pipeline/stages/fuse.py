"""Fusion: all views of a take as one 3D skeleton per instant, and the cameras that see it so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...models.geometry.epipolar import normalise_by_intrinsics
from ...models.multiview.adjust import Known
from ...models.multiview.find import STEP_S, Found, Seen, find_athlete, find_in_known_cameras, height_in_image
from ...models.multiview.lenses import WIDE
from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Pose3D, Samples, ViewPoses, array_fields
from ..errors import PosepipeError
from ..footage.camera import Camera
from ..runtime.cache import Work, stage
from ..runtime.parts import Part, Task, part_by_part
from ..runtime.progress import Advance

Lifted = ViewPoses | list[list[Pose3D | None]]
"""What a model finds in each view alone: of a keypoint file, or of the views of every take."""


DISAGREES = 0.1
"""Median distance of a calibrated camera's detections from the skeleton of all views, in sizes of the person in the
picture, from which on it does not show that person. Of cameras that may stand anywhere such distances tell nothing:
they turn until somebody else fits as well."""


@stage(version=5)
def fuse_views(samples: Samples, lifted: Lifted, cameras: list[list[Camera]], *, work: Work) -> FusedPoses:
    """One 3D skeleton per sample, from all its views and from the samples around it (``models.multiview``).

    Takes of one unmoved rig are adjusted together, as of one person; where cameras move, each take by itself. Of the
    cameras is used what the samples hold: nothing, K, or K, R and t. Calibrated views that agree with the others on
    nobody are left out, as if the take did not have them.

    Args:
        lifted: where the adjustment starts.
        cameras: each take's, as large as their pictures are. Without K, the principal point is in the middle.

    Raises:
        PosepipeError: a take of which no view was lifted, or whose views agree on nobody.
    """
    joint = lifted_joints(samples, lifted)
    groups = list(_groups(samples))

    def rest(kept: list[FusedPoses], advance: Advance) -> Iterator[Part[FusedPoses]]:
        for number, members in enumerate(groups):
            if number >= len(kept):
                yield _fused(samples, joint, cameras, members), {}
            advance(len(members))

    parts = part_by_part(work, FusedPoses, Task("fuse", len(samples.instant)), rest)
    order = np.argsort(np.concatenate(groups))
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])[order] for name in array_fields(FusedPoses)
    }
    return replace(parts[0], **arrays)


def lifted_joints(samples: Samples, lifted: Lifted) -> np.ndarray:
    """Poses (S, V, J, 3) float64 that were lifted from each view of each sample; NaN where there are none.

    Feet that a view lacks are where its ankles are, which is near enough to start from.
    """
    skeleton = SKELETONS[samples.skeleton]
    if isinstance(lifted, ViewPoses):
        joint = np.array(lifted.joint, np.float64)
    else:
        joint = np.full((*samples.confidence.shape, 3), np.nan)
        frame = np.asarray(samples.frame)
        for take, poses in enumerate(lifted):
            for view, pose in enumerate(poses):
                here = np.flatnonzero((samples.take == take) & (frame[:, view] >= 0))
                if pose is not None and len(here):
                    found = (pose.joint if pose.joint_raw is None else pose.joint_raw)[frame[here, view]]
                    joint[here, view] = skeleton.pick(found, SKELETONS[pose.skeleton], -2)
    for foot in range(len(skeleton.body.joints), len(skeleton.joints)):
        side, _, _ = skeleton.joints[foot].partition("_")
        ankle = joint[:, :, skeleton.index(f"{side}_ankle")]
        joint[:, :, foot] = np.where(np.isnan(joint[:, :, foot]), ankle, joint[:, :, foot])
    return joint


def _groups(samples: Samples) -> Iterator[np.ndarray]:
    """Samples that are adjusted together."""
    label = np.where(samples.rig >= 0, samples.rig, -1 - samples.take)
    for one in np.unique(label):
        yield np.flatnonzero(label == one)


def _fused(samples: Samples, lifted: np.ndarray, cameras: list[list[Camera]], members: np.ndarray) -> FusedPoses:
    """Poses of the members, from all views that agree."""
    take = samples.takes[samples.take[members[0]]]
    if not np.isfinite(lifted[members]).all((2, 3)).any():
        raise PosepipeError(
            f"no view of take {take} was lifted to 3D, which is what all views "
            "together start from; leave the take out with --leave-out, or this step with --set fuse.enabled=false"
        )
    views = np.flatnonzero(samples.confidence[members].any((0, 2)))
    while True:
        seen, unit = _seen(samples, lifted, cameras, members, views)
        found = _found(samples, seen, members, views)
        off = _off_in_sizes(found, seen)
        if seen.known != "all" or not (off > DISAGREES).any():
            return _as_poses(found, seen.known, unit, samples, members, views)
        views = np.delete(views, np.nanargmax(off))
        if len(views) < 2:
            raise PosepipeError(
                f"no two cameras of take {take} agree on the person that they show: the calibration does not belong "
                "to them, or they filmed other people or other moments; mend that, or use --leave-out"
            )


def _seen(
    samples: Samples, lifted: np.ndarray, cameras: list[list[Camera]], members: np.ndarray, views: np.ndarray
) -> tuple[Seen, np.ndarray]:
    """What views show of the members, and the unit (T, V) px of image coordinates."""
    here = np.ix_(members, views)
    keypoint, unit, known = _in_image_units(samples, cameras, here)
    regular = _regular(samples.take[members], samples.instant[members])
    seen = Seen(
        keypoint=keypoint,
        confidence=samples.confidence[here].astype(np.float64),
        lifted=lifted[here],
        regular=regular,
        moving=bool(samples.rig[members[0]] < 0),
        picture=1.0,
        step_s=_step_s(samples, members, regular),
        known=known,
        usual_bend=_usual_bend(cameras[samples.take[members[0]]], views) if known == "nothing" else None,
    )
    return seen, unit


def _usual_bend(cameras: list[Camera], views: np.ndarray) -> np.ndarray:
    """Usual bends (V) of the views' lenses, as far as it is said of what kind they are."""
    return np.array([WIDE if cameras[view].lens == "wide" else 0.0 for view in views])


def _found(samples: Samples, seen: Seen, members: np.ndarray, views: np.ndarray) -> Found:
    """The skeletons that explain the views best."""
    skeleton = SKELETONS[samples.skeleton]
    if seen.known == "all":
        R, t = (np.asarray(array)[np.ix_(members, views)].astype(np.float64) for array in (samples.R, samples.t))
        return find_in_known_cameras(seen, R, t, skeleton)
    return find_athlete(seen, skeleton)


def _off_in_sizes(found: Found, seen: Seen) -> np.ndarray:
    """Median distance (V) of each view's detections from the skeleton, in sizes of the person in the picture."""
    share = (found.residual / height_in_image(seen)[..., None]).swapaxes(0, 1)
    return np.array([np.nanmedian(view) if np.isfinite(view).any() else np.nan for view in share])


def _in_image_units(
    samples: Samples, cameras: list[list[Camera]], here: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, Known]:
    """Keypoints (T, V, J, 2) from the principal point, their unit in px (T, V), and what is known of the cameras.

    The unit is the focal length where it is known, else the longest side of the pictures.
    """
    keypoint = samples.keypoint[here].astype(np.float64)
    if samples.K is not None:
        K = np.asarray(samples.K)[here].astype(np.float64)
        known: Known = "focal" if samples.R is None or samples.t is None else "all"
        return normalise_by_intrinsics(keypoint, K), K[..., 0, 0], known
    sizes = np.zeros((len(cameras), samples.keypoint.shape[1], 2))
    for take, of_take in enumerate(cameras):
        sizes[take, : len(of_take)] = [camera.size_px for camera in of_take]
    size = sizes[samples.take][here]
    unit = np.full(size.shape[:2], size.max())
    return (keypoint - size[:, :, None] / 2) / unit[..., None, None], unit, "nothing"


def _regular(take: np.ndarray, instant: np.ndarray) -> np.ndarray:
    """Whether samples t, t + 1, t + 2 (S - 2) follow each other in the usual step."""
    step, same = np.diff(instant), np.diff(take) == 0
    usual = np.median(step[same]) if same.any() else 1
    regular = same & (step == usual)
    return regular[1:] & regular[:-1]


def _step_s(samples: Samples, members: np.ndarray, regular: np.ndarray) -> float:
    """Time between two samples that follow each other; where times are not known, that of the constants."""
    if samples.time is None or not regular.any():
        return STEP_S
    return float(np.median(np.diff(np.asarray(samples.time)[members])[:-1][regular]))


def _as_poses(
    found: Found, known: Known, unit: np.ndarray, samples: Samples, members: np.ndarray, views: np.ndarray
) -> FusedPoses:
    """What was found as arrays of all views, in the axes of the first camera at the first instant."""
    scene, cameras = found.scene, found.scene.cameras
    root = SKELETONS[samples.skeleton].landmark_weights("pelvis")[0].astype(np.float64) @ scene.joint
    R = np.broadcast_to(cameras.R, (len(members), len(views), 3, 3))
    place = np.einsum("tvab,tb->tva", R, root) + cameras.translation
    first = R[0, 0]

    def of_all_views(values: np.ndarray) -> np.ndarray:
        """Values (T, views, ...) at their places among all views."""
        everywhere = np.full((len(members), samples.confidence.shape[1], *values.shape[2:]), np.nan, np.float32)
        everywhere[:, views] = values
        return everywhere

    return FusedPoses(
        joint=(found.height * (scene.joint - root[:, None]) @ first.T).astype(np.float32),
        covariance=(found.height**2 * first @ found.covariance @ first.T).astype(np.float32),
        trusted=found.trusted,
        camera_from_rig=of_all_views(R @ first.T),
        root=of_all_views(found.height * place),
        focal=of_all_views(cameras.focal * unit),
        bend=of_all_views(cameras.bend / unit**2),
        residual=of_all_views(found.residual * unit[..., None]),
        take=np.array(samples.take[members]),
        instant=np.array(samples.instant[members]),
        skeleton=samples.skeleton,
        unit="m" if known == "all" else "body heights",
        takes=samples.takes,
        cameras=known,
    )
