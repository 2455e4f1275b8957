"""What a fit does with every take: its cameras on one timeline, and the athletes that they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import Athletes, Crops, Swaps, Timeline, Track
from ..errors import PosepipeError
from ..footage.recording import Take
from ..stages.crop import crop_people
from ..stages.match import SAME, match_people
from ..stages.sides import find_swaps, mend_sides, swapped_share
from ..stages.synchronize.agree import agree_on_person
from ..stages.synchronize.stage import synchronize
from ..stages.track import choose, shares, without_anybody
from .athlete import Athlete
from .clip_chain import Cameras
from .results import about
from .walk import Walk

OFTEN = 0.05
"""Share of a clip's frames with swapped sides that is worth a warning."""


class Takes:
    """The results of all takes, athletes and views, by their names; filled by one method per stage, in order."""

    def __init__(self, walk: Walk, cameras: Cameras) -> None:
        self.walk, self.cameras = walk, cameras
        self.timelines: dict[str, Timeline] = {}
        self.athletes: list[Athlete] = []
        self.tracks: dict[str, Track] = {}
        self.crops: dict[str, Crops] = {}
        self.swaps: dict[str, Swaps] = {}

    def views(self) -> list[tuple[str, str, Athlete, int]]:
        """Names of the views in which athletes are shown, and of their cameras; the athlete, the camera's number."""
        return [
            (subject, camera, athlete, number)
            for athlete in self.athletes
            for number, subject in enumerate(athlete.subjects)
            for camera in [f"{athlete.take.name}/{athlete.take.cameras[number].name}"]
            if athlete.people[number] >= 0
        ]

    def synchronize(self) -> None:
        """Each take's cameras on one timeline, by the motion of a person whom all of them show."""
        settings = self.walk.settings.synchronize
        for take in self.walk.recording.takes:
            names = [camera.name for camera in take.cameras]
            offsets = [camera.offset_s for camera in take.cameras]
            followed = self.followed(take, offsets)
            inputs = self.walk.of(take, self.cameras.frame_sets), followed, names, offsets
            with about(take.cameras[0].video.parent):
                timeline = self.walk.run(synchronize, *inputs, settings=settings, subject=take.name)
            self.timelines[take.name] = timeline
            for warning in timeline.warnings:
                self.walk.warn(f"take {take.name}: {warning}")

    def followed(self, take: Take, offsets: list[float | None]) -> list[Track]:
        """Each camera's track of the person by whom a take is synchronised."""
        everybody = self.walk.of(take, self.cameras.everybody)
        if all(len(tracks) == 1 for tracks in everybody):
            return [tracks[0] for tracks in everybody]
        settings = self.walk.settings.synchronize
        agreed = self.walk.run(agree_on_person, everybody, offsets, settings=settings, subject=take.name)
        return self.tracks_of(take, agreed.person.tolist())

    def match(self) -> None:
        """Who is who across each take's cameras, and whose poses are wanted."""
        for take in self.walk.recording.takes:
            matched = self.matched(take)
            only = not self.walk.settings.people.everybody
            for number in self.wanted(take, matched):
                people = tuple(matched.person[number].tolist())
                self.athletes.append(Athlete(take, number, people, only))
                self.check_match(take, matched, number)
        for athlete in self.athletes:
            self.tracks |= zip(athlete.subjects, self.tracks_of(athlete.take, athlete.people), strict=True)

    def matched(self, take: Take) -> Athletes:
        """Who is who across a take's cameras."""
        inputs = (
            self.walk.of(take, self.cameras.everybody),
            self.walk.of(take, self.cameras.people),
            self.timelines[take.name],
        )
        return self.walk.run(match_people, *inputs, subject=take.name)

    def wanted(self, take: Take, matched: Athletes) -> list[int]:
        """Numbers of the people of a take whose poses are wanted."""
        settings = self.walk.settings.people
        if settings.everybody:
            shared = [number for number, people in enumerate(matched.person) if (people >= 0).sum() > 1]
            if not shared:
                raise PosepipeError(f"take {take.name}: nobody is seen by two cameras, so far as can be told")
            return shared
        merit = np.zeros(matched.person.shape)
        for camera, people in enumerate(self.walk.of(take, self.cameras.people)):
            here = matched.person[:, camera]
            merit[:, camera] = np.where(here >= 0, shares(people, settings.person)[here], 0)
        with about(Path(take.name)):
            return [choose(merit.sum(1), settings.person)]

    def tracks_of(self, take: Take, people: Sequence[int]) -> list[Track]:
        """Tracks of a person by their number in each camera, empty where it is -1."""
        everybody = self.walk.of(take, self.cameras.everybody)
        return [
            tracks[one] if one >= 0 else without_anybody(tracks[0])
            for tracks, one in zip(everybody, people, strict=True)
        ]

    def check_match(self, take: Take, matched: Athletes, number: int) -> None:
        """Say which cameras do not show an athlete, or may show somebody else."""
        for camera, one, agreement in zip(
            take.cameras, matched.person[number], matched.agreement[number], strict=True
        ):
            if one < 0:
                self.walk.warn(
                    f"{camera.video} does not show person {number} of take {take.name}, so far as can be told"
                )
            elif agreement < 1 - SAME:
                self.walk.warn(
                    f"{camera.video} agrees with the other cameras of take {take.name} on person {number} by "
                    f"{max(agreement, 0):.2f} of 1 only; does it show somebody else?"
                )

    def crop(self) -> None:
        """Pictures of the athletes in all videos."""
        for subject, camera, _, _ in self.views():
            inputs = self.cameras.videos[camera], self.tracks[subject]
            with about(self.cameras.videos[camera].path):
                self.crops[subject] = self.walk.run(
                    crop_people, *inputs, settings=self.walk.settings.crop, subject=subject
                )

    def crops_of(self, athlete: Athlete) -> list[Crops]:
        """Pictures of an athlete in all cameras; those of another camera, never looked at, where one has none."""
        shown = [self.crops[subject] for subject in athlete.subjects if subject in self.crops]
        return [self.crops.get(subject, shown[0]) for subject in athlete.subjects]

    def sides(self) -> None:
        """Left and right put right where time and the other cameras say so."""
        settings = self.walk.settings.sides
        for athlete in self.athletes:
            tracks = [self.tracks[subject] for subject in athlete.subjects]
            inputs = tracks, self.timelines[athlete.take.name]
            swaps = self.swaps[athlete.name] = self.walk.run(
                find_swaps, *inputs, settings=settings, subject=athlete.name
            )
            for number, (subject, track) in enumerate(zip(athlete.subjects, tracks, strict=True)):
                self.tracks[subject] = self.walk.run(
                    mend_sides, track, swaps, number, settings=settings, subject=subject
                )
                share = swapped_share(swaps, number, len(track.time))
                if share > OFTEN:
                    done = "put right" if settings.repair else "left as it is"
                    self.walk.warn(
                        f"{subject}: left and right are swapped in {share:.0%} of the frames, which is {done}"
                    )
