"""Frame extraction: when each picture of a video was taken, and how it is to be shown."""

from __future__ import annotations

import numpy as np

from ..arrays import Frames
from ..footage.video import probe
from ..runtime.cache import SourceFile, stage


@stage(version=2)
def extract_frames(video: SourceFile) -> Frames:
    """Timestamps, size, rotation and sound of a video, without decoding its pictures.

    Raises:
        PosepipeError: not a readable video.
    """
    facts = probe(video.path)
    return Frames(
        time=facts.time,
        image_size=np.array(facts.image_size, np.int32),
        audio_envelope=facts.audio_envelope,
        rate=str(facts.rate),
        codec=facts.codec,
        rotation=facts.rotation,
        missing_s=facts.missing_s,
        timecode_s=facts.timecode_s,
    )
