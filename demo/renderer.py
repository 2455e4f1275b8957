"""Draws solid shaded shapes: exact ray casting of round cones, vectorised over the pixels that each may cover.

A shape is a round cone (two spheres and what spans them) whose distances are measured in a metric Q, so that
flattened trunks, ellipsoid heads and thin skis are the same formula. The camera centre is the origin, which
makes every dot product with a viewing ray linear in the pixel's x and y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

Colour = tuple[float, float, float]
"""Blue, green, red in 0..255."""


@dataclass(frozen=True)
class Light:
    """Where light comes from, in world axes."""

    sun: np.ndarray = field(default_factory=lambda: np.array([0.45, 0.50, 0.74]))  # (3) towards the sun
    direct: float = 0.78
    sky: float = 0.55
    bounce: float = 0.32
    """Light from the snow below."""


@dataclass(frozen=True)
class Paint:
    """A second colour on that part of a surface whose normal lies within a cone about a direction."""

    direction: np.ndarray  # (3) world
    cosine: float
    colour: Colour


@dataclass(frozen=True)
class Solid:
    """A round cone from ``start`` (radius[0]) to ``end`` (radius[1]), world axes, metres."""

    start: np.ndarray  # (3)
    end: np.ndarray  # (3)
    radius: tuple[float, float]
    colour: Colour
    axes: np.ndarray | None = None  # (3, 3) columns: directions that ``stretch`` refers to
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factors by which the surface is stretched along the axes."""
    paint: Paint | None = None
    clip: tuple[np.ndarray, np.ndarray] | None = None  # point (3), direction (3): only the side it points to exists
    gloss: float = 0.1

    def metric(self) -> np.ndarray:
        """The metric Q (3, 3) in which this is an ordinary round cone."""
        if self.axes is None:
            return np.eye(3)
        return (self.axes / np.square(self.stretch)) @ self.axes.T


class Canvas:
    """The nearest surfaces along a grid of rays, at twice the resolution of the part of the image they go to."""

    SAMPLES = 2

    def __init__(self, K: np.ndarray, R: np.ndarray, t: np.ndarray, box: tuple[int, int, int, int]) -> None:
        """The part of an image inside ``box`` (left, top, right, bottom; px), seen by one camera."""
        self.R, self.t, self.box = R, t, box
        left, top, right, bottom = box
        step = 1 / self.SAMPLES
        offset = step / 2 - 0.5
        u = left + offset + step * np.arange((right - left) * self.SAMPLES)
        v = top + offset + step * np.arange((bottom - top) * self.SAMPLES)
        self.x, self.y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
        self.depth = np.full((len(v), len(u)), np.inf, np.float32)
        self.owner = np.full((len(v), len(u)), -1, np.int16)
        self.solids: list[tuple[Solid, _Cone]] = []

    def draw(self, solid: Solid) -> None:
        """Cast the rays that may hit one solid and keep the nearer surface."""
        a, b = self.R @ solid.start + self.t, self.R @ solid.end + self.t
        window = self._window(a, b, max(solid.stretch) * np.array(solid.radius))
        if window is None:
            return
        cone = _Cone(a, b, solid.radius, self.R @ solid.metric() @ self.R.T)
        x, y = self.x[window[1]], self.y[window[0]]
        depth = cone.cast(x, y)
        nearer = depth < self.depth[window]
        if solid.clip is not None:
            nearer &= self._kept(solid.clip, x, y, depth)
        np.copyto(self.depth[window], depth, where=nearer)
        np.copyto(self.owner[window], np.int16(len(self.solids)), where=nearer)
        self.solids.append((solid, cone))

    def _window(self, a: np.ndarray, b: np.ndarray, radius: np.ndarray) -> tuple[slice, slice] | None:
        """Rows and columns that the two end spheres may cover, or None."""
        ends = np.stack([a, b])
        if (ends[:, 2] - radius < 0.1).any():
            return None
        reach = 1.02 * radius / (ends[:, 2] - radius)
        slices = []
        for axis, grid in ((1, self.y), (0, self.x)):
            middle = ends[:, axis] / ends[:, 2]
            low, high = np.searchsorted(grid, [(middle - reach).min(), (middle + reach).max()])
            if low >= high:
                return None
            slices.append(slice(int(low), int(high)))
        return slices[0], slices[1]

    def _kept(
        self, clip: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray, depth: np.ndarray
    ) -> np.ndarray:
        point, direction = self.R @ clip[0] + self.t, self.R @ clip[1]
        along = np.add.outer(y * direction[1] + direction[2], x * direction[0]).astype(np.float32)
        with np.errstate(invalid="ignore"):
            return depth * along > np.float32(point @ direction)

    def blend(self, image: np.ndarray, light: Light) -> None:
        """Shade what was drawn and lay it over the image (H, W, 3) uint8 in place, anti-aliased."""
        seen = np.flatnonzero(self.owner >= 0)
        if len(seen) == 0:
            return
        owner = self.owner.ravel()[seen]
        order = np.argsort(owner, kind="stable")
        seen, counts = seen[order], np.bincount(owner, minlength=len(self.solids))
        drawn = np.zeros((self.depth.size, 4), np.uint8)
        drawn[seen, :3] = self._shade(seen, counts, light)
        drawn[seen, 3] = 255
        left, top, right, bottom = self.box
        drawn = cv2.resize(
            drawn.reshape(*self.depth.shape, 4), (right - left, bottom - top), interpolation=cv2.INTER_AREA
        )
        part = image[top:bottom, left:right]
        behind = cv2.multiply(part, cv2.merge([255 - drawn[..., 3]] * 3), scale=1 / 255)
        part[:] = cv2.add(behind, np.ascontiguousarray(drawn[..., :3]))

    def _surfaces(self, seen: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Normals (N, 3), colours (N, 3) and gloss (N) of samples grouped by the solid that they show."""
        row, column = np.divmod(seen, self.depth.shape[1])
        x, y, depth = self.x[column].astype(np.float32), self.y[row].astype(np.float32), self.depth.ravel()[seen]
        point = np.stack([x * depth, y * depth, depth], -1)
        normal, colour = np.empty_like(point), np.empty_like(point)
        stops = np.cumsum(counts)
        for (solid, cone), start, stop in zip(self.solids, stops - counts, stops, strict=True):
            if start == stop:
                continue
            normal[start:stop] = cone.normal(point[start:stop])
            colour[start:stop] = solid.colour
            if solid.paint is not None:
                facing = normal[start:stop] @ (self.R @ solid.paint.direction).astype(np.float32)
                colour[start:stop][facing > solid.paint.cosine] = solid.paint.colour
        return normal, colour, np.repeat(np.float32([solid.gloss for solid, _ in self.solids]), counts)

    def _shade(self, seen: np.ndarray, counts: np.ndarray, light: Light) -> np.ndarray:
        """Colours (N, 3) uint8 of the samples: sun, sky, bounce from the snow, highlights and contact shade."""
        normal, colour, gloss = self._surfaces(seen, counts)
        sun = (self.R @ (light.sun / np.linalg.norm(light.sun))).astype(np.float32)
        half = sun - np.float32([0, 0, 1])
        directions = np.stack([sun, half / np.linalg.norm(half), self.R[:, 2].astype(np.float32)], -1)
        facing, mirrored, up = (normal @ directions).T
        level = light.direct * np.clip((facing + 0.15) / 1.15, 0, 1) + light.sky * (0.6 + 0.4 * up)
        level += light.bounce * np.maximum(-up, 0)
        level *= self._openness().ravel()[seen]
        rim = np.clip(1 + normal[:, 2], 0, 1)  # surfaces that turn away from the camera darken: a soft outline
        level *= 1 - 0.35 * rim * rim * rim
        shine = np.square(np.square(np.square(np.maximum(mirrored, 0))))
        shine = shine * shine * shine * gloss * 255
        return np.minimum(colour * level[:, None] + shine[:, None], 255).astype(np.uint8)

    def _openness(self) -> np.ndarray:
        """How open each sample is: less where its surroundings lie in front of it."""
        covered = self.owner >= 0
        far = float(self.depth[covered].max()) + 0.05
        depth = np.minimum(self.depth, far)
        size = max(3, int(0.05 * np.sqrt(covered.sum())) | 1)
        behind = np.clip((depth - cv2.blur(depth, (size, size))) * (1 / 0.12), 0, 1)
        return 1 - 0.45 * cv2.blur(behind, (3, 3))


class _Cone:
    """A round cone in camera axes, from a to b (3), with distances in the metric Q (3, 3)."""

    def __init__(self, a: np.ndarray, b: np.ndarray, radius: tuple[float, float], Q: np.ndarray) -> None:
        self.a, self.radius, self.Q = a, radius, Q
        self.axis = b - a
        self.q_axis = Q @ self.axis
        self.slope = radius[0] - radius[1]
        self.m0 = float(self.axis @ self.q_axis)
        self.d2 = self.m0 - self.slope**2

    def cast(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Depths (len(y), len(x)) float32 at which the rays (x, y, 1) meet the cone, inf where they miss.

        After Quilez's round cone. Rays start in the depth plane of ``a``, so that all quantities stay small
        enough for float32, and are not normalised, so that the ray parameter is depth beyond that plane.
        """
        a, (ra, rb), Q = self.a, np.float32(self.radius), self.Q.astype(np.float32)
        dx, dy = ((v * a[2] - o).astype(np.float32) for v, o in ((x, a[0]), (y, a[1])))
        dy = dy[:, None]
        x, y = x.astype(np.float32), y.astype(np.float32)[:, None]
        gx, gy, gz = (Q[i, 0] * x + (Q[i, 1] * y + Q[i, 2]) for i in range(3))
        m4 = x * gx + y * gy + gz
        m3 = dx * gx + dy * gy
        m5 = dx * (Q[0, 0] * dx + 2 * Q[0, 1] * dy) + Q[1, 1] * dy * dy
        with np.errstate(invalid="ignore", divide="ignore"):
            depth = _sphere(m3, m4, m5, ra)
            if self.d2 > 1e-9:
                q, m0, d2, slope = self.q_axis.astype(np.float32), *np.float32([self.m0, self.d2, self.slope])
                m1, m2 = q[0] * dx + q[1] * dy, q[0] * x + (q[1] * y + q[2])
                depth = np.fmin(depth, _sphere(m3 - m2, m4, m5 - 2 * m1 + m0, rb))
                k2, k1 = d2 * m4 - m2 * m2, d2 * m3 + m2 * (slope * ra - m1)
                k0 = d2 * m5 - m1 * m1 + 2 * slope * ra * m1 - m0 * ra * ra
                side = -(np.sqrt(k1 * k1 - k0 * k2) + k1) / k2
                height = m1 - ra * slope + side * m2
                depth = np.where((height > 0) & (height < d2), side, depth)
        return np.where(np.isnan(depth), np.float32(np.inf), depth + np.float32(a[2]))

    def normal(self, point: np.ndarray) -> np.ndarray:
        """Unit normals (N, 3) float32 at points (N, 3) of the surface."""
        offset = point - self.a.astype(np.float32)
        if self.d2 > 1e-9:
            height = offset @ self.q_axis.astype(np.float32) - np.float32(self.radius[0] * self.slope)
            share = np.clip(height / np.float32(self.d2), 0, 1)
            offset -= share[:, None] * self.axis.astype(np.float32)
        normal = offset @ self.Q.astype(np.float32)
        return normal / np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]


def _sphere(along: np.ndarray, square: np.ndarray, distance: np.ndarray, radius: np.float32) -> np.ndarray:
    """Where rays meet a sphere (NaN = miss): from ray . offset, ray . ray and offset . offset."""
    return -(along + np.sqrt(along * along - square * (distance - radius * radius))) / square


def draw_solids(
    image: np.ndarray, solids: Sequence[Solid], K: np.ndarray, R: np.ndarray, t: np.ndarray, light: Light
) -> None:
    """Draw solids, of one athlete or of many, over an image (H, W, 3) uint8 in place."""
    ends = np.stack([[solid.start, solid.end] for solid in solids]).reshape(-1, 3) @ R.T + t
    ahead = ends[ends[:, 2] > 0.2]
    if len(ahead) == 0:
        return
    pixel = ahead @ K.T
    pixel = pixel[:, :2] / pixel[:, 2:]
    margin = max(max(solid.radius) for solid in solids) * K[0, 0] / ahead[:, 2].min()
    size = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(pixel.min(0) - margin), 0, size).astype(int).tolist()
    high = np.clip(np.ceil(pixel.max(0) + margin), 0, size).astype(int).tolist()
    if low[0] < high[0] and low[1] < high[1]:
        canvas = Canvas(K, R, t, (low[0], low[1], high[0], high[1]))
        for solid in solids:
            canvas.draw(solid)
        canvas.blend(image, light)
