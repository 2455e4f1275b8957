"""The stages of a fit before its samples: every camera by itself, then the cameras of every take together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from ...models.multiview.same_view import SAME_VIEW, unlikeness
from ..arrays import Crops, Detections, Identities, LabelledPictures, Swaps, Timeline, Track
from ..detectors.choose import choose_detector
from ..errors import PosepipeError
from ..footage.recording import CameraClip, Take
from ..settings import Settings
from ..stages.crop import crop_labelled, crop_people
from ..stages.sides import find_swaps, mend_sides, swapped_share
from ..stages.synchronize.agree import agree_on_person
from ..stages.synchronize.cut import cut_timeline
from ..stages.synchronize.stage import synchronize
from .checks import Prepared
from .clip_chain import WHOLE, ClipChain, Opened, Part, without_unseen_feet
from .fit_run import FitRun
from .people.athletes import Athlete, Seen
from .results import about

SURE = 0.3
"""Confidence of the joints by which views are compared."""
OFTEN = 0.05
"""Share of a clip's frames with swapped sides above which there is a warning."""


def find_people(run: FitRun, chain: ClipChain) -> tuple[dict[str, Opened], Seen, dict[str, Timeline]]:
    """The clips of all cameras, everybody in them, and the cameras of each take on one timeline."""
    clips = open_clips(run, chain)
    run.reached("frames")
    clips, found = detect_people(run, chain, clips)
    run.reached("detect")
    people, everybody = identify_people(chain, clips, found)
    run.reached("track")
    everybody = map_people(chain, clips, everybody)
    run.reached("morph")
    timelines = synchronize_takes(run, clips, everybody)
    check_views(run, everybody, timelines)
    run.reached("synchronize")
    if (run.settings.from_s, run.settings.to_s) != (None, None):
        clips, found, timelines = cut_takes(run, chain, clips, found, timelines)
        people, everybody = identify_people(chain, clips, found)
        everybody = map_people(chain, clips, everybody)
    return clips, Seen(found, people, everybody), timelines


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


def map_people(
    chain: ClipChain, clips: Mapping[str, Opened], everybody: Mapping[str, list[Track]]
) -> dict[str, list[Track]]:
    """Everybody's track on the skeleton of the results; without feet if all come from files that show none."""
    mapped = {name: [chain.map_joints(track, name) for track in tracks] for name, tracks in everybody.items()}
    if any(clip.given is None for clip in clips.values()):
        return mapped
    shown = iter(without_unseen_feet([track for tracks in mapped.values() for track in tracks]))
    return {name: [next(shown) for _ in tracks] for name, tracks in mapped.items()}


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
        followed = [each[number] for each, number in zip(tracks, people, strict=True)]
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
