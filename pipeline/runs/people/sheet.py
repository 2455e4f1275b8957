"""A page of everybody in the takes of a folder, or in a clip, to choose the athlete from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from ....models.skeleton import SKELETONS
from ...arrays import Detections, Identities
from ...detectors.choose import checked_options, choose_detector
from ...errors import PosepipeError
from ...footage.keypoint_file import is_keypoint_file
from ...footage.recording import Recording, describe_clip
from ...footage.sources import check_clip, holds_poses, results_folder
from ...footage.video import is_image_folder, read_clip
from ...footage.video.web_video import jpeg, shrunk, size_within
from ...pages.people import Marked, Picture, Sheet, View, write_sheet
from ...runtime.workplace import open_workplace
from ...settings import Settings
from ..checks import chosen_morph
from ..clip_chain import ClipChain, Opened, check_part
from ..fit_run import FitRun
from ..fit_takes import find_people
from ..results import about
from ..up_to_date import FitRequest, within
from .athletes import match_takes

PAGE = "people.html"
PICTURES = 3
"""Of each camera at least, if it has as many; more where not everybody is in these."""
LONGEST_PX = 800
"""Longest side of a picture in the page."""
PORTRAIT_PX, AROUND = 220, 0.1
"""The same of a picture of one person, and how much around the person it shows, in sizes of the person."""


def show_people(source: Path | str, *, out: Path | str | None = None, settings: Settings | None = None) -> Path:
    """Write a page that shows everybody in the takes of a folder, or in a clip, with the words to choose them.

    What has been detected before is used again, and what is detected here is used by ``fit`` and ``infer``.

    Args:
        source: what ``fit`` or ``infer`` takes, but no keypoint file.
        out: results folder, by default that of ``fit`` or ``infer``.
        settings: those of ``fit``; the defaults if None.

    Raises:
        PosepipeError: nobody is found, or invalid input.
    """
    source, settings = Path(source), settings or Settings()
    if not source.exists():
        raise PosepipeError(f"there is no file or folder {source}")
    settings = settings.model_copy(update={"detect": checked_options(settings.detect)})
    if settings.device != "auto":
        from ...runtime.device import check_device  # imports torch

        check_device(settings.device)
    check_part(settings.from_s, settings.to_s)
    target = Path(out) if out else results_folder(source)
    if source.is_dir() and not is_image_folder(source) and not holds_poses(source):
        return _of_takes(source, target, settings)
    if not check_clip(source) and is_keypoint_file(source):
        raise PosepipeError(f"{source} holds samples of one person each, of whom nobody needs to be chosen")
    return _of_clip(source, target, settings)


def _of_takes(folder: Path, target: Path, settings: Settings) -> Path:
    recording = Recording.open(folder).without(settings.leave_out)
    with open_workplace(target) as place:
        run = FitRun(FitRequest.of(recording, settings, None, ()), place)
        digests = {camera.video: place.digests.of(camera.video) for _, camera in run.cameras}
        clips, seen, timelines = find_people(run, ClipChain(place.cache, settings, chosen_morph(settings, digests)))
        matched = match_takes(run, seen, timelines)
        views = []
        for take in run.takes:
            for camera, video in enumerate(take.cameras):
                name, persons = f"{take.name}/{video.name}", matched[take.name].person[:, camera]
                number = {int(one): row for row, each in enumerate(persons) for one in each if one >= 0}
                views.append(_view(clips[name], seen.found[name], seen.people[name], number, (take.name, video.name)))
        return write_sheet(target / PAGE, Sheet(folder.resolve().name, views, tuple(run.warnings)))


def _of_clip(clip: Path, target: Path, settings: Settings) -> Path:
    with open_workplace(target) as place, about(clip):
        chain = ClipChain(place.cache, settings, None)
        camera = within(describe_clip(clip), settings.from_s, settings.to_s)
        check_part(camera.from_s, camera.to_s)
        opened = chain.open(camera, chain.source(camera, place), clip.stem, camera.part)
        found = opened.given
        if found is None:
            opened, found = chain.detect(opened, choose_detector(settings.detect, settings.device), clip.stem)
        people = chain.identify(opened, found, clip.stem)
        view = _view(opened, found, people, {number: number for number in range(len(people.score))}, ("", ""))
        return write_sheet(target / PAGE, Sheet(clip.name, [view], tuple(opened.lost)))


def _view(
    clip: Opened, found: Detections, people: Identities, number: Mapping[int, int], name: tuple[str, str]
) -> View:
    """Some pictures of a camera, in which everybody is.

    Args:
        number: by which each identity is chosen.
        name: of the take and of the camera.
    """
    frames = _frames_with_everybody(found, people)
    filmed = {}
    if clip.frames.filmed:
        moments = [(float(found.time[frame]), float(found.time[frame])) for frame in frames]
        with closing(read_clip(clip.source, clip.frames, parts=moments)) as pictures:
            filmed = {int(np.argmin(np.abs(found.time - time))): picture for time, picture in pictures}
    shown, size = [], clip.frames.image_size.tolist()
    for frame in frames:
        picture = filmed.get(frame)
        here = np.flatnonzero((found.frame == frame) & (people.person >= 0)).tolist()
        marked = [_marked(found, one, number[int(people.person[one])], picture) for one in here]
        small = b"" if picture is None else jpeg(shrunk(picture, size_within(size, LONGEST_PX)))
        shown.append(Picture(float(found.time[frame]), small, marked))
    share = dict.fromkeys(number.values(), 0.0)
    for one, count in enumerate(people.frames.tolist()):
        share[number[one]] += count / len(found.time)
    return View(*name, size, shown, share)


def _frames_with_everybody(found: Detections, people: Identities) -> list[int]:
    """Frames in order that show everybody, few of them, and such as are spread over the clip."""
    tracked = people.person >= 0
    there = np.zeros((len(found.time), len(people.score)), bool)
    there[found.frame[tracked], people.person[tracked]] = True
    chosen: list[int] = []
    missing = np.ones(len(people.score), bool)
    for part in np.array_split(np.flatnonzero(there.any(1)), PICTURES):
        if len(part):
            chosen.append(int(part[np.argmax(there[part].sum(1) + there[part][:, missing].sum(1))]))
            missing &= ~there[chosen[-1]]
    while missing.any():
        chosen.append(int(np.argmax(there[:, missing].sum(1))))
        missing &= ~there[chosen[-1]]
    return sorted(set(chosen))


def _marked(found: Detections, one: int, number: int, picture: np.ndarray | None) -> Marked:
    """Somebody in a picture, by the index of the detection."""
    keypoint, box = found.keypoint[one], found.box[one]
    bones = keypoint[SKELETONS[found.skeleton].bone_indices]
    portrait = b""
    if picture is not None:
        margin = AROUND * (box[2:] - box[:2]).max()
        left, top = np.clip(box[:2] - margin, 0, None).astype(int)
        right, bottom = np.maximum(box[2:] + margin, [left + 2, top + 2]).astype(int)
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        if part.size:
            portrait = jpeg(shrunk(part, size_within((part.shape[1], part.shape[0]), PORTRAIT_PX)))
    middle = np.nanmedian(keypoint, axis=0)
    known = np.isfinite(bones).all((1, 2))
    return Marked(number, box.tolist(), middle.tolist(), bones[known].reshape(-1, 4).tolist(), portrait)
