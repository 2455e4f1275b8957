"""A video file that is open: its picture stream, and what may go wrong in reading it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...errors import PosepipeError

_SUFFIXES = "mp4 mov m4v avi mkv webm mts m2ts ts mpg mpeg wmv flv 3gp mxf ogv vob insv lrv lrf mjpeg"

VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""File names taken for videos in a folder; a file named in posepipe.toml may have any."""

_NO_FILM = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails

THREADS = 4
"""That decode, on any machine: how many pictures around a damaged place are lost depends on it."""


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its main video stream, ready to be decoded.

    Raises:
        PosepipeError: missing, empty, not a video, sound only, or of a codec that FFmpeg does not know.
    """
    try:
        if path.stat().st_size == 0:
            raise PosepipeError(f"{path} is empty (0 bytes); copy it from the camera again")
        container = av.open(f"file:{path}")  # else 12:30:45.mp4 would name a protocol
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise PosepipeError(
            f"{path} is not a video that FFmpeg can read ({reason(error)}); "
            "if it is one, it may be damaged or cut off: copy it from the camera again"
        ) from error
    except OSError as error:
        raise PosepipeError(f"cannot read {path}: {error.strerror}") from error
    with container:
        films = films_of(container)
        if not films:
            raise PosepipeError(f"{path} holds sound but no picture; leave it out of the folder")
        known = [stream for stream in films if stream.codec_context is not None]
        if not known:
            raise PosepipeError(f"{path} is of a codec that FFmpeg cannot decode; convert it, for example to H.264")
        # Of a preview and the film, the film; of the film and one large still, the film as well.
        main = max(known, key=lambda stream: (stream.frames != 1, stream.width * stream.height))
        main.thread_type = "AUTO"
        main.codec_context.thread_count = THREADS
        yield container, main


def films_of(container: InputContainer) -> list[VideoStream]:
    """The picture tracks of a container but for covers and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]


def packets_of(container: InputContainer, *streams: Stream) -> Iterator[av.Packet]:
    """Packets of some streams in the order in which they are stored; at the end an empty one of each."""
    with suppress(IndexError):  # PyAV stumbles over streams that a damaged file has only later
        yield from container.demux(streams)


@contextmanager
def readable_part(path: Path) -> Iterator[None]:
    """Treat a truncated file as ending where it breaks off; the report says how much was read.

    Raises:
        PosepipeError: reading fails in another way.
    """
    try:
        yield
    except (av.error.InvalidDataError, av.error.EOFError):
        return
    except av.error.FFmpegError as error:
        raise PosepipeError(f"reading {path} failed: {reason(error)}") from error


def reason(error: Exception) -> str:
    """FFmpeg's message."""
    return str(getattr(error, "strerror", None) or error).lower()


def frames_of(packet: av.Packet) -> list[Any]:
    """Pictures, or pieces of sound, that a packet completes; none of a damaged one: what follows may be readable."""
    try:
        return packet.decode()
    except (av.error.FFmpegError, ValueError):
        return []


def seconds_of(frame: Any) -> float:
    """When a frame is shown or heard, in s of the container's clock."""
    return 0.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Counter-clockwise quarter turns that a picture's display matrix asks for, and whether it mirrors after them.

    The matrix maps (x, y) of the stored picture to (x, y) @ matrix (``libavutil/display.h``).
    """
    side_data: Any = frame.side_data  # PyAV's types know of nothing but motion vectors
    if "DISPLAYMATRIX" not in side_data:
        return 0, False
    matrix = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32).reshape(3, 3)[:2, :2].astype(float)
    mirrored = bool(np.linalg.det(matrix) < 0)
    if mirrored:
        matrix[:, 0] *= -1
    return round(np.degrees(np.arctan2(-matrix[0, 1], matrix[0, 0])) / 90) % 4, mirrored
