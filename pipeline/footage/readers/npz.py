"""npz: the arrays of one camera, such as our own ``poses.npz``.

keypoint     (F, J, 2) or (F, P, J, 2) px, x right, y down; NaN where missing
confidence   (F, J) or (F, P, J)   0..1; without it, or where it is NaN, a joint counts as sure
joint_names  (J) str
time         (F) s, or ``rate`` in frames per second, a number or an exact fraction as text
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from . import Found

_PICKLED = "positions_2d"
"""What VideoPose3D's files hold: a dictionary, which numpy can only pickle."""
_HOW_TO_SAVE = (
    "it holds positions_2d of VideoPose3D as a pickle, which is never opened, as it could run anything; save a "
    "camera without: np.savez('cam1.npz', keypoint=data['positions_2d'].item()[SUBJECT][ACTION][0], rate=50)"
)


def recognises(path: Path) -> bool:
    """Arrays of one camera: files of several, in which samples come first, are no clips (``keypoints``)."""
    if not path.is_file() or path.suffix.lower() != ".npz":
        return False
    with np.load(path, allow_pickle=False) as file:
        return _PICKLED in file or ("keypoint" in file and ("time" in file or "rate" in file))


def read(path: Path) -> Found:
    """All people of all frames.

    Raises:
        ValueError: damaged, pickled, or arrays of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if _PICKLED in file:
                raise ValueError(_HOW_TO_SAVE)
            wanted = ("keypoint", "confidence", "joint_names", "time", "rate")
            arrays = {name: file[name] for name in wanted if name in file}
    except BadZipFile as error:
        raise ValueError("it is damaged") from error
    keypoint = arrays["keypoint"]
    if keypoint.ndim not in (3, 4) or keypoint.shape[-1] != 2:
        raise ValueError(f"keypoint is {keypoint.shape}; expected (frames, joints, 2) or (frames, people, joints, 2)")
    if keypoint.ndim == 3:
        keypoint = keypoint[:, None]
    known = np.isfinite(keypoint).all(-1)
    confidence = arrays.get("confidence", np.full(known.shape, np.nan)).reshape(known.shape)
    frame, person = np.nonzero(known.any(-1))
    rate = arrays.get("rate")
    return Found(
        frame=frame,
        keypoint=keypoint[frame, person],
        confidence=confidence[frame, person],
        joints=tuple(str(name) for name in arrays.get("joint_names", ())),
        time=arrays["time"].astype(float) if "time" in arrays else None,
        rate=None if rate is None else _rate(str(rate.item())),
        frames=len(keypoint),
    )


def _rate(said: str) -> float:
    """Frames per second; NaN if it is no number."""
    try:
        return float(Fraction(said))
    except (ValueError, ZeroDivisionError):
        return float("nan")
