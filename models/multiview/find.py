"""An athlete from all views of a take: one skeleton per instant, the cameras, and how sure each joint is.

Nothing need be known of the cameras. Weak perspective cannot tell the athlete from the mirror image with all depths
negated; here the twin is a camera with negative nearness, so that it costs nothing to exchange the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from ..body.body import body_size
from ..body.handedness import Parity
from ..geometry.epipolar import triangulate_robustly
from ..skeleton import Skeleton
from .adjust import Array, Believed, Body, Known, Mask, Observed, Scene, adjust, covariance, reprojection
from .near_camera import NearCameras
from .start import bone_lengths, common_poses, person_in_image, placed

NOISE = 0.01
"""Deviation of a detection of confidence 1, in body heights; its square grows as the confidence falls."""
BELIEVED = Believed(bone=0.01, acceleration=np.array(0.03), turn=0.005, zoom=0.01, nearness=0.0005)
"""In body heights and radians, the last four per squared step; chosen on some takes of the benchmark's training."""
STEP_S = 1 / 14
"""Step for which the last four are meant: joints of a person then accelerate by about 1 g."""
FOCAL = {False: 1.2, True: 2.0}
"""Focal length that static and moving cameras start from, in larger sides of the picture."""
AGREEING = 3.0
"""Deviations that a detection may be off a joint that it confirms."""
_SMOOTH = 3.0
"""Instants over which an athlete's path is smoothed, where it only serves as an origin."""
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
    step_s: float = STEP_S
    """Time between two instants."""
    known: Known = "nothing"
    """With "focal", image units are such that focal lengths are 1."""


class Found(NamedTuple):
    """An athlete whose stature is 1, and the cameras."""

    scene: Scene
    covariance: Array  # (T, J, 3, 3) relative to the root
    trusted: Mask  # (T, J)
    residual: Array  # (T, V, J) image units; NaN where missing
    height: float
    """The stature in the unit of given cameras; else 1."""


def find_athlete(seen: Seen, skeleton: Skeleton) -> Found:
    """The skeletons and cameras that explain all views of a take best (``athlete_bundle``)."""
    body, believed = body_of(skeleton), _believed(seen, skeleton)
    there = np.isfinite(seen.lifted).all((-1, -2))
    weight = np.where(there, seen.confidence.mean(-1), 0)
    pose, R = common_poses(np.where(there[..., None, None], seen.lifted, 0), weight, seen.moving)
    raw = Observed(seen.keypoint, seen.confidence, seen.regular)
    height, _ = person_in_image(pose, R, raw)
    observed = raw._replace(weight=seen.confidence / (NOISE * height[..., None]) ** 2)
    focal = 1.0 if seen.known == "focal" else FOCAL[seen.moving] * seen.picture
    scene, _ = adjust(observed, body, believed, placed(pose, R, observed, body, focal), seen.known)
    if is_mirrored(scene, skeleton):
        scene = mirrored(scene)
        if seen.known == "focal":  # the other twin is no camera of that focal length
            R = scene.cameras.R
            start = placed(scene.joint - (body.root @ scene.joint)[:, None], R, observed, body, focal)
            scene, _ = adjust(observed, body, believed, start, seen.known)
    return _judged(scene, observed, body, believed, skeleton)._replace(height=1.0)


def find_in_known_cameras(seen: Seen, R: Array, t: Array, skeleton: Skeleton) -> Found:
    """The skeletons in cameras ``X_camera = R X + t`` of focal length 1; R is (T, V, 3, 3), t (T, V, 3).

    Every instant has its own origin, on a smooth path near the athlete, so that cameras may stand anywhere.
    """
    body, believed = body_of(skeleton), _believed(seen, skeleton)
    height = _height_in_image(seen)
    world = triangulate_robustly(seen.keypoint, R, t, seen.confidence, 3 * NOISE * height)
    path = gaussian_filter1d(np.median(world, 1), _SMOOTH, axis=0)
    size = float(np.median(body_size(world, skeleton)))
    t = (t + np.einsum("tvab,tb->tva", R, path)) / size
    cameras = NearCameras.from_pinhole(R, t, np.ones(t.shape[:2]))
    pose = (world - path[:, None]) / size
    observed = Observed(seen.keypoint, seen.confidence / (NOISE * height[..., None]) ** 2, seen.regular)
    scene, _ = adjust(observed, body, believed, Scene(pose, cameras, bone_lengths(pose, body)), "all")
    found = _judged(scene, observed, body, believed, skeleton)
    return found._replace(height=size * found.height)


def _height_in_image(seen: Seen) -> Array:
    """About how many image units the athlete's stature takes up (T, V): the diagonal of the box around the joints."""
    visible = (seen.confidence > 0)[..., None]
    low = np.where(visible, seen.keypoint, np.inf).min(-2)
    high = np.where(visible, seen.keypoint, -np.inf).max(-2)
    diagonal = np.linalg.norm(high - low, axis=-1)
    return np.where(visible.any((-2, -1)), diagonal, 1.0)


def _believed(seen: Seen, skeleton: Skeleton) -> Believed:
    """What is believed of second differences in the steps of time that there are."""
    shorter = (seen.step_s / STEP_S) ** 2
    return Believed(
        bone=BELIEVED.bone,
        acceleration=np.full(len(skeleton.joints), BELIEVED.acceleration * shorter),
        turn=BELIEVED.turn * shorter,
        zoom=BELIEVED.zoom * shorter,
        nearness=BELIEVED.nearness * shorter,
    )


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
    # As large as each joint's are, not as they were believed to be: half of two coordinates' errors lie within 1.18.
    of_joint = [deviations[..., joint][there[..., joint]] for joint in range(there.shape[-1])]
    noise = np.array([max(float(np.median(one)) / 1.18, 1e-3) if one.size else 1.0 for one in of_joint])
    spread = covariance(observed, body, believed, scene) * np.square(noise)[:, None, None]
    agreeing = ((deviations < AGREEING * np.maximum(noise, 1.0)) & there).sum(1) >= 2
    sure = np.sqrt(np.trace(spread, axis1=-2, axis2=-1)) < SURE
    return Found(scene, spread, agreeing & sure, np.where(there, error, np.nan), size)


def scaled(scene: Scene, factor: float) -> Scene:
    """The scene in another unit of length; it looks the same."""
    cameras = scene.cameras
    cameras = NearCameras(cameras.R, cameras.shift * factor, cameras.scale / factor, cameras.nearness / factor)
    return Scene(scene.joint * factor, cameras, scene.length * factor)
