"""A trained model in memory, for 2D poses in memory: no video, no files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..models.skeleton import SKELETONS
from .arrays import Pose3D, Track
from .errors import PosepipeError
from .lift import check_intrinsics, lift_track
from .model import Model
from .settings import LiftSettings, parse


class TrainedModel(Model):
    """A model that lifts arrays; ``load_model`` reads one."""

    def lift(
        self,
        keypoints: np.ndarray,
        confidence: np.ndarray,
        *,
        time_s: np.ndarray | None = None,
        height_m: float | None = None,
        segments_m: Mapping[str, float] | None = None,
        K: np.ndarray | None = None,
        device: str = "auto",
    ) -> Pose3D:
        """3D poses of one person seen by one camera, each as it was lifted; ``infer`` filters them as well.

        Args:
            keypoints: (frame, joint, 2) in px, x right, y down; the joints of the model's ``skeleton``, in its order.
            confidence: (frame, joint) in 0..1, 0 where a joint was not found.
            time_s: (frame) in s, rising; models that look at the frames around a pose need it, else frames count as
                1 s apart.
            height_m: the person's stature; poses are in metres then, else in body heights.
            segments_m: instead of it lengths of the person's segments, as for ``infer``.
            K: (3, 3) the camera's intrinsics in px, for models whose method needs them.
            device: where the network runs.

        Raises:
            PosepipeError: arrays that do not fit each other or the model, or a model that needs more than these.
        """
        keypoints, confidence = np.asarray(keypoints, np.float32), np.asarray(confidence, np.float32)
        joints = SKELETONS[self.skeleton].joints
        frames = len(keypoints)
        if keypoints.shape != (frames, len(joints), 2) or confidence.shape != keypoints.shape[:2]:
            raise PosepipeError(
                f"keypoints {keypoints.shape} and confidence {confidence.shape} should be (frame, {len(joints)}, 2) "
                f"and (frame, {len(joints)}): the joints of {self.skeleton}, {', '.join(joints)}"
            )
        if "crop" in self.recipe:
            raise PosepipeError(f"models of method {self.method!r} look at pictures; use infer with a video")
        if time_s is None and self.window_step_s is not None:
            raise PosepipeError("this model looks at the frames around a pose: give the time of each frame as time_s")
        time = np.arange(frames, dtype=float) if time_s is None else np.asarray(time_s, float)
        if time.shape != (frames,) or (np.diff(time) <= 0).any():
            raise PosepipeError(f"time_s {time.shape} should be {frames} rising times in s, one for each frame")
        check_intrinsics(self, K is not None)
        wanted = {"height_m": height_m, "segments_m": dict(segments_m or {}), "device": device}
        wanted |= {"intrinsics": None if K is None else np.asarray(K).tolist()}
        known = np.isfinite(keypoints).all(-1) & (confidence > 0)
        track = Track(
            time=time,
            keypoint=np.where(known[..., None], keypoints, np.float32("nan")),
            confidence=np.where(known, confidence, np.float32(0)),
            box=np.full((frames, 4), np.nan, np.float32),
            skeleton=self.skeleton,
            camera_moves=None,
            dropped=0,
        )
        return lift_track(self, track, None, parse(LiftSettings, wanted, "lift"))


def load_model(path: Path | str) -> TrainedModel:
    """Read a ``model.pt``; nothing in it is executed.

    Raises:
        PosepipeError: missing, not a posepipe model, of a newer version, or damaged.
    """
    return TrainedModel.read(Path(path))
