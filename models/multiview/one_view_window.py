"""The adjustment of one window of a clip of one camera, all of its frames at once (``one_view``).

A rotation of all poses, the lengths of bones, the places of the root, and the joints are unknown. The solution
minimises the sum of these errors, each in units of its usual size, the first three under Cauchy's loss, which
outliers do not pull, the others squared:

* the 2D poses from the images of the joints, weighted by confidence;
* joints from where the network has them, after the rotation;
* second differences in time of the joints;
* second differences in time of the root;
* bones from the one length that they have in the clip, equal on both sides;
* the rotation and the lengths from what is known of them.

Gauss-Newton steps with Marquardt's damping. Lengths are in statures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.least_squares import levenberg_marquardt
from .adjust import Body
from .arrowhead import Arrowhead
from .near_camera import rotation_by, turn_of

Array = NDArray[np.float64]

REPROJECTION = 0.023
"""Usual distance of a detection from the image of its joint, at the depth of the root: 4 cm of a body of 1.7 m."""
BONES = 0.04
"""Usual departure of a bone from its length in the clip, as a share of it."""
RATE_HZ = 60.0
JOINT_CHANGE, ROOT_CHANGE = 0.006, 0.0115
"""Usual second differences of joints and roots at this rate: 1 cm and 2 cm of a body of 1.7 m."""
GROWTH = 1.3
"""Exponent of the time between frames with which they grow: 2 for slow movements, 0 for noise."""
LONGEST_STEP_S = 0.25
"""Frames further apart say nothing about each other."""
NEAREST = 0.3
"""Least depth of a joint, and of a root."""
USUAL_BONE = 0.1
"""Length of bones that are never seen."""
LEAST_BONE = 0.005
"""A shorter one is none, and would allow no departure from its length."""
COST_TOLERANCE = 3e-4
"""Relative decrease of the cost below which the iteration stops: the valley of the rotation is flat."""
STEPS = 60
_HARD = 1e-3
"""Sigma of the root of the poses, which is the origin."""


class Lifted(NamedTuple):
    """What is known of T frames, in order; a missing joint has any finite place."""

    joint: Array  # (T, J, 3) root-relative poses in camera axes, as a network gave them
    expected: Array  # (T, J) expected errors of these; infinite where the joint is missing
    point: Array  # (T, J, 2) 2D poses on the image plane at depth 1, free of distortion
    confidence: Array  # (T, J) of these, 0 where missing
    root: Array  # (T, 3) where the root may be, in camera coordinates
    time: Array  # (T) s

    def median_lengths(self, body: Body) -> Array:
        """Median lengths (kinds) of the bones."""
        ends, there = self.joint[:, body.bones], np.all(np.isfinite(self.expected)[:, body.bones], -1)
        length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
        of_kinds = [length[:, own][there[:, own]] for own in (body.kind == k for k in range(body.kind.max() + 1))]
        return np.array([max(np.median(of_kind), LEAST_BONE) if of_kind.size else USUAL_BONE for of_kind in of_kinds])


class Shape(NamedTuple):
    """What all frames share."""

    R: Array  # (3, 3) by which the lifted poses are turned, in camera axes
    length: Array  # (kinds) of the bones of each kind


class Usual(NamedTuple):
    """Usual departures from a shape that is known before."""

    turn: float  # rad
    length: float  # as a share of each length; 0: they stay as they are


class Scene(NamedTuple):
    """The unknowns."""

    joint: Array  # (T, J, 3) root-relative, camera axes
    root: Array  # (T, 3) in camera coordinates
    shape: Shape


class _System(NamedTuple):
    """What errors add to the Gauss-Newton system.

    The unknowns of a frame are its joints (3J), then its root (3); the common ones (M) are the rotation (3), then the
    lengths of bones. Cauchy's loss counts as weighted squares.
    """

    block: Array  # (T, 3J + 3, 3J + 3)
    border: Array  # (T, 3J + 3, M)
    common: Array  # (M, M)
    right: Array  # (T, 3J + 3)
    right_common: Array  # (M)


class Window:
    """Frames, and what is known of the shape that they share."""

    def __init__(self, lifted: Lifted, body: Body, known: Shape, usual: Usual) -> None:
        self.lifted, self.body, self.known, self.usual = lifted, body, known, usual
        there = np.isfinite(lifted.expected)
        self.there, self.bone_there = there.astype(float), there[:, body.bones].all(-1).astype(float)
        self.allowed = np.where(there, lifted.expected, 1.0)[..., None]
        self.noise = (REPROJECTION / lifted.root[:, 2])[:, None, None]
        self.bone_usual = BONES * known.length[body.kind]
        step = np.diff(lifted.time)
        longest = np.maximum(step[:-1], step[1:])
        near = (longest <= LONGEST_STEP_S)[:, None]
        self.near = np.concatenate([near * self.there[:-2] * self.there[1:-1] * self.there[2:], near], 1)
        self.share = (step[1:] / (step[1:] + step[:-1]))[:, None, None]  # of the frame before, between its neighbours
        usual_change = np.append(np.full(there.shape[1], JOINT_CHANGE), ROOT_CHANGE)
        self.usual_change = ((longest * RATE_HZ) ** GROWTH)[:, None, None] * usual_change[:, None]

    def solve(self) -> Scene:
        """The scene of least cost near the lifted poses."""
        start = Scene(self.lifted.joint @ self.known.R.T, self.lifted.root, self.known)
        return levenberg_marquardt(start, self.cost, self.linearise, COST_TOLERANCE, STEPS)[0]

    def cost(self, scene: Scene) -> float:
        """The sum of all errors."""
        *_, image = self._images(scene)
        _, stretch = self._stretches(scene)
        change = self._changes(scene)
        total = (self.lifted.confidence * _cauchy(image)).sum()
        total += (self.bone_there * stretch**2).sum()
        total += (self.there * _cauchy(self._displacements(scene))).sum()
        total += (self.near[:, :-1] * _cauchy(change[:, :-1])).sum() + (self.near[:, -1:] * change[:, -1] ** 2).sum()
        total += (turn_of(scene.shape.R @ self.known.R.T) ** 2).sum() / self.usual.turn**2
        if self.usual.length:
            total += ((scene.shape.length / self.known.length - 1) ** 2).sum() / self.usual.length**2
        return float(total + np.square(np.einsum("j,tjc->tc", self.body.root, scene.joint) / _HARD).sum())

    def linearise(self, scene: Scene) -> Callable[[float], Scene]:
        """The step from a scene, by damping."""
        system = self._system(scene)

        def step(damping: float) -> Scene:
            change, common = system.solve(damping)
            length = scene.shape.length.copy()
            length[: len(common) - 3] += common[3:]
            shape = Shape(rotation_by(common[:3]) @ scene.shape.R, length)
            return Scene(scene.joint + change[:, :-3].reshape(scene.joint.shape), scene.root + change[:, -3:], shape)

        return step

    # The errors, in units of their usual size.

    def _images(self, scene: Scene) -> tuple[Array, Array, Array]:
        """Joints (T, J, 3) in camera coordinates, depths (T, J, 1), and the errors (T, J, 2) of their images."""
        place = scene.joint + scene.root[:, None]
        depth = np.maximum(place[..., 2:], NEAREST)
        return place, depth, (place[..., :2] / depth - self.lifted.point) / self.noise

    def _stretches(self, scene: Scene) -> tuple[Array, Array]:
        """Directions (T, B, 3) of bones, and their departures (T, B) from their lengths."""
        along = scene.joint[:, self.body.bones[:, 0]] - scene.joint[:, self.body.bones[:, 1]]
        length = np.linalg.norm(along, axis=-1)
        stretch = (length - scene.shape.length[self.body.kind]) / self.bone_usual
        return along / np.maximum(length, 1e-9)[..., None], stretch

    def _displacements(self, scene: Scene) -> Array:
        """Distances (T, J, 3) of joints from where the network has them."""
        return (scene.joint - self.lifted.joint @ scene.shape.R.T) / self.allowed

    def _changes(self, scene: Scene) -> Array:
        """Second differences (T - 2, J + 1, 3) of the joints, then of the root; times may be uneven."""
        points = np.concatenate([scene.joint, scene.root[:, None]], 1)
        line = points[:-2] * self.share + points[2:] * (1 - self.share)
        return 2 * (line - points[1:-1]) / self.usual_change

    # The Gauss-Newton system.

    def _system(self, scene: Scene) -> Arrowhead:
        frames, joints = scene.joint.shape[:2]
        size, count = 3 * joints + 3, 3 + len(self.known.length)
        shapes = (frames, size, size), (frames, size, count), (count, count), (frames, size), (count,)
        system = _System(*map(np.zeros, shapes))
        self._add_images(scene, system)
        self._add_stretches(scene, system)
        self._add_displacements(scene, system)
        held = np.kron(np.outer(self.body.root, self.body.root), np.eye(3)) / _HARD**2
        system.block[:, :-3, :-3] += held
        system.right[:, :-3] -= scene.joint.reshape(frames, -1) @ held
        turn = np.arange(3)
        system.common[turn, turn] += 1 / self.usual.turn**2
        system.right_common[:3] -= turn_of(scene.shape.R @ self.known.R.T) / self.usual.turn**2
        if self.usual.length:
            sigma, length = self.usual.length * self.known.length, np.arange(3, count)
            system.common[length, length] += 1 / sigma**2
            system.right_common[3:] -= (scene.shape.length - self.known.length) / sigma**2
        free = count if self.usual.length else 3
        block, border, common, right, right_common = system
        first, second = self._add_changes(scene, system)
        return Arrowhead(block, first, second, border[..., :free], common[:free, :free], right, right_common[:free])

    def _add_images(self, scene: Scene, system: _System) -> None:
        place, depth, error = self._images(scene)
        frames, joints = error.shape[:2]
        scale = 1 / (depth * self.noise)
        of_place = np.zeros((frames, joints, 2, 3))
        of_place[..., 0, 0] = of_place[..., 1, 1] = scale[..., 0]
        of_place[..., 2] = -place[..., :2] / depth * scale * (place[..., 2:] > NEAREST)
        weighted = np.swapaxes(of_place * (self.lifted.confidence * _weight(error))[..., None, None], -1, -2)
        squares, pull = weighted @ of_place, (weighted @ error[..., None])[..., 0]
        cells, own = system.block.reshape(frames, joints + 1, 3, joints + 1, 3), np.arange(joints)
        of_joint = np.moveaxis(squares, 1, 0)
        cells[:, own, :, own] += of_joint
        cells[:, own, :, -1] += of_joint
        cells[:, -1, :, own] += of_joint
        cells[:, -1, :, -1] += squares.sum(1)
        system.right[:] -= np.concatenate([pull, pull.sum(1, keepdims=True)], 1).reshape(frames, -1)

    def _add_stretches(self, scene: Scene, system: _System) -> None:
        frames, joints = scene.joint.shape[:2]
        direction, stretch = self._stretches(scene)
        ends = np.zeros((len(self.body.bones), joints))
        np.put_along_axis(ends, self.body.bones, np.array([[1.0, -1.0]]), 1)
        along = direction / self.bone_usual[:, None]
        of_joint = (ends[..., None] * along[:, :, None]).reshape(frames, len(ends), -1)
        of_length = -np.eye(len(self.known.length))[self.body.kind] / self.bone_usual[:, None]
        weighted = np.swapaxes(of_joint * self.bone_there[..., None], 1, 2)
        system.block[:, :-3, :-3] += weighted @ of_joint
        system.border[:, :-3, 3:] += weighted @ of_length
        system.right[:, :-3] -= (weighted @ stretch[..., None])[..., 0]
        system.common[3:, 3:] += of_length.T @ (self.bone_there.sum(0)[:, None] * of_length)
        system.right_common[3:] -= of_length.T @ (self.bone_there * stretch).sum(0)

    def _add_displacements(self, scene: Scene, system: _System) -> None:
        frames = len(scene.joint)
        error = self._displacements(scene)
        weight = (self.there * _weight(error))[..., None] / self.allowed
        x, y, z = np.moveaxis(self.lifted.joint @ scene.shape.R.T / self.allowed, -1, 0)
        zero = np.zeros_like(x)
        # exp(w) X = X + w x X, so the derivative of a displacement by w is the cross-product matrix of X
        of_turn = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
        own = np.arange(system.right.shape[1] - 3)
        system.block[:, own, own] += np.repeat((weight / self.allowed)[..., 0], 3, 1)
        system.border[:, :-3, :3] += (weight[..., None] * of_turn).reshape(frames, -1, 3)
        system.right[:, :-3] -= (weight * error).reshape(frames, -1)
        flat, weights = of_turn.reshape(-1, 3), np.repeat((weight * self.allowed).ravel(), 3)
        system.common[:3, :3] += flat.T @ (weights[:, None] * flat)
        system.right_common[:3] -= flat.T @ (weights * error.ravel())

    def _add_changes(self, scene: Scene, system: _System) -> tuple[Array, Array]:
        """Adds second differences; the diagonals (T, 3J + 3) that couple frames to the next, and to those after."""
        change = self._changes(scene)
        weight = self.near * np.concatenate([_weight(change[:, :-1]), np.ones((len(change), 1))], 1)
        frames, size = system.right.shape
        couples = max(frames - 2, 0)
        factors = [
            np.broadcast_to(2 * share / self.usual_change, change.shape).reshape(couples, size)
            for share in (self.share, -1, 1 - self.share)
        ]
        weight, change = np.repeat(weight, 3, 1), change.reshape(couples, size)
        first, second, diagonal = (np.zeros((frames, size)) for _ in range(3))
        for place, factor in enumerate(factors):
            diagonal[place : couples + place] += weight * factor**2
            system.right[place : couples + place] -= weight * factor * change
        first[:couples] += weight * factors[0] * factors[1]
        first[1 : couples + 1] += weight * factors[1] * factors[2]
        second[:couples] += weight * factors[0] * factors[2]
        unknown = np.arange(size)
        system.block[:, unknown, unknown] += diagonal
        return first, second


def _cauchy(error: Array) -> Array:
    """Cauchy's loss (...) of errors (..., D) in units of their usual size."""
    return np.log1p((error**2).sum(-1))


def _weight(error: Array) -> Array:
    """Weights (...) with which weighted squares of errors (..., D) have the gradient of Cauchy's loss."""
    return 1 / (1 + (error**2).sum(-1))
