"""report.html: what a fit saw and learnt, in one page that works anywhere without a network.

The page, its style and its script are ``templates/report.*``; plotly.js is inlined. This file says what goes in:
tables of ready texts, escaped by the template, and ``page_data`` for the script, as JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from ..models.skeleton import SKELETONS
from .arrays import Detections, Frames, Pose3D, Swaps, Timeline, Track
from .cache import write_atomically
from .drawing import bone_sides, scene_of
from .sync_picture import draw_signals

TEMPLATES = Path(__file__).with_name("templates")
MAX_POSES = 600
"""Poses of a clip that the page holds; longer clips are thinned out evenly."""
STEP = 1e-3
"""Resolution of poses in the page, in their unit."""
MISSING = -32768
VERDICTS = {
    "ok": "Offsets and clock rates were found, and are sure.",
    "unsure": "Offsets and clock rates were found; see the warnings.",
    "stated": "Offsets are as stated in posepipe.toml.",
}
"""What the verdict of a timeline means."""


@dataclass(frozen=True)
class ReportedCamera:
    """One clip of a take."""

    name: str
    file: str
    frames: Frames
    detections: Detections
    track: Track
    pose: Pose3D | None = None


@dataclass(frozen=True)
class ReportedTake:
    """Cameras that saw the same moments, in the order of the timeline's."""

    name: str
    cameras: Sequence[ReportedCamera]
    timeline: Timeline
    swaps: Swaps | None = None
    disagreement: Sequence[float] = ()
    """Of each camera with the others on the 3D poses (``consistency``), in body heights; NaN if alone."""


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    title: str
    takes: Sequence[ReportedTake]
    losses: Sequence[Mapping[str, Any]] = ()
    """One row per epoch: phase, epoch, each loss term, total."""
    handedness: Mapping[str, Any] | None = None
    """Fields of ``models.handedness.Handedness``, and of ``takes`` by name its numbers."""
    settings: str = ""
    versions: Mapping[str, str] | None = None
    warnings: Sequence[str] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the page."""
    write_atomically(path, render(report).encode())


def render(report: Report) -> str:
    """The page as HTML."""
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return templates.get_template("report.html").render(
        report=report,
        facts=_facts(report),
        takes=[_take_tables(take) for take in report.takes],
        confidence=_confidence_table(report.takes),
        data=page_data(report),
        plotly=get_plotlyjs(),
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "report.js").read_text(encoding="utf-8"),
    )


def page_data(report: Report) -> dict[str, Any]:
    """What the script draws: plain values, without NaN."""
    poses = [(take, camera, camera.pose) for take in report.takes for camera in take.cameras if camera.pose]
    return {
        "clips": [_clip(f"{take.name} / {camera.name}", pose) for take, camera, pose in poses],
        "losses": _curves(report.losses),
        "missing": MISSING,
        "step": STEP,
    }


def _clip(name: str, pose: Pose3D) -> dict[str, Any]:
    """At most ``MAX_POSES`` poses, upright, as little-endian 16-bit steps (pose, joint, xyz) in base64."""
    skeleton, scene = SKELETONS[pose.skeleton], scene_of(pose)
    stride = -(-len(pose.time) // MAX_POSES)
    steps = scene.place(np.asarray(pose.joint[::stride], float)) / STEP
    numbers = np.where(np.isnan(steps), MISSING, np.rint(steps).clip(-32767, 32767)).astype("<i2")
    return {
        "name": name,
        "joints": skeleton.joints,
        "bones": skeleton.bone_indices.tolist(),
        "sides": bone_sides(skeleton),
        "time": np.round(pose.time[::stride], 4).tolist(),
        "pose": base64.b64encode(numbers.tobytes()).decode(),
        "floor": round(scene.floor, 4),
        "reach": round(scene.reach, 4),
    }


def _curves(losses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Loss terms over all epochs, the total first, and where phases begin."""
    terms = dict.fromkeys(
        key
        for row in losses
        for key, value in row.items()
        if isinstance(value, float | int) and key not in ("epoch", "total", "learning_rate")
    )
    phases = [row["phase"] for row in losses]
    starts = [epoch for epoch, name in enumerate(phases) if epoch == 0 or name != phases[epoch - 1]]

    def finite(value: Any) -> float | None:
        return float(f"{value:.5g}") if value is not None and np.isfinite(value) else None

    return {
        "terms": {term: [finite(row.get(term)) for row in losses] for term in ("total", *terms)},
        "phases": [{"name": str(phases[epoch]), "start": epoch + 1} for epoch in starts],
    }


def _facts(report: Report) -> list[tuple[str, str]]:
    """The few numbers that say most, with what they are."""
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
    found = {(camera.detections.detector, camera.detections.confidence_kind) for camera in take.cameras}
    return {
        "name": take.name,
        "cameras": [
            _camera_row(camera) | _sides_of(take.swaps, number) | _disagreement_of(take.disagreement, number)
            for number, camera in enumerate(take.cameras)
        ],
        "detectors": [f"{detector}; confidence is {kind}" for detector, kind in sorted(found)],
        "sync": [_sync_row(camera.name, take.timeline, number) for number, camera in enumerate(take.cameras)],
        "verdict": VERDICTS[take.timeline.verdict],
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
        "Others left out": f"{track.dropped:,}",
    }


def _sides_of(swaps: Swaps | None, camera: int) -> dict[str, str]:
    """In how many frames left and right of legs or upper body were found swapped, or may be."""
    if swaps is None:
        return {}
    length = swaps.end - swaps.start
    here = swaps.camera == camera
    swapped, doubtful = (int(length[here & (swaps.doubtful == doubt)].sum()) for doubt in (False, True))
    return {"Sides swapped": f"{swapped:,} frames", "Sides in doubt": f"{doubtful:,} frames"}


def _disagreement_of(disagreement: Sequence[float], camera: int) -> dict[str, str]:
    """How far a camera's 3D poses are from those of the others, as a share of the body height."""
    if not disagreement:
        return {}
    residual = disagreement[camera]
    return {"3D disagreement": f"{residual:.1%} of the height" if np.isfinite(residual) else "could not be told"}


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
    """What one cue says of a camera's offset."""
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
    """Mean confidence of each joint over the frames that show the athlete; a joint not found counts as 0."""
    cameras = [(f"{take.name} / {camera.name}", camera.track) for take in takes for camera in take.cameras]
    skeleton = SKELETONS[cameras[0][1].skeleton]
    rows = []
    for name, track in cameras:
        seen = np.asarray(track.confidence).any(1)
        means = track.confidence[seen].mean(0) if seen.any() else np.zeros(len(skeleton.joints))
        rows.append({"name": name, "values": [round(float(mean), 2) for mean in means]})
    return {"joints": [joint.replace("_", " ") for joint in skeleton.joints], "rows": rows}


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
    """A number with its sign, but no -0."""
    return f"{round(float(value), decimals) + 0.0:+.{decimals}f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0, 1) or 0.01 <= share <= 0.99 else f"{share:.1%}"
