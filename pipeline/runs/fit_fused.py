"""What a fit makes of all views of a take together: one skeleton per instant, as ``poses_multiview.npz``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...models.body.body import body_size
from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Pose3D, Samples, Timeline, WorldPoses
from ..errors import PosepipeError
from ..exporters.clip import Clip, Person
from ..footage.camera import Camera
from ..footage.recording import Take
from ..settings import Settings, WorldSettings
from ..stages.smooth import make_motion
from ..stages.world import Placed, place_in_world, stated_metres
from .clip_chain import Opened
from .fit_clips import Origin
from .fit_run import FitRun
from .people.athletes import Athlete
from .results import MULTIVIEW, provenance, write_results

ROOT_CAMERA = {
    "nothing": "camera whose focal length was found together with the poses of all views",
    "focal": "focal length as given, from all views together",
    "all": "camera as given, from all views together",
}
"""What the root trajectory knows of the cameras, by what the adjustment did."""

OWN_AXES = 1e-6
"""Largest deviation of a rotation from none, and of a place from the origin, of a camera whose axes are the rig's."""

log = logging.getLogger("posepipe")


def fuse_takes(
    run: FitRun,
    samples: Samples,
    athletes: Sequence[Athlete],
    lifted: Mapping[str, Pose3D],
    cameras: list[list[Camera]],
) -> FusedPoses | None:
    """One 3D skeleton per instant from all views of a take together, if that is wanted.

    Args:
        samples: as pinhole cameras show them.
        lifted: by view.
        cameras: of every athlete's take, as large as their pictures are.
    """
    if not run.settings.fuse.enabled:
        return None
    from ..stages.fuse import fuse_views  # imports torch

    poses = [[lifted.get(view) for view in athlete.views] for athlete in athletes]
    fused: FusedPoses = run.run(fuse_views, samples, poses, cameras, subject="all takes")
    for number, athlete in enumerate(athletes):
        for camera in _left_out(fused, samples, number, athlete):
            run.warn(
                f"take {athlete.name}: camera {camera} agrees with the others on nobody, and is left out of what all "
                "views together give; did it film the same person at the same moments?"
            )
        residuals = zip(athlete.take.cameras, residual_px(fused, number, athlete), strict=True)
        each = ", ".join(f"{camera.name} {residual:.1f}" for camera, residual in residuals)
        log.info("take %s: all views together leave residuals (px) of %s", athlete.name, each)
    return fused


def _left_out(fused: FusedPoses, samples: Samples, number: int, athlete: Athlete) -> list[str]:
    """Names of the cameras that show somebody, but nobody on whom the others agree."""
    here = fused.take == number
    shown = samples.confidence[here].any((0, 2))
    used = np.isfinite(fused.root[here]).all(-1).any(0)
    return [camera.name for view, camera in enumerate(athlete.take.cameras) if shown[view] and not used[view]]


def residual_px(fused: FusedPoses, number: int, athlete: Athlete) -> list[float]:
    """Median distance (px) of each camera's detections from the images of the fused joints; NaN without any.

    Args:
        number: of the athlete among all.
    """
    here = fused.take == number
    residual = [fused.residual[here, view] for view in range(len(athlete.take.cameras))]
    return [float(np.nanmedian(one)) if np.isfinite(one).any() else np.nan for one in residual]


def place_takes(
    run: FitRun,
    fused: FusedPoses,
    samples: Samples,
    athletes: Sequence[Athlete],
    timelines: Mapping[str, Timeline],
) -> dict[str, Person]:
    """Every athlete's motion, and where they are in the world, by the athlete's name.

    All people of a take have one unit: metres, if they are known of all.

    Raises:
        PosepipeError: the size of some people of a take is stated, and nothing tells that of others.
    """
    people: dict[str, Person] = {}
    for take in run.takes:
        here = [
            (athlete, FusedPerson.of_athlete(fused, samples, number, athlete, timelines[take.name]))
            for number, athlete in enumerate(athletes)
            if athlete.take is take
        ]
        found = _people(run, here, by_flight=True)
        if len({person.pose.unit for person in found.values()}) > 1:
            found = _people(run, here, by_flight=False)
        if len({person.pose.unit for person in found.values()}) > 1:
            raise PosepipeError(
                f"take {take.name}: the size of some people is stated and that of others is not, and its files have "
                "one unit; state it of all, or add --height for the others"
            )
        people |= found
        for name, person in found.items():
            if person.world is None:
                log.info("take %s: where up is cannot be told, as its cameras move and are not calibrated", name)
            else:
                log.info("take %s: %s", name, "; ".join(person.world.notes_on_world))
    return people


def _people(run: FitRun, here: Sequence[tuple[Athlete, FusedPerson]], by_flight: bool) -> dict[str, Person]:
    """The people of a take by the athletes' names."""
    settings = run.settings
    return {
        athlete.name: one.person(
            athlete.person, settings.model_copy(update={"world": athlete.world(settings.world)}), by_flight
        )
        for athlete, one in here
    }


def statures(people: Mapping[str, Person]) -> dict[str, float]:
    """Statures of the people whose poses are in metres, by the same names."""
    return {
        name: float(np.median(body_size(person.pose.joint[person.pose.there], SKELETONS[person.pose.skeleton])))
        for name, person in people.items()
        if person.pose.unit == "m" and person.pose.there.any()
    }


def write_takes(
    run: FitRun,
    fused: FusedPoses,
    placed: Mapping[str, Person],
    athletes: Sequence[Athlete],
    clips: Mapping[str, Opened],
    origin: Origin,
) -> tuple[Path, ...]:
    """Result files of every take; their folders.

    Args:
        placed: by the athlete's name.
    """
    folders = tuple(run.place.folder / "takes" / take.name for take in run.takes)
    for take, folder in zip(run.takes, folders, strict=True):
        people = tuple(placed[athlete.name] for athlete in athletes if athlete.take is take)
        clip = _clip(run, take, people, run.of(take, clips), origin, fused)
        write_results(clip, folder, run.asked.fused_exports)
    return folders


def _clip(
    run: FitRun,
    take: Take,
    people: tuple[Person, ...],
    clips: Sequence[Opened],
    origin: Origin,
    fused: FusedPoses,
) -> Clip:
    """The motion of a take's athletes as a clip in the axes of the first camera, whose pictures have its size."""
    settings = run.settings
    used = settings.detect, settings.morph, settings.sides, settings.motion, settings.world
    found_by = sorted({origin.found[f"{take.name}/{camera.name}"].detector for camera in take.cameras})
    made_from = provenance(clips[0].source, origin.model_file, origin.model, "; ".join(found_by), *used)
    made_from |= {"clip": take.name, "clip_sha256": {clip.camera.name: clip.source.key for clip in clips}}
    clip = clip_of_take(people, take.name, clips[0].frames.image_size.tolist(), made_from, fused)
    return replace(clip, frame=settings.world.frame)


def clip_of_take(
    people: tuple[Person, ...], take: str, size_px: Sequence[int], provenance: dict[str, Any], fused: FusedPoses
) -> Clip:
    """People of a take as a clip in the axes of its first camera, whose pictures have this width and height."""
    made_from = {**provenance, "known_of_cameras": fused.cameras, "fused": fused.key}
    return clip_without_video(people, take, size_px, made_from, MULTIVIEW)


def clip_without_video(
    people: tuple[Person, ...], name: str, size_px: Sequence[int], provenance: dict[str, Any], variant: str = ""
) -> Clip:
    """People as a clip that nobody filmed: its timestamps are those of the poses."""
    time = np.array(people[0].pose.time)
    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    width, height = map(int, size_px)
    return Clip(
        people=people,
        video=Path(name),
        rate=str(Fraction(1 / step).limit_denominator(1001)),
        image_size=(width, height),
        video_time=time,
        provenance=provenance,
        variant=variant,
    )


@dataclass(frozen=True)
class FusedPerson:
    """The fused poses of one person, at all instants of a take's timeline."""

    poses: FusedPoses
    samples: Samples
    """As pinhole cameras show them; one for each of the poses."""
    rows: np.ndarray
    """(N) which of the samples are of the person."""
    instant: np.ndarray
    """(N) the instant of the timeline at which each of them was filmed."""
    time: np.ndarray
    """(T) float64 s, of the timeline."""
    cameras: Sequence[str]
    """Names of the take's cameras."""

    @staticmethod
    def of_athlete(
        poses: FusedPoses, samples: Samples, number: int, athlete: Athlete, timeline: Timeline
    ) -> FusedPerson:
        """An athlete of a fit of videos.

        Args:
            number: of the athlete among all.
        """
        rows = np.flatnonzero(poses.take == number)
        names = [camera.name for camera in athlete.take.cameras]
        return FusedPerson(poses, samples, rows, np.asarray(poses.instant)[rows], np.array(timeline.time), names)

    def person(self, name: str, settings: Settings, by_flight: bool = True) -> Person:
        """A person of a clip, their poses as a motion, and in the world where that is known.

        Args:
            by_flight: whether flights may tell metres.
        """
        motion = make_motion(self.pose(), settings.motion)
        world = self._world(motion, by_flight, settings.world)
        metres = stated_metres(motion, settings.world) if world is None else world.metres
        if motion.unit == "m" or metres is None or (world is not None and world.unit != "m"):
            return Person(name, motion, self.more(), world)
        return Person(name, motion.in_metres(metres), self.more(metres), world)

    def _world(self, motion: Pose3D, by_flight: bool, settings: WorldSettings) -> WorldPoses | None:
        """The person in the world; None of cameras that move and are not calibrated, or where nothing tells it.

        A calibration with a camera in its origin has that camera's axes, which are not the world's.
        """
        samples, first = self.samples, self.rows[0]
        placed = None
        if self.poses.cameras == "all" and samples.R is not None and samples.t is not None:
            R, t = (np.asarray(array[first], np.float64) for array in (samples.R, samples.t))
            own = np.abs(R - np.eye(3)).max((1, 2)) + np.abs(t).max(1)
            placed = None if own.min() < OWN_AXES else Placed(R[self.first_view], t[self.first_view])
        elif samples.rig[first] < 0:
            return None
        return place_in_world(motion, placed, by_flight, settings)

    def pose(self) -> Pose3D:
        """Poses, NaN where too few views show the person.

        The axes are the rig's, which do not turn with the person or a camera; keypoints are those of the first
        camera that was used, and the root trajectory starts from where it is.
        """
        samples, joint, first = self.samples, self.spread(self.poses.joint), self.first_view
        views = np.maximum((samples.confidence > 0).sum(1), 1)
        confidence = samples.confidence.sum(1) / views
        keypoint = np.where(samples.confidence[:, first, :, None] > 0, samples.keypoint[:, first], np.nan)
        root = self._root(first)
        return Pose3D(
            time=self.time,
            joint=joint,
            canonical=joint.copy(),
            camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (len(self.time), 1, 1)),
            confidence=np.nan_to_num(self.spread(confidence.astype(np.float32))).clip(0, 1),
            keypoint=self.spread(keypoint.astype(np.float32)),
            skeleton=self.poses.skeleton,
            unit=self.poses.unit,
            root_trajectory=self.spread(root),
            root_camera=ROOT_CAMERA[self.poses.cameras],
        )

    def _root(self, first: int) -> np.ndarray:
        """Where the root is (sample, 3) float32 from where a camera is, or was at first, in the rig's axes."""
        samples, place = self.samples, self.poses.root[:, first].astype(np.float64)
        if self.poses.cameras != "all" or samples.R is None or samples.t is None:
            root = np.einsum("tba,tb->ta", self.poses.camera_from_rig[:, first], place)
        else:
            R, t = (np.asarray(array[:, first], np.float64) for array in (samples.R, samples.t))
            start = self.rows[0]
            world = np.einsum("tba,tb->ta", R, place - t)
            root = world @ R[start].T + t[start]
        return root.astype(np.float32)

    @property
    def first_view(self) -> int:
        """The first camera that was not left out: the rig's axes are its."""
        used = np.isfinite(self.poses.root[self.rows]).all(-1).any(0)
        return int(used.argmax())

    def more(self, metres: float | None = None) -> dict[str, np.ndarray]:
        """Further arrays (instant, ...) of ``FusedPoses`` by name, at all instants of the timeline; NaN elsewhere.

        Args:
            metres: per unit of length, if they are wanted in metres.
        """
        views, poses = len(self.cameras), self.poses if metres is None else self.poses.in_metres(metres)
        per_view = ("camera_from_rig", "root", "focal", "bend", "residual")
        more = {name: self.spread(getattr(poses, name)[:, :views]) for name in per_view}
        return {
            **{"root_in_camera" if name == "root" else name: array for name, array in more.items()},
            "covariance": self.spread(poses.covariance),
            "trusted": self.spread(poses.trusted.astype(np.float32)) > 0,
            "camera_names": np.array(self.cameras),
        }

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The person's values (sample, ...) at the instants of the timeline (instant, ...), NaN elsewhere."""
        everywhere = np.full((len(self.time), *values.shape[1:]), np.nan, np.float32)
        everywhere[self.instant] = values[self.rows]
        return everywhere
