"""One square crop of an image, and where it lies in it."""

from __future__ import annotations

import cv2
import numpy as np


def crop_square(image: np.ndarray, box: np.ndarray, size: int, person: float) -> tuple[np.ndarray, np.ndarray]:
    """A square crop (size, size, 3) uint8 RGB round a box, and the affine map (2, 3) float32 from the image to it.

    Args:
        image: (H, W, 3) uint8 BGR.
        box: (4) px: left, top, right, bottom.
        person: share of the crop's side that the larger side of the box takes up.
    """
    side = max(round(float(max(box[2] - box[0], box[3] - box[1])) / person), 2)
    left, top = (round(float(low + high - side) / 2) for low, high in ((box[0], box[2]), (box[1], box[3])))
    window = np.zeros((side, side, 3), np.uint8)
    height, width = image.shape[:2]
    rows, columns = (slice(max(low, 0), max(min(low + side, end), 0)) for low, end in ((top, height), (left, width)))
    inside = image[rows, columns]
    if inside.size:
        down, right = rows.start - top, columns.start - left
        window[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR  # without aliasing where it gets smaller
    crop = cv2.cvtColor(cv2.resize(window, (size, size), interpolation=way), cv2.COLOR_BGR2RGB)
    scale = size / side
    # resize keeps the corners of pixels: x + 1/2 -> scale (x + 1/2 - left).
    shift = [scale * (0.5 - low) - 0.5 for low in (left, top)]
    return crop, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
