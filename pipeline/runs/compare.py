"""Predicted and true poses, matched by frame and joint."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.body import metrics
from ...models.body.body import UNITS_M, body_size, unit_of_stature
from ...models.skeleton import H36M17
from ..errors import PosepipeError
from ..footage.keypoint_file import KeypointFile, open_keypoints
from ..footage.marker_file import MARKER_SUFFIXES, read_markers

log = logging.getLogger("posepipe")

WORLD, CAMERA = "joints_3d_m", "joints_3d_cam"
"""Names of arrays (F, 17, 3) in metres of a clip's reference: in world axes, or camera axes."""


@dataclass(frozen=True)
class Compared:
    """One clip's, or one keypoint file's, predicted poses beside the true ones, on the joints of H36M-17."""

    name: str
    predicted: NDArray[np.float64]  # (F, 17, 3) mm, NaN where missing
    lifted: NDArray[np.float64]
    """Predicted poses (F, 17, 3) in mm as lifted, of which expected errors speak; NaN where missing."""
    true: NDArray[np.float64]  # (F, 17, 3) mm, NaN where unknown
    camera: NDArray[np.str_]  # (F)
    action: NDArray[np.str_]  # (F), "" where unknown
    in_camera_axes: bool
    """Whether the true poses are in the axes of the camera, so that measures may count rotations as errors."""
    metric: bool
    """Whether predictions are in metres, so that measures may count scales as errors."""
    expected_error: NDArray[np.float64] | None
    """Expected errors (F, 17) in the unit of ``lifted``, if the model gives them."""
    supervision: str
    """True poses in the training of the model, from the file of predictions; "" if it does not say."""
    prior: str
    """What that training started from, in the same way."""


def compare(path: Path, reference: Path, filtered: bool = False) -> Compared:
    """Match predictions with their reference.

    Args:
        path: a ``poses.npz`` of ``fit`` or ``infer``.
        reference: for a keypoint file's poses that file; for a clip's see ``evaluate``; or a folder of such files.
        filtered: compare a clip's filtered motion, not its poses before the filter.

    Raises:
        PosepipeError: missing or unsuitable files, or other joints.
    """
    with open_keypoints(path) as predicted:
        joint = predicted.get("joint")
        arrays = joint is not None and joint.ndim == 4
        of = _reference_of(path, reference, arrays)
        if of.suffix.lower() in MARKER_SUFFIXES:
            if arrays:
                raise PosepipeError(f"{path} is of a keypoint file, whose reference is that file, not {of}")
            return _compare_markers(predicted, of, filtered)
        with open_keypoints(of) as true:
            return _compare_arrays(predicted, true, filtered) if arrays else _compare_clip(predicted, true, filtered)


def predicted_clip(path: Path, filtered: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (F) s and poses (F, 17, 3) of a clip's ``poses.npz``.

    Args:
        path: of ``fit`` or ``infer``.
        filtered: the filtered motion, not the poses before the filter.

    Raises:
        PosepipeError: missing, or the poses of a keypoint file.
    """
    with open_keypoints(path) as predicted:
        return predicted.array("time", "frames").astype(np.float64), _clip_joints(predicted, filtered)


def _clip_joints(predicted: KeypointFile, filtered: bool) -> NDArray[np.float64]:
    return _joints(predicted, "joint" if filtered or "joint_raw" not in predicted else "joint_raw", "frames")


def _lifted(predicted: KeypointFile, *axes: str) -> NDArray[np.float64]:
    """Poses (..., 17, 3) in m as lifted; in files that do not know of fitted ones these are the raw ones."""
    name = next(name for name in ("joint_lifted", "joint_raw", "joint") if name in predicted)
    return _joints(predicted, name, *axes)


def _reference_of(path: Path, reference: Path, arrays: bool) -> Path:
    if reference.is_file() or not reference.exists():
        return reference
    name = (path.parent if path.name == "poses.npz" else path).stem if arrays else path.parent.name
    stem = name.removesuffix("_posepipe")
    found = [reference / f"{stem}{suffix}" for suffix in (".npz", *MARKER_SUFFIXES)]
    there = [one for one in found if one.is_file()]
    if len(there) != 1:
        raise PosepipeError(
            f"there is no reference {found[0]} for {path}, nor a C3D or TRC"
            if not there
            else f"there are several references for {path} ({', '.join(map(str, there))}); give one of them"
        )
    return there[0]


def _compare_clip(predicted: KeypointFile, true: KeypointFile, filtered: bool) -> Compared:
    joint = _clip_joints(predicted, filtered)
    in_camera_axes = CAMERA in true
    target = _joints(true, CAMERA if in_camera_axes else WORLD, "frames")
    which = _matching(predicted, true, len(target))
    target = _in_metres(target, true.path)
    name, frames = predicted.path.parent.name, len(target)
    action = true.get("action")
    return Compared(
        name=name,
        predicted=np.where((which >= 0)[:, None, None], joint[which], np.nan) * 1000.0,
        lifted=np.where((which >= 0)[:, None, None], _lifted(predicted, "frames")[which], np.nan) * 1000.0,
        true=target * 1000.0,
        camera=np.full(frames, name),
        action=np.full(frames, "") if action is None else np.broadcast_to(action.astype(str), frames),
        in_camera_axes=in_camera_axes,
        metric=str(predicted.get("unit")) == "m",
        expected_error=_expected_error(predicted, which),
        **_learnt_from(predicted),
    )


def _compare_markers(predicted: KeypointFile, reference: Path, filtered: bool) -> Compared:
    """Predictions beside markers in an own rate and own axes: the markers are taken at the times of the frames."""
    joint = _clip_joints(predicted, filtered)
    time, markers = predicted.array("time", "frames"), read_markers(reference)
    target = _in_metres(markers.at(time), reference)
    name = predicted.path.parent.name
    return Compared(
        name=name,
        predicted=joint * 1000.0,
        lifted=_lifted(predicted, "frames") * 1000.0,
        true=target * 1000.0,
        camera=np.full(len(time), name),
        action=np.full(len(time), ""),
        in_camera_axes=False,
        metric=str(predicted.get("unit")) == "m",
        expected_error=_expected_error(predicted),
        **_learnt_from(predicted),
    )


def _in_metres(joint: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """True poses (F, 17, 3) in metres, which may be in another unit.

    Raises:
        PosepipeError: bodies that nobody has in any unit.
    """
    whole = joint[metrics.complete(joint)]
    if not len(whole):
        return joint
    stature = float(np.median(body_size(whole, H36M17)))
    unit = unit_of_stature(stature)
    if unit is None:
        raise PosepipeError(f"{path}: a body of {stature:.3g} m is none, nor one of cm or mm; give true poses in m")
    if unit != "m":
        log.warning("%s is in %s, as bodies of %.0f of it are; converted to metres", path, unit, stature)
    return joint * UNITS_M[unit]


def _expected_error(predicted: KeypointFile, which: Any = slice(None)) -> NDArray[np.float64] | None:
    """Expected errors (F, 17) in mm, of frames (F) or of all views of all samples."""
    expected = predicted.get("expected_error")
    if expected is None:
        return None
    order = _h36m17(predicted, expected.shape[-1])
    return expected[..., order].astype(np.float64).reshape(-1, 17)[which] * 1000.0


def _learnt_from(predicted: KeypointFile) -> dict[str, str]:
    """What the file says of the training of its model, by the names of ``Compared``."""
    said = predicted.get("provenance")
    try:
        facts = {} if said is None else json.loads(str(said))
        return {name: str(facts.get(name, "")) for name in ("supervision", "prior")}
    except (ValueError, AttributeError) as error:
        raise PosepipeError(f"{predicted.path}: 'provenance' is not a JSON object; make the file anew") from error


def _matching(predicted: KeypointFile, true: KeypointFile, frames: int) -> NDArray[np.int64]:
    """For each reference frame the predicted frame of the same time or number, -1 where there is none."""
    time = predicted.array("time", "frames")
    if "time" in true:
        wanted = true.array("time", frames)
        nearest = np.abs(time[None] - wanted[:, None]).argmin(1)
        half = np.median(np.diff(wanted)) / 2 if len(wanted) > 1 else 0.01
        return np.where(np.abs(time[nearest] - wanted) <= half, nearest, -1)
    if len(time) != frames:
        raise PosepipeError(
            f"{predicted.path} has {len(time)} frames, but {true.path} has {frames} and no times to match them by"
        )
    return np.arange(frames)


def _compare_arrays(predicted: KeypointFile, true: KeypointFile, filtered: bool) -> Compared:
    name = "joint" if filtered or "joint_raw" not in predicted else "joint_raw"
    joint = _joints(predicted, name, "samples", "views")
    target = _joints(true, "joint_3d_cam", "samples", "views")
    if joint.shape != target.shape:
        raise PosepipeError(
            f"{predicted.path} has {joint.shape[0]} samples of {joint.shape[1]} views, but {true.path} has "
            f"{target.shape[0]} of {target.shape[1]}; they must come from the same keypoint file"
        )
    samples, views = joint.shape[:2]
    return Compared(
        name=true.path.stem,
        predicted=joint.reshape(-1, 17, 3) * 1000.0,
        lifted=_lifted(predicted, "samples", "views").reshape(-1, 17, 3) * 1000.0,
        true=target.reshape(-1, 17, 3) * 1000.0,
        camera=np.tile([f"view {view}" for view in range(views)], samples),
        action=np.repeat(_actions(true, samples), views),
        in_camera_axes=True,
        metric=str(predicted.get("unit")) == "m",
        expected_error=_expected_error(predicted),
        **_learnt_from(predicted),
    )


def _actions(file: KeypointFile, samples: int) -> NDArray[np.str_]:
    """What is being done in each sample: as the file says, or its takes' names without their numbers."""
    action, names, take = file.get("action"), file.get("take_names"), file.get("take")
    if action is not None and action.shape == (samples,):
        return action.astype(str)
    if names is None or take is None:
        return np.full(samples, "")
    return np.array([re.sub(r"[ _]\d+$", "", str(name)) for name in names])[take]


def _joints(file: KeypointFile, name: str, *shape: int | str) -> NDArray[np.float64]:
    """An array of poses (..., 17, 3) with the joints of H36M-17; without names they count as in its order."""
    array = file.array(name, *shape, "joints" if "joint_names" in file else 17, 3)
    return array[..., _h36m17(file, array.shape[-2]), :].astype(np.float64)


def _h36m17(file: KeypointFile, count: int) -> NDArray[np.int64]:
    """Where the joints of H36M-17 (17) are among those of a file, which may have feet as well."""
    if "joint_names" not in file:
        return np.arange(count)
    skeleton, order = file.joints(count)
    if skeleton.body != H36M17:
        raise PosepipeError(
            f"{file.path} has the joints of {skeleton.name}, but poses are compared on h36m17; "
            "evaluate a fit with --skeleton h36m17"
        )
    return order[: len(H36M17.joints)]
