"""A video file that is open: its picture stream, and what may go wrong in reading it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...errors import PosepipeError

_SUFFIXES = "mp4 mov m4v avi mkv webm mts m2ts ts mpg mpeg wmv flv 3gp mxf ogv vob insv lrv lrf mjpeg"

VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""File names taken for videos in a folder; a file named in posepipe.toml may have any."""

_COVER = av.stream.Disposition.attached_pic


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its first video stream.

    Raises:
        PosepipeError: missing, empty, not a video, or sound only.
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
        streams = [s for s in container.streams.video if not s.disposition & _COVER]
        if not streams:
            raise PosepipeError(f"{path} holds sound but no picture; leave it out of the folder")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


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
    """Pictures, or pieces of sound, that a packet completes."""
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []  # a damaged packet: what follows may be readable again


def seconds_of(frame: Any) -> float:
    """When a frame is shown or heard, in s of the container's clock."""
    return 0.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise quarter turns that the display matrix asks for."""
    return round(frame.rotation / 90) % 4
