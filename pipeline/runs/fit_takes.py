"""The stages of a fit before its samples: every camera by itself, then the cameras of every take together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Athletes, Crops, Detections, Identities, LabelledPictures, Swaps, Timeline, Track
from ..detectors.choose import choose_detector
from ..errors import PosepipeError
from ..footage.recording import Take
from ..stages.crop import crop_labelled, crop_people
from ..stages.match import SAME, match_people
from ..stages.sides import find_swaps, mend_sides, swapped_share
from ..stages.synchronize.agree import agree_on_person
from ..stages.synchronize.stage import synchronize
from ..stages.track import choose, shares, without_anybody
from .checks import Prepared
from .clip_chain import ClipChain, Opened, missing_end
from .fit_run import FitRun
from .results import about

OFTEN = 0.05
"""Share of a clip's frames with swapped sides that is worth a warning."""


@dataclass(frozen=True)
class Athlete:
    """One person in a take, and who that is in each of its cameras."""

    take: Take
    number: int
    people: tuple[int, ...]
    """The person's number in each camera; -1 where a camera does not show them."""
    only: bool
    """Whether nobody else of the take is wanted."""

    @property
    def name(self) -> str:
        """For people: the take, and who of it if several are wanted."""
        return self.take.name if self.only else f"{self.take.name} {self.person}"

    @property
    def person(self) -> str:
        """The name in result files."""
        return f"person{self.number}"

    @property
    def rig(self) -> str:
        """A label of takes and people that the same unmoved cameras filmed."""
        if not self.take.rig:
            return "" if self.only else f"of {self.take.name}"
        return f"{self.take.rig}: {', '.join(camera.name for camera in self.take.cameras)}"

    @property
    def views(self) -> list[str]:
        """Names of the views, one for each camera."""
        who = "" if self.only else f"/{self.person}"
        return [f"{self.take.name}/{camera.name}{who}" for camera in self.take.cameras]

    def shown(self) -> list[tuple[str, str, int]]:
        """View, name and number of each camera that shows the person."""
        cameras = [f"{self.take.name}/{camera.name}" for camera in self.take.cameras]
        numbered = enumerate(zip(self.views, cameras, self.people, strict=True))
        return [(view, camera, number) for number, (view, camera, person) in numbered if person >= 0]


def open_clips(run: FitRun, chain: ClipChain) -> dict[str, Opened]:
    """Timestamps of all videos; of files of 2D poses the people as well."""
    clips = {name: chain.open(camera, run.place.source(camera.video), name) for name, camera in run.cameras}
    for clip in clips.values():
        if sentence := missing_end(clip):
            run.warn(sentence)
    run.opened(clips)
    return clips


def detect_people(run: FitRun, chain: ClipChain, clips: Mapping[str, Opened]) -> dict[str, Detections]:
    """People in all videos; those that were given in files of 2D poses stand beside them."""
    found = {name: clip.given for name, clip in clips.items() if clip.given is not None}
    if len(found) < len(clips):
        detector = choose_detector(run.settings.detect, run.settings.device)
        found |= {name: chain.detect(clip, detector, name) for name, clip in clips.items() if clip.given is None}
    return {name: found[name] for name in clips}


def identify_people(
    chain: ClipChain, clips: Mapping[str, Opened], found: Mapping[str, Detections]
) -> tuple[dict[str, Identities], dict[str, list[Track]]]:
    """Who is who in each clip, and everybody's track."""
    people, tracks = {}, {}
    for name, clip in clips.items():
        one = people[name] = chain.identify(clip, found[name], name)
        tracks[name] = [chain.follow(clip, found[name], one, number, name) for number in range(len(one.score))]
    return people, tracks


def map_people(chain: ClipChain, everybody: Mapping[str, list[Track]]) -> dict[str, list[Track]]:
    """Everybody's track on the skeleton of the results."""
    return {name: [chain.map_joints(track, name) for track in tracks] for name, tracks in everybody.items()}


def synchronize_takes(
    run: FitRun, clips: Mapping[str, Opened], everybody: Mapping[str, list[Track]]
) -> dict[str, Timeline]:
    """Each take's cameras on one timeline, by the motion of a person whom all of them show."""
    timelines, settings = {}, run.settings.synchronize
    for take in run.takes:
        names = [camera.name for camera in take.cameras]
        offsets = [camera.offset_s for camera in take.cameras]
        frames = [clip.frames for clip in run.of(take, clips)]
        tracks = run.of(take, everybody)
        people = [0] * len(tracks)
        if any(len(each) > 1 for each in tracks):
            agreed = run.run(agree_on_person, tracks, offsets, settings=settings, subject=take.name)
            people = agreed.person.tolist()
        followed = [_track_of(each, number) for each, number in zip(tracks, people, strict=True)]
        with about(take.cameras[0].video.parent):
            inputs = frames, followed, names, offsets
            timeline = run.run(synchronize, *inputs, settings=settings, subject=take.name)
        timelines[take.name] = timeline
        for warning in timeline.warnings:
            run.warn(f"take {take.name}: {warning}")
    return timelines


def match_athletes(
    run: FitRun,
    people: Mapping[str, Identities],
    everybody: Mapping[str, list[Track]],
    timelines: Mapping[str, Timeline],
) -> tuple[list[Athlete], dict[str, Track]]:
    """Who is who across each take's cameras, whose poses are wanted, and their tracks by view."""
    athletes: list[Athlete] = []
    tracks: dict[str, Track] = {}
    for take in run.takes:
        here, identities = run.of(take, everybody), run.of(take, people)
        matched = run.run(match_people, here, identities, timelines[take.name], subject=take.name)
        for number in _wanted(run, take, matched, identities):
            persons = tuple(matched.person[number].tolist())
            athletes.append(Athlete(take, number, persons, not run.settings.people.everybody))
            _check_match(run, take, matched, number)
            tracks |= zip(athletes[-1].views, map(_track_of, here, persons), strict=True)
    return athletes, tracks


def _wanted(run: FitRun, take: Take, matched: Athletes, people: Sequence[Identities]) -> list[int]:
    """Numbers of the people of a take whose poses are wanted."""
    settings = run.settings.people
    if settings.everybody:
        shared = [number for number, persons in enumerate(matched.person) if (persons >= 0).sum() > 1]
        if not shared:
            raise PosepipeError(f"take {take.name}: nobody is seen by two cameras, so far as can be told")
        return shared
    merit = np.zeros(matched.person.shape)
    for camera, each in enumerate(people):
        here = matched.person[:, camera]
        merit[:, camera] = np.where(here >= 0, shares(each, settings.person)[here], 0)
    with about(Path(take.name)):
        return [choose(merit.sum(1), settings.person)]


def _track_of(tracks: Sequence[Track], person: int) -> Track:
    """The track of a person by their number in a camera, empty if that is -1."""
    return tracks[person] if person >= 0 else without_anybody(tracks[0])


def _check_match(run: FitRun, take: Take, matched: Athletes, number: int) -> None:
    """Say which cameras do not show an athlete, or may show somebody else."""
    agreements = zip(take.cameras, matched.person[number], matched.agreement[number], strict=True)
    for camera, one, agreement in agreements:
        if one < 0:
            run.warn(f"{camera.video} does not show person {number} of take {take.name}, so far as can be told")
        elif agreement < 1 - SAME:
            run.warn(
                f"{camera.video} agrees with the other cameras of take {take.name} on person {number} by "
                f"{max(agreement, 0):.2f} of 1 only; does it show somebody else?"
            )


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


def mend_takes(
    run: FitRun, athletes: Sequence[Athlete], tracks: Mapping[str, Track], timelines: Mapping[str, Timeline]
) -> tuple[dict[str, Track], dict[str, Swaps]]:
    """Left and right put right where time and the other cameras say so: tracks by view, swaps by athlete."""
    mended, swaps, settings = {}, {}, run.settings.sides
    for athlete in athletes:
        seen = [tracks[view] for view in athlete.views]
        timeline = timelines[athlete.take.name]
        found = swaps[athlete.name] = run.run(find_swaps, seen, timeline, settings=settings, subject=athlete.name)
        for number, (view, track) in enumerate(zip(athlete.views, seen, strict=True)):
            mended[view] = run.run(mend_sides, track, found, number, settings=settings, subject=view)
            share = swapped_share(found, number, len(track.time))
            if share > OFTEN:
                done = "put right" if settings.repair else "left as it is"
                run.warn(f"{view}: left and right are swapped in {share:.0%} of the frames, which is {done}")
    return mended, swaps
