"""An athlete from all views of a take: one skeleton per instant, the cameras, and the uncertainty of each joint.

Nothing needs to be known about the cameras. Weak perspective cannot tell the athlete from the mirror image with all
depths negated; here the mirror image is seen by cameras of negative inverse depth, so that it is easy to switch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from ..body.body import body_size
from ..body.handedness import Parity
from ..skeleton import Skeleton
from .adjust import Array, Body, Known, Mask, Observed, PriorSigma, Scene, adjust, covariance, reprojection
from .known_start import start_in_known_cameras
from .lenses import with_lenses
from .near_camera import NearCameras
from .start import body_of, bone_lengths, common_poses, person_in_image, placed

NOISE = 0.01
"""Standard deviation of a detection of confidence 1, in body heights; its square is inverse to the confidence."""
PRIOR_SIGMA = PriorSigma(bone=0.01, acceleration=np.array(0.03), turn=0.005, zoom=0.01, inverse_depth=0.0005)
"""In body heights and radians, the last four per squared step; chosen on some training takes of the benchmark."""
STEP_S = 1 / 14
"""Time step for which the last four are meant: a sigma of acceleration is then about 1 g."""
FOCAL = {False: 1.2, True: 2.0}
"""Initial focal length of static (False) and moving (True) cameras, in larger sides of the picture."""
AGREEING = 3.0
"""Largest distance, in standard deviations, of a detection from a joint that it confirms."""
_SMOOTH = 3.0
"""Sigma in instants with which an athlete's path is smoothed where it only serves as an origin."""
SURE = 0.05
"""Largest standard deviation in space, in body heights, of joints that are trusted."""


class Seen(NamedTuple):
    """The input: what T instants and V views show of an athlete with J joints."""

    keypoint: Array  # (T, V, J, 2) image units relative to the principal point; finite even where missing
    confidence: Array  # (T, V, J), 0 where missing
    lifted: Array  # (T, V, J, 3) root-relative poses in camera axes, in body heights; NaN where missing
    regular: Mask  # (T - 2) whether instants t, t + 1 and t + 2 are equally spaced
    moving: bool
    """Whether the cameras move."""
    picture: float
    """Larger side of the pictures in image units."""
    step_s: float = STEP_S
    """Time between two instants."""
    known: Known = "nothing"
    """With "focal", image units are such that focal lengths are 1."""
    usual_bend: Array | None = None
    """(V) bends of lenses of which nothing is known, in inverse squares of the picture; None for straight ones."""


class Found(NamedTuple):
    """The output: an athlete whose stature is 1, and the cameras."""

    scene: Scene
    covariance: Array  # (T, J, 3, 3) of joints relative to the root, in squared statures
    trusted: Mask  # (T, J)
    residual: Array  # (T, V, J) distances of detections from images of joints, in image units; NaN where missing
    height: float
    """The stature in the unit of the given cameras; 1 if none were given."""


def find_athlete(seen: Seen, skeleton: Skeleton) -> Found:
    """Find the skeletons and cameras that explain all views of a take best (``adjust``).

    Args:
        seen: what the views show; of the cameras, nothing or only the focal length may be known.
        skeleton: names and bones of the J joints.
    """
    body, sigma = body_of(skeleton), _prior_sigma(seen, skeleton)
    there = np.all(np.isfinite(seen.lifted), (-1, -2))
    weight = np.where(there, seen.confidence.mean(-1), 0)
    pose, R = common_poses(np.where(there[..., None, None], seen.lifted, 0), weight, seen.moving)
    raw = Observed(seen.keypoint, seen.confidence, seen.regular)
    height, _ = person_in_image(pose, R, raw)
    observed = raw._replace(weight=seen.confidence / (NOISE * height[..., None]) ** 2)
    focal = 1.0 if seen.known == "focal" else FOCAL[seen.moving] * seen.picture
    scene, _ = adjust(observed, body, sigma, placed(pose, R, observed, body, focal), seen.known)
    if is_mirrored(scene, skeleton):
        scene = mirrored(scene)
        if seen.known == "focal":  # mirrored cameras do not have that focal length
            R = scene.cameras.R
            start = placed(scene.joint - (body.root @ scene.joint)[:, None], R, observed, body, focal)
            scene, _ = adjust(observed, body, sigma, start, seen.known)
    if seen.known == "nothing" and not seen.moving:
        usual = np.zeros(seen.keypoint.shape[1]) if seen.usual_bend is None else seen.usual_bend
        scene = with_lenses(scene, observed, body, sigma, usual, seen.picture)
    return _judged(scene, observed, body, sigma, skeleton)._replace(height=1.0)


def find_in_known_cameras(seen: Seen, R: Array, t: Array, skeleton: Skeleton) -> Found:
    """Find the skeletons in known cameras ``X_camera = R X + t`` of focal length 1.

    Every instant has its own origin, on a smooth path near the athlete, so that cameras may stand anywhere.

    Args:
        seen: what the views show; image units are such that focal lengths are 1.
        R: (T, V, 3, 3) camera_from_world.
        t: (T, V, 3), in any unit of length.
        skeleton: names and bones of the J joints.
    """
    body, sigma = body_of(skeleton), _prior_sigma(seen, skeleton)
    height = height_in_image(seen)
    world = start_in_known_cameras(seen.keypoint, seen.confidence, R, t, height, NOISE)
    path = gaussian_filter1d(np.median(world, 1), _SMOOTH, axis=0)
    size = float(np.median(body_size(world, skeleton)))
    t = (t + np.einsum("tvab,tb->tva", R, path)) / size
    cameras = NearCameras.from_pinhole(R, t, np.ones(t.shape[:2]))
    pose = (world - path[:, None]) / size
    observed = Observed(seen.keypoint, seen.confidence / (NOISE * height[..., None]) ** 2, seen.regular)
    scene, _ = adjust(observed, body, sigma, Scene(pose, cameras, bone_lengths(pose, body)), "all")
    found = _judged(scene, observed, body, sigma, skeleton)
    return found._replace(height=size * found.height)


def height_in_image(seen: Seen) -> Array:
    """Approximate size (T, V) of the athlete in image units: the diagonal of the box around the joints."""
    visible = (seen.confidence > 0)[..., None]
    low = np.where(visible, seen.keypoint, np.inf).min(-2)
    high = np.where(visible, seen.keypoint, -np.inf).max(-2)
    diagonal = np.linalg.norm(high - low, axis=-1)
    return np.where(visible.any((-2, -1)), diagonal, 1.0)


def _prior_sigma(seen: Seen, skeleton: Skeleton) -> PriorSigma:
    """Prior sigmas for this take's step of time."""
    shorter = (seen.step_s / STEP_S) ** 2
    return PriorSigma(
        bone=PRIOR_SIGMA.bone,
        acceleration=np.full(len(skeleton.joints), PRIOR_SIGMA.acceleration * shorter),
        turn=PRIOR_SIGMA.turn * shorter,
        zoom=PRIOR_SIGMA.zoom * shorter,
        inverse_depth=PRIOR_SIGMA.inverse_depth * shorter,
    )


def mirrored(scene: Scene) -> Scene:
    """The mirror image of a scene, with all depths negated, whose images are the same in all cameras."""
    S = np.diag([1.0, 1.0, -1.0])
    cameras = scene.cameras
    return Scene(
        scene.joint @ S, cameras._replace(R=S @ cameras.R @ S, inverse_depth=-cameras.inverse_depth), scene.length
    )


def is_mirrored(scene: Scene, skeleton: Skeleton) -> bool:
    """Whether knees bend and noses point backwards or, if that is unclear, cameras see distant things larger."""
    parity = Parity(skeleton)(torch.from_numpy(scene.joint)).numpy()
    backwards = float((parity < 0).mean())
    if 0.25 < backwards < 0.75:
        return float(np.median(scene.cameras.inverse_depth)) < 0
    return backwards > 0.5


def _judged(scene: Scene, observed: Observed, body: Body, sigma: PriorSigma, skeleton: Skeleton) -> Found:
    """The scene in statures, with the uncertainty of each joint."""
    size = float(np.median(body_size(scene.joint, skeleton)))
    scene, sigma = scaled(scene, 1 / size), sigma._replace(bone=sigma.bone / size)
    there = observed.weight > 0
    error = reprojection(observed, scene)
    deviations = error * np.sqrt(observed.weight)
    # The noise of each joint as measured, not as assumed: half of the errors in two coordinates are below 1.18 sigma.
    of_joint = [deviations[..., joint][there[..., joint]] for joint in range(there.shape[-1])]
    noise = np.array([max(float(np.median(one)) / 1.18, 1e-3) if one.size else 1.0 for one in of_joint])
    spread = covariance(observed, body, sigma, scene) * np.square(noise)[:, None, None]
    agreeing = ((deviations < AGREEING * np.maximum(noise, 1.0)) & there).sum(1) >= 2
    sure = np.sqrt(np.trace(spread, axis1=-2, axis2=-1)) < SURE
    return Found(scene, spread, agreeing & sure, np.where(there, error, np.nan), size)


def scaled(scene: Scene, factor: float) -> Scene:
    """The scene with all lengths multiplied by a factor, whose images are the same in all cameras."""
    cameras = scene.cameras
    cameras = cameras._replace(
        shift=cameras.shift * factor, scale=cameras.scale / factor, inverse_depth=cameras.inverse_depth / factor
    )
    return Scene(scene.joint * factor, cameras, scene.length * factor)
