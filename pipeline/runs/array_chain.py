"""What fit and infer do with the samples of a keypoint file: the same two halves that a clip goes through.

Samples are tracks already, so that they enter where those of a video leave ``track``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..arrays import KnownPoses, Samples, Swaps, ViewPoses
from ..footage.camera import CALIBRATED, IN_THE_MIDDLE, Camera, calibrate_assumes, focal_length, in_words
from ..footage.keypoint_file import open_keypoints
from ..footage.recording import CameraClip
from ..runtime.cache import Cache, SourceFile
from ..settings import KeypointSettings, Settings, parse
from ..stages.adjust import adjust_views
from ..stages.import_arrays import read_keypoints
from ..stages.judge import judge_views
from ..stages.morph import move_joints_of_samples
from ..stages.place_root import place_views
from ..stages.sides import find_swaps_in_samples, mend_samples
from ..stages.smooth import make_motion_of_views, unfiltered
from ..training.morph_file import MorphNetwork

log = logging.getLogger("posepipe")

NO_TIMES = (
    "it does not say when its samples were filmed, so that sides are not checked, poses neither fitted together nor "
    "smoothed, and no files but poses.npz written: add the array time (samples) in s, or say "
    "--set keypoints.rate_hz=60"
)


@dataclass(frozen=True)
class ArrayChain:
    """A keypoint file on its way through the stages."""

    cache: Cache
    source: SourceFile
    settings: Settings
    morph: MorphNetwork | None
    rate_hz: float | None

    @staticmethod
    def of(
        cache: Cache, source: SourceFile, clip: CameraClip, settings: Settings, morph: MorphNetwork | None
    ) -> ArrayChain:
        """The chain of a file, with what ``posepipe.toml`` says of it."""
        own = settings.keypoints.model_dump() | dict(clip.keypoints or {})
        keypoints: KeypointSettings = parse(KeypointSettings, own, "posepipe.toml", section="keypoints")
        return ArrayChain(cache, source, settings, morph, keypoints.rate_hz)

    @property
    def name(self) -> str:
        """The file, for people."""
        return self.source.path.stem

    def read(self, cameras: str, static: bool | None) -> Samples:
        """All samples, their joints moved if there is a network that does so.

        Args:
            cameras: which of the arrays K, R and t to read.
            static: whether cameras stand still (``read_keypoints``).
        """
        inputs = self.source, self.settings.morph.skeleton, static, cameras, self.rate_hz
        samples: Samples = self.cache.run(read_keypoints, *inputs, subject=self.name)
        if self.morph is None:
            return samples
        return self.cache.run(move_joints_of_samples, samples, self.morph, subject=self.name)

    def mend(self, samples: Samples, alone: bool) -> tuple[Samples, Swaps | None]:
        """Left and right put right where time says so, and unless each is to be judged ``alone`` the other views."""
        if samples.time is None:
            return samples, None
        run, settings = self.cache.run, self.settings.sides
        swaps = run(find_swaps_in_samples, samples, alone, settings=settings, subject=self.name)
        return self.mended(samples, swaps), swaps

    def mended(self, samples: Samples, swaps: Swaps | None) -> Samples:
        """Samples of the file, as they were read with other cameras, with the same swaps undone."""
        if swaps is None:
            return samples
        return self.cache.run(mend_samples, samples, swaps, settings=self.settings.sides, subject=self.name)

    def finish(
        self,
        lifted: ViewPoses,
        samples: Samples,
        seen: tuple[Samples, str] | None,
        swaps: Swaps | None,
        learnt_from: KnownPoses | None,
    ) -> ViewPoses:
        """Lifted 3D poses as a motion, how far to trust them, and where their root is if the cameras are known.

        Args:
            samples: what was lifted.
            seen: the samples with K, and where K comes from, if anything is known of the cameras.
            swaps: of the sides, of samples that say their times.
            learnt_from: of the model that lifted them, if it says so.
        """
        run = self.cache.run
        if self.settings.world.height_m is not None and lifted.unit != "m":
            lifted = lifted.in_metres(self.settings.world.height_m)
        pose = lifted
        if seen is not None:
            pose = run(place_views, pose, *seen, subject=self.name)
            if pose.time is not None and self.settings.adjust.enabled:
                pose = run(adjust_views, pose, seen[0], subject=self.name)
        if pose.time is None or swaps is None:
            return replace(unfiltered(pose), joint_lifted=lifted.joint)
        pose = run(make_motion_of_views, pose, settings=self.settings.motion, subject=self.name)
        return run(judge_views, pose, lifted, samples, learnt_from, swaps, subject=self.name)


def says_sizes(path: Path) -> bool:
    """Whether the file says how large the pictures are, and so where they have their middle."""
    with open_keypoints(path) as file:
        return "image_size" in file


def assumed_sizes(samples: Samples) -> list[tuple[int, int]]:
    """Width and height (px) of the pictures of every view, if its 2D poses leave the same margin on both sides.

    *Measured* on 188 instants of three views of the benchmark's training sessions, the reconstruction's errors in mm
    (PMPJPE / NMPJPE): 25.2 / 43.3, with the true sizes 25.0 / 38.8; of panning cameras 19.1 / 32.9 and 19.1 / 32.8.
    """
    shown = samples.confidence[..., None] > 0
    low = np.where(shown, samples.keypoint, np.inf).min((0, 2))
    high = np.where(shown, samples.keypoint, -np.inf).max((0, 2))
    size = np.where(np.isfinite(high), np.maximum(low + high, high - low), 1)
    return [(int(width), int(height)) for width, height in np.ceil(size).tolist()]


def unknown_cameras(path: Path, samples: Samples) -> list[Camera]:
    """The cameras of all views, of which nothing is said but how large their pictures are.

    Raises:
        PosepipeError: the file does not say it.
    """
    return [Camera.of_pictures(size) for size in _image_sizes(path, samples)]


def find_cameras(path: Path, samples: Samples, focal_px: float | None, settings: Settings) -> list[Camera]:
    """The cameras of all views: of the focal length that is stated, else as ``calibrate`` says, else of a usual view.

    Raises:
        PosepipeError: the file does not say how large the pictures are.
    """
    found = []
    for size in _image_sizes(path, samples):
        focal, why = focal_length(size, focal_px, settings.root)
        assumed = calibrate_assumes(size, settings.calibrate)
        if focal_px is None and assumed is not None:
            focal, why = assumed, CALIBRATED
        found.append(Camera.of_focal_length(size, focal, why))
    return found


def _image_sizes(path: Path, samples: Samples) -> list[list[int]]:
    """Width and height (px) of every view's pictures."""
    with open_keypoints(path) as file:
        return file.array("image_size", samples.confidence.shape[1], 2).tolist()


def seen_by(samples: Samples, cameras: list[Camera]) -> Samples:
    """Samples with the K of these cameras, one for each view."""
    K = np.array([camera.K for camera in cameras], np.float32)
    return replace(samples, K=np.tile(K, (len(samples.instant), 1, 1, 1)))


def with_intrinsics(
    path: Path, samples: Samples, read: Callable[[], Samples], settings: Settings, focal_px: float | None = None
) -> tuple[Samples, str] | None:
    """Samples with K, to place roots by, and where K comes from in words; None if nothing tells the cameras.

    Args:
        samples: as they were lifted; with K if the method knows the cameras.
        read: gives the samples with the K that the file holds, freed from the distortion of lenses.
        focal_px: as stated, for files without K.

    Raises:
        PosepipeError: a focal length is stated, but neither K nor the size of the pictures.
    """
    with open_keypoints(path) as file:
        given, sized = "K" in file, "image_size" in file
    if given:
        known = read() if samples.K is None else samples
        return known, f"{in_words(np.asarray(known.K))}, given"
    if samples.K is not None:
        why = CALIBRATED if focal_px is None else "given"
        return samples, f"{in_words(np.asarray(samples.K))}, {why}; {IN_THE_MIDDLE}"
    if not sized and focal_px is None:
        return None
    cameras = find_cameras(path, samples, focal_px, settings)
    why = cameras[0].source.removeprefix(in_words(np.asarray(cameras[0].K)))
    known = seen_by(samples, cameras)
    return known, in_words(np.asarray(known.K)) + why
