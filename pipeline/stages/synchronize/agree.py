"""Agreeing on a person: by whose motion the cameras of a take are synchronised, if they show several people."""

from __future__ import annotations

import numpy as np

from ...arrays import Followed, Track
from ...runtime.cache import stage
from ...settings import SynchronizeSettings
from .people import same_person


@stage(version=1)
def agree_on_person(
    tracks: list[list[Track]], offsets: list[float | None], settings: SynchronizeSettings
) -> Followed:
    """One human whom all cameras show, so far as can be told from all people's tracks and the stated offsets (s).

    Who is the main person of a camera does not matter: that may be somebody else in another.
    """
    given = {camera: offset for camera, offset in enumerate(offsets) if offset is not None}
    if settings.offsets == "stated":
        given = {camera: given.get(camera, 0.0) for camera in range(len(tracks))}
    bodies = [[track.body for track in each] for each in tracks]
    return Followed(np.array(same_person(bodies, given, settings.max_offset_s), np.int32))
