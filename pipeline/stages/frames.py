"""Frame extraction: when each picture of a video was taken, and how it is to be shown."""

from __future__ import annotations

from ..arrays import Frames
from ..footage.video import probe
from ..runtime.cache import SourceFile, stage


@stage(version=3)
def extract_frames(video: SourceFile, mirrored: bool) -> Frames:
    """Times, size, orientation and sound of a video, all of which is decoded once: the decoder's pictures count.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: not a readable video.
    """
    return probe(video.path, mirrored)
