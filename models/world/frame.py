"""World axes: z up, metres where they are known, the origin on the floor below the first stance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .find import Standing
from .soles import Array, supports
from .vertical import angle_deg

AXIS_DEG = 12.0
"""How far an axis of a calibration may be from where people say up is, and be the vertical."""


class Frame(NamedTuple):
    """A similarity: a point of the rig is at ``scale * rotation @ point + shift`` in the world."""

    rotation: Array  # (3, 3) world_from_rig
    shift: Array  # (3)
    scale: float

    def place(self, points: Array) -> Array:
        """Points (..., 3) of the rig in the world."""
        return self.scale * points @ self.rotation.T + self.shift


def frame_of(standing: Standing, points: Array, scale: float) -> Frame:
    """World axes by where a person stands.

    The x axis is the level part of the rig's, so that it is to the right of its camera.

    Args:
        points: (T, P, 3) joints of the soles.
        scale: world lengths per length of the rig.
    """
    up = standing.up.direction
    rotation = level_axes(up)
    feet, down = supports(points, standing.soles), standing.contacts.standing
    stood = np.flatnonzero(down.any(1))
    if len(stood):
        first = int(stood[0])
        origin = feet[first][down[first]].mean(0)
    else:
        known = np.flatnonzero(np.isfinite(standing.mass).all(1))
        origin = standing.mass[known[0]]
    if len(standing.ground.level) and not standing.slope:
        here = int(np.abs(standing.ground.level - origin @ up).argmin())
        origin = origin + (standing.ground.level[here] - origin @ up) * up
    return Frame(rotation, -scale * rotation @ origin, scale)


def level_axes(up: Array) -> Array:
    """Rotation (3, 3) whose rows are x and y, level, and z, up; x is as near to the old x axis as can be."""
    right = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = right - (right @ up) * up
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])


def vertical_axis(rotation: Array, up: Array) -> Array | None:
    """World axes with z up, by the axis of a calibration that is vertical; None if none of them is.

    Args:
        rotation: (3, 3) calibration_from_rig.
        up: (3) in the rig's axes, as people tell it.
    """
    axes = np.concatenate([rotation, -rotation])
    off = np.array([angle_deg(axis, up) for axis in axes])
    best = int(off.argmin())
    if off[best] > AXIS_DEG:
        return None
    if best == 2:
        return rotation
    z = axes[best]
    x = rotation[0] if best % 3 else rotation[1]
    return np.stack([x, np.cross(z, x), z])
