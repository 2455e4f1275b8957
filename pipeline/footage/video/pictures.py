"""Pictures of a video with their times, streamed, upright, of square pixels: all, key frames, or parts."""

from __future__ import annotations

import math
import queue
import threading
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
from .fields import split_fields
from .stream import frames_of, open_video, readable_part, seconds_of


def read_frames(
    path: Path, frames: Frames, *, ahead: int = 8, parts: Sequence[tuple[float, float]] | None = None
) -> Generator[tuple[float, np.ndarray], None, None]:
    """Time (s) and picture (H, W, 3) uint8 BGR of each of the frames that ``probe`` found, as they are to be shown.

    Decoding runs in its own thread, at most ``ahead`` pictures in advance, so that memory does not
    grow with the length of the clip.

    Args:
        parts: starts and ends (s) of what is wanted, in order and apart; the rest is hardly decoded.

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
            for item in _decode(path, frames) if parts is None else _decode_parts(path, frames, parts):
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

    Raises:
        PosepipeError: not a readable video.
    """
    if not frames.own_times:  # the key frames alone do not tell when they are shown
        yield from _decode(path, frames)
        return
    first = _first_s(path)
    with open_video(path) as (container, stream), readable_part(path):
        stream.codec_context.skip_frame = "NONKEY"
        for packet in container.demux(stream):
            for frame in frames_of(packet):
                yield _nearest(frames.time, seconds_of(frame) - first), _upright(frame, frames)


def _decode(path: Path, frames: Frames) -> Iterator[tuple[float, np.ndarray]]:
    """The pictures of a video in the order in which they are shown, each with the next of the times."""
    with open_video(path) as (container, stream):
        pictures = _pictures(path, container, stream)
        if frames.field_order:
            pictures = split_fields(pictures, frames.field_order)
        count = 0
        for time, picture in zip(frames.time.tolist(), pictures, strict=False):
            yield time, _upright(picture, frames)
            count += 1
    if count < len(frames.time):
        raise PosepipeError(f"{path} has changed while it was read; run the same command again")


def _pictures(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All that can be decoded."""
    with readable_part(path):
        for packet in container.demux(stream):
            yield from frames_of(packet)


def _first_s(path: Path) -> float:
    """When the first picture is shown, in s of the container's clock."""
    with open_video(path) as (container, stream):
        return seconds_of(next(_pictures(path, container, stream)))


def _nearest(time: np.ndarray, at: float) -> float:
    """The one of rising times (F) that is nearest."""
    after = int(np.searchsorted(time, at).clip(1, len(time) - 1)) if len(time) > 1 else 0
    before = max(after - 1, 0)
    return float(time[before] if at - time[before] <= time[after] - at else time[after])


ROUNDING_S = 1e-6
"""Within this two times are the same."""

REORDER_S = 1.0
"""So much earlier than a picture those may be shown that come after it in the file."""

MAX_GROUP = 3000
"""Packets between two key frames that are held; of longer groups everything is decoded."""


def _decode_parts(
    path: Path, frames: Frames, parts: Sequence[tuple[float, float]]
) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of ``_decode`` in some parts; between them only what the next part needs is decoded.

    Packets of each group, from key frame to key frame, are held until it is known whether a part begins in it. A key
    frame within a part may be needed by pictures before it that also need the group before. Where packets do not tell
    when their pictures are shown, or a picture is made of its neighbours' fields, everything is decoded.
    """
    if frames.field_order or not frames.own_times:
        yield from (item for item in _decode(path, frames) if any(start <= item[0] <= end for start, end in parts))
        return
    first = _first_s(path)
    with open_video(path) as (container, stream), readable_part(path):
        packets, group = container.demux(stream), list[av.Packet]()
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
                for frame in frames_of(packet) + (_held_back(stream) if over else []):
                    if start <= (time := seconds_of(frame) - first) <= end:
                        yield _nearest(frames.time, time), _upright(frame, frames)
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
