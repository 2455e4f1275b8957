"""Bundle adjustment: the static cameras and joints that together explain all detections best.

A static rig has a handful of unknown cameras and thousands of unknown joints, each seen by few cameras. The joints
are therefore eliminated from every step (Schur complement; Triggs et al., Bundle Adjustment, 2000, Sec. 6), and a
step costs no more than triangulating them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .epipolar import project
from .least_squares import levenberg_marquardt

Array = NDArray[np.float64]


COST_TOLERANCE = 1e-7
"""Relative decrease of the cost below which the iteration stops: low, as a rig nears its minimum in small steps."""


class Bundle(NamedTuple):
    """A rig of cameras ``X_camera = R X + t`` and the joints that it has seen, in any unit of length.

    The axes of the world are those of camera 0.
    """

    R: Array  # (V, 3, 3) camera_from_world
    t: Array  # (V, 3)
    world: Array  # (N, 3) joints
    focal: float
    """Factor by which all focal lengths have to be multiplied; 1 if they were known."""


def adjust_bundle(
    points: Array, weight: Array, tolerance: Array, start: Bundle, *, focal_unknown: bool = False
) -> Bundle:
    """Find the rig and joints with the least Huber cost ``sum_vn w rho(|x - f P(X)| / tolerance)``.

    Levenberg-Marquardt. Camera 0 stays where it is, and the longest distance of a camera from it keeps its length,
    because images do not determine the scale.

    Args:
        points: (V, N, 2) normalised image coordinates.
        weight: (V, N), 0 where missing.
        tolerance: (V) error in normalised units above which the cost grows linearly.
        start: cameras and joints to start from.
        focal_unknown: whether to find a factor common to all focal lengths as well.

    Returns:
        The rig and joints, in the unit of length of the start.
    """
    longest = np.linalg.norm(_centres(start), axis=-1).max()

    def linearise(bundle: Bundle) -> Callable[[float], Bundle]:
        system = _normal_equations(points, weight, tolerance, bundle, focal_unknown)
        return lambda damping: _moved(bundle, *_solve(*system, damping))

    def cost(bundle: Bundle) -> float:
        return _cost(points, weight, tolerance, bundle)

    bundle, _ = levenberg_marquardt(start, cost, linearise, COST_TOLERANCE)
    scale = longest / np.linalg.norm(_centres(bundle), axis=-1).max()
    return bundle._replace(t=scale * bundle.t, world=scale * bundle.world)


def _centres(bundle: Bundle) -> Array:
    return -np.einsum("vba,vb->va", bundle.R, bundle.t)


def _residual(points: Array, bundle: Bundle) -> Array:
    """Errors (V, N, 2) of the images of the joints, in normalised units."""
    return bundle.focal * project(bundle.world, bundle.R, bundle.t)[0] - points


def _cost(points: Array, weight: Array, tolerance: Array, bundle: Bundle) -> float:
    error = np.linalg.norm(_residual(points, bundle), axis=-1) / tolerance[:, None]
    huber = np.where(error < 1, error**2 / 2, error - 0.5)
    return float((weight * huber).sum())


def _normal_equations(
    points: Array, weight: Array, tolerance: Array, bundle: Bundle, focal_unknown: bool
) -> tuple[Array, Array, Array, Array, Array]:
    """Blocks of the Gauss-Newton system: cameras (P, P), mixed (P, N, 3), joints (N, 3, 3), right-hand sides.

    The P unknowns of the rig are a rotation and a translation to be applied after the (R, t) of each camera, then the
    logarithm of the focal factor; rows of unknowns that stay fixed are zero.
    """
    residual = _residual(points, bundle)
    error = np.linalg.norm(residual, axis=-1) / tolerance[:, None]
    root = np.sqrt(weight / np.maximum(error, 1)) / tolerance[:, None]  # Huber as weighted squares
    of_camera, of_point, of_focal = _derivatives(bundle)
    views, count = weight.shape
    J = np.zeros((views, count, 2, 6 * views + 1))
    for view in range(1, views):
        J[view, :, :, 6 * view : 6 * view + 6] = of_camera[view]
    J[..., -1] = of_focal if focal_unknown else 0
    J, B, r = root[..., None, None] * J, root[..., None, None] * of_point, root[..., None] * residual
    flat = J.reshape(-1, J.shape[-1])
    return (
        flat.T @ flat,
        np.einsum("vnkp,vnkc->pnc", J, B, optimize=True),
        np.einsum("vnka,vnkb->nab", B, B),
        flat.T @ r.reshape(-1),
        np.einsum("vnka,vnk->na", B, r),
    )


def _derivatives(bundle: Bundle) -> tuple[Array, Array, Array]:
    """Derivatives of the images, by unknowns of the cameras and joints.

    Returns:
        By rotation and translation of a camera (V, N, 2, 6), by joint (V, N, 2, 3), by log focal factor (V, N, 2).
    """
    seen = np.einsum("vab,nb->vna", bundle.R, bundle.world) + bundle.t[:, None]
    x, y, z = np.moveaxis(seen, -1, 0)
    zero = np.zeros_like(z)
    of_seen = bundle.focal * np.stack([1 / z, zero, -x / z**2, zero, 1 / z, -y / z**2], -1).reshape(*z.shape, 2, 3)
    # exp(w) X = X + w x X, so the derivative of a turn is minus the cross-product matrix of X.
    turn = -np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*z.shape, 3, 3)
    of_camera = np.concatenate([of_seen @ turn, of_seen], -1)
    return of_camera, np.einsum("vnkb,vba->vnka", of_seen, bundle.R), bundle.focal * seen[..., :2] / z[..., None]


def _solve(A: Array, M: Array, D: Array, a: Array, d: Array, damping: float) -> tuple[Array, Array]:
    """Changes of the rig (P) and of the joints (N, 3), with Marquardt's damping."""
    D = D + damping * np.einsum("nab,ab->nab", D, np.eye(3)) + 1e-12 * np.eye(3)
    inverse = np.linalg.inv(D)
    MD = np.einsum("pna,nab->pnb", M, inverse)
    reduced = A + damping * np.diag(np.diag(A)) - np.einsum("pnb,qnb->pq", MD, M, optimize=True)
    right = a - np.einsum("pnb,nb->p", MD, d)
    fixed = np.diag(A) == 0
    reduced[fixed, fixed] = 1
    rig = -np.linalg.solve(reduced, np.where(fixed, 0, right))
    return rig, -np.einsum("nab,nb->na", inverse, d + np.einsum("pna,p->na", M, rig))


def _moved(bundle: Bundle, rig: Array, joints: Array) -> Bundle:
    """The bundle after the given changes."""
    cameras = rig[:-1].reshape(-1, 6)
    turns = np.stack([cv2.Rodrigues(turn)[0] for turn in cameras[:, :3]])
    return Bundle(
        R=turns @ bundle.R,
        t=np.einsum("vab,vb->va", turns, bundle.t) + cameras[:, 3:],
        world=bundle.world + joints,
        focal=bundle.focal * float(np.exp(rig[-1])),
    )
