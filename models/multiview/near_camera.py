"""The pinhole camera written around the person that it sees, so that weak perspective is a point inside the model.

A camera ``X_camera = R X + t`` of focal length f, whose depth axis passes at ``1 / q`` from the world's origin, sees

    x = s (R X + shift)_xy / (1 + q (R X)_z)        with  s = f q,  shift = t_xy,  q = 1 / t_z.

It is the same pinhole camera, but its numbers stay determined where focal length and distance do not: a far camera
has ``q`` near 0, and its image is then that of weak perspective. The person must stand near the world's origin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARAMETERS = 7
"""Of a camera: turn about three axes (rad), shift along two, logarithm of the scale, nearness."""
LOG_SCALE, NEARNESS = 5, 6
"""Places of the last two."""
_LEAST_DEPTH = 0.05
"""Of what the origin's depth is; nearer points, and those behind, are treated as if they were there."""


class NearCameras(NamedTuple):
    """Cameras in any arrangement (...): one per view, or one per instant and view."""

    R: Array  # (..., 3, 3) camera_from_world
    shift: Array  # (..., 2) of the world's origin, in the world's unit
    scale: Array  # (...) image units that a unit of length at the origin's depth takes up
    nearness: Array  # (...) inverse of the origin's depth

    @classmethod
    def from_pinhole(cls, R: Array, t: Array, focal: Array) -> NearCameras:
        """Cameras ``X_camera = R X + t`` of these focal lengths (...); t (..., 3) has a positive depth."""
        nearness = 1 / t[..., 2]
        return cls(R, t[..., :2], focal * nearness, nearness)

    @property
    def focal(self) -> Array:
        """Focal lengths (...) in image units; without bound where the nearness is 0."""
        return self.scale / np.maximum(self.nearness, 1e-9)

    @property
    def translation(self) -> Array:
        """t (..., 3) of ``X_camera = R X + t``."""
        return np.concatenate([self.shift, 1 / np.maximum(self.nearness, 1e-9)[..., None]], -1)

    def see(self, points: Array) -> Array:
        """Images (..., J, 2) of points (..., J, 3)."""
        return self._image(points @ np.swapaxes(self.R, -1, -2))[0]

    def derivatives(self, points: Array) -> tuple[Array, Array, Array]:
        """Images (..., J, 2) of points (..., J, 3), and their derivatives by point (..., J, 2, 3) and camera.

        Those by the camera (..., J, 2, 7) are in the order of ``PARAMETERS``, for changes as ``moved`` makes them.
        """
        turned = points @ np.swapaxes(self.R, -1, -2)
        image, depth = self._image(turned)
        magnification = self.scale[..., None] / depth
        x, y, z = np.moveaxis(turned, -1, 0)
        zero = np.zeros_like(z)
        nearness = np.broadcast_to(self.nearness[..., None], z.shape)
        foreshortening = -image * (nearness / depth)[..., None]
        flat = np.stack([magnification, zero, zero, magnification], -1).reshape(*z.shape, 2, 2)
        of_turned = np.concatenate([flat, foreshortening[..., None]], -1)
        # exp(w) X = X + w x X, so the derivative of a turn is minus the cross-product matrix of X.
        turn = -np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*z.shape, 3, 3)
        of_nearness = -image * (z / depth)[..., None]
        of_camera = np.concatenate([of_turned @ turn, flat, image[..., None], of_nearness[..., None]], -1)
        return image, of_turned @ self.R[..., None, :, :], of_camera

    def moved(self, change: Array) -> NearCameras:
        """The cameras after changes (..., 7): ``exp(turn) R``; sums for shift, logarithm of scale, and nearness."""
        return NearCameras(
            rotation_by(change[..., :3]) @ self.R,
            self.shift + change[..., 3:5],
            self.scale * np.exp(change[..., LOG_SCALE]),
            self.nearness + change[..., NEARNESS],
        )

    def _image(self, turned: Array) -> tuple[Array, Array]:
        """Images (..., J, 2) of points (..., J, 3) in camera axes, and depths (..., J) in units of the origin's."""
        depth = np.maximum(1 + self.nearness[..., None] * turned[..., 2], _LEAST_DEPTH)
        image = (turned[..., :2] + self.shift[..., None, :]) * (self.scale[..., None] / depth)[..., None]
        return image, depth


def rotation_by(turn: Array) -> Array:
    """Rotations (..., 3, 3) of axis-angle vectors (..., 3) in rad (Rodrigues)."""
    square = np.square(turn).sum(-1)[..., None, None]
    angle = np.sqrt(np.maximum(square, 1e-16))
    x, y, z = np.moveaxis(turn, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross


def turn_of(R: Array) -> Array:
    """Axis-angle vectors (..., 3) in rad of rotations (..., 3, 3) by less than half a turn."""
    axis = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1) / 2
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = (np.trace(R, axis1=-2, axis2=-1)[..., None] - 1) / 2
    angle = np.arctan2(sine, cosine)
    return axis * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
