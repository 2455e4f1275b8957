"""The athlete: body proportions and a skier's short turns on an endless slope, as exact 3D joints.

World axes: x to the skier's right, y down the valley, z up; the slope falls towards +y. Metres and seconds.
All joints follow from rigid segments and two-bone limbs, so bone lengths never change, and knees and
elbows can only bend the way real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from posepipe.models.skeleton import H36M17

SLOPE_ANGLE = 0.16
"""Inclination of the slope in radians (9 degrees)."""
SLOPE = np.array([
    [1.0, 0.0, 0.0],
    [0.0, np.cos(SLOPE_ANGLE), np.sin(SLOPE_ANGLE)],
    [0.0, -np.sin(SLOPE_ANGLE), np.cos(SLOPE_ANGLE)],
])  # fmt: skip
"""Columns: right, down the fall line, normal of the slope, in world axes."""
GRAVITY = 9.81
SIDES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class Body:
    """Segment lengths in metres, as fractions of stature (Winter 2009), between centres of rotation."""

    stature: float = 1.75
    build: float = 1.0
    """Thickness of the flesh, 1 = athletic."""

    thigh: float = 0.245
    shank: float = 0.240
    upper_arm: float = 0.172
    forearm: float = 0.148
    hip_width: float = 0.110
    shoulder_width: float = 0.205
    lumbar: float = 0.145
    """Pelvis to spine."""
    chest: float = 0.148
    """Spine to thorax, the middle of the shoulders."""
    head_top: float = 0.193
    """Thorax to the top of the head."""
    nose_up: float = 0.124
    nose_forward: float = 0.068
    ankle_height: float = 0.075
    """Ankle above the snow, boot sole and ski included."""

    def length(self, fraction: float) -> float:
        """A length given as a fraction of stature, in metres."""
        return fraction * self.stature


@dataclass(frozen=True)
class Performance:
    """An athlete over time, in world axes and metres."""

    time: np.ndarray  # (T) s
    joint: np.ndarray  # (T, 17, 3) H36M-17
    foot: np.ndarray  # (T, 2, 3, 3) columns right, forward, up of the left and the right foot
    pole: np.ndarray | None  # (T, 2, 3) unit vectors from the left and the right grip to the tip, if there are skis
    body: Body

    def of(self, name: str) -> np.ndarray:
        """One joint (T, 3)."""
        return self.joint[:, H36M17.index(name)]


def turn(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) with columns right, forward, up: yaw to the right, then pitch forward, then roll right."""
    yaw, pitch, roll = np.broadcast_arrays(yaw, pitch, roll)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.stack(row, -1) for row in rows], -2)

    c, s = np.cos(yaw), np.sin(yaw)
    about_up = matrix((c, s, zero), (-s, c, zero), (zero, zero, one))
    c, s = np.cos(roll), np.sin(roll)
    about_forward = matrix((c, zero, s), (zero, one, zero), (-s, zero, c))
    c, s = np.cos(pitch), np.sin(pitch)
    about_right = matrix((one, zero, zero), (zero, c, s), (zero, -s, c))
    return about_up @ about_forward @ about_right


def bend_limb(
    start: np.ndarray, target: np.ndarray, upper: float, lower: float, towards: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end (T, 3) of a two-bone limb that reaches from start to target, bent towards a direction (T, 3).

    A target out of reach (or too near) is approached along its direction, so the bones keep their lengths.
    """
    offset = target - start
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    axis = offset / np.maximum(distance, 1e-9)
    reach = np.clip(distance, abs(upper - lower) + 0.05, 0.985 * (upper + lower))
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    across = towards - (towards * axis).sum(-1, keepdims=True) * axis
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    return start + along * axis + np.sqrt(upper**2 - along**2) * across, start + reach * axis


def _window(time: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A smooth bump of height 1 and full width ``width`` seconds."""
    x = np.clip((time - centre) / width, -0.5, 0.5)
    return np.cos(np.pi * x) ** 2


class SlalomSkier:
    """A skier who swings short turns, tucks, hops, plants poles and balances: seeded, defined at every time.

    On an endless slope the mat runs uphill under the skier at ``SPEED``; so does everything painted on it.
    """

    SPEED = 3.7
    """Speed of the mat in m/s."""
    _EVENT_EVERY = 1.9

    def __init__(self, seed: int = 0, body: Body | None = None) -> None:
        self.body = body or Body()
        rng = np.random.default_rng([seed, 1])
        self._phases = rng.uniform(0, 2 * np.pi, 12)
        kinds = ("tuck", "hop", "wide", "raise_left", "back", "raise_right", "upright")
        self._events = [kind for _ in range(40) for kind in rng.permutation(kinds)]

    def phase(self, time: np.ndarray) -> np.ndarray:
        """Phase of the turns in radians: right of the line for sin > 0."""
        p = self._phases
        return 2.0 * time + 0.55 * np.sin(0.61 * time + p[0]) + 0.3 * np.sin(1.03 * time + p[1]) + p[2]

    def across(self, time: np.ndarray) -> np.ndarray:
        """Position across the slope in metres, + to the skier's right."""
        p = self._phases
        size = 1.05 + 0.3 * np.sin(0.47 * time + p[3]) + 0.12 * np.sin(0.83 * time + p[4])
        return size * np.sin(self.phase(time)) + 0.2 * np.sin(0.29 * time + p[5])

    def along(self, time: np.ndarray) -> np.ndarray:
        """Position down the slope in metres: the skier gains on the mat and falls back."""
        return 0.8 * np.sin(0.43 * time + self._phases[6]) + 0.35 * np.sin(0.97 * time + self._phases[7])

    def _event(self, kind: str, time: np.ndarray, width: float) -> np.ndarray:
        centres = [(i + 0.5) * self._EVENT_EVERY for i, name in enumerate(self._events) if name == kind]
        return np.max([_window(time, centre, width) for centre in centres], axis=0)

    def _flight(self, time: np.ndarray) -> np.ndarray:
        """Height of the skis above the snow in metres: a ballistic hop."""
        centres = [(i + 0.5) * self._EVENT_EVERY for i, name in enumerate(self._events) if name == "hop"]
        height = [0.26 - GRAVITY / 2 * (time - centre) ** 2 for centre in centres]
        return np.maximum(np.max(height, axis=0), 0)

    def perform(self, time: np.ndarray) -> Performance:
        """The skier at the given times (T) s."""
        time = np.asarray(time, float)
        step = 1 / 240
        before, now, after = (self.across(time + d) for d in (-step, 0.0, step))
        sideways, pull = (after - before) / (2 * step), (after - 2 * now + before) / step**2
        forward = self.SPEED + (self.along(time + step) - self.along(time - step)) / (2 * step)
        heading = np.arctan2(sideways, forward)
        airborne = np.clip(self._flight(time) / 0.1, 0, 1)
        lean = np.arctan(0.85 * pull * np.cos(heading) / GRAVITY) * (1 - 0.8 * airborne)
        skis = np.stack([now, self.along(time), self._flight(time)], -1)
        return _Posture(self, time, heading, lean, skis).performance()


class _Posture:
    """Works out one performance in slope axes (right, down the fall line, normal) from the path of the skis."""

    def __init__(
        self, skier: SlalomSkier, time: np.ndarray, heading: np.ndarray, lean: np.ndarray, skis: np.ndarray
    ) -> None:
        self.skier, self.body, self.time = skier, skier.body, time
        self.heading, self.lean, self.skis = heading, lean, skis
        self.phase = skier.phase(time)
        event = skier._event
        self.tuck, self.upright = event("tuck", time, 2.6), event("upright", time, 2.4)
        self.hop, self.wide, self.back = event("hop", time, 1.1), event("wide", time, 1.7), event("back", time, 1.6)
        self.raised = {"left": event("raise_left", time, 2.0), "right": event("raise_right", time, 2.0)}
        self.joints: dict[str, np.ndarray] = {}
        self.feet: list[np.ndarray] = []
        self.poles: list[np.ndarray] = []

    def performance(self) -> Performance:
        self._trunk()
        for side, sign in zip(SIDES, (-1.0, 1.0), strict=True):
            self._leg(side, sign)
            self._arm(side, sign)
        joint = np.stack([self.joints[name] for name in H36M17.joints], 1) @ SLOPE.T
        foot = SLOPE @ np.stack(self.feet, 1)
        pole = np.stack(self.poles, 1) @ SLOPE.T
        return Performance(self.time, joint, foot, pole, self.body)

    def _trunk(self) -> None:
        """Pelvis, spine, thorax, shoulders, hips, nose and head."""
        body, time, p = self.body, self.time, self.skier._phases
        extension = 0.80 + 0.055 * np.cos(2 * self.phase) + 0.035 * np.sin(0.7 * time + p[8])
        extension = extension + 0.09 * self.upright - 0.20 * self.tuck - 0.10 * self.hop
        height = extension * body.length(body.thigh + body.shank)
        setback = 0.10 + 0.85 * (0.87 - extension)
        carried = turn(self.heading, -setback, self.lean)
        pelvis = self.skis + carried[..., 2] * height[:, None] + [0, 0, body.length(body.ankle_height)]
        bow = 0.50 + 0.10 * np.sin(0.9 * time + p[9]) + 0.42 * self.tuck - 0.28 * self.upright - 0.1 * self.wide
        sway = 0.08 * np.sin(1.3 * time + p[10])
        self.hip_frame = turn(0.75 * self.heading, 0.75 * bow, 0.55 * self.lean)
        lumbar = turn(0.6 * self.heading, bow, 0.42 * self.lean)
        self.chest_frame = turn(0.4 * self.heading + sway, 1.12 * bow, 0.25 * self.lean)
        look = 0.10 * self.heading + 0.22 * np.sin(0.8 * time + p[11])
        self.head_frame = turn(look, 0.22 + 0.28 * self.tuck + 0.08 * np.sin(time), 0.12 * self.lean)

        spine = pelvis + lumbar[..., 2] * body.length(body.lumbar)
        thorax = spine + self.chest_frame[..., 2] * body.length(body.chest)
        nose = self.head_frame @ [0, body.length(body.nose_forward), body.length(body.nose_up)]
        head = self.head_frame[..., 2] * body.length(body.head_top)
        self.joints |= {"pelvis": pelvis, "spine": spine, "thorax": thorax}
        self.joints |= {"nose": thorax + nose, "head": thorax + head}
        for side, sign in zip(SIDES, (-0.5, 0.5), strict=True):
            hip = self.hip_frame[..., 0] * sign * body.length(body.hip_width)
            shoulder = self.chest_frame[..., 0] * sign * body.length(body.shoulder_width)
            self.joints |= {f"{side}_hip": pelvis + hip, f"{side}_shoulder": thorax + shoulder}

    def _leg(self, side: str, sign: float) -> None:
        """Skis edge with the lean; the ski inside the turn runs ahead; knees bend towards the ski tips."""
        body = self.body
        edge = turn(self.heading, np.zeros_like(self.time), 0.8 * self.lean)
        flat = turn(self.heading, np.zeros_like(self.time), np.zeros_like(self.time))
        stance = sign * (0.17 + 0.02 * np.sin(0.5 * self.time))
        ahead = sign * 0.25 * self.lean
        ankle = self.skis + flat[..., 0] * stance[:, None] + flat[..., 1] * (ahead - 0.03)[:, None]
        ankle = ankle + edge[..., 2] * body.length(body.ankle_height)
        towards = edge[..., 1] + 0.12 * sign * self.hip_frame[..., 0] + 0.25 * edge[..., 2]
        hip = self.joints[f"{side}_hip"]
        knee, ankle = bend_limb(hip, ankle, body.length(body.thigh), body.length(body.shank), towards)
        self.joints |= {f"{side}_knee": knee, f"{side}_ankle": ankle}
        self.feet.append(edge)

    def _arm(self, side: str, sign: float) -> None:
        """Hands lead; the arm on the inside of the coming turn reaches out and plants its pole."""
        body = self.body
        plant = np.maximum(sign * np.cos(self.phase - 0.5), 0) ** 3
        swing = 0.07 * np.sin(1.7 * self.time + self.skier._phases[8] + sign)
        up, tuck, wide, back = self.raised[side], self.tuck, self.wide + 0.8 * self.hop, self.back
        ahead = 0.34 + 0.10 * plant + swing + 0.10 * tuck - 0.26 * wide - 0.18 * up - 0.75 * back
        aside = 0.17 + 0.06 * plant - 0.20 * tuck + 0.27 * wide + 0.08 * up + 0.02 * back
        above = -0.26 + 0.05 * plant - swing + 0.16 * tuck + 0.22 * wide + 0.72 * up - 0.12 * back
        arms = turn(0.45 * self.heading, 0.25 + 0.15 * tuck, 0.25 * self.lean)
        offset = np.stack([sign * aside, ahead, above], -1) * (body.stature / 1.75)
        shoulder = self.joints[f"{side}_shoulder"]
        target = shoulder + np.einsum("tij,tj->ti", arms, offset)
        towards = 0.7 * sign * arms[..., 0] - 0.7 * arms[..., 1] - 0.5 * arms[..., 2]
        elbow, wrist = bend_limb(shoulder, target, body.length(body.upper_arm), body.length(body.forearm), towards)
        self.joints |= {f"{side}_elbow": elbow, f"{side}_wrist": wrist}
        tilt = 0.55 + 0.5 * tuck - 0.55 * plant
        pole = 0.25 * sign * arms[..., 0] - np.sin(tilt)[:, None] * arms[..., 1] - np.cos(tilt)[:, None] * [0, 0, 1.0]
        self.poles.append(pole / np.linalg.norm(pole, axis=-1, keepdims=True))
