"""Bundle adjustment of one athlete: the skeletons and cameras that together explain all views of a take best.

The joints of every instant, the cameras (one per view or, where they move, one per instant and view), their focal
lengths and the lengths of the bones are unknown. The solution minimises the sum of

* reprojection errors, in standard deviations of the detector, under a Huber loss;
* squared differences of bone lengths from lengths that are constant in time and equal on both sides;
* accelerations of joints, under a Huber loss, so that impacts stay;
* for moving cameras, squared second differences of rotation, zoom and inverse depth.

Each of the last three is in units of its prior sigma (``PriorSigma``). Gauss-Newton steps with Marquardt's damping
(Triggs et al., Bundle Adjustment, 2000); all instants are solved for at once (``arrowhead``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.least_squares import MOST_STEPS, levenberg_marquardt
from .arrowhead import Arrowhead
from .near_camera import BEND, INVERSE_DEPTH, LOG_SCALE, PARAMETERS, NearCameras, turn_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Known = Literal["nothing", "focal", "all"]
"""What is known of the cameras, and is not changed."""

HUBER = 1.345
"""Error in standard deviations above which the cost grows linearly: 95 % efficient on Gaussian errors."""
COST_TOLERANCE = 3e-5
"""Relative decrease of the cost below which the iteration stops; what is left is decided by the priors."""
_HARD = 1e-3
"""Sigma of what is fixed by definition: the root of a person seen by moving cameras, and the scale of the body."""


class Observed(NamedTuple):
    """The detections of T instants, V views and J joints."""

    points: Array  # (T, V, J, 2) image coordinates relative to the principal point; finite even where missing
    weight: Array  # (T, V, J) inverse variance of the detections, 0 where missing
    regular: Mask  # (T - 2) whether instants t, t + 1 and t + 2 are equally spaced


class Body(NamedTuple):
    """What is known of the body before anything is seen."""

    bones: NDArray[np.int64]  # (B, 2) indices of the two joints of each bone
    kind: NDArray[np.int64]  # (B) bones of one kind have equal lengths
    root: Array  # (J) weights of the joints in the root, their weighted mean


class PriorSigma(NamedTuple):
    """Prior standard deviations of what is small in any plausible scene. Lengths are in the scene's unit."""

    bone: float  # of a bone's length at an instant from its constant length
    acceleration: Array  # (J) of a joint's acceleration, in lengths per squared step of time
    turn: float  # of a camera's angular acceleration, in rad per squared step
    zoom: float  # of the second difference of the logarithm of a camera's scale
    inverse_depth: float  # of the second difference of a camera's inverse depth, in inverse lengths
    bend: float = 0.0  # of how much static lenses bend from what is usual; 0 where that is known and stays
    usual_bend: Array | float = 0.0  # (V)


class Scene(NamedTuple):
    """Joints, cameras and bone lengths in the axes of the rig, in any unit of length.

    If the cameras move, the root of the body is the origin at every instant.
    """

    joint: Array  # (T, J, 3)
    cameras: NearCameras  # arranged (V), or (T, V) where they move
    length: Array  # (kinds) of the bones of each kind

    @property
    def moving(self) -> bool:
        """Whether every instant has its own cameras."""
        return self.cameras.scale.ndim == 2

    def see(self) -> Array:
        """Images (T, V, J, 2) of the joints, in image units relative to the principal point."""
        return self.cameras.see(self.joint[:, None])


def adjust(
    observed: Observed,
    body: Body,
    sigma: PriorSigma,
    start: Scene,
    known: Known = "nothing",
    steps: int = MOST_STEPS,
) -> tuple[Scene, float]:
    """Find the scene of least cost near a start.

    Args:
        observed: the detections.
        body: the bones and the root.
        sigma: prior standard deviations, in the unit of length of the start.
        start: the scene to start from.
        known: what is known of the cameras and stays as in the start: nothing, focal lengths, or everything.
        steps: limit on the number of Gauss-Newton steps.

    Returns:
        The scene, in the start's unit of length (in that of the cameras if they are known), and its cost.
    """
    size = None if known == "all" else float(start.length.sum())  # known cameras determine it
    if known == "focal":
        sigma = sigma._replace(zoom=np.inf)  # follows from distance

    def linearise(scene: Scene) -> Callable[[float], Scene]:
        system = _system(observed, body, sigma, scene, size, known)
        return lambda damping: _moved(scene, *system.solve(damping), known, sigma.bend)

    def cost(scene: Scene) -> float:
        return _cost(observed, body, sigma, scene, size)

    return levenberg_marquardt(start, cost, linearise, COST_TOLERANCE, steps)


def covariance(observed: Observed, body: Body, sigma: PriorSigma, scene: Scene) -> Array:
    """Covariances (T, J, 3, 3) of the joints relative to the root, in squared lengths of the scene.

    Cameras and bone lengths are taken as exact. Each is the inverse of an instant's Gauss-Newton block alone:
    neighbours in time are left out, because errors of the detector that last would make it look too certain.
    """
    instants, joints = scene.joint.shape[:2]
    block = _block_diagonal(_views(observed, scene, "all").joint) + _bones(body, sigma, scene).joint
    block += 1e-6 * np.trace(block, axis1=1, axis2=2)[:, None, None] / len(block[0]) * np.eye(3 * joints)
    relative = np.kron(np.eye(joints) - body.root, np.eye(3))
    inverse = relative @ np.linalg.inv(block) @ relative.T
    return np.einsum("tjajb->tjab", inverse.reshape(instants, joints, 3, joints, 3)).copy()


def reprojection(observed: Observed, scene: Scene) -> Array:
    """Distances (T, V, J) of the detections from the images of the joints, in image units."""
    return np.linalg.norm(scene.see() - observed.points, axis=-1)


# The parts of the cost.


def huber(error: Array, threshold: float = HUBER) -> Array:
    """Huber's loss (...) of errors (...) >= 0 in standard deviations: half their square up to a threshold.

    Huber, Robust Estimation of a Location Parameter, 1964.
    """
    return np.where(error < threshold, error**2 / 2, threshold * (error - threshold / 2))


def _huber_weight(error: Array) -> Array:
    """Weights with which weighted squares have the gradient of Huber's loss."""
    return HUBER / np.maximum(error, HUBER)


def _cost(observed: Observed, body: Body, sigma: PriorSigma, scene: Scene, size: float | None) -> float:
    error = reprojection(observed, scene) * np.sqrt(observed.weight)
    stretch = _stretch(body, scene)[0] / sigma.bone
    acceleration, of_cameras = _second_differences(observed, sigma, scene)
    total = huber(error).sum() + np.square(stretch).sum() / 2 + np.square(of_cameras).sum() / 2
    total += huber(np.linalg.norm(acceleration, axis=-1)).sum()
    if size is not None:
        total += np.square((scene.length.sum() - size) / _HARD) / 2
    if scene.moving and size is not None:
        total += np.square(body.root @ scene.joint / _HARD).sum() / 2
    if sigma.bend:
        total += np.square((scene.cameras.bend - sigma.usual_bend) / sigma.bend).sum() / 2
    return float(total)


def _stretch(body: Body, scene: Scene) -> tuple[Array, Array]:
    """How much longer bones are than the length of their kind (T, B), and their directions (T, B, 3)."""
    along = scene.joint[:, body.bones[:, 0]] - scene.joint[:, body.bones[:, 1]]
    length = np.linalg.norm(along, axis=-1)
    return length - scene.length[body.kind], along / np.maximum(length, 1e-9)[..., None]


def _second_differences(observed: Observed, sigma: PriorSigma, scene: Scene) -> tuple[Array, Array]:
    """Second differences in prior sigmas: of joints (T - 2, J, 3), and of moving cameras (T - 2, V, 8)."""
    regular = observed.regular[:, None, None]
    joint = np.diff(scene.joint, 2, axis=0) / sigma.acceleration[:, None] * regular
    if not scene.moving:
        return joint, np.zeros((0, 0, PARAMETERS))
    R, cameras = scene.cameras.R, scene.cameras
    step = turn_of(R[1:] @ np.swapaxes(R[:-1], -1, -2))
    changes = np.zeros((*joint.shape[:1], R.shape[1], PARAMETERS))
    changes[..., :3] = np.diff(step, axis=0) / sigma.turn
    changes[..., LOG_SCALE] = np.diff(np.log(cameras.scale), 2, axis=0) / sigma.zoom
    changes[..., INVERSE_DEPTH] = np.diff(cameras.inverse_depth, 2, axis=0) / sigma.inverse_depth
    return joint, changes * regular


# The Gauss-Newton system. The unknowns of an instant are its joints (3J), then its cameras if they move (V F); the
# common unknowns are static cameras (V F), then bone lengths. F is the number of free parameters of a camera.


class _Part(NamedTuple):
    """The contribution of one kind of error to the system: products of derivatives, and right-hand sides."""

    joint: Array
    mixed: Array
    other: Array  # for cameras, or for lengths
    right: Array
    right_other: Array


def _system(
    observed: Observed, body: Body, sigma: PriorSigma, scene: Scene, size: float | None, known: Known
) -> Arrowhead:
    views, bones = _views(observed, scene, known, sigma.bend), _bones(body, sigma, scene)
    instants, joints = scene.joint.shape[:2]
    joint, right = _block_diagonal(views.joint) + bones.joint, views.right + bones.right
    mixed = views.mixed.reshape(instants, 3 * joints, int(np.prod(views.mixed.shape[3:])))
    lengths, right_lengths = bones.other, bones.right_other
    if size is not None:
        lengths = lengths + 1 / _HARD**2
        right_lengths = right_lengths - (scene.length.sum() - size) / _HARD**2
    if scene.moving and size is not None:  # otherwise the cameras determine where it is
        held = np.kron(np.outer(body.root, body.root), np.eye(3)) / _HARD**2
        joint, right = joint + held, right - scene.joint.reshape(instants, -1) @ held
    if scene.moving:
        cameras = _block_diagonal(views.other)
        block = np.block([[joint, mixed], [np.swapaxes(mixed, 1, 2), cameras]])
        right = np.concatenate([right, views.right_other.reshape(instants, cameras.shape[1])], -1)
        border = np.concatenate([bones.mixed, np.zeros((instants, cameras.shape[1], len(lengths)))], 1)
        common, right_common = lengths, right_lengths
    else:
        block, border = joint, np.concatenate([mixed, bones.mixed], -1)
        of_cameras, right_cameras = views.other.sum(0), views.right_other.sum(0)
        if sigma.bend:
            of_cameras[:, -1, -1] += 1 / sigma.bend**2
            right_cameras[:, -1] -= (scene.cameras.bend - sigma.usual_bend) / sigma.bend**2
        cameras = _block_diagonal(of_cameras)
        common = np.block(
            [[cameras, np.zeros((len(cameras), len(lengths)))], [np.zeros((len(lengths), len(cameras))), lengths]]
        )
        right_common = np.concatenate([right_cameras.ravel(), right_lengths])
    return _with_time(
        Arrowhead(block, right, right, border, common, right, right_common), observed, sigma, scene, known
    )


def _views(observed: Observed, scene: Scene, known: Known, bend: float = 0.0) -> _Part:
    """The part of reprojection errors: (T, J, 3, 3), (T, J, 3, V, F), (T, V, F, F), (T, 3J), (T, V, F)."""
    image, of_joint, of_camera = scene.cameras.derivatives(scene.joint[:, None])
    residual = observed.points - image
    error = np.linalg.norm(residual, axis=-1) * np.sqrt(observed.weight)
    root = np.sqrt(observed.weight * _huber_weight(error))[..., None]  # Huber as weighted squares
    r, P = root * residual, root[..., None] * of_joint
    C = root[..., None] * (of_camera @ _free(scene.cameras, known, bend)[..., None, :, :])
    transposed, flat = np.swapaxes(P, -1, -2), C.reshape(*C.shape[:2], 2 * C.shape[2], C.shape[-1])
    return _Part(
        joint=(transposed @ P).sum(1),
        mixed=np.moveaxis(transposed @ C, 1, 3),
        other=np.swapaxes(flat, -1, -2) @ flat,
        right=(transposed @ r[..., None]).sum(1).reshape(len(r), -1),
        right_other=np.einsum("tvjkf,tvjk->tvf", C, r),
    )


def _free(cameras: NearCameras, known: Known, bend: float) -> Array:
    """Matrices (..., 8, F) that turn changes of the cameras' free parameters into changes of all eight."""
    free = np.broadcast_to(np.eye(PARAMETERS), (*cameras.scale.shape, PARAMETERS, PARAMETERS))
    if known == "all":
        return free[..., :0]
    if known == "nothing":
        return free if bend else free[..., :BEND]
    free = free[..., :BEND]
    # With a known focal length s / q, the logarithm of the scale changes by 1 / q with the inverse depth q.
    free = np.delete(free, LOG_SCALE, -1)
    free[..., LOG_SCALE, -1] = 1 / cameras.inverse_depth
    return free


def _bones(body: Body, sigma: PriorSigma, scene: Scene) -> _Part:
    """The part of bone lengths: (T, 3J, 3J), (T, 3J, kinds), (kinds, kinds), (T, 3J), (kinds)."""
    instants, joints = scene.joint.shape[:2]
    stretch, direction = _stretch(body, scene)
    ends = np.zeros((len(body.bones), joints))
    np.put_along_axis(ends, body.bones, [[1.0, -1.0]], 1)
    P = (ends[..., None] * direction[..., None, :]).reshape(instants, len(ends), -1) / sigma.bone
    L = -np.eye(len(scene.length))[body.kind] / sigma.bone
    transposed, r = np.swapaxes(P, 1, 2), -stretch / sigma.bone
    return _Part(
        transposed @ P, transposed @ L, instants * L.T @ L, (transposed @ r[..., None])[..., 0], L.T @ r.sum(0)
    )


def _with_time(system: Arrowhead, observed: Observed, sigma: PriorSigma, scene: Scene, known: Known) -> Arrowhead:
    """The system after the contribution of second differences in time is added."""
    acceleration, of_cameras = _second_differences(observed, sigma, scene)
    weight = _huber_weight(np.linalg.norm(acceleration, axis=-1, keepdims=True))
    weights = [np.repeat(weight * (1 / sigma.acceleration**2)[:, None], 3, -1)]
    rights = [weight * acceleration / sigma.acceleration[:, None]]
    if scene.moving:
        deviation = np.array([*[sigma.turn] * 3, np.inf, np.inf, sigma.zoom, sigma.inverse_depth, np.inf])
        ours = {"nothing": np.arange(7), "focal": np.delete(np.arange(7), LOG_SCALE), "all": np.arange(0)}[known]
        weights.append(np.broadcast_to(1 / deviation[ours] ** 2, (*of_cameras.shape[:2], len(ours))))
        rights.append((of_cameras / deviation)[..., ours])
    instants, size = system.right.shape
    regular = observed.regular[:, None]
    w = np.concatenate([part.reshape(len(regular), part[0].size) for part in weights], -1) * regular
    r = np.concatenate([part.reshape(len(regular), part[0].size) for part in rights], -1)
    block, right = system.block.copy(), system.right.copy()
    first, second = np.zeros((instants, size)), np.zeros((instants, size))
    diagonal = np.zeros((instants, size))
    for place, coefficient in enumerate((1, -2, 1)):
        here = slice(place, instants - 2 + place)
        diagonal[here] += coefficient**2 * w
        right[here] -= coefficient * r
    first[: instants - 2] -= 2 * w
    first[1 : instants - 1] -= 2 * w
    second[: instants - 2] += w
    unknown = np.arange(size)
    block[:, unknown, unknown] += diagonal
    return system._replace(block=block, next=first, second_next=second, right=right)


def _moved(scene: Scene, changes: Array, common: Array, known: Known, bend: float) -> Scene:
    """The scene after changes of the unknowns of instants (T, N) and of the common unknowns (M)."""
    instants, joints = scene.joint.shape[:2]
    free = _free(scene.cameras, known, bend)
    of_cameras = changes[:, 3 * joints :] if scene.moving else common[: len(common) - len(scene.length)]
    change = (free @ of_cameras.reshape(*free.shape[:-2], free.shape[-1], 1))[..., 0]
    cameras = scene.cameras.moved(change)
    if known == "focal":  # exactly, not to first order only
        cameras = cameras._replace(scale=scene.cameras.focal * cameras.inverse_depth)
    return Scene(
        scene.joint + changes[:, : 3 * joints].reshape(instants, joints, 3),
        cameras,
        scene.length + common[len(common) - len(scene.length) :],
    )


def _block_diagonal(blocks: Array) -> Array:
    """Matrices (..., K F, K F) with the blocks (..., K, F, F) on their diagonals."""
    *before, count, size, _ = blocks.shape
    spread = np.zeros((*before, count, size, count, size))
    place = np.arange(count)
    spread[..., place, :, place, :] = np.moveaxis(blocks, -3, 0)
    return spread.reshape(*before, count * size, count * size)
