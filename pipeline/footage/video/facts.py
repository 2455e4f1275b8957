"""What a video file holds: times, size, orientation, sound, timecode, focal length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...arrays import Frames
from ...errors import PosepipeError
from .clock import ROUNDING_S, Times, rate_of, rising_times, times_of_fields
from .fields import LOOK, Combing
from .losses import begins_late, missing_of
from .sound import Envelope, sound_of
from .stream import films_of, frames_of, open_video, orientation, packets_of, readable_part

LONGEST_ASPECT = 4
"""Pixels are never that many times longer than wide, whatever a damaged file says."""

PLACES = (0.25, 0.5, 0.75)
"""Where in a video it is looked for combing, as shares of its length, if nothing moves at its beginning."""


def probe(path: Path, mirrored: bool = False) -> Frames:
    """When each picture of a video is to be shown and how, and its sound, as its packets tell.

    Of its pictures only a few are decoded. Which of the others can be, and so when pictures were really taken, turns
    out when they are decoded: ``Reading`` and ``as_decoded``.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(path) as (container, stream):
        sound, envelope, packets = sound_of(container), Envelope(), _Packets()
        with readable_part(path):
            for packet in packets_of(container, stream, *([sound] if sound else [])):
                if packet.stream is sound:
                    envelope.add(packet)
                else:
                    packets.add(packet)
        first = packets.first
        if first is None:
            raise PosepipeError(f"{path} holds no readable picture; is it damaged or still being written?")
        rates = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
        stated = rates[0] if rates else Fraction(30)
        unit = Fraction(stream.time_base) if stream.time_base else 1 / stated
        times = packets.times(unit, stated)
        rate = rate_of(times.time, rates, float(unit))
        timecode_s = timecode_seconds(_timecode(container), stated)
        late_s = max(packets.before_s(times), 0.0)  # in which nothing can be decoded
        missing_s = _missing_s(container, stream, times, envelope.end_s if sound else None, 1 / float(rate))
        turns, matrix_mirrors = orientation(first)
        order, time = _field_order(packets.combing, container, stream, times), times.time
        audio = envelope.values(times.origin_s)
        frames = Frames(
            time=times_of_fields(time, 1 / float(rate)) if order else time,
            image_size=np.array(_shown_size(first, stream, turns), np.int32),
            audio_envelope=audio,
            rate=str(2 * rate if order else rate),
            codec=stream.codec_context.name,
            rotation=-turns * 90 % 360,
            missing_s=missing_s,
            timecode_s=None if timecode_s is None else timecode_s + late_s,
            mirrored=matrix_mirrors != mirrored,
            field_order=order,
            own_times=times.own and not _stamps_as_stored(container, stream),
        )
        frames.lost.extend(begins_late(late_s, 1 / float(rate)))
        frames.changed.extend(_changed(frames, container, stream, mirrored))
        if audio is None and container.streams.audio and (sound is None or envelope.given):
            frames.changed.append("has sound that cannot be decoded; the sound is not used")
        return frames


class _Packets:
    """The packets of pictures, the first few of which are decoded."""

    def __init__(self) -> None:
        self.first: VideoFrame | None = None
        self.stamps: list[int | None] = []
        """Of each packet from that of the first picture on, in the order in which they are stored."""
        self.combing = Combing()
        self._shown: list[int | None] = []  # stamps of the pictures that were decoded
        self._before: float | None = None

    def add(self, packet: av.Packet) -> None:
        """Take in a packet."""
        if packet.size and not packet.is_discard:
            self.stamps.append(packet.pts)
        if self.combing.pictures < LOOK:
            for frame in frames_of(packet):
                if self.first is None:
                    self._begin(frame)
                self._shown.append(frame.pts)
                self.combing.look(frame)

    def _begin(self, first: VideoFrame) -> None:
        """Leave out what is shown before the first picture that can be decoded."""
        known = [stamp for stamp in self.stamps if stamp is not None]
        if known and first.time_base is not None:
            self._before = float(min(known) * first.time_base)
        if (start := first.pts) is not None:
            self.stamps = [stamp for stamp in self.stamps if stamp is None or stamp >= start]
        self.first = first

    def times(self, unit: Fraction, stated: Fraction) -> Times:
        """When the pictures are to be shown; ``own`` if those that were decoded were shown just then.

        Cameras store each field of an interlaced picture as a packet of its own, of which two make a picture.
        """
        times = rising_times(self.stamps, unit, stated)
        shown = np.array([np.nan if stamp is None else stamp - (self._shown[0] or 0) for stamp in self._shown])
        shown = shown * float(unit)
        packets = np.searchsorted(times.time, np.nanmax(shown) + ROUNDING_S) if np.isfinite(shown).any() else 0
        if len(shown) > 1 and round((packets - 1) / (len(shown) - 1)) == 2:
            times = replace(times, time=times.time[::2])
        as_shown = len(shown) <= len(times.time) and np.allclose(times.time[: len(shown)], shown, atol=ROUNDING_S)
        return replace(times, own=times.own and as_shown)

    def before_s(self, times: Times) -> float:
        """How much of the video lies before the first picture that can be decoded."""
        return 0.0 if self._before is None else times.origin_s - self._before


def _stamps_as_stored(container: InputContainer, stream: VideoStream) -> bool:
    """Whether stamps rise from packet to packet, whatever the order of the pictures, as AVI has them."""
    return container.format.name == "avi" and stream.codec_context.has_b_frames


def _field_order(begin: Combing, container: InputContainer, stream: VideoStream, times: Times) -> str:
    """Which field of each picture was taken first: as the first place tells in which enough moves.

    Args:
        begin: what the first pictures show.
    """
    for combing in chain([begin], _later_places(container, stream, times)):
        if combing.sure:
            return combing.field_order
    return begin.field_order


def _later_places(container: InputContainer, stream: VideoStream, times: Times) -> Iterator[Combing]:
    """What pictures show from the key frames before some places on."""
    for share in PLACES:
        combing, place_s = Combing(), times.origin_s + share * float(times.time[-1])
        # Nothing can be searched in some containers, and a place may be damaged.
        with suppress(av.error.FFmpegError, ValueError):
            container.seek(round(place_s / float(stream.time_base or 1)), stream=stream)
            decoded = chain.from_iterable(map(frames_of, packets_of(container, stream)))
            for frame in islice(decoded, LOOK):
                combing.look(frame)
        yield combing


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
    return missing_of(promised - end, period)


def _clock_seconds(text: str) -> float:
    """Seconds of hh:mm:ss.s; 0 if it is none."""
    parts = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text.strip())
    return 3600 * int(parts[1]) + 60 * int(parts[2]) + float(parts[3]) if parts else 0.0


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
