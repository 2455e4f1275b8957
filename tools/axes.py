"""Draws the pictures of docs/conventions.md: axes, joints and angles, as SVG without scripts or fonts.

    python tools/axes.py --out docs

The person of the pictures is made of the numbers below, and the angles that are written into them come from
``posepipe.models.body.angles``, so that a picture cannot say other than the code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from posepipe.models.body.angles import joint_angles
from posepipe.models.skeleton import H36M17

Point = np.ndarray
LEFT, RIGHT, MIDDLE, INK = "#d9722b", "#2963d9", "#7b818c", "#222"
"""As in the pages of clips."""
AXES = {"x": "#c0262c", "y": "#25803a", "z": "#2957c8"}

STANDING: dict[str, tuple[float, float, float]] = {
    "pelvis": (0, 0.95, 0), "spine": (0, 1.20, 0), "thorax": (0, 1.45, 0), "nose": (0, 1.60, 0.10),
    "head": (0, 1.75, 0), "hip": (0.12, 0.95, 0), "knee": (0.13, 0.52, 0.02), "ankle": (0.13, 0.09, 0),
    "shoulder": (0.19, 1.45, 0), "elbow": (0.24, 1.16, 0), "wrist": (0.26, 0.90, 0.04),
}  # fmt: skip
"""A person in metres: to the own left, up, ahead; the right side is the same with the first number negated."""


def person(moved: Mapping[str, tuple[float, float, float]] | None = None) -> np.ndarray:
    """Joints (17, 3) in camera axes of a person who faces the camera's right; ``moved`` replaces places by name."""
    at = {}
    for joint in H36M17.joints:
        side, _, word = joint.rpartition("_")
        left, up, ahead = STANDING[word]
        at[joint] = (-left if side == "right" else left, up, ahead)
    at |= moved or {}
    left, up, ahead = np.array([at[joint] for joint in H36M17.joints]).T
    return np.stack([ahead, -up, left], -1)  # the left side is the far one


class Picture:
    """An SVG that lines, arrows and words are put into."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="sans-serif" font-size="13"><title>{title}</title>',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
        ]

    def line(
        self, start: Iterable[float], end: Iterable[float], colour: str, width: float = 2, dash: str = ""
    ) -> None:
        """A straight line between two points."""
        (a, b), (c, d) = start, end
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="{colour}" stroke-width="{width}"'
            f' stroke-linecap="round"{dashed}/>'
        )

    def arrow(self, start: Point, end: Point, colour: str, word: str = "") -> None:
        """A line with a head, and a word beyond it."""
        way = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
        across = np.array([-way[1], way[0]])
        self.line(start, end, colour, 2.5)
        for side in (-1, 1):
            self.line(end, end - 9 * way + 4.5 * side * across, colour, 2.5)
        self.word(end + 13 * way, word, colour, by=(0, 4))

    def word(
        self, place: Point, text: str, colour: str = INK, anchor: str = "middle", by: tuple[float, float] = (0, 0)
    ) -> None:
        """A text at a point, moved ``by`` px."""
        x, y = place[0] + by[0], place[1] + by[1]
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>')

    def dot(self, place: Point, colour: str, radius: float = 3.5) -> None:
        """A joint."""
        self.parts.append(f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius}" fill="{colour}"/>')

    def skeleton(self, place: Callable[[Point], Point], joint: np.ndarray, scale: float = 1) -> None:
        """Bones and joints of a pose (17, 3), by where ``place`` puts points."""
        seen = {name: place(point) for name, point in zip(H36M17.joints, joint, strict=True)}
        for start, end in H36M17.bones:
            self.line(seen[start], seen[end], _colour(start, end), 4 * scale)
        for name, point in seen.items():
            self.dot(point, _colour(name, name), 3.5 * scale)

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")
        print(path)


def _colour(start: str, end: str) -> str:
    words = {start.split("_")[0], end.split("_")[0]}
    return LEFT if "left" in words else RIGHT if "right" in words else MIDDLE


def oblique(origin: tuple[float, float], px_per_m: float) -> Callable[[Point], Point]:
    """Camera axes on paper: x to the right, y down, z away from us, drawn up and to the right."""
    return lambda point: (
        np.array(origin) + px_per_m * np.array([point[0] + 0.45 * point[2], point[1] - 0.32 * point[2]])
    )


def draw_camera(path: Path) -> None:
    """Image axes and camera axes, with a camera and a person."""
    picture = Picture(760, 265, "Image axes: x right, y down. Camera axes: x right, y down, z forward.")
    place = oblique((300, 185), 75)
    eye = np.array([0.0, 0.0, 0.0])
    corners = [np.array([x, y, 1.1]) for x, y in ((-0.7, -0.45), (0.7, -0.45), (0.7, 0.45), (-0.7, 0.45))]
    for number, corner in enumerate(corners):
        picture.line(place(eye), place(corner), "#bbb", 1.2)
        picture.line(place(corner), place(corners[number - 1]), INK, 1.5)
    for name, end in zip("xyz", np.eye(3) * (1.5, 0.8, 3.2), strict=True):
        picture.arrow(place(eye), place(end), AXES[name], name)
    picture.dot(place(eye), INK, 5)
    picture.word(place(eye), "camera", anchor="end", by=(-12, 18))
    first = place(corners[0])
    picture.arrow(first, first + np.array([48, 0]), AXES["x"])
    picture.arrow(first, first + np.array([0, 34]), AXES["y"])
    picture.word(first, "image: from the top left corner,", anchor="end", by=(-4, -22))
    picture.word(first, "x right, y down, in px", anchor="end", by=(-4, -6))
    away = np.array([1.3, 1.2, 3.2])
    picture.skeleton(place, person() + away)
    pelvis = place(person()[0] + away)
    picture.word(pelvis, "origin of poses: the pelvis,", anchor="start", by=(30, 4))
    picture.word(pelvis, "axes parallel to the camera's", anchor="start", by=(30, 20))
    picture.save(path)


def draw_files(path: Path) -> None:
    """The three sets of axes that files have, round the same person."""
    picture = Picture(840, 300, "Axes of the files: camera axes; the same with y up; those of MMPose with z up.")
    kinds = (
        (
            "camera axes",
            "npz, csv, parquet, netcdf, openpose, rerun",
            {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)},
        ),
        ("y up", "trc, c3d, bvh, gltf", {"x": (1, 0, 0), "y": (0, -1, 0), "z": (0, 0, -1)}),
        ("z up", "mmpose", {"x": (-1, 0, 0), "y": (0, 0, 1), "z": (0, -1, 0)}),
    )
    for number, (title, files, axes) in enumerate(kinds):
        place = oblique((150 + 270 * number, 165), 95)
        picture.skeleton(place, person() - person()[0], 0.8)
        for name, direction in axes.items():
            picture.arrow(place(np.zeros(3)), place(0.8 * np.array(direction, float)), AXES[name], name)
        picture.word(np.array([150 + 270 * number, 24]), title)
        picture.word(np.array([150 + 270 * number, 288]), files)
    picture.save(path)


def draw_joints(path: Path) -> None:
    """The joints of H36M-17 with their numbers and names, from the front."""
    picture = Picture(560, 470, "The 17 joints of Human3.6M")

    def front(point: Point) -> Point:  # as somebody sees it who faces the person: the left side is on the right
        return np.array([280 + 330 * point[2], 455 + 240 * point[1]])

    joint = person({"left_elbow": (0.36, 1.20, 0), "left_wrist": (0.44, 0.99, 0),
                    "right_elbow": (-0.36, 1.20, 0), "right_wrist": (-0.44, 0.99, 0)})  # fmt: skip
    picture.skeleton(front, joint)
    for number, (name, point) in enumerate(zip(H36M17.joints, joint, strict=True)):
        way = -1 if "right" in name else 1
        lower = {"pelvis": -9, "thorax": -9}.get(name, 15 if "hip" in name else 4)
        anchor = "start" if way > 0 else "end"
        picture.word(front(point), f"{number} {name}", _colour(name, name), anchor, by=(way * 12, lower))
    picture.save(path)


POSTURES: tuple[tuple[str, dict[str, tuple[float, float, float]]], ...] = (
    ("left_hip_flexion", {"left_knee": (0.13, 0.75, 0.38), "left_ankle": (0.13, 0.33, 0.32)}),
    ("left_knee_flexion", {"left_ankle": (0.13, 0.60, -0.42)}),
    ("left_shoulder_flexion", {"left_elbow": (0.20, 1.58, 0.27), "left_wrist": (0.20, 1.70, 0.50)}),
    ("left_elbow_flexion", {"left_wrist": (0.25, 1.22, 0.27)}),
    ("trunk_lean_forward", {
        **{f"{side}_shoulder": (sign * 0.19, 1.40, 0.24) for side, sign in (("left", 1), ("right", -1))},
        **{f"{side}_elbow": (sign * 0.24, 1.11, 0.25) for side, sign in (("left", 1), ("right", -1))},
        **{f"{side}_wrist": (sign * 0.26, 0.85, 0.29) for side, sign in (("left", 1), ("right", -1))},
        "spine": (0, 1.18, 0.11), "thorax": (0, 1.40, 0.24), "nose": (0, 1.52, 0.40), "head": (0, 1.67, 0.35),
    }),
)  # fmt: skip
"""Angles, and a posture in which each is positive."""


def draw_angles(path: Path) -> None:
    """Postures from the person's right side, with the angle that the code gives."""
    picture = Picture(160 * len(POSTURES), 300, "Joint angles: what is positive")
    for number, (name, moved) in enumerate(POSTURES):
        joint = person(moved)

        def side(point: Point, left: int = 160 * number) -> Point:
            return np.array([left + 70 + 110 * point[0], 240 + 118 * point[1]])

        picture.skeleton(side, joint)
        angle = float(joint_angles(joint[None], H36M17)[name][0])
        picture.word(np.array([160 * number + 80, 264]), name)
        picture.word(np.array([160 * number + 80, 284]), f"{angle:+.0f}°")
    picture.save(path)


PICTURES: dict[str, Callable[[Path], None]] = {
    "axes_camera.svg": draw_camera,
    "axes_files.svg": draw_files,
    "joints_h36m17.svg": draw_joints,
    "angles.svg": draw_angles,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        draw(options.out / name)


if __name__ == "__main__":
    main()
