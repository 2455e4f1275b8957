"""Videos that browsers play."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np

from ...errors import PosepipeError


def write_video(path: Path, rate: Fraction, pictures: Iterator[np.ndarray]) -> None:
    """Write pictures (H, W, 3) uint8 BGR of one even size as H.264 that browsers play.

    Raises:
        PosepipeError: ffmpeg cannot write the file.
    """
    first = next(pictures)
    height, width = first.shape[:2]
    process = (
        ffmpeg.input("pipe:", format="rawvideo", pix_fmt="bgr24", s=f"{width}x{height}", r=str(rate))
        .output(f"file:{path}", format="mp4", vcodec="libx264", pix_fmt="yuv420p", preset="veryfast", crf=23,
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
        pass  # its message follows
    except BaseException:
        process.kill()
        raise
    finally:
        complaint = process.stderr.read().decode(errors="replace").strip()
        status = process.wait()
    if status:
        raise PosepipeError(f"cannot write {path}: {complaint.splitlines()[-1] if complaint else 'ffmpeg failed'}")
