"""Lenses: intrinsics that are supposed, and keypoints freed from distortion where they meet known cameras."""

from __future__ import annotations

import numpy as np

from ...models.geometry.lens import undistort

Lens = list[float]
"""Distortion coefficients k1, k2, p1, p2, k3 of a camera."""


def assumed_intrinsics(width: float, height: float, focal: float) -> np.ndarray:
    """K (3, 3) float64 of a camera of which only the focal length (px) is supposed."""
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def without_distortion(
    keypoint: np.ndarray, confidence: np.ndarray, K: np.ndarray, distortion: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (..., J, 2) px as a pinhole camera would show them, and confidences (..., J).

    What is missing, and what the lens cannot have shown, is 0 in both.

    Args:
        K: (..., 3, 3) px.
        distortion: (..., 5) as ``Lens``.
    """
    shown = confidence > 0
    pixels = np.where(shown[..., None], keypoint, 0).astype(np.float64)
    free = undistort(pixels, np.asarray(K, np.float64), np.asarray(distortion, np.float64))
    shown = shown & np.isfinite(free).all(-1)
    return np.where(shown[..., None], free, 0).astype(np.float32), np.where(shown, confidence, 0).astype(np.float32)
