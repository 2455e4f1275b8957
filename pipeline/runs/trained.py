"""A trained model in memory, for 2D poses in memory: no video, no files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...models.skeleton import H36M17, H36M17_FEET, SKELETONS
from ..arrays import Pose3D, Track
from ..errors import PosepipeError
from ..footage.camera import Camera, focal_length
from ..settings import LiftSettings, RootSettings, parse
from ..stages.lift import check_intrinsics, lift_poses
from ..stages.place_root import place_root
from ..training.generic_lifter import named_model, read_model
from ..training.model_file import Model


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
        focal_px: float | None = None,
        image_size_px: tuple[int, int] | None = None,
        device: str = "auto",
    ) -> Pose3D:
        """3D poses of one person seen by one camera, each as it was lifted; ``infer`` filters them as well.

        Args:
            keypoints: (frame, joint, 2) in px, x right, y down; the joints of the model's ``skeleton``, in its order;
                those of results, which have feet behind them (``h36m17+feet``), are taken as well.
            confidence: (frame, joint) in 0..1, 0 where a joint was not found.
            time_s: (frame) in s, rising; models that look at the frames around a pose need it, else frames count as
                1 s apart.
            height_m: the person's stature; poses are in metres then, else in body heights.
            segments_m: instead of it lengths of the person's segments, as for ``infer``.
            K: (3, 3) the camera's intrinsics in px, for the root trajectory and for models whose method needs them.
            focal_px: instead of K the focal length alone; the principal point is the middle then.
            image_size_px: width and height of the pictures, which focal_px takes; with it alone a focal length is
                assumed for the root trajectory, as ``infer`` does. Without K and this there is no root trajectory.
            device: where the network runs.

        Raises:
            PosepipeError: arrays that do not fit each other or the model, or a model that needs more than these.
        """
        track = self._track(keypoints, confidence, time_s)
        camera = self._camera(K, focal_px, image_size_px)
        known = camera if K is not None or focal_px is not None else None
        check_intrinsics(self, known is not None)
        said = {"height_m": height_m, "segments_m": dict(segments_m or {}), "device": device}
        pose = lift_poses(track, None, known, self, parse(LiftSettings, said, "lift"))
        return place_root(pose, camera) if camera else pose

    def _track(self, keypoints: np.ndarray, confidence: np.ndarray, time_s: np.ndarray | None) -> Track:
        """The 2D poses, checked, as a stage would hand them over."""
        keypoints, confidence = np.asarray(keypoints, np.float32), np.asarray(confidence, np.float32)
        frames, skeleton = len(keypoints), self.skeleton
        if skeleton == H36M17.name and keypoints.shape[1:2] == (len(H36M17_FEET.joints),):
            skeleton = H36M17_FEET.name
        joints = SKELETONS[skeleton].joints
        if keypoints.shape != (frames, len(joints), 2) or confidence.shape != keypoints.shape[:2]:
            raise PosepipeError(
                f"keypoints {keypoints.shape} and confidence {confidence.shape} should be (frame, {len(joints)}, 2) "
                f"and (frame, {len(joints)}): the joints of {skeleton}, {', '.join(joints)}"
            )
        if "crop" in self.recipe:
            raise PosepipeError(f"models of method {self.method!r} look at pictures; use infer with a video")
        if time_s is None and self.window_step_s is not None:
            raise PosepipeError("this model looks at the frames around a pose: give the time of each frame as time_s")
        time = np.arange(frames, dtype=float) if time_s is None else np.asarray(time_s, float)
        if time.shape != (frames,) or (np.diff(time) <= 0).any():
            raise PosepipeError(f"time_s {time.shape} should be {frames} rising times in s, one for each frame")
        known = np.isfinite(keypoints).all(-1) & (confidence > 0)
        return Track(
            time=time,
            keypoint=np.where(known[..., None], keypoints, np.float32("nan")),
            confidence=np.where(known, confidence, np.float32(0)),
            box=np.full((frames, 4), np.nan, np.float32),
            skeleton=skeleton,
            camera_moves=None,
            dropped=0,
        )

    def _camera(
        self, K: np.ndarray | None, focal_px: float | None, image_size_px: tuple[int, int] | None
    ) -> Camera | None:
        """What is known or assumed of the camera."""
        if K is not None:
            matrix = np.asarray(K, float)
            if matrix.shape != (3, 3) or focal_px is not None:
                raise PosepipeError(f"give K as (3, 3), found {matrix.shape}, or focal_px in its place")
            return Camera.given(matrix)
        if image_size_px is None:
            if focal_px is not None:
                raise PosepipeError("with focal_px give image_size_px, as its middle is the principal point")
            return None
        root = parse(RootSettings, self.recipe.get("root", {}), "lift")
        return Camera.of_focal_length(image_size_px, *focal_length(image_size_px, focal_px, root))


def load_model(path: Path | str) -> TrainedModel:
    """Read a ``model.pt``, or "generic", the model that comes with posepipe; nothing in it is executed.

    Raises:
        PosepipeError: missing, not a posepipe model, of a newer version, or damaged.
    """
    model = read_model(named_model(path))
    return TrainedModel(**{name: getattr(model, name) for name in model.__dataclass_fields__})
