"""Firs and banners around the slope, painted on a camera's still picture, and how textures are laid over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .athlete import SLOPE
from .renderer import Colour

HAZE = np.array([236, 222, 205], np.float32)
"""What distance fades to."""


def part_of(image: np.ndarray, polygon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of an image around a polygon (N, 2) px, and the shift (3, 3) from the image to it."""
    sides = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(polygon.min(0)), 0, sides).astype(int)
    high = np.clip(np.ceil(polygon.max(0)) + 1, 0, sides).astype(int)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    return image[low[1] : high[1], low[0] : high[0]], shift


def overlay(image: np.ndarray, texture: np.ndarray, homography: np.ndarray) -> None:
    """Warp a texture over an image, in place."""
    height, width = texture.shape[:2]
    corners = np.float32([[[0, 0], [width, 0], [width, height], [0, height]]])
    quad = cv2.perspectiveTransform(corners, homography)[0]
    part, shift = part_of(image, quad)
    if part.size == 0:
        return
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.int32(np.round(quad @ shift[:2, :2] + shift[:2, 2]))], 255)
    size = (part.shape[1], part.shape[0])
    warped = cv2.warpPerspective(texture, shift @ homography, size, borderMode=cv2.BORDER_REPLICATE)
    cv2.copyTo(warped, mask, part)


@dataclass(frozen=True)
class Tree:
    """A fir: where it stands on the slope (across, down; m), its height in metres and its look."""

    place: np.ndarray
    height: float
    seed: int


class Painter:
    """Paints upright things on a plate, far ones first. Positions are in slope axes."""

    def __init__(self, image: np.ndarray, camera: np.ndarray, eye: np.ndarray) -> None:
        self.image = np.clip(image, 0, 255).astype(np.uint8)
        self.camera, self.eye = camera, eye
        self.up = SLOPE.T @ np.array([0.0, 0.0, 1.0])

    def _pixel(self, point: np.ndarray) -> np.ndarray | None:
        """Pixels (N, 2) of points (N, 3), or None if any is behind the camera."""
        image = point @ self.camera[:, :3].T + self.camera[:, 3]
        if (image[:, 2] < 1.0).any():
            return None
        return image[:, :2] / image[:, 2:]

    def _fill(self, polygon: np.ndarray, colour: Colour) -> None:
        cv2.fillPoly(self.image, [np.int32(np.round(polygon * 8))], colour, cv2.LINE_AA, 3)

    def forest(self, trees: list[Tree]) -> None:
        """Firs with snow on their branches."""
        ground = [np.array([*tree.place, 0.0]) for tree in trees]
        order = np.argsort([-np.linalg.norm(place - self.eye) for place in ground])
        for i in order:
            ends = self._pixel(np.stack([ground[i], ground[i] + trees[i].height * self.up]))
            if ends is not None:
                haze = min(0.75, np.linalg.norm(ground[i] - self.eye) / 190)
                self._fir(ends[0], ends[1], np.random.default_rng([trees[i].seed, 3]), haze)

    def _fir(self, foot: np.ndarray, top: np.ndarray, rng: np.random.Generator, haze: float) -> None:
        height = float(foot[1] - top[1])
        if height < 2:
            return

        def tone(colour: tuple[float, float, float]) -> Colour:
            return tuple(((1 - haze) * np.array(colour) + haze * HAZE).tolist())

        lean, tint = rng.uniform(-0.01, 0.01), rng.uniform(-12, 12)

        def at(x: float, y: float) -> list[float]:
            return [float(foot[0]) + (x + lean * y) * height, float(foot[1]) - y * height]

        self._fill(np.array([at(-0.022, 0), at(0.022, 0), at(0.012, 0.3), at(-0.012, 0.3)]), tone((45, 58, 74)))
        layers = 7
        for k in range(layers):
            low, high = 0.08 + 0.80 * k / layers, 0.30 + 0.70 * (k + 1) / layers
            wide = 0.23 * (1 - 0.88 * k / layers) * rng.uniform(0.88, 1.1)
            rim = np.linspace(-1, 1, 11)
            drop = rng.uniform(-0.012, 0.035, 11) * (1 - 0.4 * np.abs(rim))
            edge = [at(wide * x, low + d) for x, d in zip(rim, drop, strict=True)]
            self._fill(np.array([*edge, at(0, min(high, 1.0))]), tone((48 + tint, 72 + tint, 44)))
            shade = [at(wide * x, low + d) for x, d in zip(rim[:6], drop[:6], strict=True)]
            self._fill(np.array([*shade, at(0, min(high, 1.0))]), tone((38 + tint, 56 + tint, 32)))
            for _ in range(5):
                x, y = rng.uniform(-0.75, 0.85) * wide, low + rng.uniform(0.01, 0.05)
                size = rng.uniform(0.010, 0.024)
                snow = [
                    at(x - 2 * size, y - size),
                    at(x + 2 * size, y - size),
                    at(x + size, y + 0.6 * size),
                    at(x, y + size),
                ]
                self._fill(np.array(snow), tone((246, 240, 234)))

    def banners(self, blocks: Callable[[np.ndarray, float], bool]) -> None:
        """A ring of banners around the mat, open where a camera looks in."""
        count, radius = 26, 8.4
        corner = [radius * np.array([np.sin(a), np.cos(a), 0]) for a in np.arange(count + 1) * 2 * np.pi / count]
        panels = [(i, corner[i], corner[i + 1]) for i in range(count)]
        panels.sort(key=lambda panel: -np.linalg.norm((panel[1] + panel[2]) / 2 - self.eye))
        for i, left, right in panels:
            if not blocks(((left + right) / 2)[:2], 2.4):
                self._banner(left, right, _BANNERS[i % len(_BANNERS)])

    def _banner(self, left: np.ndarray, right: np.ndarray, look: tuple[Colour, Colour, str]) -> None:
        ground, ink, text = look
        if np.cross(right - left, left - self.eye)[2] < 0:
            left, right = right, left  # seen from outside the ring, its print still reads from left to right
        inner = 0.04 * (right - left)
        quad = self._pixel(np.stack([
            left + inner + 0.85 * self.up, right - inner + 0.85 * self.up,
            right - inner + 0.1 * self.up, left + inner + 0.1 * self.up,
        ]))  # fmt: skip
        posts = self._pixel(np.stack([left, left + 1.0 * self.up, right, right + 1.0 * self.up]))
        if quad is None or posts is None:
            return
        print_ = np.full((150, 380, 3), ground, np.uint8)
        cv2.rectangle(print_, (6, 6), (373, 143), ink, 5)
        size = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 2.1, 5)[0][0]
        cv2.putText(print_, text, ((380 - size) // 2, 95), cv2.FONT_HERSHEY_DUPLEX, 2.1, ink, 5, cv2.LINE_AA)
        homography = cv2.getPerspectiveTransform(
            np.float32([[0, 0], [380, 0], [380, 150], [0, 150]]), np.float32(quad)
        )
        overlay(self.image, print_, homography)
        for a, b in ((posts[0], posts[1]), (posts[2], posts[3])):
            cv2.line(
                self.image, *(np.int32(np.round(p * 8)).tolist() for p in (a, b)), (60, 60, 215), 6, cv2.LINE_AA, 3
            )


_BANNERS = (
    ((190, 80, 30), (250, 250, 250), "posepipe"),
    ((245, 245, 245), (60, 50, 200), "SLALOM"),
    ((60, 50, 200), (250, 250, 250), "SKI TEAM"),
    ((245, 245, 245), (150, 110, 20), "open 3D"),
    ((60, 150, 60), (250, 250, 250), "17 joints"),
)
