"""Training samples: the synchronised instants of all takes as one set of arrays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Samples, Timeline, Track, array_fields
from ..errors import PosepipeError
from ..footage.camera import Camera
from ..runtime.cache import stage
from ..settings import FROM_JOINTS, SampleSettings


class TakeOfAthlete(NamedTuple):
    """One athlete in all cameras of a take."""

    name: str
    tracks: list[Track]
    """One per camera, like the fields below."""
    timeline: Timeline
    cameras: list[Camera | None]
    """Given cameras; None where nothing is known."""
    moving: bool
    """Whether any camera moves, so that the relative rotations are not constant."""
    rig: str = ""
    """Label of takes with the same static cameras; a take without one is a rig of its own."""


@stage(version=3)
def build_samples(takes: list[TakeOfAthlete], settings: SampleSettings) -> Samples:
    """Samples of all takes: 2D poses (S, V, J, 2) at common instants, interpolated between frames.

    They are without feet where no camera shows any.

    Raises:
        PosepipeError: too few instants are seen by enough cameras, or takes with different skeletons.
    """
    skeletons = {track.skeleton for take in takes for track in take.tracks}
    if len(skeletons) > 1:
        raise PosepipeError(
            f"the takes have different skeletons ({', '.join(sorted(skeletons))}); use one detector for all"
        )
    views = max(len(take.tracks) for take in takes)
    skeleton = SKELETONS[skeletons.pop()]
    labels = [f"rig {take.rig}" if take.rig else take.name for take in takes]
    keypoints, confidences, instants, times, indices, frames = [], [], [], [], [], []
    for index, take in enumerate(takes):
        keypoint, confidence = _views_of(take.tracks, take.timeline, views)
        seen = _usable(keypoint, confidence, skeleton, settings.min_joints)
        confidence = np.where(seen[..., None], confidence, 0)
        keep = seen.sum(1) >= settings.min_views
        keypoints.append(np.where(confidence[..., None] > 0, keypoint, 0)[keep])
        confidences.append(confidence[keep])
        instants.append(np.flatnonzero(keep))
        times.append(take.timeline.time[keep])
        indices.append(np.full(keep.sum(), index))
        frame = np.full((len(keep), views), -1, np.int32)  # of cameras that the take lacks as well
        frame[:, : take.timeline.frame.shape[1]] = take.timeline.nearest_frame()
        frames.append(frame[keep])
    take_index = np.concatenate(indices).astype(np.int64)
    if len(take_index) < 2:
        raise PosepipeError(
            f"only {len(take_index)} instants show the athlete in {settings.min_views} or more cameras; "
            "do the videos show the same moments? If they start at different times, "
            "say so with offset_s in posepipe.toml"
        )
    rig = np.array([-1 if take.moving else labels.index(label) for take, label in zip(takes, labels, strict=True)])
    K, R, t = _cameras([take.cameras for take in takes], views)
    keypoint, confidence = np.concatenate(keypoints), np.concatenate(confidences)
    shown = skeleton.shown_by(confidence)
    return Samples(
        keypoint=shown.pick(keypoint, skeleton, -2).astype(np.float32),
        confidence=shown.pick(confidence, skeleton, -1).astype(np.float32),
        instant=np.concatenate(instants).astype(np.int64),
        take=take_index,
        rig=rig[take_index].astype(np.int64),
        K=None if K is None else K[take_index],
        R=None if R is None else R[take_index],
        t=None if t is None else t[take_index],
        skeleton=shown.name,
        takes=[take.name for take in takes],
        frame=np.concatenate(frames),
        time=np.concatenate(times),
    )


@stage(version=1)
def select_samples(samples: Samples, settings: SampleSettings) -> Samples:
    """Samples that enough views show; views that show too little are removed.

    Raises:
        PosepipeError: too few of them.
    """
    seen = _usable(samples.keypoint, samples.confidence, SKELETONS[samples.skeleton], settings.min_joints)
    keep = seen.sum(1) >= settings.min_views
    if keep.sum() < 2:
        raise PosepipeError(
            f"only {keep.sum()} of {len(keep)} samples show the athlete in {settings.min_views} or more views"
        )
    shown = np.where(seen[..., None], samples.confidence, 0)[keep]
    arrays: dict[str, Any] = {
        name: None if (array := getattr(samples, name)) is None else array[keep] for name in array_fields(Samples)
    }
    arrays |= {"confidence": shown, "keypoint": np.where(shown[..., None] > 0, arrays["keypoint"], 0)}
    return replace(samples, **arrays)


@stage(version=1)
def undistort_samples(samples: Samples, cameras: list[list[Camera | None]]) -> Samples:
    """Undistorted samples, as pinhole cameras with the same intrinsics show them.

    Args:
        cameras: of each take, with their lenses.
    """
    keypoint, confidence = np.array(samples.keypoint), np.array(samples.confidence)
    for take, of_take in enumerate(cameras):
        here = samples.take == take
        for view, camera in enumerate(of_take):
            if camera is not None:
                free = camera.without_distortion(keypoint[here, view], confidence[here, view])
                keypoint[here, view], confidence[here, view] = free
    return replace(samples, keypoint=keypoint, confidence=confidence)


def two_view_warning(samples: Samples, needs: Collection[str], placed: bool) -> str:
    """A warning if no instant is seen by a third camera and the cameras are uncalibrated; otherwise "".

    Without perspective, two views fit a one-parameter family of poses exactly, one for each angle of the cameras.

    Args:
        needs: of the method (``method_needs``).
        placed: whether it was given where the cameras stand.
    """
    if placed or {*FROM_JOINTS, "crops"} & set(needs) or (samples.confidence > 0).any(-1).sum(1).max() > 2:
        return ""
    return (
        "no more than two cameras see the athlete at a time, and two alone fit many poses: what decides is that "
        "bones are alike left and right and keep their length; film with three cameras or more"
    )


def at_frames(track: Track, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T, J, 2) and confidences (T, J) at fractional frame indices (T); NaN and 0 where missing.

    Between two frames keypoints are interpolated, and the confidence is the smaller of the two.
    """
    known = np.isfinite(frame)
    index = np.where(known, frame, 0)
    low = np.floor(index + 1e-6).astype(int)
    share = np.where(index - low > 1e-6, index - low, 0)
    high = np.where(share > 0, np.minimum(low + 1, len(track.time) - 1), low)
    weight = share[:, None, None]
    keypoint = (1 - weight) * track.keypoint[low] + weight * track.keypoint[high]
    confidence = np.minimum(track.confidence[low], track.confidence[high])
    missing = ~known[:, None] | np.isnan(keypoint).any(-1) | (confidence <= 0)
    return np.where(missing[..., None], np.nan, keypoint), np.where(missing, 0, confidence)


def _views_of(tracks: list[Track], timeline: Timeline, views: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T, V, J, 2) and confidences (T, V, J) of a take; views without a camera are missing."""
    joints = tracks[0].keypoint.shape[1]
    keypoint = np.full((len(timeline.time), views, joints, 2), np.nan)
    confidence = np.zeros((len(timeline.time), views, joints))
    for view, track in enumerate(tracks):
        keypoint[:, view], confidence[:, view] = at_frames(track, timeline.frame[:, view])
    return keypoint, confidence


def _usable(keypoint: np.ndarray, confidence: np.ndarray, skeleton: Skeleton, min_joints: float) -> np.ndarray:
    """Mask (T, V) of views that show the root and enough other joints of the body."""
    seen = confidence[..., : len(skeleton.body.joints)] > 0
    has_root = seen[..., list(skeleton.landmark("pelvis"))].all(-1)
    return has_root & (seen.mean(-1) >= min_joints) & ~np.isnan(keypoint).all((-1, -2))


def _cameras(
    cameras: list[list[Camera | None]], views: int
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """K, R (take, V, 3, 3) and t (take, V, 3), each if it is known for all cameras."""
    K = np.tile(np.eye(3, dtype=np.float32), (len(cameras), views, 1, 1))
    R, t = K.copy(), np.zeros((len(cameras), views, 3), np.float32)
    place = True
    for index, take in enumerate(cameras):
        for view, camera in enumerate(take):
            if camera is None or camera.K is None:
                return None, None, None
            K[index, view] = camera.K
            if camera.R is None or camera.t is None:
                place = False
            else:
                R[index, view], t[index, view] = camera.R, camera.t
    return K, *((R, t) if place else (None, None))
