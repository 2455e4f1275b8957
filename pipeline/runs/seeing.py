"""Who is in a video: a full look at short ones, at long ones only where a first look sees somebody."""

from __future__ import annotations

import logging

import numpy as np

from ..arrays import Detections, Frames
from ..detectors import Detector
from ..runtime.cache import Cache, SourceFile
from ..runtime.utilisation import Busy
from ..settings import DetectSettings
from ..stages.detect import detect_in_parts, detect_poses
from ..stages.scan import find_parts

log = logging.getLogger("posepipe")


def people_in(
    cache: Cache, video: SourceFile, frames: Frames, detector: Detector, settings: DetectSettings, subject: str
) -> Detections:
    """People in every picture of a video."""
    run = cache.run
    if frames.time[-1] <= settings.first_look_s:
        return run(detect_poses, video, frames, detector, settings=settings, subject=subject)
    parts = run(find_parts, video, frames, detector, subject=subject)
    seconds = float(np.diff(parts.part).sum())
    log.info("%s: a first look finds people in %.0f s of %.0f s", video.path.name, seconds, frames.time[-1])
    return run(detect_in_parts, video, parts, detector, settings=settings, subject=subject)


def busy_detecting(cache: Cache, found: Detections) -> Busy | None:
    """How busy the detector's network was; None if nobody measured, as with poses from elsewhere."""
    for stage in (detect_poses, detect_in_parts):
        if (facts := cache.facts(stage, found)) and (seconds := facts.get("seconds_of")):
            return Busy(**seconds)
    return None
