"""The stages of a fit before its samples: every camera by itself, then the cameras of every take together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np

from ...models.multiview.same_view import SAME_VIEW, unlikeness
from ..arrays import Athletes, Crops, Detections, Identities, LabelledPictures, Swaps, Timeline, Track
from ..detectors.choose import choose_detector
from ..errors import PosepipeError
from ..footage.recording import CameraClip, Take
from ..settings import Settings
from ..stages.crop import crop_labelled, crop_people
from ..stages.match import SAME, match_people
from ..stages.sides import find_swaps, mend_sides, swapped_share
from ..stages.synchronize.agree import agree_on_person
from ..stages.synchronize.cut import cut_timeline
from ..stages.synchronize.stage import synchronize
from ..stages.track import choose, shares, without_anybody
from .checks import Prepared
from .clip_chain import WHOLE, ClipChain, Opened, Part
from .fit_run import FitRun
from .results import about

SURE = 0.3
"""Confidence of the joints by which views are compared."""
OFTEN = 0.05
"""Share of a clip's frames with swapped sides above which there is a warning."""


@dataclass(frozen=True)
class Athlete:
    """One person in a take, with their number in each camera."""

    take: Take
    number: int
    people: tuple[int, ...]
    """The person's number in each camera; -1 where a camera does not show them."""
    only: bool
    """Whether this is the only requested person of the take."""

    @property
    def name(self) -> str:
        """Name for messages: the take, and the person if several are requested."""
        return self.take.name if self.only else f"{self.take.name} {self.person}"

    @property
    def person(self) -> str:
        """The name in result files."""
        return f"person{self.number}"

    @property
    def rig(self) -> str:
        """Label of takes and people seen by the same static cameras."""
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
    """Timestamps of all videos; of files of 2D poses the people as well.

    Of cameras whose offset is not known yet so much more is used than of others as it may be.
    """
    clips = {}
    for name, camera in run.cameras:
        known = camera.offset_s if run.settings.synchronize.offsets == "auto" else camera.offset_s or 0.0
        slack_s = run.settings.synchronize.max_offset_s if known is None else 0.0
        part = part_of(run.settings, camera, Clock(known or 0.0), slack_s)
        clips[name] = chain.open(camera, chain.source(camera, run.place), name, part)
    run.opened(clips)
    return clips


def detect_people(
    run: FitRun, chain: ClipChain, opened: Mapping[str, Opened]
) -> tuple[dict[str, Opened], dict[str, Detections]]:
    """All clips as they were decoded, and the people in them; those of files of 2D poses are given."""
    clips, found = dict(opened), {name: clip.given for name, clip in opened.items() if clip.given is not None}
    if len(found) < len(clips):
        detector = choose_detector(run.settings.detect, run.settings.device)
        for name, clip in opened.items():
            if clip.given is None:
                clips[name], found[name] = chain.detect(clip, detector, name)
                for sentence in clips[name].lost:
                    run.warn(sentence)
    return clips, {name: found[name] for name in clips}


def identify_people(
    chain: ClipChain, clips: Mapping[str, Opened], found: Mapping[str, Detections]
) -> tuple[dict[str, Identities], dict[str, list[Track]]]:
    """Identities in each clip, and everybody's track."""
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
    """Each take's cameras on one timeline, by the motion of a person in all of them."""
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


def check_views(run: FitRun, everybody: Mapping[str, list[Track]], timelines: Mapping[str, Timeline]) -> None:
    """Check that no two cameras of a take are one.

    Raises:
        PosepipeError: somebody's 2D poses are the same in two, but for scale and place.
    """
    for take in run.takes:
        frame, tracks = timelines[take.name].nearest_frame(), run.of(take, everybody)
        for first, second in combinations(range(len(tracks)), 2):
            both = frame[(frame[:, [first, second]] >= 0).all(1)]
            seen = [[_sure(track, both[:, camera]) for track in tracks[camera]] for camera in (first, second)]
            if any(unlikeness(one, other) < SAME_VIEW for one, other in product(*seen)):
                one, other = take.cameras[first], take.cameras[second]
                raise PosepipeError(
                    f"{one.video} and {other.video} show the same view, as their 2D poses differ in scale and place "
                    f"only; leave out the copy with --leave-out {one.name} or --leave-out {other.name}"
                )


def _sure(track: Track, frame: np.ndarray) -> np.ndarray:
    """Joints (F, J, 2) px of these frames; NaN where they are not sure."""
    return np.where(track.confidence[frame, :, None] > SURE, track.keypoint[frame], np.nan)


@dataclass(frozen=True)
class Clock:
    """A camera's own time t is offset_s + rate * t in the take's time."""

    offset_s: float
    rate: float = 1.0


def part_of(settings: Settings, camera: CameraClip, clock: Clock, slack_s: float = 0.0) -> Part:
    """What is used of a camera's clip, in the clip's own time: what the settings say of takes, and it of itself.

    Args:
        slack_s: by how much the clock may be wrong.
    """
    slow_motion = camera.slow_motion or settings.track.slow_motion

    def own(time: float | None, slack: float, otherwise: float) -> float:
        return otherwise if time is None else (time - clock.offset_s + slack) / clock.rate * slow_motion

    start, end = WHOLE
    start = max(own(settings.from_s, -slack_s, start), start if camera.from_s is None else camera.from_s)
    end = min(own(settings.to_s, slack_s, end), end if camera.to_s is None else camera.to_s)
    return start, end


def cut_takes(
    run: FitRun,
    chain: ClipChain,
    clips: Mapping[str, Opened],
    found: Mapping[str, Detections],
    timelines: Mapping[str, Timeline],
) -> tuple[dict[str, Opened], dict[str, Detections], dict[str, Timeline]]:
    """Of everything the part that the settings say, now that the offsets of all cameras are known."""
    parts: dict[str, Opened] = {}
    people: dict[str, Detections] = {}
    cut: dict[str, Timeline] = {}
    for take in run.takes:
        timeline = timelines[take.name]
        first, count = [], []
        for number, camera in enumerate(take.cameras):
            name = f"{take.name}/{camera.name}"
            clock = Clock(float(timeline.offset[number]), float(timeline.rate[number]))
            part = part_of(run.settings, camera, clock)
            whole = clips[name]
            here, people[name] = chain.cut_found(whole, found[name], part, name)
            parts[name] = here
            first.append(int(np.searchsorted(whole.frames.time, here.frames.time[0])))
            count.append(len(here.frames.time))
        cut[take.name] = run.run(cut_timeline, timeline, first, count, subject=take.name)
    return parts, people, cut


def match_athletes(
    run: FitRun,
    people: Mapping[str, Identities],
    everybody: Mapping[str, list[Track]],
    timelines: Mapping[str, Timeline],
) -> tuple[list[Athlete], dict[str, Track]]:
    """Athletes matched across each take's cameras, as requested, and their tracks by view."""
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
    """Numbers of the requested people of a take."""
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
    """Warn of cameras that do not show an athlete, or may show another person."""
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
    """Input of methods on pictures; empty for others."""

    crops: Mapping[str, Crops]
    """Of the athletes, by view."""
    labelled: LabelledPictures | None
    """Of people with 2D labels."""

    def of(self, athlete: Athlete) -> list[Crops]:
        """Pictures of an athlete in all cameras; unused ones of another athlete where a camera does not show them."""
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
            clip = clips[camera]
            with about(clip.source.path):
                inputs = clip.source, clip.frames, tracks[view]
                crops[view] = run.run(crop_people, *inputs, settings=settings, subject=view)
    return Pictures(crops, labelled)


def mend_takes(
    run: FitRun, athletes: Sequence[Athlete], tracks: Mapping[str, Track], timelines: Mapping[str, Timeline]
) -> tuple[dict[str, Track], dict[str, Swaps]]:
    """Tracks by view with swapped sides corrected, and swaps by athlete."""
    mended, swaps, settings = {}, {}, run.settings.sides
    for athlete in athletes:
        seen = [tracks[view] for view in athlete.views]
        timeline = timelines[athlete.take.name]
        found = swaps[athlete.name] = run.run(find_swaps, seen, timeline, settings=settings, subject=athlete.name)
        for number, (view, track) in enumerate(zip(athlete.views, seen, strict=True)):
            mended[view] = run.run(mend_sides, track, found, number, settings=settings, subject=view)
            if number in found.mirrored:
                run.warn(f"{view}: {_seems_mirrored(athlete.take, number)}")
            elif (share := swapped_share(found, number, len(track.time))) > OFTEN:
                done = "put right" if settings.repair else "left as it is"
                run.warn(f"{view}: left and right are swapped in {share:.0%} of the frames, which is {done}")
    return mended, swaps


def _seems_mirrored(take: Take, camera: int) -> str:
    """What to do about a camera whose sides are all swapped against those of the others."""
    told, name = "mirrored = true", take.cameras[camera].name
    if take.cameras[camera].mirrored:
        return f"the picture seems not to be mirrored; if so, remove {told} under [cameras.{name}] in posepipe.toml"
    which = "the picture" if len(take.cameras) > 2 else "the picture, or that of the other camera,"
    return (
        f"{which} seems mirrored, as left and right are exchanged in nearly all frames; if it is, as webcams and "
        f"phones store it, say {told} under [cameras.{name}] in posepipe.toml"
    )
