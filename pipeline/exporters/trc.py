"""poses.trc: marker trajectories for OpenSim, Pose2Sim and Sports2D.

TRC knows neither missing samples nor lengths without a unit, so:

* gaps inside are interpolated over time, and frames before the first and after the last pose are left out;
  ``Frame#`` and ``Time`` stay those of the clip, and ``OrigNumFrames`` is its full length;
* ``Units`` is ``m`` if the body height was given, else ``body_scale``: OpenSim reads such a file and leaves the
  numbers as they are, but its Scale tool refuses it, rightly, because nobody knows how tall the person is.

Axes are the camera's with y up, right-handed: x right, y up, z towards the camera. Poses are root-relative.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import Frames, Pose3D
from ..errors import PosepipeError
from . import Clip

KEYS = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
        "OrigNumFrames")  # fmt: skip
"""OpenSim checks these names and their order."""
Y_UP = np.array([1.0, -1.0, -1.0])
"""From camera axes (x right, y down, z forward)."""


def write(clip: Clip, path: Path) -> None:
    """Write the joints as markers.

    Raises:
        PosepipeError: no frame has a whole pose.
    """
    pose = clip.pose
    kept = _kept_frames(pose, clip.video)
    markers = [marker_name(joint) for joint in SKELETONS[pose.skeleton].joints]
    position = _without_gaps(pose.time[kept], pose.joint[kept] * Y_UP)
    rate = _number(_rate(clip.frames, pose))
    label = "_".join(f"{clip.video.stem} root relative.trc".split())
    values = (rate, rate, len(kept), len(markers), pose.unit.replace(" ", "_"), rate, 1, len(pose.time))
    header = (
        ("PathFileType", "4", "(X/Y/Z)", label),
        KEYS,
        map(str, values),
        ("Frame#", "Time", *(cell for marker in markers for cell in (marker, "", "")), ""),
        ("", "", *(f"{axis}{n}" for n in range(1, len(markers) + 1) for axis in "XYZ"), ""),
    )
    with path.open("w", newline="\n", encoding="utf-8") as file:
        file.writelines("\t".join(cells) + "\n" for cells in header)
        rows = np.column_stack([kept + 1, pose.time[kept], position.reshape(len(kept), -1)]).round(6) + 0.0  # no -0.0
        np.savetxt(file, rows, fmt=["%d"] + ["%.6f"] * (rows.shape[1] - 1), delimiter="\t")


def marker_name(joint: str) -> str:
    """``right_big_toe`` as the neighbours name it: ``RBigToe``."""
    side = {"left": "L", "right": "R"}
    return "".join(side.get(word, word.capitalize()) for word in joint.split("_"))


def _kept_frames(pose: Pose3D, video: Path) -> np.ndarray:
    """Indices of all frames from the first to the last that has a whole pose."""
    whole = np.flatnonzero(np.isfinite(pose.joint).all((1, 2)))
    if len(whole) == 0:
        raise PosepipeError(f"{video.name} has no frame with a 3D pose; leave out the format trc for it")
    return np.arange(whole[0], whole[-1] + 1)


def _without_gaps(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Positions (frame, joint, 3) whose missing samples are interpolated over time."""
    for joint in position.swapaxes(0, 1):  # (frame, 3), a view
        missing = np.isnan(joint).any(-1)
        if missing.any():
            for axis in joint.T:
                axis[missing] = np.interp(time[missing], time[~missing], axis[~missing])
    return position


def _rate(frames: Frames, pose: Pose3D) -> float:
    """Average frames per second of the time column, which runs slower than the video's in slow motion."""
    video, life = float(frames.time[-1]), float(pose.time[-1])
    return float(Fraction(frames.rate)) * (video / life if life > 0 else 1.0)


def _number(value: float) -> str:
    return str(round(value, 8))
