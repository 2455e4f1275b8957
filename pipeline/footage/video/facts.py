"""What a video file says of itself, without its pictures: times, size, sound, timecode, focal length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from ...errors import PosepipeError
from .sound import Envelope
from .stream import frames_of, open_video, quarter_turns, readable_part


@dataclass(frozen=True)
class VideoFacts:
    """What a video file says of itself, read without decoding pictures."""

    time: np.ndarray  # (F) float64 s, from the first frame on
    image_size: tuple[int, int]  # px, width and height as displayed
    rate: Fraction
    codec: str
    rotation: int  # clockwise degrees that display needs
    missing_s: float
    audio_envelope: np.ndarray | None  # (A) float32, AUDIO_RATE values a second from time 0
    timecode_s: float | None  # time of day of the first picture


def probe(path: Path) -> VideoFacts:
    """Timestamps, properties and sound of a video in one pass over its packets.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(path) as (container, stream):
        sound = container.streams.audio[0] if container.streams.audio else None
        envelope = Envelope() if sound else None
        stamps: list[int] = []
        rotation: int | None = None  # known from the first decoded picture
        with readable_part(path):
            for packet in container.demux([s for s in (stream, sound) if s]):
                if packet.stream is sound and envelope is not None:
                    envelope.add(packet)
                    continue
                if rotation is None:
                    rotation = next((-quarter_turns(frame) * 90 % 360 for frame in frames_of(packet)), None)
                if packet.size and not packet.is_discard:
                    stamps.append(packet.pts if packet.pts is not None else packet.dts or 0)
        if not stamps or rotation is None:
            raise PosepipeError(f"{path} holds no readable picture; is it damaged or still being written?")
        rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        unit = stream.time_base or 1 / rate
        ticks = np.unique(np.array(stamps, np.int64))
        time = (ticks - ticks[0]) * float(unit) if len(ticks) > 1 else np.arange(len(stamps)) / float(rate)
        period = float(np.median(np.diff(time))) if len(time) > 1 else 1 / float(rate)
        missing = max(0.0, _promised_s(container, stream) - float(time[-1]) - period)
        size = (stream.width, stream.height) if rotation % 180 == 0 else (stream.height, stream.width)
        return VideoFacts(
            time, size, rate, stream.codec_context.name, rotation,
            missing if missing > max(2 * period, 0.1) else 0.0,
            envelope.values(float(ticks[0] * unit)) if envelope else None,
            timecode_seconds(_timecode(container), rate),
        )  # fmt: skip


def _promised_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _timecode(container: InputContainer) -> str:
    """The timecode of the first picture, as the container or one of its streams says it; empty if none does."""
    tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next((tag["timecode"] for tag in tags if "timecode" in tag), "")


def timecode_seconds(code: str, rate: Fraction) -> float | None:
    """Time of day in s of a SMPTE timecode hh:mm:ss:ff, or hh:mm:ss;ff which drops numbers; None if it is none.

    Numbers are dropped (two of each minute but every tenth, at 29.97 frames/s) so that codes keep up with the clock.
    """
    parts = re.fullmatch(r"(\d+):(\d+):(\d+)([:;.])(\d+)", code.strip())
    if parts is None:
        return None
    hours, minutes, seconds, frame = (int(parts[place]) for place in (1, 2, 3, 5))
    nominal, minutes = round(rate), 60 * hours + minutes
    count = (60 * minutes + seconds) * nominal + frame
    if parts[4] != ":":
        count -= round(nominal / 15) * (minutes - minutes // 10)
    return float(count / rate)


FOCAL_35MM = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
"""Metadata of QuickTime files, such as "26.00mm"; phones write it."""


def focal_length_35mm(path: Path) -> float | None:
    """Focal length in mm on 35 mm film that would show as much, if the container or its picture says it.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(path) as (container, stream):
        said = stream.metadata.get(FOCAL_35MM) or container.metadata.get(FOCAL_35MM, "")
    number = re.match(r"\s*(\d+(?:\.\d+)?)\s*(?:mm)?\s*$", said)
    return float(number[1]) if number and float(number[1]) > 0 else None
