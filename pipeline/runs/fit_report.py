"""The report of a fit, put together from what its stages found."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...models.skeleton import SKELETONS
from ..exporters import EXPORTERS
from ..exporters.clip import marked
from ..pages.report import Report, ReportedCamera, ReportedTake
from .athlete import Athlete
from .fit_clips import Clips
from .fusion import Fusion
from .results import MULTIVIEW
from .seeing import busy_detecting

VIEW = EXPORTERS["view"].file
HARMFUL = 2.0
"""How many times more than in other takes the cameras of one may disagree before that is worth a warning."""


def report_of(clips: Clips, fusion: Fusion | None) -> Report:
    """What the page shows."""
    from ..runtime.device import describe_device  # these import torch, which a fit with nothing to do can do without
    from ..training.model_file import NO_SUPERVISION

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
                fusion.residual_px(athlete) if fusion else (),
                _page(clips, Path(athlete.take.name, marked(VIEW, MULTIVIEW))),
            )
            for athlete in clips.takes.athletes
        ],
        losses=clips.learning.model.losses,
        handedness=clips.learning.model.handedness,
        parity=_parities(clips),
        supervised=clips.learning.model.supervision != NO_SUPERVISION,
        settings=(clips.walk.place.folder / "settings.toml").read_text(encoding="utf-8"),
        versions={
            **{name: version(name) for name in ("posepipe", "torch", "mediapipe", "mmpose")},
            "networks run on": describe_device(clips.walk.settings.device),
        },
        warnings=clips.walk.warnings,
    )


def _parities(clips: Clips) -> np.ndarray:
    """Parities (pose) of all poses that were lifted, in units of what is evidence."""
    import torch

    from ...models.body.handedness import EVIDENCE, Parity

    joint = np.concatenate([np.asarray(pose.joint) for pose in clips.poses.values()])
    skeleton = SKELETONS[next(iter(clips.poses.values())).skeleton]
    whole = torch.from_numpy(joint[np.isfinite(joint).all((1, 2))])
    return Parity(skeleton)(whole).numpy() / EVIDENCE


def _disagreements(clips: Clips) -> dict[str, np.ndarray]:
    """How much the cameras disagree on each athlete's 3D poses, in body heights; says who disagrees most."""
    from ..pages.consistency import disagreement_in_3d  # imports torch

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
    track, pose = clips.takes.tracks, clips.poses
    return [
        ReportedCamera(
            camera.name,
            camera.video.name,
            frames,
            found,
            track[view],
            pose.get(view),
            _page(clips, Path(athlete.take.name, camera.name, VIEW)),
            busy_detecting(clips.walk.place.cache, found),
        )
        for camera, view, frames, found in shown
    ]


def _page(clips: Clips, below: Path) -> str:
    """A link from the report to a page below the folder of takes, if it is there."""
    page = Path("takes") / below
    return quote(page.as_posix()) if (clips.walk.place.folder / page).exists() else ""
