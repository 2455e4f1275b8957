"""An athlete from all views of a take: one skeleton per instant, the cameras, and how sure each joint is.

Nothing need be known of the cameras. Weak perspective cannot tell the athlete from the mirror image with all depths
negated; here the twin is a camera with negative nearness, so that it costs nothing to exchange the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from .athlete_bundle import Array, Believed, Body, Known, Mask, Observed, Scene, adjust, covariance, reprojection
from .body import body_size
from .handedness import Parity
from .multiview_start import common_poses, person_in_image, placed
from .near_camera import NearCameras
from .skeleton import Skeleton

NOISE = 0.01
"""Deviation of a detection of confidence 1, in body heights; its square grows as the confidence falls."""
BELIEVED = Believed(bone=0.01, acceleration=np.array(0.03), turn=0.005, zoom=0.01, nearness=0.0005)
"""In body heights and radians, the last four per step of time; chosen on some takes of the benchmark's training."""
FIELD_OF_VIEW = {False: 1.2, True: 2.0}
"""Focal length that static and moving cameras start from, in larger sides of the picture."""
AGREEING = 3.0
"""Deviations that a detection may be off a joint that it confirms."""
SURE = 0.05
"""Deviation in space, in body heights, of joints that are trusted."""


class Seen(NamedTuple):
    """What is known of an athlete before."""

    keypoint: Array  # (T, V, J, 2) image units from the principal point; finite also where missing
    confidence: Array  # (T, V, J), 0 where missing
    lifted: Array  # (T, V, J, 3) root-relative, camera axes, body heights; NaN where missing
    regular: Mask  # (T - 2) whether instants t, t + 1, t + 2 follow each other in equal steps
    moving: bool
    picture: float
    """Larger side of the pictures in image units."""
    cameras: NearCameras | None = None
    """Cameras that are given, (V) or (T, V), whose origin is near the athlete; None if nothing is known."""
    known: Known = "nothing"


class Found(NamedTuple):
    """An athlete and the cameras; the athlete's stature is 1 unless the cameras were given."""

    scene: Scene
    covariance: Array  # (T, J, 3, 3) relative to the root
    trusted: Mask  # (T, J)
    residual: Array  # (T, V, J) image units; NaN where missing


def find_athlete(seen: Seen, skeleton: Skeleton) -> Found:
    """The skeletons and cameras that explain all views of a take best (``athlete_bundle``)."""
    body = body_of(skeleton)
    believed = BELIEVED._replace(acceleration=np.full(len(skeleton.joints), BELIEVED.acceleration))
    there = np.isfinite(seen.lifted).all((-1, -2))
    weight = np.where(there, seen.confidence.mean(-1), 0)
    pose, R = common_poses(np.where(there[..., None, None], seen.lifted, 0), weight, seen.moving)
    raw = Observed(seen.keypoint, seen.confidence, seen.regular)
    scale, _ = person_in_image(pose, R, raw)
    observed = raw._replace(weight=seen.confidence / (NOISE * scale[..., None]) ** 2)
    start = placed(pose, R, observed, body, FIELD_OF_VIEW[seen.moving] * seen.picture)
    scene, _ = adjust(observed, body, believed, start)
    if is_mirrored(scene, skeleton):
        scene = mirrored(scene)
    return _judged(scene, observed, body, believed, skeleton)


def body_of(skeleton: Skeleton) -> Body:
    """Bones of a skeleton, those of both sides of one kind."""
    bones = skeleton.bone_indices
    first = np.minimum(np.arange(len(bones)), skeleton.mirror_bones)
    kind = np.unique(first, return_inverse=True)[1]
    return Body(bones, kind, skeleton.landmark_weights("pelvis")[0].astype(np.float64))


def mirrored(scene: Scene) -> Scene:
    """The twin with all depths negated, which looks the same from all cameras."""
    S = np.diag([1.0, 1.0, -1.0])
    cameras = scene.cameras
    return Scene(scene.joint @ S, cameras._replace(R=S @ cameras.R @ S, nearness=-cameras.nearness), scene.length)


def is_mirrored(scene: Scene, skeleton: Skeleton) -> bool:
    """Whether knees bend and noses point backwards; if they do not tell, whether cameras see far things larger."""
    parity = Parity(skeleton)(torch.from_numpy(scene.joint)).numpy()
    backwards = float((parity < 0).mean())
    if 0.25 < backwards < 0.75:
        return float(np.median(scene.cameras.nearness)) < 0
    return backwards > 0.5


def _judged(scene: Scene, observed: Observed, body: Body, believed: Believed, skeleton: Skeleton) -> Found:
    """The scene in statures, with what is to be thought of each joint."""
    size = float(np.median(body_size(scene.joint, skeleton)))
    scene, believed = scaled(scene, 1 / size), believed._replace(bone=believed.bone / size)
    there = observed.weight > 0
    error = reprojection(observed, scene)
    deviations = error * np.sqrt(observed.weight)
    # As large as they are, not as they were believed to be: half of the errors of two coordinates lie within 1.18.
    noise = max(float(np.median(deviations[there])) / 1.18, 1e-3)
    spread = covariance(observed, body, believed, scene) * noise**2
    agreeing = ((deviations < AGREEING * max(noise, 1.0)) & there).sum(1) >= 2
    sure = np.sqrt(np.trace(spread, axis1=-2, axis2=-1)) < SURE
    return Found(scene, spread, agreeing & sure, np.where(there, error, np.nan))


def scaled(scene: Scene, factor: float) -> Scene:
    """The scene in another unit of length; it looks the same."""
    cameras = scene.cameras
    cameras = NearCameras(cameras.R, cameras.shift * factor, cameras.scale / factor, cameras.nearness / factor)
    return Scene(scene.joint * factor, cameras, scene.length * factor)
