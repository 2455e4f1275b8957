"""What a fit makes of all views of a take together: one skeleton per instant, as ``poses_multiview.npz``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..arrays import FusedPoses, Pose3D
from ..exporters.clip import Clip, Person
from ..footage.recording import Take
from ..stages.smooth import make_motion
from .athlete import Athlete
from .fit_clips import Clips
from .results import MULTIVIEW, provenance, write_results
from .up_to_date import fused_exports

ROOT_CAMERA = {
    "nothing": "camera whose focal length was found together with the poses of all views",
    "focal": "focal length as given, from all views together",
    "all": "camera as given, from all views together",
}
"""What the root trajectory knows of the cameras, by what the adjustment did."""

log = logging.getLogger("posepipe")


class Fusion:
    """Fused poses of all takes; filled by one method per stage, in order."""

    poses: FusedPoses

    def __init__(self, clips: Clips) -> None:
        self.clips, self.walk, self.learning, self.takes = clips, clips.walk, clips.learning, clips.takes

    def fuse(self) -> None:
        """One 3D skeleton per instant from all views of a take together."""
        from ..stages.fuse import fuse_views  # imports torch

        lifted = [[self.clips.poses.get(view) for view in athlete.subjects] for athlete in self.takes.athletes]
        samples, sizes = self.learning.pinhole_samples, self.learning.image_sizes()
        self.poses = self.walk.run(fuse_views, samples, lifted, sizes, subject="all takes")
        for athlete in self.takes.athletes:
            each = ", ".join(
                f"{camera.name} {residual:.1f}"
                for camera, residual in zip(athlete.take.cameras, self.residual_px(athlete), strict=True)
            )
            log.info("take %s: all views together leave residuals (px) of %s", athlete.name, each)

    def residual_px(self, athlete: Athlete) -> list[float]:
        """Median distance of each camera's detections from the images of the fused joints; NaN without any."""
        here = self.poses.take == self.takes.athletes.index(athlete)
        residual = [self.poses.residual[here, view] for view in range(len(athlete.take.cameras))]
        return [float(np.nanmedian(one)) if np.isfinite(one).any() else np.nan for one in residual]

    def write(self, exports: Sequence[str]) -> None:
        """Result files of every take."""
        for take in self.walk.recording.takes:
            write_results(self.clip(take), self.walk.place.folder / "takes" / take.name, fused_exports(exports))

    def clip(self, take: Take) -> Clip:
        """The motion of a take's athletes as a clip in the axes of the first camera, whose pictures have its size."""
        timeline = self.takes.timelines[take.name]
        athletes = [athlete for athlete in self.takes.athletes if athlete.take is take]
        frames = self.walk.of(take, self.takes.cameras.frame_sets)
        videos = self.walk.of(take, self.takes.cameras.videos)
        settings = self.walk.settings
        used = settings.detect, settings.morph, settings.sides, settings.motion
        found_by = sorted({found.detector for found in self.walk.of(take, self.takes.cameras.found)})
        model = self.clips.model_file, self.learning.model
        origin = provenance(videos[0], *model, "; ".join(found_by), *used)
        origin |= {
            "clip": take.name,
            "clip_sha256": {camera.name: video.key for camera, video in zip(take.cameras, videos, strict=True)},
            "known_of_cameras": self.poses.cameras,
            "fused": self.poses.key,
        }
        step = float(np.median(np.diff(timeline.time))) if len(timeline.time) > 1 else 1.0
        width, height = map(int, frames[0].image_size)
        return Clip(
            people=tuple(
                Person(athlete.person, make_motion(self._pose(athlete), settings.motion), self._more(athlete))
                for athlete in athletes
            ),
            video=Path(take.name),
            rate=str(Fraction(1 / step).limit_denominator(1001)),
            image_size=(width, height),
            video_time=np.array(timeline.time),
            provenance=origin,
            variant=MULTIVIEW,
        )

    def _pose(self, athlete: Athlete) -> Pose3D:
        """Fused poses at all instants of a take's timeline, NaN where too few views show the athlete.

        The axes are the rig's, which do not turn with the person or a camera; keypoints are those of the first
        camera, and the root trajectory starts from where it is.
        """
        time = np.array(self.takes.timelines[athlete.take.name].time)
        samples, joint = self.learning.pinhole_samples, self._spread(athlete, self.poses.joint)
        views = np.maximum((samples.confidence > 0).sum(1), 1)
        confidence = samples.confidence.sum(1) / views
        keypoint = np.where(samples.confidence[:, 0, :, None] > 0, samples.keypoint[:, 0], np.nan)
        root = np.einsum("tba,tb->ta", self.poses.camera_from_rig[:, 0], self.poses.root[:, 0])
        return Pose3D(
            time=time,
            joint=joint,
            canonical=joint.copy(),
            camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (len(time), 1, 1)),
            confidence=np.nan_to_num(self._spread(athlete, confidence.astype(np.float32))).clip(0, 1),
            keypoint=self._spread(athlete, keypoint.astype(np.float32)),
            skeleton=self.poses.skeleton,
            unit=self.poses.unit,
            root_trajectory=self._spread(athlete, root),
            root_camera=ROOT_CAMERA[self.poses.cameras],
        )

    def _more(self, athlete: Athlete) -> dict[str, np.ndarray]:
        """What is known beside the poses, in the words of ``FusedPoses``, at all instants of the timeline."""
        views = len(athlete.take.cameras)
        per_view = ("camera_from_rig", "root", "focal", "residual")
        more = {name: self._spread(athlete, getattr(self.poses, name)[:, :views]) for name in per_view}
        return {
            **{"root_in_camera" if name == "root" else name: array for name, array in more.items()},
            "covariance": self._spread(athlete, self.poses.covariance),
            "trusted": self._spread(athlete, self.poses.trusted.astype(np.float32)) > 0,
            "camera_names": np.array([camera.name for camera in athlete.take.cameras]),
        }

    def _spread(self, athlete: Athlete, values: np.ndarray) -> np.ndarray:
        """An athlete's values at the instants of the timeline, NaN elsewhere."""
        here = self.poses.take == self.takes.athletes.index(athlete)
        instants = len(self.takes.timelines[athlete.take.name].time)
        everywhere = np.full((instants, *values.shape[1:]), np.nan, np.float32)
        everywhere[self.poses.instant[here]] = values[here]
        return everywhere
