"""Draws labelled pictures of athletes, to train and to test 2D detectors on: every joint is known exactly.

    python demo/labelled.py --out FOLDER [--number 4000] [--seed 0] [--size 256]

writes FOLDER/images/*.jpg (square, of the given size in px) and FOLDER/labels.json in COCO's form, on the joints of
Human3.6M-17. Bodies, poses, clothes, cameras, light, backgrounds, bystanders, occlusion, blur and noise vary from
picture to picture. Athletes have seeds from ``FIRST_SEED`` on, so that no clip of ``footage.py`` shows a run that was
trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posepipe.models.skeleton import H36M17

from demo.athlete import SIDES, SLOPE, Body, SlalomSkier, bend_limb
from demo.cameras import look_at, static_shot
from demo.clutter import clutter, cover, weather
from demo.figure import Figure, Outfit
from demo.renderer import Light, Solid, draw_solids
from demo.scene import Plate, Scene

SIDE_PX = 256
FIRST_SEED = 1000
VIEWS = 24
"""Cameras in the ski scene, each of whose background is painted once."""
MARGIN = 0.07
"""By how much of its larger side the box of the joints grows, so that hands, feet and the head are in it."""
OUTSIDE, HIDDEN, SEEN = 0, 1, 2
"""Visibility of a joint in COCO's numbers."""


@dataclass(frozen=True)
class Labelled:
    """A picture and where the joints of its athlete are."""

    image: np.ndarray  # (H, W, 3) uint8 BGR
    keypoint: np.ndarray  # (17, 2) px; pixel centres lie at whole numbers
    visibility: np.ndarray  # (17) OUTSIDE the picture, HIDDEN or SEEN

    @property
    def box(self) -> np.ndarray:
        """The athlete's box (4) px: left, top, right, bottom, within the picture."""
        low, high = self.keypoint.min(0), self.keypoint.max(0)
        margin = MARGIN * (high - low).max()
        return np.clip(np.concatenate([low - margin, high + margin]), 0, len(self.image) - 1)

    def resized(self, side: int) -> Labelled:
        """The same in another size."""
        scale = side / len(self.image)
        image = cv2.resize(self.image, (side, side), interpolation=cv2.INTER_AREA)
        return Labelled(image, (self.keypoint + 0.5) * scale - 0.5, self.visibility)


@dataclass(frozen=True)
class _Athlete:
    """One athlete at one instant."""

    joint: np.ndarray  # (17, 3) m
    foot: np.ndarray  # (2, 3, 3)
    pole: np.ndarray | None  # (2, 3)
    body: Body
    outfit: Outfit
    time: float

    def solids(self) -> list[Solid]:
        return Figure(self.joint, self.foot, self.pole, self.body, self.outfit).solids

    def moved(self, by: np.ndarray) -> _Athlete:
        """The athlete elsewhere, ``by`` (3) m away."""
        return _Athlete(self.joint + by, self.foot, self.pole, self.body, self.outfit, self.time)


class Painter:
    """Draws labelled pictures, each from its own number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._views = [_View(np.random.default_rng([seed, 10, view])) for view in range(VIEWS)]

    def picture(self, number: int) -> Labelled:
        """One picture."""
        rng = np.random.default_rng([self._seed, 11, number])
        athlete = _athlete(rng)
        in_scene = rng.random() < 0.4
        draw = self._views[rng.integers(VIEWS)].draw if in_scene else _draw_anywhere
        image, K, R, t = draw(athlete, _others(athlete, rng), rng)
        keypoint = _project(athlete.joint, K, R, t)
        hidden = cover(image, keypoint, rng) if rng.random() < 0.35 else np.zeros(len(keypoint), bool)
        inside = ((keypoint > -0.5) & (keypoint < SIDE_PX - 0.5)).all(-1)
        visibility = np.where(inside, np.where(hidden, HIDDEN, SEEN), OUTSIDE)
        return Labelled(weather(image, rng), keypoint, visibility)


class _View:
    """A camera in a ski scene of its own."""

    def __init__(self, rng: np.random.Generator) -> None:
        bearing, distance = rng.uniform(0, 2 * np.pi), rng.uniform(10, 22)
        centre = SLOPE @ (distance * np.array([np.sin(bearing), np.cos(bearing), 0])) + [0, 0, rng.uniform(1.2, 4)]
        self._scene = Scene(int(rng.integers(FIRST_SEED, 2**31)), centre[None])
        focal = rng.uniform(140, 200) / 1.7 * distance
        self._shot = static_shot(centre, SLOPE[:, 2] * 0.75, focal, 1, (2 * SIDE_PX, SIDE_PX + 64))
        self._plate = Plate(self._scene, self._shot)

    def draw(self, athlete: _Athlete, others: list[_Athlete], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """The part of the scene around the athlete (H, W, 3), and its K, R, t."""
        K, R, t = self._shot.K[0], self._shot.R[0], self._shot.t[0]
        image = self._plate.seen_by(K, R, self._shot.size)
        solids = [solid for one in (athlete, *others) for solid in one.solids()]
        self._scene.lay_mat(image, K @ np.column_stack([R, t]), solids, SlalomSkier.SPEED * athlete.time)
        draw_solids(image, solids, K, R, t, _light(rng))
        keypoint = _project(athlete.joint, K, R, t)
        middle = (keypoint.min(0) + keypoint.max(0)) / 2 + rng.normal(0, 8, 2)
        corner = np.clip(np.round(middle - SIDE_PX / 2), 0, np.array(self._shot.size) - SIDE_PX).astype(int)
        part = np.ascontiguousarray(image[corner[1] :, corner[0] :][:SIDE_PX, :SIDE_PX])
        return part, np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]]) @ K, R, t


def _draw_anywhere(athlete: _Athlete, others: list[_Athlete], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A picture (H, W, 3) of the athlete before anything, from anywhere, and its K, R, t."""
    bearing, rise = rng.uniform(0, 2 * np.pi), rng.uniform(-0.15, 0.6)
    towards = np.array([np.cos(bearing) * np.cos(rise), np.sin(bearing) * np.cos(rise), np.sin(rise)])
    middle = (athlete.joint.min(0) + athlete.joint.max(0)) / 2
    centre = middle + rng.uniform(4, 20) * towards
    R = look_at(centre, middle[None])[0]
    roll = rng.normal(0, 0.1)
    turned = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    R = np.array(turned) @ R
    t = -R @ centre
    seen = _project(athlete.joint, np.eye(3), R, t)
    focal = rng.uniform(110, 190) / np.ptp(seen, axis=0).max()
    principal = (SIDE_PX - 1) / 2 - focal * (seen.min(0) + seen.max(0)) / 2 + rng.normal(0, 14, 2)
    K = np.array([[focal, 0, principal[0]], [0, focal, principal[1]], [0, 0, 1]])
    image = clutter(SIDE_PX, rng)
    draw_solids(image, [solid for one in (athlete, *others) for solid in one.solids()], K, R, t, _light(rng))
    return image, K, R, t


def _project(point: np.ndarray, K: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) of world points (N, 3)."""
    seen = (point @ R.T + t) @ K.T
    return seen[:, :2] / seen[:, 2:]


def _light(rng: np.random.Generator) -> Light:
    sun = np.array([*rng.normal(0, 0.6, 2), rng.uniform(0.3, 1)])
    return Light(sun, rng.uniform(0.3, 0.95), rng.uniform(0.35, 0.75), rng.uniform(0.05, 0.4))


def _athlete(rng: np.random.Generator) -> _Athlete:
    """Somebody at some instant of a run; half of them move arms and legs as no skier does."""
    body = Body(
        stature=rng.uniform(1.45, 2.0),
        build=rng.uniform(0.85, 1.3),
        **{part.name: part.default * rng.uniform(0.93, 1.07) for part in fields(Body)[2:]},
    )
    time = rng.uniform(0, 70)
    run = SlalomSkier(int(rng.integers(FIRST_SEED, 2**31)), body).perform(np.array([time]))
    joint = run.joint[0]
    if rng.random() < 0.5:
        joint = _loosened(joint, body, rng)
    on_skis = rng.random() < 0.7
    return _Athlete(joint, run.foot[0], run.pole[0] if on_skis else None, body, _outfit(rng), time)


def _loosened(joint: np.ndarray, body: Body, rng: np.random.Generator) -> np.ndarray:
    """The pose (17, 3) with other arms, and at times other legs; bones keep their lengths."""
    at = dict(zip(H36M17.joints, joint.copy(), strict=True))
    down = (at["pelvis"] - at["thorax"]) / np.linalg.norm(at["pelvis"] - at["thorax"])
    right = at["right_shoulder"] - at["left_shoulder"]
    forward = np.cross(right, down) / np.linalg.norm(right)
    for side in SIDES:
        reach = rng.normal(size=3) + 0.3 * forward + 0.3 * down
        limb = body.length(body.upper_arm), body.length(body.forearm)
        at |= _limb(at, (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), limb, reach, -forward, rng)
        if rng.random() < 0.5:
            reach = 0.45 * rng.normal(size=3) + 0.3 * forward + [0, 0, -1.0]
            limb = body.length(body.thigh), body.length(body.shank)
            at |= _limb(at, (f"{side}_hip", f"{side}_knee", f"{side}_ankle"), limb, reach, forward, rng)
    return np.stack([at[name] for name in H36M17.joints])


def _limb(
    at: dict[str, np.ndarray],
    names: tuple[str, str, str],
    lengths: tuple[float, float],
    reach: np.ndarray,
    towards: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Middle and end of a limb that reaches in a direction (3), near or far."""
    start = at[names[0]][None]
    target = start + reach / np.linalg.norm(reach) * sum(lengths) * rng.uniform(0.45, 0.985)
    middle, end = bend_limb(start, target, *lengths, (towards + 0.3 * rng.normal(size=3))[None])
    return {names[1]: middle[0], names[2]: end[0]}


def _outfit(rng: np.random.Generator) -> Outfit:
    """Clothes of any colour; faces keep theirs, skin and hair from light to dark."""
    if rng.random() < 0.2:
        return Outfit()
    kept = ("skin", "lips", "hair", "eyes")
    colours = {part.name: tuple(rng.uniform(15, 250, 3)) for part in fields(Outfit) if part.name not in kept}
    if rng.random() < 0.5:  # one suit
        colours["sleeve"] = colours["jacket"]
    if rng.random() < 0.3:
        colours["trousers"] = colours["jacket"]
    tone = rng.uniform(0.3, 1.1)
    return Outfit(skin=tuple(tone * np.array(Outfit.skin)), **colours)


def _others(athlete: _Athlete, rng: np.random.Generator) -> list[_Athlete]:
    """Now and then somebody beside, in front of or behind the athlete, but not in the same place."""
    if rng.random() > 0.25:
        return []
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 4)
    other = _athlete(rng)
    apart = distance * np.array([np.cos(angle), np.sin(angle), 0])
    return [other.moved(athlete.joint[0] - other.joint[0] + apart)]


def draw_labelled(out: Path, numbers: range, seed: int, size_px: int = SIDE_PX) -> Path:
    """Draw pictures of a size into a folder.

    Returns:
        Their labels, a COCO JSON.
    """
    (out / "images").mkdir(parents=True, exist_ok=True)
    painter = Painter(seed)
    images, annotations = [], []
    for number in numbers:
        drawn, name = painter.picture(number).resized(size_px), f"{number:06d}.jpg"
        cv2.imwrite(str(out / "images" / name), drawn.image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        images.append({"id": number, "file_name": name, "width": size_px, "height": size_px})
        annotations.append(_annotation(number, drawn))
    bones = [[int(a) + 1, int(b) + 1] for a, b in H36M17.bone_indices]
    category = {"id": 1, "name": "person", "keypoints": list(H36M17.joints), "skeleton": bones}
    labels = out / "labels.json"
    labels.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return labels


def _annotation(number: int, drawn: Labelled) -> dict[str, object]:
    left, top, right, bottom = drawn.box.tolist()
    keypoint = np.where(drawn.visibility[:, None] == OUTSIDE, 0, drawn.keypoint)
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "num_keypoints": int((drawn.visibility > OUTSIDE).sum()),
        "keypoints": np.column_stack([keypoint.round(2), drawn.visibility]).ravel().tolist(),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--number", type=int, default=4000, help="number of pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=SIDE_PX, help="side of the pictures in px")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(draw_labelled(arguments.out, range(arguments.number), arguments.seed, arguments.size))


if __name__ == "__main__":
    main()
