"""The demo athlete as cameras with clocks of their own see and hear the run: 2D poses and loudness, no pictures.

Cameras are started by hand up to 10 s apart, run at different frame rates, and their clocks drift by up to
100 ppm; of the four, two pan, tilt and zoom. Poses have a detector's faults: errors that last for several frames,
joints that jump or are lost, sides that are swapped, an athlete out of the picture. Sound has local noise,
different gains and, if wanted, the time that it takes to arrive. All is drawn from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Frames, Track
from posepipe.pipeline.footage.video import AUDIO_RATE

from .athlete import SLOPE, SlalomSkier
from .cameras import Shot, following_shot, static_shot
from .footage import PLACEMENTS, Placement

RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
         Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60))  # fmt: skip
MAX_START_S = 10.0
MAX_DRIFT = 100e-6
OPERATOR_RATE = 120.0  # steps per second at which the operators' hands are worked out


@dataclass(frozen=True)
class Clock:
    """When a camera filmed: true time = start_s + rate * its own time."""

    start_s: float
    rate: float

    def true(self, own: np.ndarray) -> np.ndarray:
        """True time of the camera's own time, s."""
        return self.start_s + self.rate * own


@dataclass(frozen=True)
class Retimed:
    """One take: what posepipe is given, and the truth."""

    names: list[str]
    frames: list[Frames]
    tracks: list[Track]
    clocks: list[Clock]


def draw_take(seed: int, seconds: float = 60.0, speed_of_sound: float | None = None) -> Retimed:
    """Four cameras' poses and sound of a run.

    Args:
        seconds: length of each clip, give or take a tenth.
        speed_of_sound: m/s; 0 if it takes no time to arrive, None if the cameras record no sound.
    """
    rng = np.random.default_rng([seed, 77])
    skier = SlalomSkier(int(rng.integers(1 << 30)))
    hearing = np.random.default_rng([seed, 78])  # of its own, so that poses do not depend on the sound
    noise = _Noise(hearing, 2 * MAX_START_S + 1.2 * seconds)
    names, frame_sets, tracks, clocks = [], [], [], []
    for placement in PLACEMENTS[:4]:
        clock = Clock(MAX_START_S + rng.uniform(-1, 1) * MAX_START_S, 1 + rng.uniform(-1, 1) * MAX_DRIFT)
        rate = RATES[rng.integers(len(RATES))]
        own = np.arange(round(seconds * rng.uniform(0.9, 1.1) * rate)) / float(rate)
        keypoint = _seen(placement, skier, clock.true(own), rng)
        track = detected(keypoint, own, rng)
        loudness = None
        if speed_of_sound is not None:
            delay = float(np.linalg.norm(placement.centre)) / speed_of_sound if speed_of_sound else 0.0
            loudness = noise.heard(clock, own[-1], delay, hearing)
        names.append(placement.name)
        tracks.append(replace(track, camera_moves=placement.follows))
        clocks.append(clock)
        frame_sets.append(_frames(own, rate, loudness))
    return Retimed(names, frame_sets, tracks, clocks)


def _seen(placement: Placement, skier: SlalomSkier, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exact joints (F, 17, 2) px at true times."""
    performance = skier.perform(time)
    middle = SLOPE[:, 2] * 0.75
    if not placement.follows:
        return static_shot(placement.centre, middle, placement.focal, len(time)).project(performance.joint)
    often = np.arange(time[0], time[-1] + 2 / OPERATOR_RATE, 1 / OPERATOR_RATE)
    path = skier.perform(often).joint.mean(1)
    shot = following_shot(placement.centre, path, often, placement.focal, rng)
    now = np.searchsorted(often, time).clip(0, len(often) - 1)  # the hands move little in a step
    R, K = shot.R[now], shot.K[now]
    return Shot(K, R, -R @ shot.centre, shot.size).project(performance.joint)


def detected(keypoint: np.ndarray, time: np.ndarray, rng: np.random.Generator) -> Track:
    """What a detector makes of exact joints (F, 17, 2) px.

    The errors are as large and last as long as MediaPipe's on the drawn footage: of the athlete's height 1.1 % for
    good, 1.3 % for 0.3 s and 0.45 % for a frame; 1 % jump farther.
    """
    count, joints = keypoint.shape[:2]
    height = float(np.median(np.ptp(keypoint[..., 1], axis=1)))
    period = float(np.median(np.diff(time)))
    slow = _lasting(rng, (count, joints, 2), period, 0.3) * 0.0133
    noisy = keypoint + height * (slow + rng.normal(0, 0.0045, keypoint.shape) + rng.normal(0, 0.011, (joints, 2)))
    jumps = _lasting(rng, (count, joints), period, 0.15) > 2.3  # some 1 % of the time
    noisy += height * jumps[..., None] * _lasting(rng, (count, joints, 2), period, 0.3) * 0.15
    swapped = _lasting(rng, (count,), period, 0.2) > 2.3  # some 1 %
    noisy[swapped] = noisy[swapped][:, H36M17.mirror]
    confidence = np.clip(0.85 + 0.1 * rng.normal(size=(count, joints)) - 0.35 * jumps, 0.05, 1)
    lost = _lasting(rng, (count, joints), period, 0.2) > 2.0
    away = time[0] + rng.uniform(0, 1) * np.ptp(time)
    lost |= ((time > away) & (time < away + rng.uniform(0, 2)))[:, None]
    noisy[lost], confidence[lost] = np.nan, 0
    return Track(
        time=time, keypoint=noisy.astype(np.float32), confidence=confidence.astype(np.float32),
        box=np.zeros((count, 4), np.float32), skeleton=H36M17.name, camera_moves=None, dropped=0,
    )  # fmt: skip


def _lasting(rng: np.random.Generator, shape: tuple[int, ...], period: float, seconds: float) -> np.ndarray:
    """Gaussian noise of deviation 1 along the first axis that forgets itself within ``seconds``."""
    keep = np.exp(-period / seconds)
    fresh = rng.normal(size=shape)
    noise = np.empty(shape)
    noise[0] = fresh[0]
    for step in range(1, shape[0]):
        noise[step] = keep * noise[step - 1] + np.sqrt(1 - keep**2) * fresh[step]
    return noise


class _Noise:
    """What there is to hear: bursts that begin sharply and die away."""

    _STEPS = 2000  # per second

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        power = np.zeros(int(seconds * self._STEPS))
        for _ in range(rng.poisson(1.5 * seconds)):
            begin, decay = rng.integers(len(power)), rng.uniform(0.02, 0.3) * self._STEPS
            burst = rng.lognormal(0, 1) * np.exp(-np.arange(int(6 * decay)) / decay)
            end = min(len(power), begin + len(burst))
            power[begin:end] += burst[: end - begin]
        self._power = power / power.mean()

    def heard(self, clock: Clock, seconds: float, delay: float, rng: np.random.Generator) -> np.ndarray:
        """A camera's loudness (A) at AUDIO_RATE from its time 0 on."""
        steps = np.arange(int(seconds * AUDIO_RATE))
        edges = clock.true(np.append(steps, len(steps)) / AUDIO_RATE) - delay
        energy = np.interp(edges * self._STEPS, np.arange(len(self._power) + 1), np.append(0, self._power.cumsum()))
        power = np.diff(energy) / (self._STEPS / AUDIO_RATE)
        wind = np.exp(0.5 * _lasting(rng, steps.shape, 1 / AUDIO_RATE, 0.5))
        power = power + wind * 10 ** (-rng.uniform(-3, 12) / 10)
        samples = 8000 / AUDIO_RATE  # independent samples of the sound in a step
        power = power * rng.gamma(samples / 2, 2 / samples, len(power))
        return (rng.uniform(0.02, 0.2) * np.sqrt(power)).astype(np.float32)


def _frames(time: np.ndarray, rate: Fraction, loudness: np.ndarray | None) -> Frames:
    return Frames(
        time=time, image_size=np.array([960, 540], np.int32), audio_envelope=loudness, rate=str(rate),
        codec="h264", rotation=0, missing_s=0.0,
    )  # fmt: skip
