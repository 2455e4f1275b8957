"""Evaluation: predicted poses against a reference, as tables and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ...models.body import metrics
from ...models.body.angles import joint_angles
from ...models.body.metrics import Errors
from ...models.skeleton import H36M17
from ..errors import PosepipeError
from ..exporters.angles import opensim_name
from ..footage.keypoint_file import open_keypoints
from ..footage.marker_file import read_angles
from ..runtime.writing import writing_to
from .compare import Compared, compare, predicted_clip

TURNING = ("MPJPE", "NMPJPE", "PCK", "N-PCK", "AUC", "N-AUC")
"""Metrics that need the reference in camera axes."""
METRIC = ("MPJPE", "PCK", "AUC")
"""Metrics that need predictions in metres."""
WITHIN = {"25": 0.576, "50": 0.891, "75": 1.307, "90": 1.774}
"""Per cent of joints that should be nearer than so many times the error that is expected of them.

Quantiles of the gamma distribution of shape 3 over its mean: of distances in space that fall off exponentially.
"""
CURVE_MM = np.arange(0.0, 301.0, 5.0)


@dataclass(frozen=True)
class Score:
    """Metrics of a set of frames."""

    name: str
    frames: int
    missing: int
    """Reference frames without a prediction; they do not enter the means."""
    measures: dict[str, float]


@dataclass(frozen=True)
class ExpectedError:
    """Errors that a model expected, and actual ones after the best scale per pose."""

    expected_mm: float
    actual_mm: float
    """Means over joints, without the root."""
    rank_correlation: float
    """Spearman's, of expected and actual errors over all joints of all frames."""
    within: dict[str, float]
    """Quantile (%) -> share (%) of joints within it; equal if expected errors are calibrated."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of predicted poses against a reference."""

    clips: list[Score]
    """One per prediction file."""
    cameras: list[Score]
    actions: list[Score]
    mean: Score
    """Over all frames."""
    action_mean: Score | None
    """Mean of the actions' means, which most tables of Human3.6M show; None if no actions are known."""
    joints: dict[str, dict[str, float]]
    """Metrics by joint, over all frames."""
    curves: dict[str, list[float]]
    """Percentages at thresholds ``CURVE_MM``: of joints (PCK, N-PCK), of poses whose worst joint is closer (CPS)."""
    expected_error: ExpectedError | None
    """None if a model gives no expected errors, or the reference is in other axes."""
    supervision: list[str]
    """True poses in the training of the models, from the files of predictions."""
    prior: list[str]
    """What their trainings started from, in the same way."""


@dataclass(frozen=True)
class _Frames:
    """All frames that have a prediction and a reference (F), and what is left of those without prediction."""

    errors: Errors
    labels: dict[str, NDArray[np.str_]]  # "clips", "cameras", "actions" -> (F)
    missing: dict[str, NDArray[np.str_]]
    measures: tuple[str, ...]


def evaluate(
    prediction: Path | str,
    reference: Path | str,
    *,
    joints: Sequence[str] = (),
    clusters: Path | str | None = None,
    filtered: bool = False,
) -> Evaluation:
    """Compute metrics of predicted poses.

    Args:
        prediction: a ``poses.npz``, or a folder with one or more of them (results of ``fit`` or ``infer``).
        reference: for poses of a keypoint file, that file with ``joint_3d_cam``. For a clip's, an ``.npz`` with
            ``joints_3d_cam`` (F, 17, 3) in metres and camera axes, or ``joints_3d_m`` in world axes, for which only
            metrics that are invariant to rotation are computed; with ``time`` (F) in s frames are matched by time,
            else by number; ``action`` names the action. Or ``.c3d`` or ``.trc`` of markers named like joints, in
            their own rate and axes. Or a folder of such files, named like cameras or keypoint files.
        joints: joints to evaluate; all by default. Poses stay relative to the pelvis.
        filtered: evaluate a clip's filtered motion, not its poses before the filter.
        clusters: keypoint file with the true poses of the training split, or a file of ``save_clusters``: adds mPSS.

    Raises:
        PosepipeError: missing or unsuitable files, or nothing in common.
    """
    prediction, reference = Path(prediction), Path(reference)
    compared = [compare(path, reference, filtered) for path in _predictions(prediction)]
    chosen = _chosen(joints)
    frames = _frames(compared, chosen)
    mean = _score("all frames", frames, frames.errors, len(frames.missing["clips"]))
    if clusters is not None:
        mean.measures.update(_structure(compared, read_clusters(Path(clusters))))
    actions = [score for score in _scores(frames, "actions") if score.name]
    return Evaluation(
        clips=_scores(frames, "clips"),
        cameras=_scores(frames, "cameras"),
        actions=actions,
        mean=mean,
        action_mean=_mean_of(actions) if actions else None,
        joints={H36M17.joints[joint]: _joint(frames, place) for place, joint in enumerate(chosen)},
        curves=_curves(frames),
        expected_error=_expected_error(compared),
        supervision=sorted({one.supervision for one in compared} - {""}),
        prior=sorted({one.prior for one in compared} - {""}),
    )


@dataclass(frozen=True)
class AngleScore:
    """How well a joint angle of a clip agrees with that of a reference."""

    name: str
    """OpenSim's name of it."""
    frames: int
    off_deg: float
    """Mean distance."""
    bias_deg: float
    """Mean difference, the prediction's minus the reference's."""
    correlation: float
    """Pearson's, over time; NaN of an angle that does not change."""


def evaluate_angles(prediction: Path | str, reference: Path | str, *, filtered: bool = False) -> list[AngleScore]:
    """How well a clip's joint angles agree with a motion of OpenSim.

    Args:
        prediction: a clip's ``poses.npz``, or a folder with one.
        reference: ``.mot``; angles of the same names are compared, at the times of the clip's frames.
        filtered: of the filtered motion, not the poses before the filter.

    Raises:
        PosepipeError: unsuitable files, or no angle in common.
    """
    files = _predictions(Path(prediction))
    if len(files) > 1:
        raise PosepipeError(f"{prediction} holds {len(files)} clips; a .mot is compared with one: name its poses.npz")
    time, joint = predicted_clip(files[0], filtered)
    true_time, true = read_angles(Path(reference))
    scores = []
    for name, angle in joint_angles(joint, H36M17).items():
        known = true.get(opensim_name(name))
        shown = np.isfinite(angle) & (time >= true_time[0]) & (time <= true_time[-1])
        if known is None or not shown.any():
            continue
        made, wanted = angle[shown], np.interp(time[shown], true_time, known)
        same = np.ptp(made) == 0 or np.ptp(wanted) == 0
        correlation = np.nan if same else float(np.corrcoef(made, wanted)[0, 1])
        off = made - wanted
        scores.append(
            AngleScore(opensim_name(name), len(off), float(abs(off).mean()), float(off.mean()), correlation)
        )
    if not scores:
        raise PosepipeError(
            f"{files[0]} and {reference} have no angle at the same time; {reference} has {', '.join(true)}"
        )
    return scores


def _predictions(prediction: Path) -> list[Path]:
    """The files of poses in a results folder, or the one that is named."""
    files = [prediction] if prediction.is_file() else sorted(prediction.rglob("poses.npz"))
    if not files:
        raise PosepipeError(f"{prediction} holds no poses.npz; give the results folder of `posepipe fit` or `infer`")
    return files


def save_clusters(path: Path, training: Path) -> Path:
    """Write the centroids of the true poses of a keypoint file, for mPSS at 50 and 100 clusters."""
    named: dict[str, Any] = {f"centroids_{count}": found for count, found in read_clusters(training).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_to(path), path.open("wb") as file:
        np.savez(file, **named)
    return path


def read_clusters(path: Path) -> dict[int, NDArray[np.float64]]:
    """Centroids (clusters, 17 * 3) by number of clusters: stored ones, or those of a keypoint file's true poses.

    Raises:
        PosepipeError: the file holds neither.
    """
    with open_keypoints(path) as file:
        if "centroids_50" in file:
            return {count: file.array(f"centroids_{count}", count, 51) for count in metrics.PSS_CLUSTERS}
        true = file.array("joint_3d_cam", "samples", "views", "joints", 3).astype(np.float64)
        poses = true[..., file.joints(true.shape[2])[1], :].reshape(-1, 17, 3)
    try:
        known = poses[metrics.complete(poses)]
        return {count: metrics.pose_clusters(known, count) for count in metrics.PSS_CLUSTERS}
    except ValueError as error:
        raise PosepipeError(f"{path}: {error}") from error


def _chosen(joints: Sequence[str]) -> list[int]:
    unknown = [name for name in joints if name not in H36M17.joints]
    if unknown:
        raise PosepipeError(f"h36m17 has no joint {unknown[0]!r}; it has {', '.join(H36M17.joints)}")
    return [H36M17.index(name) for name in joints or H36M17.joints]


def _frames(compared: Sequence[Compared], joints: list[int]) -> _Frames:
    good = [metrics.complete(one.predicted) & metrics.complete(one.true) for one in compared]
    for one, kept in zip(compared, good, strict=True):
        if not kept.any():
            raise PosepipeError(f"no frame of {one.name} has both a prediction and a reference")
    lost = [metrics.complete(one.true) & ~kept for one, kept in zip(compared, good, strict=True)]

    def joined(arrays: list[np.ndarray], masks: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([array[mask] for array, mask in zip(arrays, masks, strict=True)])

    labels = {
        "clips": [np.full(len(one.true), one.name) for one in compared],
        "cameras": [one.camera for one in compared],
        "actions": [one.action for one in compared],
    }
    predicted = joined([one.predicted - one.predicted[:, :1] for one in compared], good)[:, joints]
    true = joined([one.true - one.true[:, :1] for one in compared], good)[:, joints]
    errors = metrics.all_errors(predicted, true, root=None)
    unfit = set() if all(one.in_camera_axes for one in compared) else set(TURNING)
    unfit |= set() if all(one.metric for one in compared) else set(METRIC)
    return _Frames(
        errors=errors,
        labels={name: joined(arrays, good) for name, arrays in labels.items()},
        missing={name: joined(arrays, lost) for name, arrays in labels.items()},
        measures=tuple(name for name in errors.summary() if name not in unfit),
    )


def _score(name: str, frames: _Frames, errors: Errors, missing: int) -> Score:
    summary = errors.summary()
    return Score(name, len(errors.root), missing, {measure: summary[measure] for measure in frames.measures})


def _scores(frames: _Frames, kind: str) -> list[Score]:
    """A score for each clip, camera or action, in order of appearance."""
    labels = frames.labels[kind]
    return [
        _score(name, frames, frames.errors.of(labels == name), int((frames.missing[kind] == name).sum()))
        for name in dict.fromkeys(labels.tolist())
    ]


def _mean_of(scores: Sequence[Score]) -> Score:
    measures = {name: float(np.mean([s.measures[name] for s in scores])) for name in scores[0].measures}
    return Score("mean of actions", sum(s.frames for s in scores), sum(s.missing for s in scores), measures)


def _joint(frames: _Frames, place: int) -> dict[str, float]:
    """A joint's metrics; CPS is one of whole poses."""
    score = _score("", frames, frames.errors.of(joints=[place]), 0)
    return {name: value for name, value in score.measures.items() if name != "CPS"}


def _curves(frames: _Frames) -> dict[str, list[float]]:
    errors = {"PCK": frames.errors.root, "N-PCK": frames.errors.scale, "CPS": frames.errors.procrustes.max(1)}
    return {
        name: [round(metrics.pck(values, threshold), 3) for threshold in CURVE_MM]
        for name, values in errors.items()
        if name in frames.measures
    }


def _expected_error(compared: Sequence[Compared]) -> ExpectedError | None:
    """Expected and actual errors of the poses as lifted."""
    if any(one.expected_error is None or not one.in_camera_axes for one in compared):
        return None
    expected, actual = [], []
    for one in compared:
        good = metrics.complete(one.lifted) & metrics.complete(one.true)
        predicted, true = metrics.align(one.lifted[good], one.true[good], "scale")
        before = one.lifted[good] - one.lifted[good][:, :1]
        scale = np.linalg.norm(predicted, axis=(1, 2)) / np.linalg.norm(before, axis=(1, 2))
        expected.append((np.asarray(one.expected_error)[good] * scale[:, None])[:, 1:].ravel())
        actual.append(np.linalg.norm(predicted - true, axis=-1)[:, 1:].ravel())
    all_expected, all_actual = np.concatenate(expected), np.concatenate(actual)
    correlation = float(spearmanr(all_expected, all_actual).statistic)
    within = {name: float(100 * (all_actual < times * all_expected).mean()) for name, times in WITHIN.items()}
    return ExpectedError(float(all_expected.mean()), float(all_actual.mean()), correlation, within)


def _structure(compared: Sequence[Compared], clusters: dict[int, NDArray[np.float64]]) -> dict[str, float]:
    """mPSS, on all joints."""
    if not all(one.in_camera_axes for one in compared):
        raise PosepipeError("mPSS needs a reference in camera axes")
    predicted, true = (
        np.concatenate(poses) for poses in ([one.predicted for one in compared], [one.true for one in compared])
    )
    good = metrics.complete(predicted) & metrics.complete(true)
    return {
        f"mPSS@{count}": metrics.pss(predicted[good], true[good], centroids) for count, centroids in clusters.items()
    }
