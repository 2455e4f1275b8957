"""Regions: the turned squares of a picture in which BlazePose's landmark network looks at one person each.

A region is ``(x, y, side, angle)``: its centre and side in px, and by how much it is turned, in radians, so that the
person stands upright in it. Regions are laid as MediaPipe lays them: around two alignment points, the middle of the
hips and a point on the circle around the whole person.
"""

from __future__ import annotations

import cv2
import numpy as np

from ....models.skeleton import COCO17

MARGIN = 1.25
"""Side of a region, in diameters of the circle around the person."""
STEADY = 1 / (2 * np.pi * 10)
"""Movement from one picture to the next, in sides of the region, of which a region goes half."""
ENDS, SIDES = ("hip", "shoulder"), ("left", "right")


def regions_around(point: np.ndarray) -> np.ndarray:
    """Regions (N, 4) float32 by alignment points (N, 2, 2) px: the middle of the hips, and the circle above it."""
    centre, up = point[:, 0], point[:, 1] - point[:, 0]
    side = 2 * MARGIN * np.linalg.norm(up, axis=1)
    return np.column_stack([centre, side, np.arctan2(up[:, 0], -up[:, 1])]).astype(np.float32)


def regions_of(joint: np.ndarray) -> np.ndarray:
    """Regions (N, 4) float32 of people by their joints (N, 17, 2) px of COCO-17: upright by hips and shoulders."""
    hips, shoulders = (joint[:, [COCO17.index(f"{side}_{name}") for side in SIDES]].mean(1) for name in ENDS)
    up = shoulders - hips
    reach = np.linalg.norm(joint - hips[:, None], axis=-1).max(1)
    up = up * (reach / np.maximum(np.linalg.norm(up, axis=1), 1e-6))[:, None]
    return regions_around(np.stack([hips, hips + up], 1))


def steadied(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Regions (N, 4) float32 on their way to others (N, 4), further the more they move, so that they do not tremble.

    It is the 1 euro filter (Casiez et al., 2012) with MediaPipe's slope for alignment points, where the least cutoff
    does not count: then the rate of the pictures does not either.
    """
    start, end = _alignment_points(before), _alignment_points(after)
    moved = np.linalg.norm(end - start, axis=-1, keepdims=True) / before[:, 2, None, None]
    return regions_around(start + moved / (moved + STEADY) * (end - start))


def cut_out(image: np.ndarray, regions: np.ndarray, side: int) -> np.ndarray:
    """The regions (N, 4) of a picture (H, W, 3) uint8, upright, as pictures (N, side, side, 3) uint8."""
    crops = np.empty((len(regions), side, side, 3), np.uint8)
    for crop, turn in zip(crops, _picture_from_region(regions), strict=True):
        turn = turn @ np.diag([1 / side, 1 / side, 1])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, turn, (side, side), crop, flags, cv2.BORDER_REPLICATE)
    return crops


def to_picture(regions: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Points (N, J, 2) in px of the picture that are given in shares of their regions' (N, 4) sides."""
    turn = _picture_from_region(regions)
    return (np.einsum("nij,nkj->nki", turn[..., :2], point) + turn[:, None, :, 2]).astype(np.float32)


def _alignment_points(regions: np.ndarray) -> np.ndarray:
    """The two points (N, 2, 2) px around which regions (N, 4) are laid."""
    x, y, side, angle = np.asarray(regions, np.float64).T
    reach = side / (2 * MARGIN)
    return np.stack([[x, y], [x + reach * np.sin(angle), y - reach * np.cos(angle)]]).transpose(2, 0, 1)


def _picture_from_region(regions: np.ndarray) -> np.ndarray:
    """Affine maps (N, 2, 3) float64 from shares of a region's sides to px of the picture."""
    x, y, side, angle = np.asarray(regions, np.float64).T
    cos, sin = side * np.cos(angle), side * np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)
    return np.concatenate([turn, (np.stack([x, y], -1) - turn.sum(-1) / 2)[..., None]], -1)
