"""Lifting: one camera's 2D poses to 3D, with nothing but a trained model."""

from __future__ import annotations

import numpy as np
import torch

from ..models.body import body_size
from ..models.method import View
from ..models.skeleton import SKELETONS
from .arrays import Pose3D, Track
from .cache import SourceFile, stage
from .device import choose_device
from .errors import PosepipeError
from .model import Model
from .settings import LiftSettings

BLOCK = 4096
"""Frames in one network pass."""
MIN_JOINTS = 0.5
"""Share of joints that a frame must show to be lifted."""


@stage(version=1)
def lift_poses(track: Track, model_file: SourceFile, settings: LiftSettings) -> Pose3D:
    """3D poses of a clip; NaN in frames that show too little of the person.

    Each pose is scaled to one stature for the whole clip, as a body keeps its size and a single view
    cannot tell it: 1, or the given height in metres.

    Raises:
        PosepipeError: not a posepipe model, another skeleton, or a clip in which no frame can be lifted.
    """
    model = Model.read(model_file.path)
    if model.skeleton != track.skeleton:
        raise PosepipeError(
            f"the model {model_file.path} was trained on skeleton {model.skeleton}, but this clip's 2D poses are "
            f"{track.skeleton}; use the detector that the model was trained with"
        )
    skeleton = SKELETONS[track.skeleton]
    seen = track.confidence > 0
    root = list(skeleton.landmark("pelvis"))
    usable = seen[:, root].all(1) & (seen.mean(1) >= MIN_JOINTS)
    if not usable.any():
        raise PosepipeError(
            "no frame shows enough of the athlete to be lifted; the hips and half of the joints must be seen"
        )
    joint, canonical, rotation = _predict(model, track, usable, settings.device)
    scale = (settings.height_m or 1.0) / body_size(canonical, skeleton)
    return Pose3D(
        time=np.array(track.time),
        joint=_spread(joint * scale[:, None, None], usable),
        canonical=_spread(canonical * scale[:, None, None], usable),
        camera_from_canonical=_spread(rotation, usable),
        confidence=np.where(usable[:, None], track.confidence, 0).astype(np.float32),
        keypoint=np.array(track.keypoint),
        skeleton=track.skeleton,
        unit="m" if settings.height_m else "body heights",
    )


def _predict(
    model: Model, track: Track, usable: np.ndarray, device_name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (N, J, 3), canonical poses (N, J, 3) and rotations (N, 3, 3) of the usable frames."""
    device = choose_device(device_name)
    method = model.build().to(device)
    keypoint = torch.from_numpy(np.nan_to_num(track.keypoint[usable])).to(device)
    confidence = torch.from_numpy(track.confidence[usable]).to(device)
    with torch.no_grad():
        blocks = [
            method.predict(View(k, c)) for k, c in zip(keypoint.split(BLOCK), confidence.split(BLOCK), strict=True)
        ]
    joint, canonical, rotation = (
        torch.cat([getattr(block, name) for block in blocks]).cpu().numpy()
        for name in ("joint", "canonical", "camera_from_canonical")
    )
    return joint, canonical, rotation


def _spread(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Values of the usable frames at their places among all frames, NaN elsewhere."""
    everywhere = np.full((len(usable), *values.shape[1:]), np.nan, np.float32)
    everywhere[usable] = values
    return everywhere
