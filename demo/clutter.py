"""What makes pictures hard: backgrounds of anything, things in the way, blur, noise and bad exposure."""

from __future__ import annotations

import cv2
import numpy as np

from .scene import cloud_noise


def clutter(side: int, rng: np.random.Generator) -> np.ndarray:
    """A picture (side, side, 3) uint8 of nothing: gradients, clouds, and shapes of all colours."""
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    image += cloud_noise(rng, side, rng.uniform(0.6, 1.8))[..., None] * rng.normal(0, 25, 3).astype(np.float32)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 22)):
        _draw_shape(image, rng)
    return image


def cover(image: np.ndarray, keypoint: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put one to three things in front of joints, in place.

    Args:
        image: (H, W, 3) uint8.
        keypoint: joints (J, 2) px.

    Returns:
        Which joints lie behind them (J).
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    size = np.ptp(keypoint, axis=0).max()
    for _ in range(rng.integers(1, 4)):
        centre = keypoint[rng.integers(len(keypoint))] + rng.normal(0, 0.05 * size, 2)
        half = size * rng.uniform(0.03, 0.16, 2)
        rectangle = (tuple(map(float, centre)), tuple(map(float, 2 * half)), float(rng.uniform(0, 180)))
        if rng.random() < 0.5:
            cv2.ellipse(mask, rectangle, 255, -1)
        else:
            cv2.fillPoly(mask, [np.int32(cv2.boxPoints(rectangle))], 255)
    cv2.copyTo(clutter(image.shape[0], rng), mask, image)
    column, row = np.clip(np.round(keypoint), 0, np.array(mask.shape[::-1]) - 1).astype(int).T
    return mask[row, column] > 0


def weather(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (H, W, 3) uint8 as a camera on a bad day takes it: moved, out of focus, over-exposed, noisy."""
    if rng.random() < 0.3:
        image = cv2.filter2D(image, -1, _motion(rng.uniform(2, 9), rng.uniform(0, np.pi)))
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    gain, lift = rng.uniform(0.6, 1.35, (1, 1, 3)) ** 0.5 * rng.uniform(0.7, 1.25), rng.normal(0, 12)
    noise = rng.normal(0, rng.uniform(0, 9), image.shape)
    return np.clip(image * gain + lift + noise, 0, 255).astype(np.uint8)


def _motion(length: float, angle: float) -> np.ndarray:
    """Kernel of a movement over ``length`` px."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = np.int32(np.round((np.stack([-reach, reach]) + side // 2) * 16)).tolist()
    cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


def _draw_shape(image: np.ndarray, rng: np.random.Generator) -> None:
    """A line, a polygon or an ellipse of some colour, in place."""
    colour = rng.uniform(0, 255, 3).tolist()
    point = rng.uniform(-0.2, 1.2, (2, 2)) * image.shape[0]
    kind = rng.random()
    if kind < 0.4:
        start, end = np.int32(point).tolist()
        cv2.line(image, start, end, colour, int(rng.integers(1, 14)), cv2.LINE_AA)
    elif kind < 0.75:
        corner = point[0] + rng.normal(0, 0.15 * image.shape[0], (int(rng.integers(3, 6)), 2))
        cv2.fillPoly(image, [cv2.convexHull(np.int32(corner))], colour, cv2.LINE_AA)
    else:
        axes = rng.uniform(3, 0.18 * image.shape[0], 2)
        rectangle = (tuple(point[0].tolist()), tuple(axes.tolist()), float(rng.uniform(0, 180)))
        cv2.ellipse(image, rectangle, colour, -1, cv2.LINE_AA)
