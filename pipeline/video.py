"""Video in and out: pictures in decode order with true timestamps, streamed; H.264 out.

PyAV reads (any container and codec of FFmpeg's); the display rotation, which it leaves to the
caller, is applied here and nowhere else. Nothing ever seeks by frame number.
"""

from __future__ import annotations

import math
import queue
import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import ffmpeg
import imageio_ffmpeg
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import PosepipeError

_SUFFIXES = "mp4 mov m4v avi mkv webm mts m2ts ts mpg mpeg wmv flv 3gp mxf ogv vob insv lrv mjpeg"
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""File names taken for videos in a folder; a file named in posepipe.toml may have any."""

ROUNDING_S = 1e-6
"""Within this two times are the same."""
REORDER_S = 1.0
"""So much earlier than a picture those may be shown that come after it in the file."""
MAX_GROUP = 3000
"""Packets between two key frames that are held; of longer groups everything is decoded."""

AUDIO_RATE = 500
"""Values of the audio envelope per second."""


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
    with _open(path) as (container, stream):
        sound = container.streams.audio[0] if container.streams.audio else None
        envelope = _Envelope() if sound else None
        stamps: list[int] = []
        rotation: int | None = None  # known from the first decoded picture
        with _readable_part(path):
            for packet in container.demux([s for s in (stream, sound) if s]):
                if packet.stream is sound and envelope is not None:
                    envelope.add(packet)
                    continue
                if rotation is None:
                    rotation = next((-_quarter_turns(frame) * 90 % 360 for frame in _frames(packet)), None)
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


def read_frames(
    path: Path, *, ahead: int = 8, parts: Sequence[tuple[float, float]] | None = None
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Time (s, from the first frame on) and picture (H, W, 3) uint8 BGR of each frame, upright.

    Decoding runs in its own thread, at most ``ahead`` pictures in advance, so that memory does not
    grow with the length of the clip. Pictures that cannot be decoded are left out.

    Args:
        parts: starts and ends (s) of what is wanted, in order and apart; the rest is hardly decoded.

    Raises:
        PosepipeError: not a readable video.
    """
    ready: queue.Queue[tuple[float, np.ndarray] | BaseException | None] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: tuple[float, np.ndarray] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def decode() -> None:
        try:
            for item in _decode(path) if parts is None else _decode_parts(path, parts):
                put(item)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            put(error)

    worker = threading.Thread(target=decode, name=f"decode {path.name}", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        worker.join()


def write_video(path: Path, rate: Fraction, pictures: Iterator[np.ndarray]) -> None:
    """Write pictures (H, W, 3) uint8 BGR of one even size as H.264 that browsers play."""
    first = next(pictures)
    height, width = first.shape[:2]
    process = (
        ffmpeg.input("pipe:", format="rawvideo", pix_fmt="bgr24", s=f"{width}x{height}", r=str(rate))
        .output(str(path), format="mp4", vcodec="libx264", pix_fmt="yuv420p", preset="veryfast", crf=23,
                movflags="+faststart", loglevel="error")
        .overwrite_output()
        .run_async(cmd=imageio_ffmpeg.get_ffmpeg_exe(), pipe_stdin=True, pipe_stderr=True)
    )  # fmt: skip
    try:
        process.stdin.write(first)
        for picture in pictures:
            process.stdin.write(np.ascontiguousarray(picture))
        process.stdin.close()
    except BrokenPipeError:
        pass  # its own words follow
    except BaseException:
        process.kill()
        raise
    finally:
        complaint = process.stderr.read().decode(errors="replace").strip()
        status = process.wait()
    if status:
        raise PosepipeError(f"cannot write {path}: {complaint.splitlines()[-1] if complaint else 'ffmpeg failed'}")


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its first video stream.

    Raises:
        PosepipeError: missing, empty, not a video, or sound only.
    """
    try:
        if path.stat().st_size == 0:
            raise PosepipeError(f"{path} is empty (0 bytes); copy it from the camera again")
        container = av.open(str(path))
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise PosepipeError(
            f"{path} is not a video that FFmpeg can read ({_reason(error)}); "
            "if it is one, it may be damaged or cut off: copy it from the camera again"
        ) from error
    except OSError as error:
        raise PosepipeError(f"cannot read {path}: {error.strerror}") from error
    with container:
        streams = [s for s in container.streams.video if not s.disposition & _COVER]
        if not streams:
            raise PosepipeError(f"{path} holds sound but no picture; leave it out of the folder")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


_COVER = av.stream.Disposition.attached_pic


def _decode(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with _open(path) as (container, stream):
        rate = float(stream.average_rate or stream.guessed_rate or 30)
        first: float | None = None
        count = 0
        with _readable_part(path):
            for packet in container.demux(stream):
                for frame in _frames(packet):
                    time = count / rate if frame.pts is None else _seconds(frame)
                    first = time if first is None else first
                    count += 1
                    yield time - first, _upright(frame)


def read_key_frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Time (s, from the first frame on) and picture, as of ``read_frames``, of the frames that stand for themselves.

    Raises:
        PosepipeError: not a readable video.
    """
    with _open(path) as (container, stream), _readable_part(path):
        stream.codec_context.skip_frame = "NONKEY"
        first: float | None = None
        for packet in container.demux(stream):
            for frame in _frames(packet):
                first = _seconds(frame) if first is None else first
                yield _seconds(frame) - first, _upright(frame)


def _decode_parts(path: Path, parts: Sequence[tuple[float, float]]) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of ``_decode`` in some parts; between them only what the next part needs is decoded.

    Packets of each group, from key frame to key frame, are held until it is known whether a part begins in it. A key
    frame within a part may be needed by pictures before it that also need the group before.
    """
    with _open(path) as (container, stream), _readable_part(path):
        first = next(frame for packet in container.demux(stream) for frame in _frames(packet))
    if first.pts is None:
        yield from (item for item in _decode(path) if any(start <= item[0] <= end for start, end in parts))
        return
    with _open(path) as (container, stream), _readable_part(path):
        packets, group = container.demux(stream), list[av.Packet]()
        for start, end in ((start - ROUNDING_S, end + ROUNDING_S) for start, end in parts):
            for packet in packets:
                early = _shown(packet, stream) - _seconds(first) < start and len(group) < MAX_GROUP
                if packet.is_keyframe and early:
                    group.clear()
                group.append(packet)
                if not early:
                    break
            fresh = len(group)
            for number, packet in enumerate(chain(tuple(group), packets)):
                if number >= fresh:
                    if packet.is_keyframe:
                        group.clear()
                    group.append(packet)
                over = _sent(packet, stream) - _seconds(first) > end
                frames = _frames(packet) + (_held_back(stream) if over else [])
                for frame in frames:
                    if start <= (time := _seconds(frame) - _seconds(first)) <= end:
                        yield time, _upright(frame)
                if over:
                    break
            stream.codec_context.flush_buffers()


def _held_back(stream: VideoStream) -> list[VideoFrame]:
    """The frames that the decoder still has; after that it takes no more packets until it is flushed."""
    frames = stream.codec_context.decode(None)
    for frame in frames:
        frame.time_base = stream.time_base
    return frames


def _shown(packet: av.Packet, stream: VideoStream) -> float:
    """When a packet's picture is to be shown, s; the last packet, which is empty, comes after all."""
    return math.inf if packet.pts is None else float(packet.pts * (stream.time_base or 1))


def _sent(packet: av.Packet, stream: VideoStream) -> float:
    """Before which time, in s, no packet that comes after shows anything."""
    if packet.dts is None:  # what is not said may be so much earlier
        return -math.inf if packet.pts is None else _shown(packet, stream) - REORDER_S
    return float(packet.dts * (stream.time_base or 1))


def _frames(packet: av.Packet) -> list[Any]:
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []  # a damaged packet: what follows may be readable again


def _seconds(frame: Any) -> float:
    return 0.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def _upright(frame: VideoFrame) -> np.ndarray:
    picture = frame.to_ndarray(format="bgr24")
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise quarter turns that the display matrix asks for."""
    return round(frame.rotation / 90) % 4


@contextmanager
def _readable_part(path: Path) -> Iterator[None]:
    """Let a file that breaks off end there: what could be read is used, and the report says how much."""
    try:
        yield
    except (av.error.InvalidDataError, av.error.EOFError):
        return
    except av.error.FFmpegError as error:
        raise PosepipeError(f"reading {path} failed: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _promised_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _timecode(container: InputContainer) -> str:
    """The timecode of the first picture, as the container or one of its streams says it; empty if none does."""
    tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    return next((tag["timecode"] for tag in tags if "timecode" in tag), "")


FOCAL_35MM = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
"""Metadata of QuickTime files, such as "26.00mm"; phones write it."""


def focal_length_35mm(path: Path) -> float | None:
    """Focal length in mm on 35 mm film that would show as much, if the container or its picture says it.

    Raises:
        PosepipeError: not a readable video.
    """
    with _open(path) as (container, stream):
        said = stream.metadata.get(FOCAL_35MM) or container.metadata.get(FOCAL_35MM, "")
    number = re.match(r"\s*(\d+(?:\.\d+)?)\s*(?:mm)?\s*$", said)
    return float(number[1]) if number and float(number[1]) > 0 else None


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


class _Envelope:
    """Root mean square of a sound in steps of 1 / AUDIO_RATE, gathered packet by packet."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, np.ndarray, np.ndarray]] = []  # first step, energy and samples in each step
        self._start: float | None = None

    def add(self, packet: av.Packet) -> None:
        for frame in _frames(packet):
            samples: np.ndarray = frame.to_ndarray()
            kind = samples.dtype.kind  # unsigned samples are silent at half of their range
            loudest = 128 if kind == "u" else np.iinfo(samples.dtype).max if kind == "i" else 1
            power = ((samples.astype(np.float64) - (128 if kind == "u" else 0)) / loudest) ** 2
            channels = len(frame.layout.channels)
            power = power.mean(0) if frame.format.is_planar else power.reshape(-1, channels).mean(1)
            start = _seconds(frame)
            self._start = start if self._start is None else self._start
            seconds = max(start - self._start, 0.0) + np.arange(len(power)) / frame.sample_rate
            step = (seconds * AUDIO_RATE).astype(int)
            self._pieces.append((step[0], np.bincount(step - step[0], power), np.bincount(step - step[0])))

    def values(self, origin_s: float) -> np.ndarray:
        """The envelope from ``origin_s`` of the container's clock on."""
        energy = np.zeros(max((first + len(sums) for first, sums, _ in self._pieces), default=0))
        count = np.zeros(len(energy))
        for first, sums, samples in self._pieces:
            energy[first : first + len(sums)] += sums
            count[first : first + len(sums)] += samples
        rms = np.sqrt(energy / np.maximum(count, 1)).astype(np.float32)
        shift = round(((self._start or 0.0) - origin_s) * AUDIO_RATE)
        return np.pad(rms, (shift, 0)) if shift >= 0 else rms[-shift:]
