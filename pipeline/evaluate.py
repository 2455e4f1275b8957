"""Evaluation: predicted poses against a reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import metrics
from ..models.skeleton import H36M17
from .errors import PosepipeError

WORLD, CAMERA = "joints_3d_m", "joints_3d_cam"
"""Arrays (F, 17, 3) in metres that a reference file holds: world axes, or camera axes."""

TURNING = ("MPJPE", "NMPJPE", "PCK", "N-PCK", "AUC", "N-AUC")
"""Measures that need the reference in camera axes."""


@dataclass(frozen=True)
class Score:
    """One clip's measures."""

    name: str
    frames: int
    missing: int
    """Reference frames without a prediction; they are left out of the means."""
    measures: dict[str, float]


def evaluate(prediction: Path | str, reference: Path | str) -> list[Score]:
    """Measures of predicted poses; of several clips also their mean, as the last row.

    Args:
        prediction: a ``poses.npz``, or a folder with one or more of them (results of ``fit`` or ``infer``).
        reference: an ``.npz`` with ``joints_3d_cam`` (F, 17, 3) in metres and camera axes, or ``joints_3d_m`` in
            world axes, for which only measures that forgive a rotation are given; or a folder with one such
            file per camera, named like it. With ``time`` (F) in s frames are matched by time, else by number.

    Raises:
        PosepipeError: missing or unsuitable files, or nothing in common.
    """
    prediction, reference = Path(prediction), Path(reference)
    files = [prediction] if prediction.is_file() else sorted(prediction.rglob("poses.npz"))
    if not files:
        raise PosepipeError(f"{prediction} holds no poses.npz; give the results folder of `posepipe fit` or `infer`")
    scores = [_score(path, _reference_of(path, reference)) for path in files]
    if len(scores) == 1:
        return scores
    shared = [name for name in scores[0].measures if all(name in score.measures for score in scores)]
    means = {name: float(np.mean([score.measures[name] for score in scores])) for name in shared}
    mean = Score("mean", sum(score.frames for score in scores), sum(score.missing for score in scores), means)
    return [*scores, mean]


def _reference_of(path: Path, reference: Path) -> Path:
    if reference.is_file():
        return reference
    name = path.parent.name.removesuffix("_posepipe")
    found = reference / f"{name}.npz"
    if not found.is_file():
        raise PosepipeError(f"there is no reference {found} for {path}")
    return found


def _score(path: Path, reference: Path) -> Score:
    predicted, true = _read(path), _read(reference)
    joint = _array(predicted, "joint", path)
    names = [str(name) for name in predicted["joint_names"]]
    if names != list(H36M17.joints):
        raise PosepipeError(
            f"{path} has other joints than the reference (h36m17); evaluate a fit with --skeleton h36m17"
        )
    axes = CAMERA if CAMERA in true else WORLD
    target = _array(true, axes, reference)
    which = _matching(np.asarray(predicted["time"]), true, len(target), path, reference)
    joint = np.where((which >= 0)[:, None, None], joint[which], np.nan) * 1000.0
    target = target * 1000.0
    good = metrics.complete(joint) & metrics.complete(target)
    if not good.any():
        raise PosepipeError(f"no frame of {path} has both a prediction and a reference in {reference}")
    measures = metrics.evaluate(joint[good], target[good])
    if axes == WORLD:
        measures = {name: value for name, value in measures.items() if name not in TURNING}
    elif str(predicted["unit"]) != "m":
        measures = {name: value for name, value in measures.items() if name not in ("MPJPE", "PCK", "AUC")}
    return Score(path.parent.name, int(good.sum()), int((~good).sum()), measures)


def _matching(time: np.ndarray, true: dict[str, Any], frames: int, path: Path, reference: Path) -> np.ndarray:
    """For each reference frame the predicted frame of the same time or number, -1 where there is none."""
    if "time" in true:
        wanted = np.asarray(true["time"])
        nearest = np.abs(time[None] - wanted[:, None]).argmin(1)
        half = np.median(np.diff(wanted)) / 2 if len(wanted) > 1 else 0.01
        return np.where(np.abs(time[nearest] - wanted) <= half, nearest, -1)
    if len(time) != frames:
        raise PosepipeError(
            f"{path} has {len(time)} frames, but {reference} has {frames} and no times to match them by"
        )
    return np.arange(frames)


def _read(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (OSError, ValueError, EOFError) as error:
        raise PosepipeError(f"{path} is not an .npz file of plain arrays") from error


def _array(archive: dict[str, Any], name: str, path: Path) -> NDArray[np.float64]:
    array = archive.get(name)
    if array is None or array.ndim != 3 or array.shape[1:] != (17, 3):
        shape = "none" if array is None else array.shape
        raise PosepipeError(f"{path}: expected an array {name!r} of shape (frames, 17, 3), found {shape}")
    return np.asarray(array, np.float64)
