"""Pictures in a fit, for methods that learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..arrays import Crops, LabelledPictures, Track
from ..stages.crop import crop_labelled, crop_people
from .checks import Prepared
from .clip_chain import Opened
from .fit_run import FitRun
from .fit_takes import Athlete
from .results import about


@dataclass(frozen=True)
class Pictures:
    """What methods of pictures look at; nothing for others."""

    crops: Mapping[str, Crops]
    """Of the athletes, by view."""
    labelled: LabelledPictures | None
    """Of people with 2D labels."""

    def of(self, athlete: Athlete) -> list[Crops]:
        """Pictures of an athlete in all cameras; those of another, never looked at, where one does not show them."""
        shown = [self.crops[view] for view in athlete.views if view in self.crops]
        return [self.crops.get(view, shown[0]) for view in athlete.views]


def crop_pictures(
    run: FitRun,
    method: Prepared,
    clips: Mapping[str, Opened],
    athletes: Sequence[Athlete],
    tracks: Mapping[str, Track],
) -> Pictures:
    """Pictures of labelled people, and of the athletes in all videos, if the method learns from them."""
    labelled, crops, settings = None, {}, run.settings.crop
    if method.labelled:
        labelled = run.run(crop_labelled, *method.labelled, settings=settings, subject="labelled pictures")
    if "crops" in method.needs:
        for view, camera, _ in (shown for athlete in athletes for shown in athlete.shown()):
            video = clips[camera].source
            with about(video.path):
                crops[view] = run.run(crop_people, video, tracks[view], settings=settings, subject=view)
    return Pictures(crops, labelled)
