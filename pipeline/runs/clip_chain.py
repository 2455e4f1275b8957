"""The two halves of a clip's way through the stages, which fit, infer and batch share.

The first leads from a video, or a file of 2D poses, to everybody's 2D poses on the skeleton of the results; the
second from 3D poses as they were lifted to placed and smoothed ones. Training, or a model, lies between them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Detections, Frames, Identities, Pose3D, Swaps, Track
from ..detectors import Detector
from ..errors import PosepipeError
from ..footage.camera import Camera, check_focal
from ..footage.recording import CameraClip
from ..runtime.cache import Cache, SourceFile
from ..runtime.utilisation import Busy
from ..settings import KeypointSettings, Settings, TrackSettings, parse
from ..stages.detect import detect_in_parts, detect_poses
from ..stages.frames import extract_frames
from ..stages.import_poses import frames_of, read_people
from ..stages.morph import morph_skeleton, move_joints
from ..stages.place_root import place_root
from ..stages.scan import find_parts
from ..stages.sides import describe_swaps
from ..stages.smooth import make_motion
from ..stages.track import track_athlete, track_people
from .results import about

if TYPE_CHECKING:
    from ..training.morph_file import MorphNetwork  # imports torch

log = logging.getLogger("posepipe")


@dataclass(frozen=True)
class Opened:
    """A clip of which the first stage is done."""

    camera: CameraClip
    source: SourceFile
    frames: Frames
    given: Detections | None
    """Who is in it, where their 2D poses were detected elsewhere."""
    keypoints: KeypointSettings
    """What is said of a file of 2D poses."""

    @property
    def sized(self) -> bool:
        """Whether the size of the pictures is known, and not only how far the 2D poses reach."""
        return self.frames.filmed or self.keypoints.image_size_px is not None

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
    """Moves joints to where a reference has them, if there is one."""

    def open(self, camera: CameraClip, source: SourceFile, subject: str) -> Opened:
        """Timestamps of a video, or the people in a file of 2D poses; a calibration as it is for these pictures.

        Raises:
            PosepipeError: a clip that cannot be read, that does not say what it must, or another's calibration.
        """
        run, settings = self.cache.run, self.keypoints_of(camera)
        with about(camera.video):
            if camera.keypoints is None:
                frames = run(extract_frames, source, subject=subject)
                return Opened(camera, source, frames, None, settings).checked()
            found = run(read_people, source, settings=settings, subject=subject)
            frames = run(frames_of, found, settings=settings, subject=subject)
            return Opened(camera, source, frames, found, settings).checked()

    def keypoints_of(self, camera: CameraClip) -> KeypointSettings:
        """What the settings, and before them ``posepipe.toml``, say of a file of 2D poses."""
        own = self.settings.keypoints.model_dump() | dict(camera.keypoints or {})
        return parse(KeypointSettings, own, "posepipe.toml", section="keypoints")

    def detect(self, clip: Opened, detector: Detector, subject: str) -> Detections:
        """People in every picture of a video: a full look, in long ones only where a first look sees somebody."""
        run, video, frames, settings = self.cache.run, clip.source, clip.frames, self.settings.detect
        with about(clip.camera.video):
            if frames.time[-1] <= settings.first_look_s:
                return run(detect_poses, video, frames, detector, settings=settings, subject=subject)
            parts = run(find_parts, video, frames, detector, subject=subject)
            seconds = float(np.diff(parts.part).sum())
            log.info("%s: a first look finds people in %.0f s of %.0f s", video.path.name, seconds, frames.time[-1])
            return run(detect_in_parts, video, parts, detector, settings=settings, subject=subject)

    def identify(self, clip: Opened, found: Detections, subject: str) -> Identities:
        """Who is who in a clip."""
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

    def finish(self, pose: Pose3D, known: Camera | None, swaps: Swaps, camera: int, subject: str) -> Pose3D:
        """Lifted 3D poses as a motion, and where their root is if anything is known of the camera.

        Args:
            known: the camera, or what is assumed of it.
            swaps: of the sides in the 2D poses that were lifted.
            camera: number of the view in ``swaps``.
        """
        run, settings = self.cache.run, self.settings
        if known is not None:
            pose = run(place_root, pose, known.anywhere, subject=subject)
        pose = run(make_motion, pose, settings=settings.motion, subject=subject)
        return replace(pose, steps=[describe_swaps(swaps, camera, settings.sides), *pose.steps])

    def busy_detecting(self, found: Detections) -> Busy | None:
        """How busy the detector's network was; None if nobody measured, as with poses from elsewhere."""
        for stage in (detect_poses, detect_in_parts):
            if (facts := self.cache.facts(stage, found)) and (seconds := facts.get("seconds_of")):
                return Busy(**seconds)
        return None


def missing_end(clip: Opened) -> str:
    """What users must know of a video that breaks off; else ""."""
    if not clip.frames.missing_s:
        return ""
    return f"{clip.camera.video} breaks off: its last {clip.frames.missing_s:.1f} s cannot be read; the rest is used"
