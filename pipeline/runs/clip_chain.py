"""The two halves of the stages of a clip, which fit, infer and batch share.

The first leads from a video, or a file of 2D poses, to everybody's 2D poses on the skeleton of the results; the
second from lifted 3D poses to placed and smoothed ones. Training and lifting lie between them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import Detections, Frames, Identities, KnownPoses, Pose3D, Swaps, Track
from ..detectors import Detector
from ..errors import PosepipeError
from ..footage.camera import Camera, check_focal
from ..footage.recording import CameraClip
from ..footage.video import Filmed
from ..runtime.cache import Cache, SourceFile, joint_key
from ..runtime.utilisation import Busy
from ..runtime.workplace import Workplace
from ..settings import KeypointSettings, Settings, TrackSettings, parse
from ..stages.adjust import adjust_clip, describe_fit
from ..stages.detect import detect_in_parts, detect_poses
from ..stages.frames import correct_frames, cut_frames, cut_people, extract_frames, hold_all
from ..stages.import_poses import frames_of, read_people
from ..stages.judge import judge_clip
from ..stages.morph import morph_skeleton, move_joints
from ..stages.place_root import place_root
from ..stages.scan import find_parts
from ..stages.sides import describe_swaps
from ..stages.smooth import make_motion
from ..stages.track.stage import track_athlete, track_people
from .results import about

if TYPE_CHECKING:
    from ..training.morph_file import MorphNetwork  # imports torch

log = logging.getLogger("posepipe")

Part = tuple[float, float]
"""Start and end in s; the end does not belong to it."""

WHOLE: Part = (-math.inf, math.inf)


@dataclass(frozen=True)
class Opened:
    """A clip after the first stage; the frames of a video are as promised until it has been decoded."""

    camera: CameraClip
    source: SourceFile
    frames: Frames
    given: Detections | None
    """The people in a file of 2D poses; None for videos."""
    keypoints: KeypointSettings
    """Settings of a file of 2D poses."""
    part: Part = WHOLE
    """What is used of it, in its own time."""

    @property
    def sized(self) -> bool:
        """Whether the size of the pictures is known, not only the extent of the 2D poses."""
        return self.frames.filmed or self.keypoints.image_size_px is not None

    @property
    def lost(self) -> list[str]:
        """What users should know of a video that lacks pictures."""
        return [f"{self.camera.video} {sentence}" for sentence in self.frames.lost]

    def checked(self) -> Opened:
        """The same clip, with the calibration of its camera scaled to its pictures, if their size is known.

        Raises:
            PosepipeError: a focal length that no lens has, or a calibration for other pictures.
        """
        if self.camera.focal_px is not None:
            check_focal(self.camera.focal_px, self.frames.image_size.tolist())
        given = self.camera.calibration
        if given is None or not self.sized:
            return self
        try:
            fitting = given.for_pictures(self.frames.image_size.tolist())
        except ValueError as error:
            raise PosepipeError(f"its calibration does not belong to it: {error}") from error
        if fitting.focal_px != given.focal_px:
            log.info("%s: its camera has a %s", self.camera.video, fitting.source)
        return replace(self, camera=replace(self.camera, calibration=fitting))


@dataclass(frozen=True)
class ClipChain:
    """The stages that every clip goes through, with the settings of a fit or of its model."""

    cache: Cache
    settings: Settings
    morph: MorphNetwork | None
    """Maps joints to those of a reference, if there is one."""

    def source(self, camera: CameraClip, place: Workplace) -> Filmed:
        """What a camera's clip is read from, known by the content of all its files."""
        first, *chapters = (place.digests.of(path) for path in (camera.video, *camera.chapters))
        rate_hz = camera.rate_hz or self.settings.pictures.rate_hz if camera.video.is_dir() else None
        key = first if not chapters and rate_hz is None else joint_key(first, *chapters, rate_hz)
        return Filmed(camera.video, key, camera.chapters, rate_hz)

    def open(self, camera: CameraClip, source: SourceFile, subject: str, part: Part = WHOLE) -> Opened:
        """Timestamps of a video, or the people in a file of 2D poses; a calibration as it is for these pictures.

        Of videos the timestamps are as promised, until ``detect`` has decoded them.

        Args:
            part: what is used of it, in its own time.

        Raises:
            PosepipeError: a clip that cannot be read, or lacks required information, nothing in the part, or a
                calibration for other pictures.
        """
        run, settings = self.cache.run, self.keypoints_of(camera)
        with about(camera.video):
            if camera.keypoints is None:
                frames = run(extract_frames, source, camera.mirrored, subject=subject)
                for sentence in frames.changed:
                    log.info("%s %s", camera.video, sentence)
                opened = Opened(camera, source, frames, None, settings, part)
            else:
                found = run(read_people, source, camera.mirrored, settings=settings, subject=subject)
                frames = run(frames_of, found, settings=settings, subject=subject)
                opened = Opened(camera, source, frames, found, settings, part)
            opened = opened.checked()
            # Where pictures are counted, it is only known which belong to the part when all have been decoded.
            return self.cut(opened, part, subject) if frames.own_times else opened

    def cut(self, clip: Opened, part: Part, subject: str) -> Opened:
        """A part of a clip, in its own time; the clip itself where that is all of it.

        Raises:
            PosepipeError: there is nothing in it.
        """
        if hold_all(clip.frames, *part):
            return clip
        with about(clip.camera.video):
            frames = self.cache.run(cut_frames, clip.frames, *part, subject=subject)
            given = clip.given and self.cache.run(cut_people, clip.given, *part, subject=subject)
        return replace(clip, frames=frames, given=given)

    def cut_found(self, clip: Opened, found: Detections, part: Part, subject: str) -> tuple[Opened, Detections]:
        """A part of a clip and the people in it, as of ``cut``."""
        cut = self.cut(clip, part, subject)
        return cut, found if cut is clip else self.cache.run(cut_people, found, *part, subject=subject)

    def keypoints_of(self, camera: CameraClip) -> KeypointSettings:
        """Settings of a file of 2D poses; ``posepipe.toml`` takes precedence."""
        own = self.settings.keypoints.model_dump() | dict(camera.keypoints or {})
        return parse(KeypointSettings, own, "posepipe.toml", section="keypoints")

    def detect(self, clip: Opened, detector: Detector, subject: str) -> tuple[Opened, Detections]:
        """A video as it was decoded, and the people in its pictures.

        Raises:
            PosepipeError: no picture can be decoded.
        """
        found = self._people_in(clip, detector, subject)
        frames = self.cache.run(correct_frames, clip.frames, found, subject=subject)
        return self.cut_found(replace(clip, frames=frames), found, clip.part, subject)

    def _people_in(self, clip: Opened, detector: Detector, subject: str) -> Detections:
        """People in every picture of a video; in long videos only where a scan of key frames finds people."""
        run, video, frames, settings = self.cache.run, clip.source, clip.frames, self.settings.detect
        with about(clip.camera.video):
            if np.ptp(frames.time) <= settings.first_look_s or not frames.own_times:
                return run(detect_poses, video, frames, detector, settings=settings, subject=subject)
            parts = run(find_parts, video, frames, detector, subject=subject)
            seconds = float(np.diff(parts.part).sum())
            length = float(np.ptp(frames.time))
            log.info("%s: a first look finds people in %.0f s of %.0f s", video.path.name, seconds, length)
            return run(detect_in_parts, video, frames, parts, detector, settings=settings, subject=subject)

    def identify(self, clip: Opened, found: Detections, subject: str) -> Identities:
        """Identities of the people in a clip."""
        settings = self.tracking(clip.camera)
        with about(clip.camera.video):
            return self.cache.run(track_people, clip.frames, found, settings=settings, subject=subject)

    def follow(self, clip: Opened, found: Detections, people: Identities, number: int, subject: str) -> Track:
        """One person's 2D poses in every frame, on the detector's joints."""
        settings = self.tracking(clip.camera)
        return self.cache.run(track_athlete, found, people, number, settings=settings, subject=subject)

    def map_joints(self, track: Track, subject: str) -> Track:
        """2D poses on the skeleton of the results."""
        track = self.cache.run(morph_skeleton, track, settings=self.settings.morph, subject=subject)
        return self.cache.run(move_joints, track, self.morph, subject=subject) if self.morph else track

    def tracking(self, camera: CameraClip) -> TrackSettings:
        """Settings of the tracking stages for a clip."""
        settings = self.settings.track
        return settings.model_copy(update={"slow_motion": camera.slow_motion or settings.slow_motion})

    def finish(
        self,
        lifted: Pose3D,
        known: Camera | None,
        swaps: Swaps,
        camera: int,
        learnt_from: KnownPoses | None,
        subject: str,
    ) -> Pose3D:
        """Lifted 3D poses as a motion, and how far to trust them.

        They are fitted together, with root positions, if the camera is known or assumed.

        Args:
            known: the known or assumed camera.
            swaps: of the sides in the 2D poses that were lifted.
            camera: number of the view in ``swaps``.
            learnt_from: of the model that lifted them, if it says so.
        """
        run, settings, pose = self.cache.run, self.settings, lifted
        if known is not None:
            pose = run(place_root, pose, known.anywhere, subject=subject)
            if settings.adjust.enabled:
                pose = run(adjust_clip, pose, known.anywhere, subject=subject)
        pose = run(make_motion, pose, settings=settings.motion, subject=subject)
        pose = run(judge_clip, pose, lifted, learnt_from, swaps, camera, subject=subject)
        steps = [describe_swaps(swaps, camera, settings.sides), *describe_fit(pose), *pose.steps]
        return replace(pose, steps=steps)

    def busy_detecting(self, found: Detections) -> Busy | None:
        """Utilisation of the detector's network; None if it was not measured, as for files of 2D poses."""
        for stage in (detect_poses, detect_in_parts):
            if (facts := self.cache.facts(stage, found)) and (seconds := facts.get("seconds_of")):
                return Busy(**seconds)
        return None


def without_unseen_feet(tracks: Sequence[Track]) -> list[Track]:
    """The tracks of some people, without added feet if none of them shows any."""
    feet = any(SKELETONS[track.skeleton].shown_by(track.confidence).name != track.body.skeleton for track in tracks)
    return list(tracks) if feet else [track.body for track in tracks]


def check_part(from_s: float | None, to_s: float | None) -> None:
    """Check that a part may hold something.

    Raises:
        PosepipeError: it ends before it begins, or times that are no numbers.
    """
    start, end = (none if said is None else said for said, none in zip((from_s, to_s), WHOLE, strict=True))
    if not start < end:
        raise PosepipeError(
            f"a part from {start:g} s to {end:g} s holds nothing; the end must be later than the start"
        )


def check_whole(path: Path, part: tuple[float | None, float | None]) -> None:
    """Check that no part of a keypoint file of several cameras is asked for.

    Raises:
        PosepipeError: one is.
    """
    if part not in (WHOLE, (None, None)):
        raise PosepipeError(
            f"{path} holds samples of several cameras, of which no part can be used; leave out the times"
        )
