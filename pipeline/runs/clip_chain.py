"""What a fit does with every camera by itself: its frames, its people, and their tracks on one skeleton."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import Detections, Frames, Identities, Track
from ..detectors import Detector
from ..footage.recording import Camera
from ..runtime.cache import SourceFile
from ..settings import KeypointSettings, TrackSettings, parse
from ..stages.frames import extract_frames
from ..stages.import_poses import frames_of, read_people
from ..stages.morph import morph_skeleton, move_joints
from ..stages.track import track_athlete, track_people
from .results import about
from .seeing import people_in
from .walk import Walk

if TYPE_CHECKING:
    from ..training.morph_file import MorphNetwork  # imports torch


class Cameras:
    """The results of all cameras, by the camera's name; filled by one method per stage, in order."""

    def __init__(self, walk: Walk, network: MorphNetwork | None) -> None:
        self.walk, self.network = walk, network
        self.videos: dict[str, SourceFile] = {}
        self.frame_sets: dict[str, Frames] = {}
        self.unsized: set[str] = set()
        """Cameras of which there are poses only, and nobody says how large the pictures were."""
        self.found: dict[str, Detections] = {}
        self.people: dict[str, Identities] = {}
        self.everybody: dict[str, list[Track]] = {}

    def extract(self) -> None:
        """Timestamps of all videos."""
        for subject, camera in self.walk.cameras:
            with about(camera.video):
                self.videos[subject] = self.walk.place.source(camera.video)
                if camera.keypoints is not None:
                    self.read(subject, camera)
                    continue
                frames = self.walk.run(extract_frames, self.videos[subject], subject=subject)
            if frames.missing_s:
                self.walk.warn(
                    f"{camera.video} breaks off: its last {frames.missing_s:.1f} s cannot be read; the rest is used"
                )
            self.frame_sets[subject] = frames

    def read(self, subject: str, camera: Camera) -> None:
        """The people of a camera whose 2D poses were detected elsewhere."""
        own = self.walk.settings.keypoints.model_dump() | dict(camera.keypoints or {})
        settings: KeypointSettings = parse(KeypointSettings, own, "posepipe.toml", section="keypoints")
        found = self.walk.run(read_people, self.videos[subject], settings=settings, subject=subject)
        self.found[subject] = found
        if settings.image_size_px is None:
            self.unsized.add(subject)
        self.frame_sets[subject] = self.walk.run(frames_of, found, settings=settings, subject=subject)

    def detect(self, detector: Detector) -> None:
        """People in all videos."""
        for subject, camera in self.walk.cameras:
            if camera.keypoints is not None:
                continue
            video, frames = self.videos[subject], self.frame_sets[subject]
            with about(camera.video):
                self.found[subject] = people_in(
                    self.walk.place.cache, video, frames, detector, self.walk.settings.detect, subject
                )

    def track(self) -> None:
        """All people in all videos."""
        for subject, camera in self.walk.cameras:
            settings, found = self.tracking(camera), self.found[subject]
            with about(camera.video):
                people = self.walk.run(
                    track_people, self.frame_sets[subject], found, settings=settings, subject=subject
                )
            self.people[subject] = people
            self.everybody[subject] = [
                self.walk.run(track_athlete, found, people, number, settings=settings, subject=subject)
                for number in range(len(people.score))
            ]

    def tracking(self, camera: Camera) -> TrackSettings:
        """Settings of the stage track for a camera."""
        return self.walk.settings.track.model_copy(update={"slow_motion": camera.slow_motion})

    def morph(self) -> None:
        """All people on the skeleton of the results."""
        settings = self.walk.settings.morph
        for subject, tracks in self.everybody.items():
            self.everybody[subject] = [
                self.walk.run(morph_skeleton, track, settings=settings, subject=subject) for track in tracks
            ]
            if self.network:
                self.everybody[subject] = [
                    self.walk.run(move_joints, track, self.network, subject=subject)
                    for track in self.everybody[subject]
                ]
