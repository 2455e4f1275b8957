"""What a fit makes of all views of a take together: one skeleton per instant, as ``poses_multiview.npz``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..arrays import FusedPoses, Pose3D, Samples, Timeline
from ..exporters.clip import Clip, Person
from ..footage.camera import Camera
from ..footage.recording import Take
from ..stages.smooth import make_motion
from .clip_chain import Opened
from .fit_clips import Origin
from .fit_run import FitRun
from .fit_takes import Athlete
from .results import MULTIVIEW, provenance, write_results

ROOT_CAMERA = {
    "nothing": "camera whose focal length was found together with the poses of all views",
    "focal": "focal length as given, from all views together",
    "all": "camera as given, from all views together",
}
"""What the root trajectory knows of the cameras, by what the adjustment did."""

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
        residuals = zip(athlete.take.cameras, residual_px(fused, number, athlete), strict=True)
        each = ", ".join(f"{camera.name} {residual:.1f}" for camera, residual in residuals)
        log.info("take %s: all views together leave residuals (px) of %s", athlete.name, each)
    return fused


def residual_px(fused: FusedPoses, number: int, athlete: Athlete) -> list[float]:
    """Median distance (px) of each camera's detections from the images of the fused joints; NaN without any.

    Args:
        number: of the athlete among all.
    """
    here = fused.take == number
    residual = [fused.residual[here, view] for view in range(len(athlete.take.cameras))]
    return [float(np.nanmedian(one)) if np.isfinite(one).any() else np.nan for one in residual]


def write_takes(
    run: FitRun,
    fused: FusedPoses,
    samples: Samples,
    athletes: Sequence[Athlete],
    timelines: Mapping[str, Timeline],
    clips: Mapping[str, Opened],
    origin: Origin,
) -> None:
    """Result files of every take."""
    for take in run.takes:
        here = {number: athlete for number, athlete in enumerate(athletes) if athlete.take is take}
        people = tuple(
            Fused(fused, samples, number, athlete, timelines[take.name]).person(run)
            for number, athlete in here.items()
        )
        clip = _clip(run, take, people, timelines[take.name], run.of(take, clips), origin, fused)
        write_results(clip, run.place.folder / "takes" / take.name, run.asked.fused_exports)


def _clip(
    run: FitRun,
    take: Take,
    people: tuple[Person, ...],
    timeline: Timeline,
    clips: Sequence[Opened],
    origin: Origin,
    fused: FusedPoses,
) -> Clip:
    """The motion of a take's athletes as a clip in the axes of the first camera, whose pictures have its size."""
    settings = run.settings
    used = settings.detect, settings.morph, settings.sides, settings.motion
    found_by = sorted({origin.found[f"{take.name}/{camera.name}"].detector for camera in take.cameras})
    made_from = provenance(clips[0].source, origin.model_file, origin.model, "; ".join(found_by), *used)
    made_from |= {
        "clip": take.name,
        "clip_sha256": {clip.camera.name: clip.source.key for clip in clips},
        "known_of_cameras": fused.cameras,
        "fused": fused.key,
    }
    step = float(np.median(np.diff(timeline.time))) if len(timeline.time) > 1 else 1.0
    width, height = map(int, clips[0].frames.image_size)
    return Clip(
        people=people,
        video=Path(take.name),
        rate=str(Fraction(1 / step).limit_denominator(1001)),
        image_size=(width, height),
        video_time=np.array(timeline.time),
        provenance=made_from,
        variant=MULTIVIEW,
    )


@dataclass(frozen=True)
class Fused:
    """The fused poses of one athlete, at all instants of the take's timeline."""

    poses: FusedPoses
    samples: Samples
    """As pinhole cameras show them; one for each of the poses."""
    number: int
    """Of the athlete among all."""
    athlete: Athlete
    timeline: Timeline

    def person(self, run: FitRun) -> Person:
        """The athlete as a person of a clip, their poses as a motion."""
        return Person(self.athlete.person, make_motion(self.pose(), run.settings.motion), self.more())

    def pose(self) -> Pose3D:
        """Poses, NaN where too few views show the athlete.

        The axes are the rig's, which do not turn with the person or a camera; keypoints are those of the first
        camera, and the root trajectory starts from where it is.
        """
        time = np.array(self.timeline.time)
        samples, joint = self.samples, self.spread(self.poses.joint)
        views = np.maximum((samples.confidence > 0).sum(1), 1)
        confidence = samples.confidence.sum(1) / views
        keypoint = np.where(samples.confidence[:, 0, :, None] > 0, samples.keypoint[:, 0], np.nan)
        root = np.einsum("tba,tb->ta", self.poses.camera_from_rig[:, 0], self.poses.root[:, 0])
        return Pose3D(
            time=time,
            joint=joint,
            canonical=joint.copy(),
            camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (len(time), 1, 1)),
            confidence=np.nan_to_num(self.spread(confidence.astype(np.float32))).clip(0, 1),
            keypoint=self.spread(keypoint.astype(np.float32)),
            skeleton=self.poses.skeleton,
            unit=self.poses.unit,
            root_trajectory=self.spread(root),
            root_camera=ROOT_CAMERA[self.poses.cameras],
        )

    def more(self) -> dict[str, np.ndarray]:
        """What is known beside the poses, in the words of ``FusedPoses``, at all instants of the timeline."""
        views = len(self.athlete.take.cameras)
        per_view = ("camera_from_rig", "root", "focal", "residual")
        more = {name: self.spread(getattr(self.poses, name)[:, :views]) for name in per_view}
        return {
            **{"root_in_camera" if name == "root" else name: array for name, array in more.items()},
            "covariance": self.spread(self.poses.covariance),
            "trusted": self.spread(self.poses.trusted.astype(np.float32)) > 0,
            "camera_names": np.array([camera.name for camera in self.athlete.take.cameras]),
        }

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The athlete's values (sample, ...) at the instants of the timeline (instant, ...), NaN elsewhere."""
        here = self.poses.take == self.number
        everywhere = np.full((len(self.timeline.time), *values.shape[1:]), np.nan, np.float32)
        everywhere[self.poses.instant[here]] = values[here]
        return everywhere
