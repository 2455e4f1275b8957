"""The start of the adjustment of an athlete: skeletons and cameras from poses that were lifted view by view.

Each view's pose is right up to a rotation, that of its camera. Averaging rotations and poses alternately
(generalised Procrustes analysis; Gower, 1975) gives both. Where the cameras stand then follows from the size and
place of the person in the pictures, for an assumed focal length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..skeleton import Skeleton
from .adjust import Body, Observed, Scene
from .near_camera import NearCameras

Array = NDArray[np.float64]

_ROUNDS, _ROUNDS_OF_PLACES = 12, 50
_FAR_OFF = 0.15
"""Mean distance of a lifted pose from the others, in body heights, at which its weight is halved."""


def common_poses(lifted: Array, weight: Array, moving: bool) -> tuple[Array, Array]:
    """Find the poses and camera rotations whose products are closest to the lifted poses.

    Poses far from those of the other views, as mirrored ones are, get a low weight. The axes are those of the camera
    that sees most or, if cameras move, those in which all of them together turn least from instant to instant.

    Args:
        lifted: (T, V, J, 3) root-relative poses in camera axes; finite even where missing.
        weight: (T, V), 0 where missing. Instants without any view copy the nearest that has one.
        moving: whether the cameras move.

    Returns:
        Poses (T, J, 3) in the unit of the lifted ones, and camera rotations (V, 3, 3), (T, V, 3, 3) if they move.
    """
    instants = len(weight)
    if moving:
        pose = lifted[np.arange(instants), weight.argmax(1)]
    else:
        first = weight.sum(0).argmax()
        pose = np.where(weight[:, first, None, None] > 0, lifted[:, first], 0)
    trust = weight
    for _ in range(_ROUNDS):
        products = np.einsum("tv,tvja,tjb->tvab", trust, lifted, pose)
        R = _nearest_rotation(products if moving else products.sum(0))
        turned = lifted @ (R if moving else R[None])  # rows R' x
        pose = _mean(turned, trust)
        distance = np.linalg.norm(turned - pose[:, None], axis=-1).mean(-1)
        trust = weight / (1 + (distance / _FAR_OFF) ** 2)
    some = np.flatnonzero(weight.any(1))
    nearest = some[np.abs(np.arange(instants)[:, None] - some).argmin(1)] if len(some) < instants else slice(None)
    return _steadied(pose[nearest], R[nearest], weight) if moving else (pose[nearest], R)


def placed(pose: Array, R: Array, observed: Observed, body: Body, focal: float) -> Scene:
    """Place poses and cameras in a scene, for an assumed focal length.

    Args:
        pose: (T, J, 3) root-relative, in body heights.
        R: (V, 3, 3) rotations of static cameras, (T, V, 3, 3) of moving ones.
        observed: the detections.
        body: the bones.
        focal: focal length of all cameras in image units.
    """
    moving = R.ndim == 4
    scale, root = person_in_image(pose, R, observed)
    if moving:
        cameras = NearCameras(R, root / scale[..., None], scale, scale / focal, np.zeros_like(scale))
        return Scene(pose, cameras, bone_lengths(pose, body))
    depth = focal / scale
    seen = np.concatenate([root * (depth / focal)[..., None], depth[..., None]], -1)
    way, t = _static_places(seen, R, np.any(observed.weight > 0, -1))
    middle = np.median(way, 0)
    t = t + R @ middle
    t[:, 2] = np.maximum(t[:, 2], 0.5)  # no camera stands within the athlete
    cameras = NearCameras.from_pinhole(R, t, np.full(len(R), focal))
    return Scene(pose + (way - middle)[:, None], cameras, bone_lengths(pose, body))


def person_in_image(pose: Array, R: Array, observed: Observed) -> tuple[Array, Array]:
    """Size and place of the person in the pictures under weak perspective, from weighted means and spreads.

    Where a view shows fewer than three joints they are the view's medians.

    Args:
        pose: (T, J, 3) root-relative, in body heights.
        R: (V, 3, 3) rotations of static cameras, (T, V, 3, 3) of moving ones.
        observed: the detections.

    Returns:
        Sizes (T, V) of a body height in image units, and images (T, V, 2) of the root.
    """
    flat = (pose[:, None] @ np.swapaxes(R, -1, -2))[..., :2]
    share = observed.weight / np.maximum(observed.weight.sum(-1, keepdims=True), 1e-12)
    here, there = (np.einsum("tvj,tvjk->tvk", share, points) for points in (flat, observed.points))
    centred = flat - here[:, :, None], observed.points - there[:, :, None]
    spread = np.einsum("tvj,tvjk,tvjk->tv", share, centred[0], centred[0])
    scale = np.sqrt(np.einsum("tvj,tvjk,tvjk->tv", share, centred[1], centred[1]) / np.maximum(spread, 1e-9))
    root = there - scale[..., None] * here
    missing = (observed.weight > 0).sum(-1) < 3
    for values in (scale, root):
        values[missing] = np.nan
        typical = np.nanmedian(values, 0)
        values[missing] = np.broadcast_to(typical, values.shape)[missing]
    return scale, root


def body_of(skeleton: Skeleton) -> Body:
    """Bones of a skeleton; a bone and its counterpart on the other side are of one kind."""
    bones = skeleton.bone_indices
    first = np.minimum(np.arange(len(bones)), skeleton.mirror_bones)
    kind = np.unique(first, return_inverse=True)[1]
    return Body(bones, kind, skeleton.landmark_weights("pelvis")[0].astype(np.float64))


def bone_lengths(pose: Array, body: Body) -> Array:
    """Median lengths (kinds) of the bones of poses (T, J, 3), in the unit of the poses."""
    length = np.linalg.norm(pose[:, body.bones[:, 0]] - pose[:, body.bones[:, 1]], axis=-1)
    return np.array([np.median(length[:, body.kind == kind]) for kind in range(body.kind.max() + 1)])


def _static_places(seen: Array, R: Array, shown: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Places of the root (T, 3), and t (V, 3) of the cameras, which see it at (T, V, 3) where it is shown (T, V).

    Alternates between the two: a place is the mean over cameras, a camera's t the median over places.
    """
    offset = np.where(shown[..., None], seen, np.nan)
    for _ in range(_ROUNDS_OF_PLACES):
        t = np.nanmedian(offset, 0)
        way = _mean((seen - t)[..., None, :] @ R, shown.astype(float))[:, 0]
        offset = np.where(shown[..., None], seen - np.einsum("vab,tb->tva", R, way), np.nan)
    return way, t


def _mean(points: Array, weight: Array) -> Array:
    """Weighted means (T, J, 3) over views of points (T, V, J, 3)."""
    total = np.maximum(weight.sum(1), 1e-12)
    return np.einsum("tv,tvja->tja", weight, points) / total[:, None, None]


def _nearest_rotation(matrix: Array) -> Array:
    """Rotations (..., 3, 3) nearest to matrices (..., 3, 3)."""
    U, _, Vt = np.linalg.svd(matrix)
    U[..., -1] *= np.sign(np.linalg.det(U @ Vt))[..., None]
    return U @ Vt


def _steadied(pose: Array, R: Array, weight: Array) -> tuple[Array, Array]:
    """The same poses and rotations in axes in which the cameras turn least from instant to instant."""
    pose, R = pose.copy(), R.copy()
    for instant in range(1, len(R)):
        both = weight[instant - 1] * weight[instant]
        turn = _nearest_rotation(np.einsum("v,vca,vcb->ab", both, R[instant], R[instant - 1]))
        R[instant] = R[instant] @ turn
        pose[instant] = pose[instant] @ turn
    return pose, R
