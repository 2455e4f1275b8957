"""One camera of a calibration file, checked for what a camera can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ..camera import LONGEST_FOCAL, SHORTEST_FOCAL, Camera, Lens

NAMES = {"pinhole": ("k1", "k2", "p1", "p2", "k3"), "fisheye": ("k1", "k2", "k3", "k4")}
"""Coefficients of OpenCV's two models of lenses."""


def camera_of(
    K: Any,
    distortion: Any = (),
    rotation: Any = None,
    translation: Any = None,
    size_px: Sequence[float] | None = None,
    fisheye: bool = False,
) -> Camera:
    """A camera of a file.

    Args:
        K: (3, 3) px.
        distortion: k1, k2, p1, p2, k3, or of a fisheye k1, k2, k3, k4, as many as there are; none means no
            distortion.
        rotation: (3, 3) camera_from_world, or (3) as Rodrigues' vector; None where it is not known.
        translation: (3) in the file's unit of length, with ``rotation``.
        size_px: width and height of the pictures that K is for, if the file says it.
        fisheye: whether the distortion is that of OpenCV's fisheye model.

    Raises:
        ValueError: what no camera has, or a model of lenses that is not known.
    """
    matrix = _numbers("the matrix", K, (3, 3))
    size = None if size_px is None else _size(size_px)
    _check_focal(matrix, size)
    R = t = None
    if rotation is not None or translation is not None:
        if rotation is None or translation is None:
            raise ValueError("rotation and translation belong together")
        R, t = _rotation(rotation), _numbers("the translation", translation, (3,))
    lens: Lens = "fisheye" if fisheye else "pinhole"
    return Camera.given(matrix, _distortion(distortion, lens), R, t, lens, size)


def _numbers(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.array(values, np.float64)
    if array.size != np.prod(shape) or (array.ndim > 1 and len(shape) > 1 and array.shape != shape):
        raise ValueError(f"{what} must be {' x '.join(map(str, shape))} numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds what is no number")
    return array.reshape(shape)


def _size(size_px: Sequence[float]) -> tuple[float, float]:
    width, height = _numbers("the size", size_px, (2,)).tolist()
    if min(width, height) < 1:
        raise ValueError(f"the size of its pictures is {width:g} x {height:g}")
    return width, height


def _check_focal(K: np.ndarray, size: tuple[float, float] | None) -> None:
    longer = max(size) if size else 2 * max(K[0, 2], K[1, 2])
    for focal in (K[0, 0], K[1, 1]):
        if not SHORTEST_FOCAL <= focal / max(longer, 1.0) <= LONGEST_FOCAL:
            raise ValueError(f"a focal length of {focal:.4g} px is none of pictures of {longer:.0f} px")
    if not np.allclose(K[2], [0, 0, 1]) or abs(K[1, 0]) > 1:
        raise ValueError("the matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")


def _rotation(rotation: Any) -> np.ndarray:
    given = np.array(rotation, np.float64)
    if given.size == 3:
        return np.asarray(cv2.Rodrigues(_numbers("the rotation", given, (3,)))[0], np.float64)
    R = _numbers("the rotation", given, (3, 3))
    if not np.allclose(R @ R.T, np.eye(3), atol=1e-2) or np.linalg.det(R) < 0:
        raise ValueError("the rotation is none: its rows are not at right angles")
    return R


def _distortion(distortion: Any, lens: Lens) -> np.ndarray:
    """Coefficients (C,) of the lens, in the order of OpenCV."""
    said, names = np.array(distortion, np.float64).ravel(), NAMES[lens]
    if said[len(names) :].any():
        raise ValueError(f"distortions of a {lens} must be at most the {len(names)} numbers {', '.join(names)}")
    if not np.isfinite(said).all():
        raise ValueError("the distortion holds what is no number")
    return np.concatenate([said[: len(names)], np.zeros(max(len(names) - len(said), 0))])
