"""overlay.mp4: the video with its 2D skeletons, beside the first person's 3D skeleton, which rotates slowly.

The output has a constant rate, the video's average, and always shows the frame nearest in time, so that videos with
variable frame rates keep their timing. Pictures are streamed. Of a stretch longer than ``EMPTY_S`` without people
only the ends are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import Pose3D
from ..errors import PosepipeError
from ..footage.video import write_video
from ..footage.video.web_video import even, shrunk
from ..pages.drawing import bone_sides, scene_of, side
from ..runtime.progress import progress
from .clip import Clip

MAX_HEIGHT_PX = 720
EMPTY_S, END_S = 20.0, 2.0
PANEL_ASPECT = 0.75
TURN_DEG_PER_S = 30.0
ELEVATION_DEG = 14.0

Color = tuple[float, float, float]
COLORS: dict[str, Color] = {"left": (66, 140, 255), "right": (255, 176, 53), "middle": (230, 224, 216)}  # BGR
NIGHT: tuple[Color, Color] = ((30, 22, 17), (52, 40, 32))
"""The panel's background, from top to bottom."""
GRID: Color = (96, 80, 68)
SHADOW: Color = (20, 14, 10)

_SHIFT = 4
"""Fractional bits of the coordinates given to OpenCV, for motion below a pixel."""
_SHADES = 8


def write(clip: Clip, path: Path) -> None:
    """Write the overlay as H.264 that browsers play, at most ``MAX_HEIGHT_PX`` high.

    Raises:
        PosepipeError: there are only the poses of the video.
    """
    if clip.frames is None:
        raise PosepipeError(f"{clip.video} cannot be drawn on: it is not there, only its poses are")
    rate = Fraction(clip.rate)
    parts = parts_to_show(clip)
    inside = np.any([(clip.video_time >= start) & (clip.video_time <= end) for start, end in parts], axis=0)
    shown = frames_to_show(clip.video_time, float(rate))
    shown = shown[inside[shown]]
    with (
        closing(clip.pictures(parts)) as pictures,
        progress(f"overlay {clip.video.name}", len(shown)) as advance,
    ):

        def counted() -> Iterator[np.ndarray]:
            for picture in _pictures(clip, pictures, shown, float(rate)):
                yield picture
                advance(1)

        write_video(path, rate, counted())


def parts_to_show(clip: Clip) -> list[tuple[float, float]]:
    """Starts and ends (s) of the parts of a clip that remain without long stretches without people."""
    there = np.any([person.pose.there for person in clip.people], axis=0)
    end = float(clip.video_time[-1])
    seen = clip.video_time[there]
    if len(seen) == 0:
        return [(0.0, end)]
    left, right = np.concatenate([[0.0], seen]), np.concatenate([seen, [end]])
    empty = np.flatnonzero(right - left > EMPTY_S)
    starts = [0.0, *(right[empty] - END_S)]
    ends = [*(left[empty] + END_S), end]
    return list(zip(starts, ends, strict=True))


def frames_to_show(time: np.ndarray, rate: float) -> np.ndarray:
    """Index (output frame) of the frame whose ``time`` (frame) in s is nearest, at a constant ``rate`` per second."""
    instants = time[0] + np.arange(round((time[-1] - time[0]) * rate) + 1) / rate
    after = np.searchsorted(time, instants).clip(1, max(len(time) - 1, 1))
    if len(time) == 1:
        return np.zeros(len(instants), int)
    return after - (instants - time[after - 1] < time[after] - instants)


def _pictures(
    clip: Clip, pictures: Iterator[tuple[float, np.ndarray]], shown: np.ndarray, rate: float
) -> Iterator[np.ndarray]:
    """One picture for each of the ``shown`` frames (output frame); one that cannot be read shows its neighbour."""
    width, height = clip.image_size
    scale = min(1.0, MAX_HEIGHT_PX / height)
    size = even(width * scale), even(height * scale)
    panel = Panel(clip.people[0].pose, (even(size[1] * PANEL_ASPECT), size[1]))
    done = 0
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for time, original in pictures:
        frame = clip.frame_at(time)
        if done == len(shown) or shown[done] > frame:
            continue  # between two instants
        picture = shrunk(original, size)
        for person in clip.people:
            draw_pose(picture, person.pose, frame, size[0] / width)
        while done < len(shown) and shown[done] <= frame:
            yield cv2.hconcat([picture, panel.draw(frame, done / rate)])
            done += 1
    for output in range(done, len(shown)):
        yield cv2.hconcat([picture, panel.draw(int(shown[output]), output / rate)])


def draw_pose(picture: np.ndarray, pose: Pose3D, frame: int, scale: float) -> None:
    """Draw a frame's 2D pose on a picture (H, W, 3) that is ``scale`` times the original's size.

    The lower the confidence, the more transparent and the smaller are bones and joints.
    """
    skeleton = SKELETONS[pose.skeleton]
    height, width = picture.shape[:2]
    joint = (pose.keypoint[frame] + 0.5) * scale - 0.5
    seen = np.isfinite(joint).all(-1)
    inside = seen & (np.abs(joint) < 4 * max(height, width)).all(-1)
    if not inside.any():
        return
    thickness = max(1, round(height / 180))
    low = np.clip(joint[inside].min(0) - 4 * thickness, 0, (width, height)).astype(int)
    high = np.clip(joint[inside].max(0) + 4 * thickness + 1, 0, (width, height)).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    if part.size == 0:
        return
    ink = _Ink(part)
    point = _fixed(joint - low).tolist()
    opacity = 0.2 + 0.8 * np.asarray(pose.confidence[frame], float)
    bones = [(a, b, name) for (a, b), name in zip(skeleton.bone_indices, bone_sides(skeleton), strict=True)]
    bones = [(a, b, name) for a, b, name in bones if inside[a] and inside[b]]
    for a, b, _ in bones:
        ink.line(point[a], point[b], (0, 0, 0), thickness + 2, 0.5 * min(opacity[a], opacity[b]))
    for a, b, name in bones:
        ink.line(point[a], point[b], COLORS[name], thickness, min(opacity[a], opacity[b]))
    for index in np.flatnonzero(inside):
        radius = thickness * (0.7 + 0.6 * opacity[index])
        ink.dot(point[index], COLORS[side(skeleton.joints[index])], radius, opacity[index])
    ink.apply()


class _Ink:
    """A transparent layer over a picture: premultiplied colours, and the remaining share of the picture."""

    def __init__(self, picture: np.ndarray) -> None:
        self._picture, self._color, self._clear = picture, np.zeros_like(picture), np.full_like(picture, 255)

    def line(self, start: list[int], end: list[int], color: Color, thickness: int, opacity: float) -> None:
        for layer, value in self._layers(color, opacity):
            cv2.line(layer, start, end, value, thickness, cv2.LINE_AA, _SHIFT)

    def dot(self, centre: list[int], color: Color, radius: float, opacity: float) -> None:
        for layer, value in self._layers((255, 255, 255), opacity):
            cv2.circle(layer, centre, round((radius + 1) * 2**_SHIFT), value, -1, cv2.LINE_AA, _SHIFT)
        for layer, value in self._layers(color, opacity):
            cv2.circle(layer, centre, round(radius * 2**_SHIFT), value, -1, cv2.LINE_AA, _SHIFT)

    def _layers(self, color: Color, opacity: float) -> tuple[tuple[np.ndarray, Color], tuple[np.ndarray, Color]]:
        clear = 255 * (1 - opacity)
        return (self._color, _mix((0, 0, 0), color, opacity)), (self._clear, (clear, clear, clear))

    def apply(self) -> None:
        cv2.multiply(self._picture, self._clear, dst=self._picture, scale=1 / 255)
        cv2.add(self._picture, self._color, dst=self._picture)


class Panel:
    """Pictures of a clip's 3D poses above a floor, from a viewpoint that circles around them."""

    def __init__(self, pose: Pose3D, size: tuple[int, int]) -> None:
        pose = pose.without_missing_feet
        self._pose, (self._width, self._height) = pose, size
        self._skeleton = SKELETONS[pose.skeleton]
        self._bones = [
            (int(a), int(b), COLORS[name])
            for (a, b), name in zip(self._skeleton.bone_indices, bone_sides(self._skeleton), strict=True)
        ]
        self._scene = scene_of(pose)
        self._distance = 4.5 * self._scene.reach
        self._focal = 1.9 * size[0]
        self._unit = size[1] / 180
        fade = np.linspace(0, 1, self._height)[:, None]
        top, bottom = np.array(NIGHT)
        self._night = np.repeat((top + fade * (bottom - top))[:, None], self._width, 1).astype(np.uint8)
        self._legend()

    def draw(self, frame: int, seconds: float) -> np.ndarray:
        """The panel (height, width, 3) uint8 with a frame's pose, ``seconds`` into the rotation."""
        picture = self._night.copy()
        angle = np.deg2rad(TURN_DEG_PER_S * seconds)
        self._draw_floor(picture, angle)
        joint = self._scene.place(np.asarray(self._pose.joint[frame], float))
        if np.isfinite(joint).all():
            self._draw_shadow(picture, joint, angle)
            self._draw_body(picture, joint, np.asarray(self._pose.confidence[frame], float), angle)
        return picture

    def _project(self, points: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) and depths (...), in reaches from the root, of points (..., 3) of the scene."""
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = points[..., 0] * cos - points[..., 1] * sin, points[..., 0] * sin + points[..., 1] * cos
        cos, sin = np.cos(np.deg2rad(ELEVATION_DEG)), np.sin(np.deg2rad(ELEVATION_DEG))
        depth, up = y * cos - points[..., 2] * sin, y * sin + points[..., 2] * cos
        scale = self._focal / (self._distance + depth)
        pixel = np.stack([self._width / 2 + scale * x, self._height * 0.5 - scale * up], -1)
        return pixel, depth / self._scene.reach

    def _draw_floor(self, picture: np.ndarray, angle: float) -> None:
        steps = np.linspace(-1.2, 1.2, 9) * self._scene.reach
        rows = np.stack(np.broadcast_arrays(steps[:, None], steps, self._scene.floor), -1)  # (9, 9, 3)
        pixel, depth = self._project(np.stack([rows, rows.swapaxes(0, 1)]), angle)
        pieces = np.stack([pixel[:, :, :-1], pixel[:, :, 1:]], -2).reshape(-1, 2, 2)  # (piece, end, xy)
        far = (depth[:, :, :-1] + depth[:, :, 1:]).ravel() / 2
        shade = np.digitize(0.75 - 0.45 * far, np.arange(1, _SHADES) / _SHADES)
        for level in range(_SHADES):
            color = _mix(NIGHT[1], GRID, (level + 0.5) / _SHADES)
            cv2.polylines(picture, list(_fixed(pieces[shade == level])), False, color, 1, cv2.LINE_AA, _SHIFT)

    def _draw_shadow(self, picture: np.ndarray, joint: np.ndarray, angle: float) -> None:
        ground = joint * (1, 1, 0) + (0, 0, self._scene.floor)
        point = _fixed(self._project(ground, angle)[0]).tolist()
        for a, b, _ in self._bones:
            cv2.line(picture, point[a], point[b], SHADOW, max(1, round(1.6 * self._unit)), cv2.LINE_AA, _SHIFT)

    def _draw_body(self, picture: np.ndarray, joint: np.ndarray, confidence: np.ndarray, angle: float) -> None:
        pixel, depth = self._project(joint, angle)
        point = _fixed(pixel).tolist()
        light = np.clip(0.8 - 0.45 * depth, 0.3, 1) * (0.4 + 0.6 * confidence)
        near = self._distance / (self._distance + depth * self._scene.reach)
        for a, b, color in sorted(self._bones, key=lambda bone: -(depth[bone[0]] + depth[bone[1]])):
            shade = _mix(NIGHT[1], color, float(light[a] + light[b]) / 2)
            width = max(1, round(1.5 * self._unit * float(near[a] + near[b]) / 2))
            cv2.line(picture, point[a], point[b], NIGHT[0], width + 3, cv2.LINE_AA, _SHIFT)
            cv2.line(picture, point[a], point[b], shade, width, cv2.LINE_AA, _SHIFT)
            for end in (a, b):
                radius = round(1.1 * self._unit * float(near[end]) * 2**_SHIFT)
                shade = _mix(NIGHT[1], COLORS[side(self._skeleton.joints[end])], float(light[end]))
                cv2.circle(picture, point[end], radius, shade, -1, cv2.LINE_AA, _SHIFT)

    def _legend(self) -> None:
        x, y = round(5 * self._unit), round(self._height - 5 * self._unit)
        for name in ("left", "right"):
            cv2.circle(
                self._night, (x, y - round(1.2 * self._unit)), round(1.4 * self._unit), COLORS[name], -1, cv2.LINE_AA
            )
            x += round(4 * self._unit)
            font = cv2.FONT_HERSHEY_SIMPLEX, 0.11 * self._unit
            cv2.putText(self._night, name, (x, y), *font, COLORS["middle"], 1, cv2.LINE_AA)
            x += cv2.getTextSize(name, *font, 1)[0][0] + round(5 * self._unit)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Points (...) as integers with ``_SHIFT`` fractional bits; missing ones are never drawn."""
    return np.rint(np.nan_to_num(points) * 2**_SHIFT).astype(np.int32)


def _mix(one: Color, other: Color, share: float) -> Color:
    """``one`` with a share of ``other``."""
    a, b, c = (x + share * (y - x) for x, y in zip(one, other, strict=True))
    return a, b, c
