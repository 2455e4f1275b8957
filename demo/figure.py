"""Flesh, clothes and equipment around the joints of an athlete: a pose in, solids to draw out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from posepipe.models.skeleton import H36M17

from .athlete import SIDES, Body, Performance
from .renderer import Colour, Paint, Solid

Axes = np.ndarray
"""(3, 3) columns right, forward, up in world axes."""


@dataclass(frozen=True)
class Outfit:
    """Colours (blue, green, red) of one athlete."""

    jacket: Colour = (40, 50, 205)
    sleeve: Colour = (55, 70, 225)
    trim: Colour = (245, 245, 245)
    bib: Colour = (70, 205, 250)
    trousers: Colour = (110, 66, 38)
    stripe: Colour = (235, 225, 215)
    gloves: Colour = (40, 40, 44)
    boots: Colour = (235, 235, 238)
    cuff: Colour = (60, 70, 220)
    skin: Colour = (140, 172, 226)
    lips: Colour = (95, 95, 185)
    hair: Colour = (38, 62, 92)
    eyes: Colour = (70, 50, 35)
    helmet: Colour = (235, 238, 240)
    goggles: Colour = (60, 55, 50)
    skis: Colour = (60, 190, 40)
    poles: Colour = (60, 60, 65)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def _axes(up: np.ndarray, right: np.ndarray) -> Axes:
    """Axes whose up is exact and whose right is as near as can be."""
    up = _unit(up)
    right = _unit(right - (right @ up) * up)
    return np.stack([right, np.cross(up, right), up], 1)


class Figure:
    """The solids of one athlete at one instant."""

    def __init__(
        self, joint: np.ndarray, foot: np.ndarray, pole: np.ndarray | None, body: Body, outfit: Outfit
    ) -> None:
        """Joints (17, 3) m, feet (2, 3, 3) right, forward, up, poles (2, 3) or None for no skiing gear."""
        self.joint = dict(zip(H36M17.joints, joint, strict=True))
        self.foot, self.pole, self.outfit = foot, pole, outfit
        self.scale, self.girth = body.stature / 1.75, body.stature / 1.75 * body.build
        self.solids: list[Solid] = []
        j = self.joint
        self.hips = _axes(j["spine"] - j["pelvis"], j["right_hip"] - j["left_hip"])
        self.chest = _axes(j["thorax"] - j["spine"], j["right_shoulder"] - j["left_shoulder"])
        self.head = _axes(j["head"] - j["thorax"], np.cross(j["nose"] - j["thorax"], j["head"] - j["thorax"]))
        self._trunk()
        self._head()
        for i, side in enumerate(SIDES):
            self._leg(side, foot[i])
            self._arm(side, None if pole is None else pole[i])
            if pole is not None:
                self._ski(side, foot[i])

    def _add(self, start: np.ndarray, end: np.ndarray, radius: tuple[float, float], colour: Colour, **more) -> None:
        self.solids.append(Solid(start, end, (radius[0] * self.girth, radius[1] * self.girth), colour, **more))

    def _blob(
        self, centre: np.ndarray, axes: Axes, radii: tuple[float, float, float], colour: Colour, **more
    ) -> None:
        """An ellipsoid."""
        largest = max(radii)
        stretch = (radii[0] / largest, radii[1] / largest, radii[2] / largest)
        self._add(centre, centre, (largest, largest), colour, axes=axes, stretch=stretch, **more)

    def _at(self, origin: str, axes: Axes, right: float, forward: float, up: float) -> np.ndarray:
        """A point given in metres (for a stature of 1.75 m) from a joint, along body axes."""
        return self.joint[origin] + axes @ (self.scale * np.array([right, forward, up]))

    def _trunk(self) -> None:
        j, hips, chest, out = self.joint, self.hips, self.chest, self.outfit
        deep, broad = (1.0, 0.72, 1.0), (1.16, 0.74, 1.0)
        self._add(j["left_hip"], j["right_hip"], (0.105, 0.105), out.trousers, axes=hips, stretch=(1.0, 0.95, 1.0))
        for sign in (-1, 1):
            self._blob(self._at("pelvis", hips, 0.075 * sign, -0.06, -0.03), hips, (0.09, 0.09, 0.10), out.trousers)
        waist = self._at("pelvis", hips, 0, 0.0, 0.06)
        self._add(waist, j["spine"], (0.155, 0.145), out.jacket, axes=hips, stretch=deep)
        bib = Paint(chest[:, 1], 0.80, out.bib)
        top = self._at("thorax", chest, 0, 0.005, -0.075)
        self._add(j["spine"], top, (0.142, 0.145), out.jacket, axes=chest, stretch=broad, paint=bib)
        back = self._at("spine", chest, 0, -0.02, 0.10)
        self._blob(back, chest, (0.165, 0.115, 0.17), out.jacket, paint=Paint(-chest[:, 1], 0.86, out.bib))
        for side, sign in zip(SIDES, (-1, 1), strict=True):
            inner = self._at("thorax", chest, 0.055 * sign, -0.01, 0.005)
            outer = self._at(f"{side}_shoulder", chest, -0.005 * sign, 0, 0.0)
            self._add(inner, outer, (0.075, 0.072), out.jacket)
        collar = self._at("thorax", chest, 0, 0.005, 0.0)
        self._add(collar, self._at("thorax", self.head, 0, 0.008, 0.085), (0.075, 0.062), out.trim)
        self._add(collar, self._at("thorax", self.head, 0, 0.022, 0.14), (0.055, 0.052), out.skin)

    def _head(self) -> None:
        head, out = self.head, self.outfit

        def at(right: float, forward: float, up: float) -> np.ndarray:
            return self._at("thorax", head, right, forward, up)

        centre = at(0, 0.022, 0.232)
        self._blob(centre, head, (0.074, 0.096, 0.106), out.skin)
        self._blob(at(0, 0.052, 0.172), head, (0.054, 0.056, 0.052), out.skin)
        self._add(at(0, 0.108, 0.238), at(0, 0.117, 0.214), (0.009, 0.0165), out.skin)
        self._blob(at(0, 0.100, 0.176), head, (0.027, 0.012, 0.009), out.lips)
        for sign in (-1, 1):
            white = (240, 244, 246)
            self._blob(at(0.031 * sign, 0.099, 0.243), head, (0.0175, 0.012, 0.0115), white, gloss=0.4)
            self._blob(at(0.031 * sign, 0.107, 0.243), head, (0.0085, 0.006, 0.0095), out.eyes, gloss=0.6)
            self._add(at(0.014 * sign, 0.110, 0.262), at(0.047 * sign, 0.096, 0.263), (0.0055, 0.0045), out.hair)
            self._blob(at(0.042 * sign, 0.084, 0.205), head, (0.022, 0.020, 0.026), (128, 150, 226))
            self._blob(at(0.080 * sign, 0.006, 0.228), head, (0.014, 0.023, 0.034), out.skin)
            self._blob(at(0.090 * sign, 0.010, 0.226), head, (0.006, 0.010, 0.017), out.lips)
        nape = at(0, -0.012, 0.205)
        self._blob(nape, head, (0.077, 0.088, 0.088), out.hair, clip=(at(0, 0.0, 0.2), -head[:, 1]))
        tilt = _unit(head[:, 2] - 0.10 * head[:, 1])
        shell = at(0, 0.010, 0.246)
        self._blob(shell, head, (0.091, 0.115, 0.106), out.helmet, clip=(at(0, 0.0, 0.262), tilt), gloss=0.5)
        self._add(at(-0.058, 0.104, 0.296), at(0.058, 0.104, 0.296), (0.026, 0.026), out.goggles, gloss=0.9)
        for sign in (-1, 1):
            self._add(at(0.058 * sign, 0.104, 0.296), at(0.098 * sign, 0.0, 0.286), (0.014, 0.012), out.goggles)

    def _leg(self, side: str, foot: Axes) -> None:
        j, out, sign = self.joint, self.outfit, -1 if side == "left" else 1
        hip, knee, ankle = (j[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        outward = sign * foot[:, 0]
        stripe = Paint(_unit(outward), 0.90, out.stripe)
        middle = 0.55 * hip + 0.45 * knee
        self._add(hip, middle, (0.098, 0.083), out.trousers, paint=stripe)
        self._add(middle, knee, (0.083, 0.061), out.trousers, paint=stripe)
        forward = _unit(2 * knee - hip - ankle)
        self._blob(knee + 0.014 * forward, foot, (0.056, 0.056, 0.060), out.trousers)
        calf = 0.68 * knee + 0.32 * ankle - 0.016 * forward
        self._add(knee, calf, (0.058, 0.063), out.trousers, paint=stripe)
        top = 0.42 * knee + 0.58 * ankle
        self._add(calf, top, (0.063, 0.060), out.trousers, paint=stripe)
        self._add(top, ankle, (0.062, 0.058), out.boots, gloss=0.5)
        buckle = 0.6 * top + 0.4 * ankle
        self._add(buckle + 0.02 * foot[:, 1], buckle + 0.025 * foot[:, 1], (0.052, 0.05), out.cuff, gloss=0.5)
        sole = ankle - 0.060 * self.scale * foot[:, 2]
        heel, toe = sole - 0.075 * self.scale * foot[:, 1], sole + 0.185 * self.scale * foot[:, 1]
        self._add(heel, toe, (0.050, 0.046), out.boots, axes=foot, stretch=(1.0, 1.0, 0.9), gloss=0.5)
        self._add(ankle, toe - 0.05 * foot[:, 1], (0.056, 0.045), out.boots, gloss=0.5)
        self._add(toe - 0.04 * foot[:, 1], toe, (0.048, 0.047), out.cuff, gloss=0.5)

    def _arm(self, side: str, pole: np.ndarray | None) -> None:
        j, out = self.joint, self.outfit
        shoulder, elbow, wrist = (j[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        self._add(shoulder, shoulder + 0.3 * (elbow - shoulder), (0.071, 0.062), out.sleeve)
        self._add(shoulder, elbow, (0.060, 0.047), out.sleeve)
        self._add(elbow, wrist, (0.048, 0.036), out.sleeve)
        cuff = wrist + 0.12 * (elbow - wrist)
        self._add(cuff, wrist, (0.044, 0.042), out.trim)
        along = _unit(wrist - elbow)
        palm = wrist + 0.065 * self.scale * along
        self._add(wrist, palm, (0.036, 0.043), out.gloves)
        thumb = _unit(np.cross(along, self.chest[:, 0]) + 0.4 * self.chest[:, 2])
        self._add(wrist + 0.03 * along, palm + 0.03 * thumb + 0.01 * along, (0.020, 0.017), out.gloves)
        if pole is None:
            fingers = palm + 0.06 * self.scale * along
            self._add(palm, fingers, (0.034, 0.022), out.gloves)
            return
        fist = palm + 0.01 * along
        tip = fist + 1.02 * self.scale * pole
        self._add(fist - 0.06 * pole, fist + 0.06 * pole, (0.018, 0.016), out.goggles)
        for near, far in (
            (0.0, 0.2),
            (0.2, 0.4),
            (0.4, 0.6),
            (0.6, 0.8),
            (0.8, 1.0),
        ):  # small pieces are fast to draw
            self._add(fist + near * (tip - fist), fist + far * (tip - fist), (0.008, 0.007), out.poles)
        self._add(tip - 0.08 * pole, tip - 0.075 * pole, (0.03, 0.03), out.poles)

    def _ski(self, side: str, foot: Axes) -> None:
        out = self.outfit
        under = self.joint[f"{side}_ankle"] - 0.117 * self.scale * foot[:, 2]
        thin = {"axes": foot, "stretch": (1.0, 1.0, 0.2), "gloss": 0.6}
        tail, waist, shovel = (under + d * self.scale * foot[:, 1] for d in (-0.70, 0.0, 0.75))
        self._add(tail, waist, (0.046, 0.036), out.skis, **thin)
        self._add(waist, shovel, (0.036, 0.052), out.skis, **thin)
        tip = shovel + self.scale * (0.16 * foot[:, 1] + 0.07 * foot[:, 2])
        self._add(shovel, tip, (0.05, 0.028), out.trim, **thin)
        self._add(under + 0.02 * foot[:, 2], under + 0.02 * foot[:, 2] + 0.2 * foot[:, 1], (0.03, 0.03), out.poles)


def solids_of(performance: Performance, frame: int, outfit: Outfit) -> list[Solid]:
    """What to draw of an athlete, on skis or not, at one frame of a performance."""
    p = performance
    pole = None if p.pole is None else p.pole[frame]
    return Figure(p.joint[frame], p.foot[frame], pole, p.body, outfit).solids
