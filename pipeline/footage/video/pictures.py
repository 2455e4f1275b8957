"""Pictures of a video with their times, streamed, upright, of square pixels: all, key frames, or parts."""

from __future__ import annotations

import math
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...arrays import Frames
from ...errors import PosepipeError
from .clock import ROUNDING_S, Clock, Seen
from .fields import split_fields
from .stream import frames_of, open_video, packets_of, readable_part, seconds_of


def read_frames(
    path: Path,
    frames: Frames,
    *,
    ahead: int = 8,
    parts: Sequence[tuple[float, float]] | None = None,
    seen: Seen | None = None,
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Time (s) and picture (H, W, 3) uint8 BGR of each of the frames that can be decoded, as they are to be shown.

    Decoding runs in its own thread, at most ``ahead`` pictures in advance, so that memory does not
    grow with the length of the clip.

    Args:
        frames: of the whole video, as ``probe`` or ``as_decoded`` gives them.
        parts: starts and ends (s) of what is wanted, in order and apart; the rest is hardly decoded.
        seen: notes what the decoder gives, where the video is read for the first time; of frames without their own
            times, all pictures are given, and their times are only near the true ones, which ``seen`` has in the end.

    Raises:
        PosepipeError: not the video that it was.
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
            for item in _decode(path, frames, seen) if parts is None else _decode_parts(path, frames, parts, seen):
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


def read_key_frames(path: Path, frames: Frames) -> Iterator[tuple[float, np.ndarray]]:
    """Time (s) and picture (H, W, 3), as of ``read_frames``, of the frames that stand for themselves.

    Args:
        frames: with their own times.

    Raises:
        PosepipeError: not a readable video.
    """
    clock = Clock(frames, _first_stamp(path))
    with open_video(path) as (container, stream), readable_part(path):
        stream.codec_context.skip_frame = "NONKEY"
        for packet in packets_of(container, stream):
            for frame in frames_of(packet):
                for time in clock.times_of(frame)[:1]:
                    yield time, _upright(frame, frames)


def _decode(path: Path, frames: Frames, seen: Seen | None) -> Iterator[tuple[float, np.ndarray]]:
    """The pictures of a video in the order in which they are shown, with their times."""
    clock, count = Clock(frames, counting=seen is not None), 0
    with open_video(path) as (container, stream):
        for time, frame in _timed(_pictures(path, container, stream, seen), frames, clock):
            yield time, _upright(frame, frames)
            count += 1
    if seen is None and not frames.own_times and count < len(frames.time):
        raise PosepipeError(f"{path} has changed while it was read; run the same command again")


def _timed(pictures: Iterator[VideoFrame], frames: Frames, clock: Clock) -> Iterator[tuple[float, VideoFrame]]:
    """Pictures, or their fields where they are interlaced, with their times."""
    waiting = deque[float]()

    def known() -> Iterator[VideoFrame]:
        for frame in pictures:
            if times := clock.times_of(frame):
                waiting.extend(times)
                yield frame

    shown = split_fields(known(), frames.field_order) if frames.field_order else known()
    yield from ((waiting.popleft(), frame) for frame in shown)


def _pictures(
    path: Path, container: InputContainer, stream: VideoStream, seen: Seen | None = None
) -> Iterator[VideoFrame]:
    """All that can be decoded."""
    seen = seen or Seen()
    seen.begin(stream)
    with readable_part(path):
        for packet in packets_of(container, stream):
            yield from _decoded(packet, seen)


def _decoded(packet: av.Packet, seen: Seen) -> list[VideoFrame]:
    """Pictures that a packet completes; none of a damaged one: what follows may be readable."""
    try:
        frames = packet.decode()
    except (av.error.FFmpegError, ValueError):
        seen.damaged += bool(seen.stamps)  # before the first picture, what it needs may not be there
        return []
    seen.stamps.extend(frame.pts for frame in frames)
    seen.damaged += sum(frame.is_corrupt for frame in frames)
    return frames


def _first_stamp(path: Path) -> int | None:
    """The stamp of the first picture."""
    with open_video(path) as (container, stream):
        return next((frame.pts for frame in _pictures(path, container, stream)), None)


REORDER_S = 1.0
"""So much earlier than a picture those may be shown that come after it in the file."""

MAX_GROUP = 3000
"""Packets between two key frames that are held; of longer groups everything is decoded."""


def _decode_parts(
    path: Path, frames: Frames, parts: Sequence[tuple[float, float]], seen: Seen | None
) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of ``_decode`` in some parts; between them only what the next part needs is decoded.

    Packets of each group, from key frame to key frame, are held until it is known whether a part begins in it. A key
    frame within a part may be needed by pictures before it that also need the group before. Where packets do not tell
    when their pictures are shown, or a picture is made of its neighbours' fields, everything is decoded.
    """
    if frames.field_order or not frames.own_times:
        for time, picture in _decode(path, frames, seen):
            if time > parts[-1][1]:
                return
            if any(start <= time <= end for start, end in parts):
                yield time, picture
        return
    stamp, seen = _first_stamp(path), seen or Seen()
    clock = Clock(frames, stamp)
    with open_video(path) as (container, stream), readable_part(path):
        first = float((stamp or 0) * (stream.time_base or 1))
        packets, group = packets_of(container, stream), list[av.Packet]()
        for start, end in ((start - ROUNDING_S, end + ROUNDING_S) for start, end in parts):
            for packet in packets:
                early = _shown(packet, stream) - first < start and len(group) < MAX_GROUP
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
                over = _sent(packet, stream) - first > end
                for frame in _decoded(packet, seen) + (_held_back(stream) if over else []):
                    if start <= seconds_of(frame) - first <= end:
                        yield from ((time, _upright(frame, frames)) for time in clock.times_of(frame))
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


def _upright(frame: VideoFrame, frames: Frames) -> np.ndarray:
    """A picture as it is to be shown, of the size of the first one whatever its own."""
    turns, (width, height) = -frames.rotation // 90 % 4, frames.image_size.tolist()
    size = (height, width) if turns % 2 else (width, height)
    stored = frame.to_ndarray(format="bgr24", width=size[0], height=size[1])
    turned = np.rot90(stored, turns)
    return np.ascontiguousarray(turned[:, ::-1] if frames.mirrored else turned)
