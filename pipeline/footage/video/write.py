"""Videos that browsers play."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from ...errors import PosepipeError

CRF = 23


def write_video(path: Path, rate: Fraction, pictures: Iterator[np.ndarray]) -> None:
    """Write pictures (H, W, 3) uint8 BGR of one even size as H.264 that browsers play.

    Raises:
        PosepipeError: the file cannot be written.
    """
    first = next(pictures)
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=rate, pix_fmt="yuv420p")
            stream.height, stream.width = first.shape[:2]
            stream.options = {"preset": "veryfast", "crf": str(CRF)}
            container.mux(stream.encode(VideoFrame.from_ndarray(first, format="bgr24")))
            for picture in pictures:
                container.mux(stream.encode(VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
    except (av.error.FFmpegError, OSError) as error:
        raise PosepipeError(f"cannot write {path}: {error}") from error
