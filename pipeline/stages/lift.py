"""Lifting: one camera's 2D poses to 3D with a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from ...models.body.angles import stature_by_segments
from ...models.body.body import body_size
from ...models.method import Prediction, View, in_chunks
from ...models.networks.feet import FootLifter
from ...models.skeleton import SKELETONS, Skeleton
from ..arrays import Crops, Pose3D, Samples, Track, ViewPoses
from ..errors import PosepipeError
from ..footage.camera import Camera
from ..runtime.cache import stage
from ..runtime.device import choose_device, describe_device
from ..settings import LiftSettings
from ..training.batches import cut_windows
from ..training.model_file import Model, network_versions
from ..training.windows import Windows

BLOCK = 4096
"""Frames in one network pass."""
LARGE_BLOCK = 256
"""Frames in one network pass if they come with a picture or with the frames around them."""
MIN_JOINTS = 0.5
"""Smallest share of visible joints in a frame that is lifted."""


@stage(version=3, networks=network_versions)
def lift_poses(
    track: Track, crops: Crops | None, camera: Camera | None, model: Model, settings: LiftSettings
) -> Pose3D:
    """3D poses (F, J, 3) of a clip, from its pictures as well if the model needs them; NaN where too little is seen.

    All poses of a clip are scaled to the same body height, which a single view cannot determine: 1, or the given
    height in metres. Feet are NaN throughout where the clip shows none, or the model has learnt none.

    Args:
        camera: for models whose method needs K; the pictures of ``crops`` are not undistorted.

    Raises:
        PosepipeError: another skeleton, or a clip in which no frame can be lifted.
    """
    keypoint, confidence, skeleton = _for_model(model, track)
    K = None
    if camera is not None and camera.K is not None:
        K = np.tile(camera.K.astype(np.float32), (len(keypoint), 1, 1))
        if crops is None:
            keypoint, confidence = camera.without_distortion(keypoint, confidence)
    usable = _usable(confidence, skeleton)
    shown = np.flatnonzero(usable)
    clip = np.zeros(len(shown), np.int64)
    K = None if K is None else K[shown]
    seen = Seen(keypoint[shown], confidence[shown], track.time[shown], clip, K, crops, shown)
    lifted = _predict(model, seen, model.window_step_s, settings)
    scale = _scale(lifted.canonical, skeleton, settings)
    pose = Pose3D(
        time=np.array(track.time),
        **lifted.everywhere(scale, usable),
        confidence=confidence,
        keypoint=keypoint,
        skeleton=skeleton.name,
        unit=settings.unit,
        device=describe_device(settings.device),
    )
    return replace(
        pose.on(track.skeleton),
        confidence=np.where(usable[:, None], track.confidence, 0).astype(np.float32),
        keypoint=track.keypoint,
    )


@stage(version=1, networks=network_versions)
def lift_samples(samples: Samples, model: Model, settings: LiftSettings) -> ViewPoses:
    """3D poses (S, V, J, 3) of a keypoint file, each from its view alone; NaN where too little is seen.

    Each view of each take is scaled to one body height, as a clip is by ``lift_poses``.

    Raises:
        PosepipeError: another skeleton, or no view that can be lifted.
    """
    keypoint, confidence, skeleton = _for_model(model, samples)
    usable = _usable(confidence, skeleton)
    sample, view = np.nonzero(usable)
    clip = samples.take[sample] * usable.shape[1] + view
    K = None if samples.K is None else samples.K[usable]
    time, step = samples.instant, None
    if samples.time is not None:
        time, step = samples.time, model.window_step_s
    seen = Seen(keypoint[usable], confidence[usable], np.asarray(time)[sample], clip, K)
    lifted = _predict(model, seen, step, settings)
    scale = np.empty(len(clip), np.float32)
    for label in np.unique(clip):
        scale[clip == label] = _scale(lifted.canonical[clip == label], skeleton, settings)
    return ViewPoses(
        **lifted.everywhere(scale, usable),
        confidence=np.where(usable[..., None], confidence, 0).astype(np.float32),
        take=np.array(samples.take),
        instant=np.array(samples.instant),
        skeleton=skeleton.name,
        unit=settings.unit,
        takes=samples.takes,
        time=None if samples.time is None else np.array(samples.time),
    ).on(samples.skeleton)


def _scale(pose: np.ndarray, skeleton: Skeleton, settings: LiftSettings) -> np.ndarray:
    """Factors (N) that scale poses (N, J, 3) of one person to the same body height.

    It is 1, the given height, or the one at which given segments have their total length in the median pose.
    """
    size = body_size(pose, skeleton)
    if not settings.segments_m:
        return (settings.height_m or 1.0) / size
    return stature_by_segments(pose / size[:, None, None], skeleton, settings.segments_m) / size


def check_intrinsics(model: Model, known: bool) -> None:
    """Check that the camera's intrinsics are known if the model needs them.

    Raises:
        PosepipeError: they are unknown.
    """
    if model.lifts_with_intrinsics and not known:
        raise PosepipeError(
            f"this model of method {model.method!r} needs the camera's intrinsics: give the focal length of the clip "
            "in pixels with --focal, or the array K in a keypoint file"
        )


def _for_model(model: Model, seen: Track | Samples) -> tuple[np.ndarray, np.ndarray, Skeleton]:
    """2D poses (..., J, 2) and confidences (..., J) on the skeleton that is lifted: with feet if both have them.

    Raises:
        PosepipeError: they are of another body than the model's.
    """
    source, target = SKELETONS[seen.skeleton], SKELETONS[model.skeleton]
    if source.body != target:
        raise PosepipeError(
            f"the model was trained on skeleton {model.skeleton}, but this clip's 2D poses are {seen.skeleton}; "
            "use the detector that the model was trained with"
        )
    if model.feet is not None:
        target = source.shown_by(seen.confidence)
    return target.pick(seen.keypoint, source, -2), target.pick(seen.confidence, source, -1), target


def _usable(confidence: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Mask (...) of 2D poses that show enough of the person to be lifted, from confidences (..., J).

    Raises:
        PosepipeError: none does.
    """
    seen = confidence[..., : len(skeleton.body.joints)] > 0
    usable = seen[..., list(skeleton.landmark("pelvis"))].all(-1) & (seen.mean(-1) >= MIN_JOINTS)
    if not usable.any():
        raise PosepipeError(
            "no frame shows enough of the athlete to be lifted; the hips and half of the joints must be seen"
        )
    return usable


@dataclass(frozen=True)
class Seen:
    """Usable 2D poses (N) of one or more clips."""

    keypoint: np.ndarray  # (N, J, 2) px
    confidence: np.ndarray  # (N, J)
    time: np.ndarray  # (N) s, or instants
    clip: np.ndarray  # (N) int
    K: np.ndarray | None = None  # (N, 3, 3) px
    crops: Crops | None = None
    frame: np.ndarray | None = None  # (N) of the crops' video


@dataclass(frozen=True)
class Lifted:
    """Lifted poses (N), of arbitrary scale."""

    joint: np.ndarray  # (N, J, 3)
    canonical: np.ndarray  # (N, J, 3)
    camera_from_canonical: np.ndarray  # (N, 3, 3)
    expected_error: np.ndarray | None  # (N, J)

    def everywhere(self, scale: np.ndarray, usable: np.ndarray) -> dict[str, Any]:
        """The arrays spread to all frames or views by the mask ``usable`` (...), lengths times ``scale`` (N)."""
        error = self.expected_error
        return {
            "joint": _spread(self.joint * scale[:, None, None], usable),
            "canonical": _spread(self.canonical * scale[:, None, None], usable),
            "camera_from_canonical": _spread(self.camera_from_canonical, usable),
            "expected_error": None if error is None else _spread(error * scale[:, None], usable),
        }


def _predict(model: Model, seen: Seen, step: float | None, settings: LiftSettings) -> Lifted:
    """Lift the usable 2D poses.

    Args:
        step: time between two frames of a window; by default that between two frames.
    """
    device = choose_device(settings.device)
    method, unit = model.build().to(device), model.build_refinement()
    check_intrinsics(model, seen.K is not None)

    body = slice(len(method.skeleton.joints))
    of_body = replace(seen, keypoint=seen.keypoint[:, body], confidence=seen.confidence[:, body])
    with torch.no_grad():
        blocks = [method.predict(view) for view in _blocks(of_body, method.window, step, device)]
        if unit is not None:
            unit.to(device)
            blocks = [unit.refine(block) for block in blocks]
    arrays: dict[str, Any] = {field.name: _joined(blocks, field.name) for field in fields(Lifted)}
    lifted = Lifted(**arrays)
    if np.isnan(lifted.joint).all():
        raise PosepipeError("the model finds no pose in any frame: what it sees is too unlike what it was trained on")
    feet = model.build_feet()
    return lifted if feet is None or seen.keypoint.shape[1] == body.stop else _with_feet(lifted, seen, feet)


def _with_feet(lifted: Lifted, seen: Seen, feet: FootLifter) -> Lifted:
    """Bodies with the feet that are seen behind them, whose expected errors are those of their ankles."""
    inputs = (torch.from_numpy(np.nan_to_num(array)) for array in (lifted.joint, seen.keypoint, seen.confidence))
    (placed,) = in_chunks(lambda *view: (feet.place(*view),), *inputs)
    joint, error = placed.numpy(), lifted.expected_error
    joint[np.isnan(lifted.joint).any((1, 2))] = np.nan
    ends = joint[:, lifted.joint.shape[1] :] @ lifted.camera_from_canonical
    return replace(
        lifted,
        joint=joint,
        canonical=np.concatenate([lifted.canonical, ends], 1),
        expected_error=None if error is None else np.concatenate([error, error[:, feet.ankles.numpy()]], 1),
    )


def _joined(blocks: list[Prediction], name: str) -> np.ndarray | None:
    """An array of all blocks, if they have it."""
    parts = [getattr(block, name) for block in blocks]
    return None if parts[0] is None else torch.cat(parts).cpu().numpy()


def _blocks(seen: Seen, window: int, step: float | None, device: torch.device) -> Iterator[View]:
    """Frames block by block, with the pictures of them or the frames around them."""

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.nan_to_num(array)).to(device)

    keypoint, confidence = on_device(seen.keypoint), on_device(seen.confidence)
    K = None if seen.K is None else on_device(seen.K)
    frames = np.arange(len(seen.time))
    windows = Windows(seen.time, seen.clip, frames >= 0, window, step) if window > 1 else None
    size = BLOCK if seen.crops is None and windows is None else LARGE_BLOCK
    for start in range(0, len(frames), size):
        part = slice(start, start + size)
        made: dict[str, Any] = {}
        if seen.crops is not None and seen.frame is not None:
            picture, crop_from_image = seen.crops.at(seen.frame[part])
            made |= {"crop": on_device(picture), "crop_from_image": on_device(crop_from_image)}
        if windows is not None:
            made["window"] = cut_windows(keypoint, confidence, K, windows.around(frames[part]))
        yield View(keypoint[part], confidence[part], None if K is None else K[part], **made)


def _spread(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Values of the usable frames spread to all frames, NaN elsewhere."""
    everywhere = np.full((*usable.shape, *values.shape[1:]), np.nan, np.float32)
    everywhere[usable] = values
    return everywhere
