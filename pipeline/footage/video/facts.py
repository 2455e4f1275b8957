"""What a video file holds: times, size, orientation, sound, timecode, focal length."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...arrays import Frames
from ...errors import PosepipeError
from .clock import Times, rate_of, rising_times
from .fields import Combing
from .sound import Envelope, sound_of
from .stream import films_of, open_video, orientation, readable_part, seconds_of

LONGEST_ASPECT = 4
"""Pixels are never that many times longer than wide, whatever a damaged file says."""


def probe(path: Path, mirrored: bool = False) -> Frames:
    """When each picture of a video was taken and how it is to be shown, and its sound: all of it is decoded once.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(path) as (container, stream):
        # The same pictures, if less smooth, in about two thirds of the time.
        stream.codec_context.options = {"skip_loop_filter": "all"}
        sound, envelope, seen = sound_of(container), Envelope(), _Seen()
        with readable_part(path):
            for packet in container.demux([s for s in (stream, sound) if s]):
                if packet.stream is sound:
                    envelope.add(packet)
                else:
                    seen.add(packet)
        if seen.first is None:
            raise PosepipeError(f"{path} holds no readable picture; is it damaged or still being written?")
        rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
        stated = rates[0] if rates else Fraction(30)
        unit = Fraction(stream.time_base) if stream.time_base else 1 / stated
        times = rising_times(seen.stamps, unit, stated)
        rate = rate_of(times.time, rates, float(unit))
        timecode_s = timecode_seconds(_timecode(container), stated)
        late_s = max(seen.before_s(times), 0.0)  # in which nothing could be decoded
        missing_s = _missing_s(container, stream, times, envelope.end_s if sound else None, 1 / float(rate))
        turns, matrix_mirrors = orientation(seen.first)
        order, time = seen.combing.field_order, times.time
        audio = envelope.values(times.origin_s)
        frames = Frames(
            time=_of_fields(time, rate) if order else time,
            image_size=np.array(_shown_size(seen.first, stream, turns), np.int32),
            audio_envelope=audio,
            rate=str(2 * rate if order else rate),
            codec=stream.codec_context.name,
            rotation=-turns * 90 % 360,
            missing_s=missing_s,
            timecode_s=None if timecode_s is None else timecode_s + late_s,
            mirrored=matrix_mirrors != mirrored,
            field_order=order,
            own_times=times.own,
        )
        frames.lost.extend(_lost(frames, seen, late_s, 1 / float(rate)))
        frames.changed.extend(_changed(frames, container, stream, mirrored))
        if audio is None and container.streams.audio and (sound is None or envelope.given):
            frames.changed.append("has sound that cannot be decoded; the sound is not used")
        return frames


class _Seen:
    """What the packets and the decoder of a video gave."""

    def __init__(self) -> None:
        self.first: VideoFrame | None = None
        self.stamps: list[int | None] = []
        self.combing = Combing()
        self.damaged = 0
        self._begin: float | None = None

    def add(self, packet: av.Packet) -> None:
        """Decode a packet."""
        if self.first is None and packet.size and packet.pts is not None and not packet.is_discard:
            begin = seconds_of(packet)
            self._begin = begin if self._begin is None else min(self._begin, begin)
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            self.damaged += self.first is not None
            return
        for frame in frames:
            self.first = self.first or frame
            self.stamps.append(frame.pts)
            self.damaged += frame.is_corrupt
            self.combing.look(frame)

    def before_s(self, times: Times) -> float:
        """How much of the video lies before the first picture that could be decoded."""
        return 0.0 if self._begin is None else times.origin_s - self._begin


def _of_fields(time: np.ndarray, rate: Fraction) -> np.ndarray:
    """Times (2 F) of the fields of interlaced pictures (F): each second one is taken half-way to the next picture."""
    after = np.append(time[1:], time[-1] + 1 / float(rate))
    return np.stack([time, (time + after) / 2], 1).ravel()


def _shown_size(first: VideoFrame, stream: VideoStream, turns: int) -> tuple[int, int]:
    """Width and height of upright pictures with square pixels."""
    size = round(first.width * _pixel_aspect(stream)), first.height
    return size if turns % 2 == 0 else (size[1], size[0])


def _pixel_aspect(stream: VideoStream) -> Fraction:
    """Width of a stored pixel in its heights."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return aspect if Fraction(1, LONGEST_ASPECT) <= aspect <= LONGEST_ASPECT else Fraction(1)


def _missing_s(
    container: InputContainer, stream: VideoStream, times: Times, sound_end_s: float | None, period: float
) -> float:
    """Seconds at the end that the container promises and that are not there."""
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    end = times.origin_s + float(times.time[-1]) + period
    if container.format.name == "avi" and stream.average_rate:
        promised = start + float(stream.frames / stream.average_rate)  # its header counts pictures
    elif stream.duration is not None:
        promised = start + float(stream.duration * (stream.time_base or 0))
    elif "DURATION" in stream.metadata:  # of Matroska
        promised = _clock_seconds(stream.metadata["DURATION"])
    else:
        # Of the longest track, which may be the sound.
        promised = ((container.start_time or 0) + (container.duration or 0)) / av.time_base
        end = max(end, sound_end_s or end)
    missing = promised - end
    return missing if missing > max(2 * period, 0.1) else 0.0


def _clock_seconds(text: str) -> float:
    """Seconds of hh:mm:ss.s; 0 if it is none."""
    parts = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text.strip())
    return 3600 * int(parts[1]) + 60 * int(parts[2]) + float(parts[3]) if parts else 0.0


def _lost(frames: Frames, seen: _Seen, late_s: float, period: float) -> list[str]:
    """What could not be decoded, in sentences."""
    lost = []
    if late_s > 1.5 * period:
        lost.append(f"begins between two key frames: its first {late_s:.1f} s cannot be decoded; the rest is used")
    if seen.damaged:
        are = "is" if seen.damaged == 1 else "are"
        lost.append(f"is damaged: {seen.damaged} of its pictures {are} damaged or missing; the rest is used")
    if frames.missing_s:
        end = float(frames.time[-1]) + 1 / float(Fraction(frames.rate))
        lost.append(f"breaks off after {end:.1f} s of {end + frames.missing_s:.1f} s; the rest is used")
    return lost


def _changed(frames: Frames, container: InputContainer, stream: VideoStream, mirrored: bool) -> list[str]:
    """What was done to the pictures, in sentences."""
    width, height = map(int, frames.image_size)
    changed = []
    if len(films_of(container)) > 1:
        changed.append(f"holds several picture tracks, of which the one of {stream.width}x{stream.height} px is used")
    if _pixel_aspect(stream) != 1:
        changed.append(f"has pixels of {_pixel_aspect(stream)}; its pictures are stretched to {width}x{height} px")
    if frames.field_order:
        rate = float(Fraction(frames.rate))
        changed.append(f"is interlaced: each picture is split into its two fields, {rate:.4g} a second")
    if mirrored:
        changed.append("is mirrored, as posepipe.toml says; its pictures are turned back")
    return changed


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
