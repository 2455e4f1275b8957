"""Loudness of a video's sound over time."""

from __future__ import annotations

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
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
    """Root mean square of a sound in steps of 1 / AUDIO_RATE s, computed packet by packet."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, np.ndarray, np.ndarray]] = []  # first step, energy and samples in each step
        self._form: tuple[str, str, int] | None = None
        self._resampler = AudioResampler(format="flt")
        self._start: float | None = None
        self._end = 0.0
        self.given = False
        """Whether there was anything to decode."""
        self._shift = 0.0  # to be added to the container's clock where that was set anew

    def add(self, packet: av.Packet) -> None:
        """Take in the sound of one packet of the audio stream."""
        self.given |= packet.size > 0
        for frame in frames_of(packet):
            try:
                power = np.square(self._samples(frame), dtype=np.float64).mean(1)
            except (av.error.FFmpegError, ValueError):
                continue  # damaged: of a format or of channels that there are not
            start = self._continued(self._end - self._shift if frame.pts is None else seconds_of(frame))
            seconds = max(start - (self._start or 0.0), 0.0) + np.arange(len(power)) / frame.sample_rate
            step = (seconds * AUDIO_RATE).astype(int)
            self._pieces.append((step[0], np.bincount(step - step[0], power), np.bincount(step - step[0])))
            self._end = start + len(power) / frame.sample_rate

    def _samples(self, frame: AudioFrame) -> np.ndarray:
        """The samples (N, channels) float32 of a piece of sound, -1..1."""
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form != self._form:  # the first one, or the sound changes on the way
            self._form, self._resampler = form, AudioResampler(format="flt")
        # Interleaved, as PyAV reads planes of memory that is not the frame's where there are more than seven.
        pieces = [piece.to_ndarray() for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces, 1).reshape(-1, frame.layout.nb_channels)

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
        """The envelope (steps) float32, 0..1, from ``origin_s`` on the container's clock; None without any sound."""
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
