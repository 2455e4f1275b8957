"""A gymnast of any build who strides, squats, lunges, jumps, kicks and turns, as exact 3D joints.

World axes: x and y along the floor, z up. Metres and seconds. As in ``athlete``, joints follow from rigid segments
and two-bone limbs, so that bone lengths never change and knees and elbows bend only the way real ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields

import numpy as np
from posepipe.models.skeleton import H36M17

from .athlete import SIDES, Body, Performance, bend_limb, turn

Channels = Mapping[str, np.ndarray | float]
"""What a posture is made of, over time (T): see ``STANDING``."""

STANDING: dict[str, float] = {
    "sit": 0.05,  # how far the pelvis sinks, in lengths of the leg
    "shift": 0.0,  # pelvis ahead of the feet, m
    "hop": 0.0,  # all of the body above the floor, m
    "bow": 0.05, "curl": 0.05, "side": 0.0, "twist": 0.0, "nod": 0.0, "look": 0.0,  # rad
    **{f"{side}_foot_{way}": at for side in SIDES for way, at in {"out": 0.11, "ahead": 0.0, "up": 0.0}.items()},  # m
    # hands relative to shoulders, in lengths of the arm
    **{f"{side}_hand_{way}": at for side in SIDES for way, at in {"out": 0.22, "ahead": 0.15, "up": -0.9}.items()},
    "speed": 0.0,  # over the floor, m/s
}  # fmt: skip


def random_body(rng: np.random.Generator) -> Body:
    """A body whose stature, build and proportions are drawn at random, each segment by some percent."""
    segments = [field.name for field in fields(Body) if field.name not in ("stature", "build", "ankle_height")]
    changed = {name: getattr(Body(), name) * rng.uniform(0.93, 1.07) for name in segments}
    return Body(stature=rng.uniform(1.55, 1.95), build=rng.uniform(0.88, 1.2), **changed)


def _both(**channels: np.ndarray | float) -> Channels:
    """The same for the left and the right side."""
    return {f"{side}_{name}": value for side in SIDES for name, value in channels.items()}


def _wave(p: np.ndarray) -> np.ndarray:
    """From 0 to 1 and back, once in a period."""
    return (1 - np.cos(p)) / 2


def _in_turn(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A wave for the left and one for the right side, period by period."""
    first = p // (2 * np.pi) % 2 == 0
    return np.where(first, _wave(p), 0), np.where(first, 0, _wave(p))


def _stride(p: np.ndarray) -> Channels:
    """Running with high knees."""
    swing = np.sin(p)
    left, right = np.maximum(swing, 0), np.maximum(-swing, 0)
    feet = {"left_foot_ahead": 0.16 * swing, "right_foot_ahead": -0.16 * swing}
    feet |= {"left_foot_up": 0.38 * left, "right_foot_up": 0.38 * right}
    hands = {"left_hand_ahead": 0.25 - 0.45 * swing, "right_hand_ahead": 0.25 + 0.45 * swing}
    hands |= {"left_hand_up": -0.62 + 0.12 * right, "right_hand_up": -0.62 + 0.12 * left}
    return {"sit": 0.08 + 0.02 * np.cos(2 * p), "bow": 0.12, "twist": 0.2 * swing, "speed": 0.9, **feet, **hands}


def _squat(p: np.ndarray) -> Channels:
    d = _wave(p)
    sides = _both(foot_out=0.11 + 0.08 * d, hand_ahead=0.15 + 0.75 * d, hand_up=-0.9 + 0.85 * d)
    return {"sit": 0.05 + 0.42 * d, "shift": -0.14 * d, "bow": 0.05 + 0.75 * d, "nod": -0.4 * d, **sides}


def _lunge(p: np.ndarray) -> Channels:
    """Deep steps, left and right in turn, hands on the hips, with a twist towards the leg in front."""
    left, right = _in_turn(p)
    d, ahead = left + right, 0.38 * (left - right)
    hands = _both(hand_out=0.45, hand_ahead=0.1 + 0.1 * d, hand_up=-0.55)
    steps = {"left_foot_ahead": ahead, "right_foot_ahead": -ahead}
    return {"sit": 0.05 + 0.26 * d, "twist": 0.6 * (right - left), "bow": 0.05 + 0.12 * d, **hands, **steps}


def _jack(p: np.ndarray) -> Channels:
    """Jumping jacks."""
    d = _wave(p)
    angle = 0.25 + 2.6 * d
    hands = _both(hand_ahead=0.05, hand_out=0.05 + 0.9 * np.sin(angle), hand_up=-0.95 * np.cos(angle))
    jump = {"sit": 0.07 + 0.03 * np.cos(2 * p), "hop": 0.10 * np.sin(p) ** 2}
    return {**jump, **_both(foot_out=0.11 + 0.28 * d), **hands}


def _kick(p: np.ndarray) -> Channels:
    """Straight kicks, left and right in turn; the other hand reaches for the foot."""
    left, right = _in_turn(p)
    hands = {"left_hand_ahead": 0.15 + 0.7 * right - 0.3 * left, "left_hand_up": -0.9 + 0.7 * right + 0.2 * left}
    hands |= {"right_hand_ahead": 0.15 + 0.7 * left - 0.3 * right, "right_hand_up": -0.9 + 0.7 * left + 0.2 * right}
    feet = {"left_foot_ahead": 0.6 * left, "left_foot_up": 0.6 * left}
    feet |= {"right_foot_ahead": 0.6 * right, "right_foot_up": 0.6 * right}
    d = left + right
    return {"bow": 0.05 - 0.15 * d, "twist": 0.4 * (left - right), "sit": 0.05 + 0.04 * d, **hands, **feet}


def _bow(p: np.ndarray) -> Channels:
    """Hands to the toes."""
    d = _wave(p)
    trunk = {"bow": 0.05 + 1.05 * d, "curl": 0.05 + 0.6 * d, "shift": -0.16 * d, "sit": 0.05 + 0.06 * d}
    return {**trunk, **_both(hand_ahead=0.15 + 0.35 * d, hand_out=0.22 - 0.1 * d)}


def _reach(p: np.ndarray) -> Channels:
    """Bends to either side, the other arm overhead."""
    left, right = np.maximum(np.sin(p), 0), np.maximum(-np.sin(p), 0)
    hands = {"left_hand_up": -0.9 + 1.75 * left, "left_hand_out": 0.3 - 0.4 * left}
    hands |= {"right_hand_up": -0.9 + 1.75 * right, "right_hand_out": 0.3 - 0.4 * right}
    return {"side": 0.5 * (left - right), "sit": 0.08, **_both(foot_out=0.24), **hands}


def _throw(p: np.ndarray) -> Channels:
    """The right arm swings back, over the head and forward, as with a javelin."""
    s, c = np.sin(p), np.cos(p)
    hands = {"right_hand_ahead": 0.15 + 0.7 * s, "right_hand_up": 0.25 - 0.55 * c, "right_hand_out": 0.35 - 0.1 * s}
    hands |= {"left_hand_ahead": 0.35 - 0.35 * s, "left_hand_up": -0.4 - 0.15 * s, "left_hand_out": 0.35}
    feet = {"left_foot_ahead": 0.28, "right_foot_ahead": -0.22}
    return {"twist": -0.55 * s, "bow": 0.1 + 0.22 * s, "shift": 0.08 * s, "sit": 0.15 - 0.04 * s, **hands, **feet}


def _balance(p: np.ndarray) -> Channels:
    """A scale on the right and the left leg in turn, arms wide."""
    left, right = _in_turn(p)
    d = left + right
    trunk = {"bow": 0.05 + 0.7 * d, "nod": -0.4 * d, "shift": -0.05 * d, "side": 0.1 * (right - left)}
    feet = {"left_foot_ahead": -0.5 * left, "left_foot_up": 0.42 * left}
    feet |= {"right_foot_ahead": -0.5 * right, "right_foot_up": 0.42 * right}
    return {**trunk, **_both(hand_out=0.3 + 0.65 * d, hand_up=-0.85 + 0.8 * d, hand_ahead=0.1 + 0.1 * d), **feet}


def _box(p: np.ndarray) -> Channels:
    """Punches, left and right in turn, in a low stance."""
    left, right = np.maximum(np.sin(p), 0) ** 2, np.maximum(-np.sin(p), 0) ** 2
    hands = {"left_hand_ahead": 0.38 + 0.58 * left, "left_hand_up": -0.15 + 0.15 * left}
    hands |= {"right_hand_ahead": 0.38 + 0.58 * right, "right_hand_up": -0.15 + 0.15 * right}
    hands |= {"left_hand_out": 0.05 - 0.1 * left, "right_hand_out": 0.05 - 0.1 * right}
    feet = {"left_foot_ahead": 0.2, "right_foot_ahead": -0.2}
    return {"twist": 0.45 * (left - right), "sit": 0.16 + 0.03 * np.cos(2 * p), "bow": 0.15, **hands, **feet}


EXERCISES: tuple[tuple[Callable[[np.ndarray], Channels], float], ...] = (
    (_stride, 0.9), (_squat, 2.0), (_lunge, 2.0), (_jack, 1.2), (_kick, 1.6),
    (_bow, 2.6), (_reach, 2.6), (_throw, 1.8), (_balance, 2.6), (_box, 1.0),
)  # fmt: skip
"""Exercises as functions of a phase in rad, and their periods in s."""


class Gymnast:
    """Goes through the exercises in an order, at a pace and with a vigour of its own, and turns all the while."""

    EACH_S = 1.8
    """An exercise takes so long before the next fades in, for ``_FADE_S``."""
    _FADE_S = 0.6

    def __init__(self, seed: int, body: Body) -> None:
        self.body = body
        rng = np.random.default_rng([seed, 6])
        self._order = [index for _ in range(20) for index in rng.permutation(len(EXERCISES))]
        self._vigour = rng.uniform(0.75, 1.0, len(self._order))
        self._pace = rng.uniform(0.85, 1.15)
        self._start, self._wave = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0, 2 * np.pi, 4)
        self._spin = rng.choice([-1, 1]) * rng.uniform(0.35, 0.6)

    def channels(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """The posture at times (T): exercises, one fading into the next."""
        mixed = {name: np.full(len(time), value) for name, value in STANDING.items()}
        for place in range(int(time.max() / self.EACH_S) + 1):
            since = time - place * self.EACH_S
            share = np.clip(np.minimum(since, self.EACH_S + self._FADE_S - since) / self._FADE_S, 0, 1)
            if place == 0:
                share = np.where(since < self.EACH_S, 1.0, share)
            share = share * share * (3 - 2 * share) * self._vigour[place]
            exercise, period = EXERCISES[self._order[place]]
            posture = exercise(2 * np.pi * self._pace * np.maximum(since, 0) / period)
            for name, value in posture.items():
                mixed[name] = mixed[name] + share * (value - STANDING[name])
        wander = np.sin(np.outer((0.7, 0.9, 1.3, 0.5), time) + self._wave[:, None])
        mixed["look"] = mixed["look"] + 0.35 * wander[0]
        mixed["nod"] = mixed["nod"] + 0.12 * wander[1]
        mixed["side"] = mixed["side"] + 0.04 * wander[2]
        return mixed

    def perform(self, time: np.ndarray) -> Performance:
        """The gymnast at the given times (T) s, near the origin of the floor."""
        time = np.asarray(time, float)
        channels = self.channels(time)
        heading = self._start[0] + self._spin * time + 0.5 * np.sin(0.6 * time + self._start[1])
        step = channels["speed"] * np.gradient(time)
        path = np.cumsum(step[:, None] * np.stack([np.sin(heading), np.cos(heading)], -1), 0)
        path = path - (path.min(0) + path.max(0)) / 2
        return _Pose(self.body, channels, heading, path).performance(time)


class _Pose:
    """Works out joints from channels, from the pelvis outwards."""

    def __init__(self, body: Body, channels: dict[str, np.ndarray], heading: np.ndarray, path: np.ndarray) -> None:
        self.body, self.c, self.heading = body, channels, heading
        self.size = body.stature / 1.75
        self.floor = np.column_stack([path, self.size * channels["hop"]])
        self.flat = turn(heading, 0 * heading, 0 * heading)
        self.joints: dict[str, np.ndarray] = {}
        self.feet: list[np.ndarray] = []

    def performance(self, time: np.ndarray) -> Performance:
        self._trunk()
        for side, sign in zip(SIDES, (-1.0, 1.0), strict=True):
            self._leg(side, sign)
            self._arm(side, sign)
        joint = np.stack([self.joints[name] for name in H36M17.joints], 1)
        return Performance(time, joint, np.stack(self.feet, 1), None, self.body)

    def _trunk(self) -> None:
        body, c, yaw = self.body, self.c, self.heading
        leg = body.length(body.thigh + body.shank)
        pelvis = self.floor + self.flat[..., 1] * (self.size * c["shift"])[:, None]
        pelvis = pelvis + np.multiply.outer((1 - c["sit"]) * leg + body.length(body.ankle_height), [0, 0, 1.0])
        hips = turn(yaw + 0.2 * c["twist"], 0.7 * c["bow"], 0.4 * c["side"])
        lumbar = turn(yaw + 0.5 * c["twist"], c["bow"], 0.7 * c["side"])
        self.chest = turn(yaw + c["twist"], c["bow"] + c["curl"], c["side"])
        head = turn(yaw + 0.6 * c["twist"] + c["look"], 0.7 * (c["bow"] + c["curl"]) + c["nod"], 0.7 * c["side"])
        spine = pelvis + lumbar[..., 2] * body.length(body.lumbar)
        thorax = spine + self.chest[..., 2] * body.length(body.chest)
        nose = head @ [0, body.length(body.nose_forward), body.length(body.nose_up)]
        self.joints |= {"pelvis": pelvis, "spine": spine, "thorax": thorax, "nose": thorax + nose}
        self.joints["head"] = thorax + head[..., 2] * body.length(body.head_top)
        for side, sign in zip(SIDES, (-0.5, 0.5), strict=True):
            self.joints[f"{side}_hip"] = pelvis + hips[..., 0] * sign * body.length(body.hip_width)
            self.joints[f"{side}_shoulder"] = thorax + self.chest[..., 0] * sign * body.length(body.shoulder_width)

    def _leg(self, side: str, sign: float) -> None:
        """Toes point outwards a little and, where a foot is raised, down; knees bend towards the toes."""
        body, (out, ahead, up) = (
            self.body,
            (self.size * self.c[f"{side}_foot_{way}"] for way in ("out", "ahead", "up")),
        )
        foot = turn(self.heading + 0.15 * sign, np.clip(1.2 * up, 0, 0.6), 0 * up)
        ankle = self.floor + self.flat[..., 0] * (sign * out)[:, None] + self.flat[..., 1] * ahead[:, None]
        ankle = ankle + np.multiply.outer(up + body.length(body.ankle_height), [0, 0, 1.0])
        towards = foot[..., 1] + 0.1 * sign * self.flat[..., 0] + 0.3 * self.flat[..., 2]
        lengths = body.length(body.thigh), body.length(body.shank)
        knee, ankle = bend_limb(self.joints[f"{side}_hip"], ankle, *lengths, towards)
        self.joints |= {f"{side}_knee": knee, f"{side}_ankle": ankle}
        self.feet.append(foot)

    def _arm(self, side: str, sign: float) -> None:
        """Hands go where their channels say, upright whatever the trunk does; elbows stay outside and behind."""
        body = self.body
        lengths = body.length(body.upper_arm), body.length(body.forearm)
        arms = turn(self.heading + self.c["twist"], 0 * self.heading, 0 * self.heading)
        offset = np.stack([self.c[f"{side}_hand_{way}"] for way in ("out", "ahead", "up")], -1) * [sign, 1, 1]
        target = self.joints[f"{side}_shoulder"] + np.einsum("tij,tj->ti", arms, offset) * sum(lengths)
        towards = 0.7 * sign * self.chest[..., 0] - 0.7 * self.chest[..., 1] - 0.5 * self.chest[..., 2]
        elbow, wrist = bend_limb(self.joints[f"{side}_shoulder"], target, *lengths, towards)
        self.joints |= {f"{side}_elbow": elbow, f"{side}_wrist": wrist}
