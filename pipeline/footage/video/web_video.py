"""Small copies of videos that every browser plays: H.264 with 8 bits and the true timestamps of its pictures."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

KEY_EVERY = 12
"""Frames from one key frame to the next: few, so that a browser jumps to any frame quickly."""
CRF = 26
JPEG_QUALITY = 80
MAX_BYTES = 24_000_000
"""Of a copy: longer videos get fewer bits per second."""
MAX_BITS_PER_S = 6_000_000
CLOCK = Fraction(1, 90_000)


def size_within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Even (width, height) with the shape of ``size`` and no side above ``longest``."""
    scale = min(1.0, longest / max(size))
    return even(size[0] * scale), even(size[1] * scale)


def even(length: float) -> int:
    """The nearest even number of pixels."""
    return max(2, 2 * round(length / 2))


def shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture scaled down to (width, height): first to the next whole multiple, which OpenCV averages fast."""
    times = max(1, picture.shape[0] // size[1])
    multiple = cv2.resize(picture, (size[0] * times, size[1] * times), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(multiple, size, interpolation=cv2.INTER_AREA)


def jpeg(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 BGR as a small JPEG file."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def web_video(pictures: Iterable[tuple[float, np.ndarray]], size: tuple[int, int], seconds: float) -> bytes:
    """An MP4 of pictures (height, width, 3) uint8 BGR with their rising times in s, which it keeps; empty if none.

    Args:
        pictures: time and picture, all of one even ``size``.
        size: width and height in px.
        seconds: how long the video is.
    """
    file = io.BytesIO()
    limit = int(min(MAX_BITS_PER_S, 8 * MAX_BYTES / max(seconds, 1.0)))
    container = av.open(file, "w", format="mp4")
    stream = container.add_stream("libx264", rate=30, width=size[0], height=size[1], pix_fmt="yuv420p")
    stream.options = {"preset": "veryfast", "crf": str(CRF), "maxrate": str(limit), "bufsize": str(limit)}
    stream.codec_context.time_base = CLOCK
    stream.codec_context.gop_size, stream.codec_context.max_b_frames = KEY_EVERY, 0
    written = 0
    with container:
        for time, picture in pictures:
            frame = VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(time / CLOCK), CLOCK
            container.mux(stream.encode(frame))
            written += 1
        container.mux(stream.encode())
    return file.getvalue() if written else b""
