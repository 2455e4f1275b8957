"""How loud a video's sound is, step by step."""

from __future__ import annotations

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from .clock import LONGEST_PAUSE_S
from .stream import frames_of, seconds_of

AUDIO_RATE = 500
"""Values of the audio envelope per second."""

OVERLAP_S = 1.0
"""A clock that goes back further was set anew."""


def sound_of(container: InputContainer) -> AudioStream | None:
    """The first sound track that can be decoded."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


class Envelope:
    """Root mean square of a sound in steps of 1 / AUDIO_RATE, gathered packet by packet."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, np.ndarray, np.ndarray]] = []  # first step, energy and samples in each step
        self._start: float | None = None
        self._end = 0.0
        self.given = False
        """Whether there was anything to decode."""
        self._shift = 0.0  # to be added to the container's clock where that was set anew

    def add(self, packet: av.Packet) -> None:
        """Take a packet of the sound into account."""
        self.given |= packet.size > 0
        for frame in frames_of(packet):
            samples: np.ndarray = frame.to_ndarray()
            kind = samples.dtype.kind  # unsigned samples are silent at half of their range
            loudest = 128 if kind == "u" else np.iinfo(samples.dtype).max if kind == "i" else 1
            power = ((samples.astype(np.float64) - (128 if kind == "u" else 0)) / loudest) ** 2
            channels = len(frame.layout.channels)
            power = power.mean(0) if frame.format.is_planar else power.reshape(-1, channels).mean(1)
            start = self._continued(self._end - self._shift if frame.pts is None else seconds_of(frame))
            seconds = max(start - (self._start or 0.0), 0.0) + np.arange(len(power)) / frame.sample_rate
            step = (seconds * AUDIO_RATE).astype(int)
            self._pieces.append((step[0], np.bincount(step - step[0], power), np.bincount(step - step[0])))
            self._end = start + len(power) / frame.sample_rate

    def _continued(self, start: float) -> float:
        """When a piece starts, by a clock that goes on where the container's was set anew."""
        if self._start is None:
            self._start = self._end = start
        if not -OVERLAP_S < start + self._shift - self._end < LONGEST_PAUSE_S:
            self._shift = self._end - start
        return start + self._shift

    @property
    def end_s(self) -> float:
        """Where the sound ends, by the container's clock."""
        return self._end

    def values(self, origin_s: float) -> np.ndarray | None:
        """The envelope from ``origin_s`` of the container's clock on; None if nothing could be decoded."""
        if not self._pieces:
            return None
        energy = np.zeros(max(first + len(sums) for first, sums, _ in self._pieces))
        count = np.zeros(len(energy))
        for first, sums, samples in self._pieces:
            energy[first : first + len(sums)] += sums
            count[first : first + len(sums)] += samples
        rms = np.sqrt(energy / np.maximum(count, 1)).astype(np.float32)
        shift = round(((self._start or 0.0) - origin_s) * AUDIO_RATE)
        return np.pad(rms, (shift, 0)) if shift >= 0 else rms[-shift:]
