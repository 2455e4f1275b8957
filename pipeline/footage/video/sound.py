"""Loudness of a video's sound over time."""

from __future__ import annotations

import av
import av.error
import numpy as np

from .stream import frames_of, seconds_of

AUDIO_RATE = 500
"""Values of the audio envelope per second."""


class Envelope:
    """Root mean square of a sound in steps of 1 / AUDIO_RATE s, computed packet by packet."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, np.ndarray, np.ndarray]] = []  # first step, energy and samples in each step
        self._start: float | None = None

    def add(self, packet: av.Packet) -> None:
        """Take in the sound of one packet of the audio stream."""
        for frame in frames_of(packet):
            samples: np.ndarray = frame.to_ndarray()
            kind = samples.dtype.kind  # unsigned samples are silent at half of their range
            loudest = 128 if kind == "u" else np.iinfo(samples.dtype).max if kind == "i" else 1
            power = ((samples.astype(np.float64) - (128 if kind == "u" else 0)) / loudest) ** 2
            channels = len(frame.layout.channels)
            power = power.mean(0) if frame.format.is_planar else power.reshape(-1, channels).mean(1)
            start = seconds_of(frame)
            self._start = start if self._start is None else self._start
            seconds = max(start - self._start, 0.0) + np.arange(len(power)) / frame.sample_rate
            step = (seconds * AUDIO_RATE).astype(int)
            self._pieces.append((step[0], np.bincount(step - step[0], power), np.bincount(step - step[0])))

    def values(self, origin_s: float) -> np.ndarray:
        """The envelope (steps) float32, 0..1, from ``origin_s`` on the container's clock."""
        energy = np.zeros(max((first + len(sums) for first, sums, _ in self._pieces), default=0))
        count = np.zeros(len(energy))
        for first, sums, samples in self._pieces:
            energy[first : first + len(sums)] += sums
            count[first : first + len(sums)] += samples
        rms = np.sqrt(energy / np.maximum(count, 1)).astype(np.float32)
        shift = round(((self._start or 0.0) - origin_s) * AUDIO_RATE)
        return np.pad(rms, (shift, 0)) if shift >= 0 else rms[-shift:]
