"""The report of a fit, put together from what its stages found."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from .athlete import Athlete
from .clips import Clips
from .report import Report, ReportedCamera, ReportedTake

HARMFUL = 2.0
"""How many times more than in other takes the cameras of one may disagree before that is worth a warning."""


def report_of(clips: Clips) -> Report:
    """What the page shows."""
    disagreement = _disagreements(clips)
    return Report(
        title=clips.walk.recording.folder.resolve().name,
        takes=[
            ReportedTake(
                athlete.name,
                _reported(clips, athlete),
                clips.takes.timelines[athlete.take.name],
                clips.takes.swaps[athlete.name],
                disagreement[athlete.name].tolist(),
            )
            for athlete in clips.takes.athletes
        ],
        losses=clips.learning.model.losses,
        handedness=clips.learning.model.handedness,
        settings=(clips.walk.place.folder / "settings.toml").read_text(encoding="utf-8"),
        versions={name: version(name) for name in ("posepipe", "torch", "mediapipe", "mmpose")},
        warnings=clips.walk.warnings,
    )


def _disagreements(clips: Clips) -> dict[str, np.ndarray]:
    """How much the cameras disagree on each athlete's 3D poses, in body heights; says who disagrees most."""
    from .consistency import disagreement_in_3d  # imports torch

    found = {
        athlete.name: disagreement_in_3d(
            [clips.poses.get(view) for view in athlete.subjects], clips.takes.timelines[athlete.take.name]
        )
        for athlete in clips.takes.athletes
    }
    typical = {name: float(np.nanmedian(each)) for name, each in found.items() if np.isfinite(each).any()}
    for athlete in clips.takes.athletes:
        residual = typical.get(athlete.name, 0.0)
        others = [each for name, each in typical.items() if name != athlete.name]
        if others and residual > HARMFUL * np.median(others):
            clips.walk.warn(
                f"the cameras of take {athlete.name} disagree by {residual:.1%} of the body height, those of the "
                f"others by {np.median(others):.1%}: look at its synchronisation, "
                f"or try --leave-out {athlete.take.name!r}"
            )
    return found


def _reported(clips: Clips, athlete: Athlete) -> list[ReportedCamera]:
    """What the page shows of an athlete's views."""
    shown = zip(
        athlete.take.cameras,
        athlete.subjects,
        clips.walk.of(athlete.take, clips.takes.cameras.frame_sets),
        clips.walk.of(athlete.take, clips.takes.cameras.found),
        strict=True,
    )
    return [
        ReportedCamera(camera.name, camera.video.name, frames, found, clips.takes.tracks[view], clips.poses.get(view))
        for camera, view, frames, found in shown
    ]
