"""view.html: the video in sync with the 3D skeleton, with curves; one file that works offline.

The page holds a small copy of the video (``web_video``) with one picture for each pose at the poses' times, so that
the displayed picture determines the pose. Without a video, as for poses that were detected elsewhere, it shows the
skeletons only. Long clips are subsampled evenly, so that the page stays below 6 MB without the video.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...models.body.angles import HINTS, by_joint, joint_angles
from ..footage.video.web_video import jpeg, shrunk, size_within, web_video
from ..pages.page import drawn_poses, drawn_skeleton, packed, render_page
from ..pages.verdict import Verdict, verdict_of
from ..runtime.progress import progress
from ..stages.judge import RED
from .clip import Clip, Person

LONGEST_PX = 960
"""Longest side of the video in the page."""
MAX_BYTES = 3_600_000
"""Largest size of the poses and curves in a page, before encoding as text."""
PIXEL, DEGREE, PER_CENT, DISTANCE = 0.1, 0.1, 0.1, 0.01
"""Resolutions of 2D poses, angles, confidences and distances in the page."""
COLORS = 6
"""Number of colours of people in page.css."""

NAMES = {
    "clip_sha256": "SHA-256 of the clip",
    "model_sha256": "SHA-256 of the model",
    "method": "Training method",
    "detector": "2D poses by",
    "handedness": "Left and right",
    "supervision": "Learnt from",
    "prior": "Prior",
}
"""Labels on the page of entries of the provenance."""


def write(clip: Clip, path: Path) -> None:
    """Write the page."""
    stride = _stride(clip)
    film, first = _film(clip, stride)
    settings = clip.provenance.get("settings")
    data = page_data(clip, stride) | {"filmed": bool(film)}
    page = render_page(
        "view.html",
        title=clip.video.name,
        source_of="all cameras together" if clip.variant else "one camera",
        facts=_facts(clip),
        made=_made(clip, stride, len(film)),
        settings=json.dumps(settings, indent=1) if settings else "",
        verdicts=_verdicts(clip),
        untrusted=any(person["red"] for person in data["people"]),
        data=data,
        film=base64.b64encode(film).decode(),
        first=base64.b64encode(first).decode(),
    )
    path.write_text(page, encoding="utf-8")


def page_data(clip: Clip, stride: int) -> dict[str, Any]:
    """Data for the script: plain values, without NaN."""
    video, life = (time - time[0] for time in (clip.video_time, clip.time))
    return {
        "time": video[::stride].round(5).tolist(),
        "life": None if np.array_equal(video, life) else life[::stride].round(5).tolist(),
        "stride": stride,
        "image": clip.image_size,
        "skeleton": drawn_skeleton(clip.skeleton),
        "people": [_person(clip, person, number, stride) for number, person in enumerate(clip.people)],
    }


def _stride(clip: Clip) -> int:
    """Number of frames of the clip per pose in the page."""
    per_frame = len(clip.people) * (11 * len(clip.skeleton.joints) + 2 * (len(HINTS) * 2 + 2))
    return -(-len(clip.time) * per_frame // MAX_BYTES)


def _person(clip: Clip, person: Person, number: int, stride: int) -> dict[str, Any]:
    pose = person.pose
    confidence = np.nan_to_num(np.asarray(pose.confidence[::stride], float)).clip(0, 1)
    return {
        "name": person.name,
        "color": f"person{number % COLORS}" if len(clip.people) > 1 else "middle",
        **drawn_poses(pose, clip.skeleton, stride),
        "confidence": base64.b64encode(np.rint(255 * confidence).astype(np.uint8).tobytes()).decode(),
        "keypoint": packed(np.asarray(pose.keypoint[::stride], float), PIXEL),
        "charts": _charts(person, clip, stride),
        "red": [] if pose.trust is None else np.flatnonzero(np.asarray(pose.trust[::stride]) == RED).tolist(),
    }


def _verdicts(clip: Clip) -> list[tuple[str, Verdict]]:
    """The verdict on each person, with their name where there are several."""
    found = [(person.name, verdict_of(person.pose)) for person in clip.people]
    named = len(clip.people) > 1
    return [(name if named else "", verdict) for name, verdict in found if verdict is not None]


def _charts(person: Person, clip: Clip, stride: int) -> list[dict[str, Any]]:
    """Charts of the angles of both sides, of the trunk's, and of the confidence of the 2D poses."""
    pose = person.pose.without_missing_feet
    joint, skeleton = clip.whole(person)
    charts = {
        name: [
            {"name": side, "side": side, "values": packed(angle[::stride], DEGREE)} for side, angle in sides.items()
        ]
        for name, sides in by_joint(joint_angles(clip.level(joint), skeleton)).items()
    }
    sure = packed(100 * np.asarray(pose.confidence[::stride], float).mean(1), PER_CENT)
    made = [_chart(name.replace("_", " ").capitalize(), HINTS[name], "°", curves) for name, curves in charts.items()]
    made.append(_chart("Confidence", "mean of the 2D joints", "%", [_curve(sure)]))
    if pose.root_trajectory is not None:
        away = packed(np.asarray(pose.root_trajectory[::stride, 2], float), DISTANCE)
        unit = " m" if clip.unit == "m" else ""
        assumed = "; the focal length is assumed" if "assumed" in pose.root_camera else ""
        hint = "of the pelvis, along the camera's axis" + ("" if unit else ", in body heights") + assumed
        made.append(_chart("Distance, estimated", hint, unit, [_curve(away)]) | {"decimals": 1})
    return made


def _chart(title: str, hint: str, unit: str, curves: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "hint": hint, "unit": unit, "decimals": 0, "curves": curves}


def _curve(values: dict[str, Any]) -> dict[str, Any]:
    """The only one of a chart."""
    return {"name": "", "side": "", "values": values}


def _film(clip: Clip, stride: int) -> tuple[bytes, bytes]:
    """The video for the page, if there is one, and its first picture as JPEG, shown until the video is loaded."""
    if clip.frames is None:
        return b"", b""
    size = size_within(clip.image_size, LONGEST_PX)
    seconds = float(np.ptp(clip.video_time))
    first = b""
    with (
        closing(clip.pictures()) as pictures,
        progress(f"view {clip.video.name}", len(clip.video_time)) as advance,
    ):

        def chosen() -> Iterator[tuple[float, np.ndarray]]:
            nonlocal first
            shown = -1
            for time, picture in pictures:
                advance(1)
                frame = clip.frame_at(time)
                if frame > shown and frame % stride == 0:
                    shown = frame
                    small = shrunk(picture, size)
                    first = first or jpeg(small)
                    yield float(clip.video_time[frame] - clip.video_time[0]), small

        film = web_video(chosen(), size, seconds)
    return film, first


def _facts(clip: Clip) -> list[tuple[str, str]]:
    """The most important numbers, with labels."""
    poses = [person.pose.without_missing_feet for person in clip.people]
    there = np.stack([pose.there for pose in poses])
    sure = np.concatenate([pose.confidence[seen].ravel() for pose, seen in zip(poses, there, strict=True)])
    people = [(str(len(clip.people)), "people")] if len(clip.people) > 1 else []
    return [
        (f"{np.ptp(clip.time) + 1 / float(clip.life_rate):.1f} s", "of motion"),
        (f"{len(clip.time):,}", f"frames at {_decimal(clip.life_rate)} per second"),
        *people,
        (f"{there.any(0).mean():.0%}", "of frames with a 3D pose"),
        (f"{sure.mean() if sure.size else 0:.0%}", "mean confidence"),
    ]


def _made(clip: Clip, stride: int, film_bytes: int) -> list[tuple[str, str]]:
    """Label and value of each processing step of the clip."""
    facts = clip.facts("")
    rows = [(NAMES[key], _words(value)) for key, value in clip.provenance.items() if key in NAMES]
    width, height = clip.image_size
    slow = Fraction(clip.life_rate) / Fraction(clip.rate)
    every = "all frames" if stride == 1 else f"one in {stride} frames"
    return [
        ("Clip", f"{clip.video.name}, {width} × {height}, {_decimal(Fraction(clip.rate))} frames/s"),  # noqa: RUF001
        *([("Part", clip.part)] if clip.part else []),
        *([("Slow motion", f"{_decimal(slow)} times slower than real time")] if slow != 1 else []),
        *rows,
        *([("Lifted on", clip.people[0].pose.device)] if clip.people[0].pose.device else []),
        ("Motion", facts["motion"]),
        ("Unit of length", clip.unit),
        ("Origin", facts["root"]),
        ("This page", f"{every}, video of {film_bytes / 1e6:.1f} MB" if film_bytes else f"{every}, no video"),
        ("posepipe", str(clip.provenance.get("posepipe", ""))),
    ]


def _words(value: Any) -> str:
    """An entry of the provenance as text; values that differ between cameras with the cameras' names."""
    return "; ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def _decimal(value: Fraction) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
