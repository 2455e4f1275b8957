"""report.html: the data and results of a fit on one page that works offline.

The page consists of ``templates/report.*`` and what all pages share. This file computes its content: tables of texts,
escaped by the template, pictures, and ``page_data`` for the script as JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...models.body.body import body_size
from ...models.skeleton import SKELETONS
from ..arrays import Frames, Pose3D, Swaps, Timeline, Track
from ..runtime.utilisation import Busy
from ..runtime.writing import write_atomically
from .angle_tables import angle_table, segment_rows
from .fit_charts import draw_canonical_space, draw_losses, draw_parities, hip_spread_deg
from .fit_verdict import DISAGREE, Evidence, Trust, different_poses, judge
from .page import drawn_poses, drawn_skeleton, render_page
from .reported import Report, ReportedCamera, ReportedTake
from .sync_chart import draw_signals
from .verdict import verdict_of

MAX_POSES = 600
"""Largest number of poses per clip in the page; longer clips are subsampled evenly."""
VERDICTS = {
    "ok": "Offsets and clock rates were found reliably.",
    "unsure": "Offsets and clock rates were found; see the warnings.",
    "stated": "Offsets are as stated in posepipe.toml.",
}
"""Sentences for the verdicts of timelines."""


def write_report(path: Path, report: Report) -> None:
    """Write the page."""
    write_atomically(path, render(report).encode())


def render(report: Report) -> str:
    """The page as HTML."""
    poses = [camera.pose for take in report.takes for camera in take.cameras if camera.pose]
    return render_page(
        "report.html",
        report=report,
        trust=verdict_on(report),
        facts=_facts(report),
        takes=[_take_tables(take) for take in report.takes],
        residuals=_residual_table(report.takes),
        confidence=_confidence_table(report.takes),
        losses=draw_losses(report.losses) if report.losses else "",
        parities="" if report.parity is None else draw_parities(report.parity),
        space=draw_canonical_space(poses) if poses else "",
        hip_spread_deg=hip_spread_deg(poses) if poses else None,
        data=page_data(report),
    )


def page_data(report: Report) -> dict[str, Any]:
    """Data for the script: plain values, without NaN."""
    poses = [(take, camera, camera.pose) for take in report.takes for camera in take.cameras if camera.pose]
    skeletons = [SKELETONS[pose.skeleton] for *_, pose in poses]
    return {
        "clips": [_clip(f"{take.name} / {camera.name}", pose) for take, camera, pose in poses],
        "skeleton": drawn_skeleton(skeletons[0]) if skeletons else None,
    }


def _clip(name: str, pose: Pose3D) -> dict[str, Any]:
    """At most ``MAX_POSES`` poses of a clip."""
    stride = -(-len(pose.time) // MAX_POSES)
    time = np.round(pose.time[::stride], 4).tolist()
    return {"name": name, "time": time, **drawn_poses(pose, SKELETONS[pose.skeleton], stride)}


def verdict_on(report: Report) -> Trust:
    """The verdict on the model."""
    return judge(_evidence(report))


def _evidence(report: Report) -> Evidence:
    cameras = [camera for take in report.takes for camera in take.cameras]
    shown = [np.asarray(camera.track.confidence).any(1) for camera in cameras]
    sure = [
        camera.track.without_missing_feet.confidence[seen].ravel()
        for camera, seen in zip(cameras, shown, strict=True)
    ]
    heights = [np.ptp(camera.track.box[seen][:, 1::2], axis=1) for camera, seen in zip(cameras, shown, strict=True)]
    return Evidence(
        handedness=report.handedness["verdict"] if report.handedness else "undecided",
        disagreement=[value for take in report.takes for value in take.disagreement],
        seen=float(np.concatenate(shown).mean()),
        confidence=float(np.concatenate(sure).mean()) if any(map(len, sure)) else 0.0,
        height_px=float(np.median(np.concatenate(heights))) if any(map(len, heights)) else 0.0,
        cameras=min(len(take.cameras) for take in report.takes),
        seconds=sum(max(_seconds(camera.frames) for camera in take.cameras) for take in report.takes),
        sync=[take.timeline.verdict for take in report.takes],
        expected_error=_expected_error([camera.pose for camera in cameras if camera.pose]),
        supervised=report.supervised,
        placed=report.placed,
        impossible=report.impossible,
        variety=_variety([camera.pose for camera in cameras if camera.pose]),
        clips=Counter(
            verdict.word for camera in cameras if camera.pose and (verdict := verdict_of(camera.pose)) is not None
        ),
    )


def _variety(poses: Sequence[Pose3D]) -> int:
    return different_poses([np.asarray(pose.joint) for pose in poses], poses[0].skeleton) if poses else 0


def _expected_error(poses: Sequence[Pose3D]) -> float | None:
    """Median expected error of the joints other than the root, in body heights."""
    told = [_in_statures(pose, np.asarray(pose.expected_error)) for pose in poses if pose.expected_error is not None]
    return float(np.nanmedian(np.concatenate(told))) if told else None


def _in_statures(pose: Pose3D, expected: np.ndarray) -> np.ndarray:
    """Expected errors (frame, joint) of the joints other than the root, in body heights."""
    there = pose.there
    stature = np.median(body_size(np.asarray(pose.joint)[there], SKELETONS[pose.skeleton])) if there.any() else 1.0
    return expected[:, 1:] / stature


def _facts(report: Report) -> list[tuple[str, str]]:
    """The most important numbers, with labels."""
    cameras = [camera for take in report.takes for camera in take.cameras]
    seconds = sum(_seconds(camera.frames) for camera in cameras)
    seen = sum(_athlete_share(camera.track) * len(camera.track.time) for camera in cameras)
    footage = f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    return [
        (str(len(report.takes)), "takes" if len(report.takes) != 1 else "take"),
        (str(len(cameras)), "clips"),
        (footage, "of footage"),
        (_percent(seen / max(1, sum(len(camera.track.time) for camera in cameras))), "of frames show the athlete"),
        (str(len(report.losses)), "epochs of training"),
    ]


def _take_tables(take: ReportedTake) -> dict[str, Any]:
    pages = [("all views together", take.page), *((camera.name, camera.page) for camera in take.cameras)]
    found = {(camera.detections.detector, camera.detections.confidence_kind) for camera in take.cameras}
    lifted = {camera.name: camera.pose for camera in take.cameras if camera.pose}
    return {
        "name": take.name,
        "clips": list(lifted),
        "pages": [(name, page) for name, page in pages if page],
        "cameras": [
            _camera_row(camera)
            | _sides_of(take.swaps, number)
            | _disagreement_of(take.disagreement, number)
            | _fused_of(take.fused, number)
            for number, camera in enumerate(take.cameras)
        ],
        "detectors": [f"{detector}; confidence is {kind}" for detector, kind in sorted(found)],
        "busy": sum((camera.busy for camera in take.cameras if camera.busy), Busy()),
        "sync": [_sync_row(camera.name, take.timeline, number) for number, camera in enumerate(take.cameras)],
        "verdict": VERDICTS[take.timeline.verdict],
        "angles": angle_table(lifted),
        "segments": segment_rows(lifted),
        "unit": "cm" if any(pose.unit == "m" for pose in lifted.values()) else "per cent of the body height",
        "cues": [_cue_row(take.cameras[cue["camera"]].name, cue) for cue in take.timeline.cues],
        "signals": draw_signals(
            [camera.name for camera in take.cameras],
            [camera.frames for camera in take.cameras],
            [camera.track for camera in take.cameras],
            take.timeline,
        ),
        "warnings": take.timeline.warnings,
    }


def _camera_row(camera: ReportedCamera) -> dict[str, str]:
    """A camera's cells by column title."""
    frames, track = camera.frames, camera.track
    return {
        "Camera": camera.name,
        "File": camera.file,
        "Codec": frames.codec,
        "Size": " × ".join(map(str, frames.image_size)),  # noqa: RUF001
        "Rotated": f"{frames.rotation}°" if frames.rotation else "no",
        "Frames/s": _rate(frames),
        "Frames": f"{len(frames.time):,}",
        "Readable": f"{_seconds(frames):.2f} s",
        "Missing": f"{frames.missing_s:.2f} s" if frames.missing_s else "nothing",
        "Moves": {True: "yes", False: "no", None: "could not be told"}[track.camera_moves],
        "Athlete in": _percent(_athlete_share(track)),
        "Trust": verdict.word if camera.pose and (verdict := verdict_of(camera.pose)) is not None else "",
        "Others left out": f"{track.dropped:,}",
    }


def _sides_of(swaps: Swaps | None, camera: int) -> dict[str, str]:
    """Numbers of frames in which left and right of legs or upper body are swapped, or may be."""
    if swaps is None:
        return {}
    length = swaps.end - swaps.start
    here = swaps.camera == camera
    swapped, doubtful = (int(length[here & (swaps.doubtful == doubt)].sum()) for doubt in (False, True))
    return {"Sides swapped": f"{swapped:,} frames", "Sides in doubt": f"{doubtful:,} frames"}


def _disagreement_of(disagreement: Sequence[float], camera: int) -> dict[str, str]:
    """Distance of a camera's 3D poses from those of the others, as a share of the body height."""
    if not disagreement:
        return {}
    residual = disagreement[camera]
    return {"3D disagreement": f"{residual:.1%} of the height" if np.isfinite(residual) else "could not be told"}


def _residual_table(takes: Sequence[ReportedTake]) -> dict[str, Any]:
    """``disagreement`` in per cent by take and camera, and its rating in 0..1; None where it is unknown."""
    names = list(dict.fromkeys(camera.name for take in takes for camera in take.cameras))
    rows = []
    for take in takes:
        residual = dict(zip([camera.name for camera in take.cameras], take.disagreement, strict=False))
        known = {name: value for name, value in residual.items() if np.isfinite(value)}
        cells = [
            (100 * known[name], max(0.0, 1 - known[name] / DISAGREE)) if name in known else None for name in names
        ]
        if known:
            rows.append({"name": take.name, "cells": cells})
    return {"cameras": names, "rows": rows}


def _fused_of(residual: Sequence[float], camera: int) -> dict[str, str]:
    """Distance of a camera's detections from the skeleton of all views together."""
    if not residual:
        return {}
    shown = f"{residual[camera]:.1f} px" if np.isfinite(residual[camera]) else "could not be told"
    return {"Off the skeleton of all views": shown}


def _sync_row(name: str, timeline: Timeline, camera: int) -> dict[str, str]:
    lag, shown = float(timeline.lag[camera]), np.isfinite(timeline.frame[:, camera])
    return {
        "Camera": name,
        "Offset": f"{_plus(timeline.offset[camera], 3)} s",
        "Clock drift": f"{_plus((timeline.rate[camera] - 1) * 1e6, 0)} ppm",
        "In the timeline": _percent(float(shown.mean()) if len(shown) else 0.0),
        "Remaining lag": f"{_plus(lag * 1e3, 0)} ms" if np.isfinite(lag) else "could not be told",
        "Agreement": f"{timeline.score[camera]:.2f}",
    }


def _cue_row(name: str, cue: Mapping[str, Any]) -> dict[str, str]:
    """The result of one cue for a camera's offset."""
    if cue["agrees"]:
        says = "the same" if cue["clear"] else "the same, if weakly"
    else:
        says = "too weak to count" if cue["cue"] != "timecode" else "another clock"
    return {
        "Camera": name,
        "Cue": cue["cue"],
        "Offset": f"{_plus(cue['offset_s'], 3)} s",
        "Peak ratio": "only one peak" if cue["ratio"] is None else f"{cue['ratio']:.1f}",
        "Says": says,
    }


def _confidence_table(takes: Sequence[ReportedTake]) -> dict[str, Any]:
    """Mean confidence of each joint over the frames that show the athlete; a missing joint counts as 0."""
    cameras = [(f"{take.name} / {camera.name}", camera.track) for take in takes for camera in take.cameras]
    skeleton = SKELETONS[cameras[0][1].skeleton]
    shown = skeleton.shown_by(np.concatenate([track.confidence for _, track in cameras]))
    rows = []
    for name, track in cameras:
        seen = np.asarray(track.confidence).any(1)
        confidence = shown.pick(track.confidence[seen], skeleton, -1)
        means = confidence.mean(0) if seen.any() else np.zeros(len(shown.joints))
        rows.append({"name": name, "values": [round(float(mean), 2) for mean in means]})
    return {"joints": [joint.replace("_", " ") for joint in shown.joints], "rows": rows}


def _athlete_share(track: Track) -> float:
    return float(np.asarray(track.confidence).any(1).mean())


def _seconds(frames: Frames) -> float:
    return float(frames.time[-1] - frames.time[0]) + 1 / float(Fraction(frames.rate))


def _rate(frames: Frames) -> str:
    """Frames per second, and whether they vary."""
    average = f"{float(Fraction(frames.rate)):.2f}".rstrip("0").rstrip(".")
    steps = np.diff(frames.time)
    varies = len(steps) > 1 and np.ptp(np.percentile(steps, [1, 99])) > 0.5 * np.median(steps)
    return f"{average} (variable)" if varies else average


def _plus(value: float, decimals: int) -> str:
    """A number with its sign, but without -0."""
    return f"{round(float(value), decimals) + 0.0:+.{decimals}f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0, 1) or 0.01 <= share <= 0.99 else f"{share:.1%}"
