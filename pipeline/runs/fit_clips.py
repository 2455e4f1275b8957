"""What a fit makes of every clip with the model: its 3D poses, and the files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..arrays import Pose3D
from ..exporters.clip import Clip, Person
from ..footage.camera import CALIBRATED, Optics, find_optics, given_optics, optics_in_the_middle
from ..footage.known_cameras import lens_of
from ..runtime.cache import SourceFile
from ..settings import LiftSettings
from ..stages.place_root import place_root
from ..stages.sides import describe_swaps
from ..stages.smooth import make_motion
from .athlete import Athlete
from .fit_model import Learning
from .results import provenance, write_results
from .up_to_date import exports_of
from .walk import Walk


class Clips:
    """3D poses of all views, by their names; filled by one method per stage, in order."""

    model_file: SourceFile

    def __init__(self, walk: Walk, learning: Learning) -> None:
        self.walk, self.learning, self.takes = walk, learning, learning.takes
        self.poses: dict[str, Pose3D] = {}

    def lift(self) -> None:
        """3D poses of every clip, each from its own camera alone."""
        from ..stages.lift import lift_poses

        self.model_file = self.walk.place.source(self.walk.place.folder / "model.pt")
        for subject, _, athlete, number in self.takes.views():
            inputs = self.takes.tracks[subject], self.takes.crops.get(subject), self.model_file
            settings = self.lifting(athlete, number)
            self.poses[subject] = self.walk.run(lift_poses, *inputs, settings=settings, subject=subject)

    def motion(self) -> None:
        """Every view's poses as a motion, and where their root is."""
        for subject, camera, athlete, number in self.takes.views():
            settings, pose = self.walk.settings.motion, self.poses[subject]
            if optics := self.optics(camera, athlete, number):
                pose = self.walk.run(place_root, pose, optics.K, optics.distortion, optics.source, subject=subject)
            pose = self.walk.run(make_motion, pose, settings=settings, subject=subject)
            sides = describe_swaps(self.takes.swaps[athlete.name], number, self.walk.settings.sides)
            self.poses[subject] = replace(pose, steps=[sides, *pose.steps])

    def optics(self, camera: str, athlete: Athlete, number: int) -> Optics | None:
        """What is known or assumed of a view's camera; nothing where nobody says how large its pictures are."""
        of, settings = athlete.take.cameras[number], self.walk.settings
        frames = self.takes.cameras.frame_sets[camera]
        if of.calibration is not None:
            return given_optics(of.calibration.K.tolist(), lens_of(of) if any(lens_of(of)) else None)
        if camera in self.takes.cameras.unsized:
            return None
        width, height = frames.image_size.tolist()
        K = self.learning.intrinsics(athlete, number)
        assumed = settings.calibrate.focal(width) if K is None else K[0][0]
        if of.focal_px is None and assumed is not None:
            return optics_in_the_middle(width, height, assumed, CALIBRATED)
        return find_optics(frames, of.video, of.focal_px, settings.root)

    def lifting(self, athlete: Athlete, camera: int) -> LiftSettings:
        """Settings of the stage lift for a view."""
        K, lens = self.learning.intrinsics(athlete, camera), lens_of(athlete.take.cameras[camera])
        distortion = lens if K and any(lens) else None
        return LiftSettings(intrinsics=K, distortion=distortion, device=self.walk.settings.device)

    def write(self, exports: Sequence[str]) -> tuple[Path, ...]:
        """Result files of every clip; their folders."""
        folders = []
        for subject, camera in self.walk.cameras:
            shown = [(view, athlete, number) for view, name, athlete, number in self.takes.views() if name == subject]
            if not shown:
                continue
            used = (
                self.walk.settings.detect,
                self.takes.cameras.tracking(camera),
                self.walk.settings.morph,
                self.walk.settings.sides,
                self.lifting(*shown[0][1:]),
                self.walk.settings.root,
                self.walk.settings.motion,
            )
            cameras = self.takes.cameras
            video, detector = cameras.videos[subject], cameras.found[subject].detector
            origin = provenance(video, self.model_file, self.learning.model, detector, *used)
            people = tuple(Person(athlete.person, self.poses[view]) for view, athlete, _ in shown)
            folders.append(self.walk.place.folder / "takes" / subject)
            clip = Clip.of_people(people, self.takes.cameras.frame_sets[subject], camera.video, origin)
            write_results(clip, folders[-1], exports_of(camera, exports))
        return tuple(folders)
