"""The report of a fit, assembled from the results of its stages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Pose3D, Swaps, Timeline, Track
from ..exporters import EXPORTERS
from ..exporters.clip import marked
from ..pages.plausibility import impossible
from ..pages.report import verdict_on
from ..pages.reported import Report, ReportedCamera, ReportedTake
from .clip_chain import ClipChain, Opened
from .fit_clips import Origin
from .fit_fused import residual_px
from .fit_run import FitRun
from .people.athletes import Athlete
from .results import MULTIVIEW
from .up_to_date import installed_versions

log = logging.getLogger("posepipe")

VIEW = EXPORTERS["view"].file
HARMFUL = 2.0
"""Ratio of a take's disagreement to that of the others above which there is a warning."""


@dataclass(frozen=True)
class Findings:
    """Results of the stages for the report."""

    clips: Mapping[str, Opened]
    athletes: Sequence[Athlete]
    tracks: Mapping[str, Track]
    """By view, as poses."""
    timelines: Mapping[str, Timeline]
    """By take."""
    swaps: Mapping[str, Swaps]
    """By athlete."""
    poses: Mapping[str, Pose3D]
    fused: FusedPoses | None
    origin: Origin


def report_of(run: FitRun, chain: ClipChain, findings: Findings, title: str) -> Report:
    """The content of the page."""
    from ..runtime.device import describe_device  # these import torch, which a fit with nothing to do can do without
    from ..training.model_file import NO_SUPERVISION

    disagreement, model = _disagreements(run, findings), findings.origin.model
    fused, doubts = findings.fused, _impossible(run, findings)
    return Report(
        title=title,
        takes=[
            ReportedTake(
                athlete.name,
                _reported(run, chain, findings, athlete),
                findings.timelines[athlete.take.name],
                findings.swaps[athlete.name],
                disagreement[athlete.name].tolist(),
                () if fused is None else residual_px(fused, number, athlete),
                _page(run, Path(athlete.take.name, marked(VIEW, MULTIVIEW))),
            )
            for number, athlete in enumerate(findings.athletes)
        ],
        losses=model.losses,
        handedness=model.handedness,
        parity=_parities(findings.poses),
        supervised=model.supervision != NO_SUPERVISION,
        settings=(run.place.folder / "settings.toml").read_text(encoding="utf-8"),
        versions={
            **installed_versions(("posepipe", "torch", "openvino", "mmpose")),
            "networks run on": describe_device(run.settings.device),
            "prior of the training": model.prior,
        },
        warnings=run.warnings,
        placed=fused is not None and fused.cameras == "all",
        impossible=doubts,
    )


def say_trust(report: Report) -> None:
    """Say how far to trust the model."""
    trust = verdict_on(report)
    log.info("the model: %s. %s %s", trust.word, trust.sentence, trust.seen)


def _impossible(run: FitRun, findings: Findings) -> list[str]:
    """What cannot be true of the skeletons of all views; it is said now as well."""
    if findings.fused is None:
        return []
    found = []
    for number, athlete in enumerate(findings.athletes):
        clips = run.of(athlete.take, findings.clips)
        cameras = [(clip.camera.name, clip.frames.image_size.tolist()) for clip in clips]
        found += [f"take {athlete.name}: {said}" for said in impossible(findings.fused, number, cameras)]
    for sentence in found:
        run.warn(sentence)
    return found


def _parities(poses: Mapping[str, Pose3D]) -> np.ndarray:
    """Parities (pose) of all poses that were lifted, in units of what is evidence."""
    import torch

    from ...models.body.handedness import EVIDENCE, Parity

    joint = np.concatenate([np.asarray(pose.body.joint[pose.there]) for pose in poses.values()])
    skeleton, whole = SKELETONS[next(iter(poses.values())).skeleton].body, torch.from_numpy(joint)
    return Parity(skeleton)(whole).numpy() / EVIDENCE


def _disagreements(run: FitRun, findings: Findings) -> dict[str, np.ndarray]:
    """Disagreement of the cameras on each athlete's 3D poses, in body heights; warns of outlying takes."""
    from ..pages.consistency import disagreement_in_3d  # imports torch

    found = {
        athlete.name: disagreement_in_3d(
            [findings.poses.get(view) for view in athlete.views], findings.timelines[athlete.take.name]
        )
        for athlete in findings.athletes
    }
    typical = {name: float(np.nanmedian(each)) for name, each in found.items() if np.isfinite(each).any()}
    for athlete in findings.athletes:
        residual = typical.get(athlete.name, 0.0)
        others = [each for name, each in typical.items() if name != athlete.name]
        if others and residual > HARMFUL * np.median(others):
            run.warn(
                f"the cameras of take {athlete.name} disagree by {residual:.1%} of the body height, those of the "
                f"others by {np.median(others):.1%}: look at its synchronisation, "
                f"or try --leave-out {athlete.take.name!r}"
            )
    return found


def _reported(run: FitRun, chain: ClipChain, findings: Findings, athlete: Athlete) -> list[ReportedCamera]:
    """The page's content for an athlete's views."""
    reported = []
    for camera, view in zip(athlete.take.cameras, athlete.views, strict=True):
        name = f"{athlete.take.name}/{camera.name}"
        found = findings.origin.found[name]
        reported.append(
            ReportedCamera(
                camera.name,
                camera.video.name,
                findings.clips[name].frames,
                found,
                findings.tracks[view],
                findings.poses.get(view),
                _page(run, Path(athlete.take.name, camera.name, VIEW)),
                chain.busy_detecting(found),
            )
        )
    return reported


def _page(run: FitRun, below: Path) -> str:
    """A link from the report to a page below the folder of takes, if it is there."""
    page = Path("takes") / below
    return quote(page.as_posix()) if (run.place.folder / page).exists() else ""
