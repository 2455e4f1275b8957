"""Pictures of a video in decode order with true timestamps, streamed, upright: all, key frames, or parts."""

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
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .stream import frames_of, open_video, quarter_turns, readable_part, seconds_of


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


def read_key_frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Time (s, from the first frame on) and picture, as of ``read_frames``, of the frames that stand for themselves.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(path) as (container, stream), readable_part(path):
        stream.codec_context.skip_frame = "NONKEY"
        first: float | None = None
        for packet in container.demux(stream):
            for frame in frames_of(packet):
                first = seconds_of(frame) if first is None else first
                yield seconds_of(frame) - first, _upright(frame)


def _decode(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with open_video(path) as (container, stream):
        rate = float(stream.average_rate or stream.guessed_rate or 30)
        first: float | None = None
        count = 0
        with readable_part(path):
            for packet in container.demux(stream):
                for frame in frames_of(packet):
                    time = count / rate if frame.pts is None else seconds_of(frame)
                    first = time if first is None else first
                    count += 1
                    yield time - first, _upright(frame)


ROUNDING_S = 1e-6
"""Within this two times are the same."""

REORDER_S = 1.0
"""So much earlier than a picture those may be shown that come after it in the file."""

MAX_GROUP = 3000
"""Packets between two key frames that are held; of longer groups everything is decoded."""


def _decode_parts(path: Path, parts: Sequence[tuple[float, float]]) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of ``_decode`` in some parts; between them only what the next part needs is decoded.

    Packets of each group, from key frame to key frame, are held until it is known whether a part begins in it. A key
    frame within a part may be needed by pictures before it that also need the group before.
    """
    with open_video(path) as (container, stream), readable_part(path):
        first = next(frame for packet in container.demux(stream) for frame in frames_of(packet))
    if first.pts is None:
        yield from (item for item in _decode(path) if any(start <= item[0] <= end for start, end in parts))
        return
    with open_video(path) as (container, stream), readable_part(path):
        packets, group = container.demux(stream), list[av.Packet]()
        for start, end in ((start - ROUNDING_S, end + ROUNDING_S) for start, end in parts):
            for packet in packets:
                early = _shown(packet, stream) - seconds_of(first) < start and len(group) < MAX_GROUP
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
                over = _sent(packet, stream) - seconds_of(first) > end
                frames = frames_of(packet) + (_held_back(stream) if over else [])
                for frame in frames:
                    if start <= (time := seconds_of(frame) - seconds_of(first)) <= end:
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


def _upright(frame: VideoFrame) -> np.ndarray:
    picture = frame.to_ndarray(format="bgr24")
    turns = quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
