"""Identities of the people in a video, and each one's track.

Detections are linked from frame to frame into pieces of track (``link``), and pieces joined to people over gaps and
behind crossings (``join``). People are ranked by score: frames seen x median height x (1 + motion). ``person``
chooses the athlete (``choose``): main, the first of that ranking; largest, by median height; longest, by frames; a
number in that ranking, 0 first; or whoever is at a place at a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...arrays import Detections, Frames, Identities, Track
from ...errors import PosepipeError
from ...runtime.cache import stage
from ...settings import TrackSettings
from .join import join
from .link import centre_and_height, link

MOVING = 0.005
"""Smallest background displacement of a moving camera, in image widths per second."""
PRESENT = 0.2
"""Smallest number of frames of a person, as a share of the main person's frames."""
MAX_PEOPLE = 12


@stage(version=2)
def track_people(frames: Frames, found: Detections, settings: TrackSettings) -> Identities:
    """Identity of each detection; people are in order of their score.

    Raises:
        PosepipeError: nobody in the whole clip.
    """
    if len(found.frame) == 0:
        raise PosepipeError(
            "no person was found in any frame; is the athlete in the picture, and at least "
            "a twentieth of its height tall? If so, try another --detector"
        )
    people = join(found, link(found, settings.gap_s))
    people.sort(key=lambda person: score_of(found, person), reverse=True)
    people = [one for one in people if len(one) >= PRESENT * len(people[0])][:MAX_PEOPLE]
    person = np.full(len(found.frame), -1, np.int32)
    for number, detections in enumerate(people):
        person[detections] = number
    _, height = centre_and_height(found.box)
    return Identities(
        person=person,
        score=np.array([score_of(found, one) for one in people]),
        height=np.array([np.median(height[one]) for one in people], np.float32),
        frames=np.array([len(one) for one in people], np.int32),
    )


@stage(version=2)
def track_athlete(found: Detections, people: Identities, number: int, settings: TrackSettings) -> Track:
    """A person's 2D poses (F, J, 2) in every frame of a video; NaN with confidence 0 where missing.

    Args:
        number: of the person, from 0.
    """
    athlete = np.flatnonzero(people.person == number)
    count, joints = len(found.time), found.keypoint.shape[1]
    keypoint = np.full((count, joints, 2), np.nan, np.float32)
    confidence = np.zeros((count, joints), np.float32)
    box = np.full((count, 4), np.nan, np.float32)
    where = found.frame[athlete]
    keypoint[where], confidence[where], box[where] = (
        found.keypoint[athlete],
        found.confidence[athlete],
        found.box[athlete],
    )
    missing = ~(confidence >= settings.min_confidence) | np.isnan(keypoint).any(-1)
    keypoint[missing], confidence[missing] = np.nan, 0
    return Track(
        time=found.time / settings.slow_motion,
        keypoint=keypoint,
        confidence=confidence,
        box=box,
        skeleton=found.skeleton,
        camera_moves=camera_moves(found.camera_motion),
        dropped=len(found.frame) - len(athlete),
    )


def score_of(found: Detections, piece: np.ndarray) -> float:
    """Frames seen x median height (px) x (1 + motion) of detections in time order."""
    centre, height = centre_and_height(found.box[piece])
    time = found.time[found.frame[piece]]
    size = max(float(np.median(height)), 1.0)
    travelled = np.linalg.norm(np.diff(centre, axis=0), axis=1).sum() / size
    # Motion counts as joints moving about the body, which a panning camera does not change, or as travel.
    pose = (found.keypoint[piece] - centre[:, None]) / size
    swing = np.abs(np.diff(pose, axis=0)).mean() if len(piece) > 1 else 0.0
    seconds = max(float(time[-1] - time[0]), 1e-3)
    return float(len(piece) * size * (1 + min(travelled / seconds, 2.0) + min(swing * len(piece) / seconds, 2.0)))


def joined(tracks: Sequence[Track], people: Sequence[int]) -> Track:
    """One person's track from those of everybody in a video, whose numbers are the person's at different times.

    Without a number nobody is seen in the track.
    """
    if len(people) == 1:
        return tracks[people[0]]
    arrays = {name: np.full_like(getattr(tracks[0], name), np.nan) for name in ("keypoint", "box")}
    arrays["confidence"] = np.zeros_like(tracks[0].confidence)
    for number in people:
        seen = tracks[number].confidence.any(1)
        for name, array in arrays.items():
            array[seen] = getattr(tracks[number], name)[seen]
    everybody = tracks[0].dropped + _frames_of(tracks[0])
    return replace(tracks[0], **arrays, dropped=everybody - sum(_frames_of(tracks[number]) for number in people))


def _frames_of(track: Track) -> int:
    """In how many frames somebody was detected."""
    return int(np.isfinite(track.box).all(1).sum())


def camera_moves(motion: np.ndarray) -> bool | None:
    """Whether a camera moves: its background does in more than a tenth of the measurements; None if unknown.

    Args:
        motion: (F) displacement in image widths per second, NaN where it was not measured.
    """
    looks = motion[np.isfinite(motion)]
    return None if len(looks) < 4 else bool(np.mean(looks > MOVING) > 0.1)
