"""The pinhole camera written around the person that it sees, so that weak perspective is a point inside the model.

A camera ``X_camera = R X + t`` of focal length f, whose depth axis passes at ``1 / q`` from the world's origin, sees

    x = s (R X + shift)_xy / (1 + q (R X)_z)        with  s = f q,  shift = t_xy,  q = 1 / t_z.

It is the same pinhole camera, but its numbers stay determined where focal length and distance do not: a far camera
has ``q`` near 0, and its image is then that of weak perspective. The person must stand near the world's origin.

A lens may bend the image (``geometry.lens.bend_points``): one coefficient is enough for lenses of 120 degrees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.lens import bend_root

Array = NDArray[np.float64]

PARAMETERS = 8
"""Of a camera: rotation about three axes (rad), shift along two, logarithm of the scale, inverse depth, bend."""
LOG_SCALE, INVERSE_DEPTH, BEND = 5, 6, 7
"""Indices of the last three parameters."""
_LEAST_DEPTH = 0.05
"""Smallest depth, relative to that of the origin; nearer points, and those behind, are imaged at this depth."""


class NearCameras(NamedTuple):
    """Cameras in any arrangement (...): one per view, or one per instant and view."""

    R: Array  # (..., 3, 3) camera_from_world
    shift: Array  # (..., 2) x and y of the world's origin in camera axes, in lengths of the world
    scale: Array  # (...) size in the image, in image units, of a unit of length at the depth of the origin
    inverse_depth: Array  # (...) of the world's origin, in inverse lengths; negative for a mirrored camera
    bend: Array  # (...) of the lens, in inverse squares of image units: 0 for none, negative where barrels bulge

    @classmethod
    def from_pinhole(cls, R: Array, t: Array, focal: Array) -> NearCameras:
        """Write cameras ``X_camera = R X + t`` in this form.

        Args:
            R: (..., 3, 3) camera_from_world.
            t: (..., 3), in lengths of the world; depths (the last component) must not be 0.
            focal: (...) focal lengths in image units.
        """
        inverse_depth = 1 / t[..., 2]
        return cls(R, t[..., :2], focal * inverse_depth, inverse_depth, np.zeros_like(inverse_depth))

    @property
    def focal(self) -> Array:
        """Focal lengths (...) in image units; huge but finite where the inverse depth is below 1e-9."""
        return self.scale / np.maximum(self.inverse_depth, 1e-9)

    @property
    def translation(self) -> Array:
        """The t (..., 3) of ``X_camera = R X + t``, in lengths of the world."""
        return np.concatenate([self.shift, 1 / np.maximum(self.inverse_depth, 1e-9)[..., None]], -1)

    def see(self, points: Array) -> Array:
        """Images (..., J, 2) of points (..., J, 3), in image units relative to the principal point."""
        return self._bent(self._image(points @ np.swapaxes(self.R, -1, -2))[0])[0]

    def derivatives(self, points: Array) -> tuple[Array, Array, Array]:
        """Images of points (..., J, 3), and the derivatives of the images.

        Returns:
            Images (..., J, 2), their derivatives by the point (..., J, 2, 3), and those by the camera
            (..., J, 2, 8), in the order of ``PARAMETERS``, for changes as ``moved`` applies them.
        """
        turned = points @ np.swapaxes(self.R, -1, -2)
        image, depth = self._image(turned)
        magnification = self.scale[..., None] / depth
        x, y, z = np.moveaxis(turned, -1, 0)
        zero = np.zeros_like(z)
        inverse_depth = np.broadcast_to(self.inverse_depth[..., None], z.shape)
        foreshortening = -image * (inverse_depth / depth)[..., None]
        flat = np.stack([magnification, zero, zero, magnification], -1).reshape(*z.shape, 2, 2)
        of_turned = np.concatenate([flat, foreshortening[..., None]], -1)
        # exp(w) X = X + w x X, so the derivative of a turn is minus the cross-product matrix of X.
        turn = -np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*z.shape, 3, 3)
        of_inverse_depth = -image * (z / depth)[..., None]
        of_camera = np.concatenate([of_turned @ turn, flat, image[..., None], of_inverse_depth[..., None]], -1)
        bent, of_image, of_bend = self._bent(image)
        of_camera = np.concatenate([of_image @ of_camera, of_bend[..., None]], -1)
        return bent, of_image @ of_turned @ self.R[..., None, :, :], of_camera

    def moved(self, change: Array) -> NearCameras:
        """The cameras after changes (..., 8) in the order of ``PARAMETERS``.

        Rotations are applied after R, as ``exp(change) R``; changes of the other parameters are added to them.
        """
        return NearCameras(
            rotation_by(change[..., :3]) @ self.R,
            self.shift + change[..., 3:5],
            self.scale * np.exp(change[..., LOG_SCALE]),
            self.inverse_depth + change[..., INVERSE_DEPTH],
            self.bend + change[..., BEND],
        )

    def _image(self, turned: Array) -> tuple[Array, Array]:
        """Images (..., J, 2) of points (..., J, 3) in camera axes, and depths (..., J) relative to the origin's."""
        depth = np.maximum(1 + self.inverse_depth[..., None] * turned[..., 2], _LEAST_DEPTH)
        image = (turned[..., :2] + self.shift[..., None, :]) * (self.scale[..., None] / depth)[..., None]
        return image, depth

    def _bent(self, image: Array) -> tuple[Array, Array, Array]:
        """Where the lens shows what a pinhole camera shows at (..., J, 2); derivatives by that and by the bend."""
        square = np.square(image).sum(-1)
        root = bend_root(square, self.bend[..., None])
        slope = 4 / (root * (1 + root) ** 2)  # of the factor 2 / (1 + root), by the bend times the square
        factor = (2 / (1 + root))[..., None]
        outer = image[..., :, None] * image[..., None, :]
        of_image = factor[..., None] * np.eye(2) + (2 * self.bend[..., None] * slope)[..., None, None] * outer
        return factor * image, of_image, (slope * square)[..., None] * image


def rotation_by(turn: Array) -> Array:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in rad (Rodrigues' formula)."""
    square = np.square(turn).sum(-1)[..., None, None]
    angle = np.sqrt(np.maximum(square, 1e-16))
    x, y, z = np.moveaxis(turn, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * cross @ cross


def turn_of(R: Array) -> Array:
    """Axis-angle vectors (..., 3) in rad of rotation matrices (..., 3, 3), which turn by less than 180 degrees."""
    axis = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1) / 2
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    cosine = (np.trace(R, axis1=-2, axis2=-1)[..., None] - 1) / 2
    angle = np.arctan2(sine, cosine)
    return axis * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
