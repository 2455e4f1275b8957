"""Calibration: where the cameras stand, as given or from the athlete's own joints."""

from __future__ import annotations

import numpy as np

from ...models.body.body import MEAN_BONE_M
from ...models.geometry.bundle import Bundle, adjust_bundle
from ...models.geometry.epipolar import (
    Array,
    Link,
    Mask,
    join_links,
    normalise_by_intrinsics,
    project,
    relative_pose,
    triangulate,
    triangulate_robustly,
)
from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Rig, Samples
from ..errors import PosepipeError
from ..footage.camera import CALIBRATED, Camera, calibrate_assumes
from ..runtime.cache import stage
from ..settings import CalibrateSettings

MIN_JOINTS = 50
"""Joints that two cameras must share for a relative pose."""
FOCAL_NEEDS_VIEWS = 3
"""Cameras from which on a common focal length can be told from the joints."""

HOW_TO_GIVE_INTRINSICS = (
    "give a calibration file with the matrix of every camera in posepipe.toml "
    '(calibration = "calib.toml"), or let a focal length be assumed with --set calibrate.field_of_view_deg=60 '
    "(or calibrate.focal_px)"
)

HOW_TO_GIVE_EXTRINSICS = (
    "where moving cameras stand cannot be found from joints; give rotation and translation in the calibration file, "
    "or, if the cameras did not move, say so with moving = false in posepipe.toml"
)


@stage(version=2)
def calibrate(samples: Samples, cameras: list[list[Camera]], settings: CalibrateSettings) -> Rig:
    """K, R and t of every view of every sample.

    What is given is passed through. Where only intrinsics are known, or assumed, the cameras of an unmoved rig
    are found from joints pooled over its instants: five-point relative poses of all pairs, joined by the length
    of the torso, then bundle adjustment (docs/methods.md, EpipolarPose). Their scale is that of a person whose bones
    measure 0.25 m on average.

    Args:
        cameras: each take's; the size of their pictures counts, if intrinsics are assumed.

    Raises:
        PosepipeError: no intrinsics, cameras that move, or too few joints that cameras share.
    """
    K = _intrinsics(samples, cameras, settings)
    given = samples.R is not None and samples.t is not None and settings.extrinsics == "auto"
    if given:
        R, t = np.array(samples.R, np.float64), np.array(samples.t, np.float64)
    else:
        K, R, t = _from_joints(samples, K, settings)
    return Rig(
        K=K.astype(np.float32),
        R=R.astype(np.float32),
        t=t.astype(np.float32),
        residual=_residual(samples, K, R, t, settings),
        source="given" if given else "from joints",
        intrinsics="assumed" if samples.K is None else "given",
    )


def _intrinsics(samples: Samples, cameras: list[list[Camera]], settings: CalibrateSettings) -> Array:
    """K (S, V, 3, 3) as given, or of an assumed focal length and with the principal point in the middle."""
    if samples.K is not None:
        return np.array(samples.K, np.float64)
    if not settings.assumes_focal:
        raise PosepipeError(f"needs intrinsics: {HOW_TO_GIVE_INTRINSICS}")
    if not cameras:
        raise PosepipeError("needs intrinsics: a focal length can be assumed where image sizes are known; give K")
    views = samples.keypoint.shape[1]
    K = np.tile(np.eye(3), (len(cameras), views, 1, 1))
    for take, of_take in enumerate(cameras):
        for view, camera in enumerate(of_take):
            size = camera.size_px
            if size is not None and (focal := calibrate_assumes(size, settings)) is not None:
                K[take, view] = Camera.of_focal_length(size, focal, CALIBRATED).K
    return K[samples.take]


def describe_rig(rig: Rig) -> str:
    """What is known of the cameras, and how well it fits, for people."""
    places = "as given" if rig.source == "given" else "found from the athlete's joints, in units of an average body"
    focal = rig.K[..., 0, 0]
    assumed = (
        f", with assumed intrinsics (focal lengths of {focal.min():.0f} to {focal.max():.0f} px)"
        if rig.intrinsics == "assumed"
        else ""
    )
    return (
        f"cameras are {places}{assumed}; detections lie {np.nanmedian(rig.residual):.1f} px from the joints' images"
    )


def person_size(samples: Samples) -> Array:
    """Diagonals (S, V) of the boxes around the visible joints, in px; 1 where the view is missing."""
    visible = (samples.confidence > 0)[..., None]
    low = np.where(visible, samples.keypoint, np.inf).min(-2)
    high = np.where(visible, samples.keypoint, -np.inf).max(-2)
    return np.where(visible.any((-2, -1)), np.linalg.norm(high - low, axis=-1), 1.0).astype(np.float64)


def _from_joints(samples: Samples, K: Array, settings: CalibrateSettings) -> tuple[Array, Array, Array]:
    """K (S, V, 3, 3), R (S, V, 3, 3) and t (S, V, 3) of all samples, rig by rig."""
    if (moving := samples.rig < 0).any():
        names = sorted({samples.takes[take] for take in samples.take[moving]})
        raise PosepipeError(
            f"needs extrinsics: the cameras of take {', '.join(names)} move, and {HOW_TO_GIVE_EXTRINSICS}"
        )
    K, R, t = K.copy(), np.tile(np.eye(3), (*K.shape[:2], 1, 1)), np.zeros(K.shape[:3])
    tolerance = settings.tolerance * person_size(samples) / K[..., 0, 0]
    confidence = np.where(samples.confidence >= settings.min_confidence, samples.confidence, 0)
    skeleton = SKELETONS[samples.skeleton]
    refine = settings.refine_focal and samples.K is None
    for rig in np.unique(samples.rig):
        members = np.flatnonzero(samples.rig == rig)
        views = np.flatnonzero((samples.confidence[members] > 0).any((0, 2)))
        chosen = members[np.linspace(0, len(members) - 1, min(len(members), settings.max_instants)).astype(int)]
        points = normalise_by_intrinsics(samples.keypoint[chosen], K[chosen])
        noise = np.median(tolerance[chosen], 0)
        found = rig_from_joints(points[:, views], confidence[chosen][:, views], noise[views], skeleton, refine)
        if found is None:
            raise PosepipeError(
                f"the cameras of take {samples.takes[samples.take[members[0]]]} cannot be found from the joints: too "
                "few of them are seen by two cameras at once, or they contradict each other; film more motion, or "
                "give rotation and translation in the calibration file"
            )
        R[np.ix_(members, views)], t[np.ix_(members, views)] = found.R, found.t
        K[members[:, None], views, :2, :2] *= found.focal
    return K, R, t


def rig_from_joints(
    points: Array, confidence: Array, tolerance: Array, skeleton: Skeleton, focal_unknown: bool = False
) -> Bundle | None:
    """The cameras of an unmoved rig in the axes of its first, and the joints.

    Args:
        points: (T, V, J, 2) normalised coordinates.
        confidence: (T, V, J), 0 where missing or not to be used.
        tolerance: (V) noise in normalised units.
        focal_unknown: correct the focal lengths by one common factor.

    Returns:
        None if the joints do not tell.
    """
    views = points.shape[1]
    pairs = [(a, b) for a in range(views) for b in range(a + 1, views)]
    links = [link for pair in pairs if (link := _link(points, confidence, tolerance, pair, skeleton))]
    joined = join_links(links, views)
    if joined is None:
        return None
    R, t = joined
    world = triangulate_robustly(points, R, t, confidence, np.broadcast_to(3 * tolerance, points.shape[:2]))
    _, depth = project(world, R, t)
    usable = (confidence > 0) & (depth > 0)
    usable &= (usable.sum(1) >= 2)[:, None]
    seen = usable.any(1)
    start = Bundle(R, t, world[seen], 1.0)
    weight = np.moveaxis(np.where(usable, confidence, 0), 1, 0)[:, seen]
    flat = np.moveaxis(points, 1, 0)[:, seen]
    refine = focal_unknown and views >= FOCAL_NEEDS_VIEWS
    found = adjust_bundle(flat, weight, tolerance, start, focal_unknown=refine)
    world = np.full((*seen.shape, 3), np.nan)
    world[seen] = found.world
    scale = MEAN_BONE_M / _mean_bone(world, skeleton)
    return found._replace(t=scale * found.t, world=scale * world)


def _link(
    points: Array, confidence: Array, tolerance: Array, pair: tuple[int, int], skeleton: Skeleton
) -> Link | None:
    """Relative pose of two cameras from all joints that both see, and how long it makes the torso."""
    both = np.all(confidence[:, pair] > 0, 1)  # (T, J)
    if both.sum() < MIN_JOINTS:
        return None
    first, second = points[:, pair[0]], points[:, pair[1]]
    noise = float(np.hypot(*tolerance[list(pair)]))
    pose = relative_pose(first[both], second[both], noise)
    if pose is None:
        return None
    R, t = np.stack([np.eye(3), pose.R]), np.stack([np.zeros(3), pose.t])
    world = triangulate(points[:, pair], R, t)
    torso = _torso(world, both, skeleton)
    return Link(*pair, pose, torso) if np.isfinite(torso) else None


def _torso(world: Array, exists: Mask, skeleton: Skeleton) -> float:
    """Median distance from pelvis to thorax in poses (T, J, 3) whose joints for it exist (T, J)."""
    weights = skeleton.body.landmark_weights("pelvis", "thorax").astype(np.float64)
    body = slice(len(skeleton.body.joints))
    ends = np.einsum("lj,tjc->ltc", weights, world[:, body])
    whole = exists[:, body][:, weights.any(0)].all(1)
    return float(np.median(np.linalg.norm(ends[1] - ends[0], axis=-1)[whole])) if whole.any() else np.nan


def _mean_bone(world: Array, skeleton: Skeleton) -> float:
    """Mean over bones of their median lengths in poses (T, J, 3), of which NaN is missing."""
    start, end = world[:, skeleton.body.bone_indices.T].transpose(1, 0, 2, 3)
    length = np.linalg.norm(start - end, axis=-1)
    return float(np.mean([np.median(bone[np.isfinite(bone)]) for bone in length.T if np.isfinite(bone).any()]))


def _residual(samples: Samples, K: Array, R: Array, t: Array, settings: CalibrateSettings) -> np.ndarray:
    """Median distances (S, V) in px of the detections from the joints triangulated from all views."""
    confidence = np.where(samples.confidence >= settings.min_confidence, samples.confidence, 0)
    points = normalise_by_intrinsics(samples.keypoint, K)
    tolerance = 3 * settings.tolerance * person_size(samples) / K[..., 0, 0]
    image, _ = project(triangulate_robustly(points, R, t, confidence, tolerance, rounds=2), R, t)
    error = np.linalg.norm(image - points, axis=-1) * K[..., 0, 0, None]
    used = (confidence > 0) & ((confidence > 0).sum(1) >= 2)[:, None]
    error = np.where(used, error, np.nan)
    residual = np.full(error.shape[:2], np.nan, np.float32)
    seen = used.any(-1)
    residual[seen] = np.nanmedian(error[seen], -1)
    return residual
