"""Fit: from a folder of takes to a model and the 3D poses of every clip in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..detectors.choose import checked_options
from ..exporters import DEFAULT_EXPORTS, find_format
from ..footage.keypoint_file import is_keypoint_file
from ..footage.recording import Recording
from ..footage.sources import results_folder
from ..pages.report import write_report
from ..runtime.workplace import open_workplace
from ..settings import Settings, check_name
from .checks import prepare
from .clip_chain import ClipChain, check_part, check_whole
from .fit_clips import Origin, finish_views, lift_views, list_views, write_views
from .fit_fused import fuse_takes, place_takes, statures, write_takes
from .fit_model import (
    calibrate_takes,
    label_takes,
    moving_takes,
    publish_model,
    refine,
    sample_takes,
    train,
    unknown_cameras,
)
from .fit_report import Findings, report_of, say_trust
from .fit_run import FitRun, Stopped
from .fit_takes import crop_pictures, find_people, mend_takes
from .people.athletes import check_place, choose_athletes, match_takes
from .results import Fit, model_of, remove_other_results
from .up_to_date import FitRequest, digest_of

STAGES = (
    "frames", "detect", "track", "morph", "synchronize", "match", "crop", "sides", "samples", "calibrate", "label",
    "train", "refine", "lift", "fuse", "motion",
)  # fmt: skip
"""Stages in order; ``until`` names the last one."""


def fit(
    folder: Path | str,
    *,
    out: Path | str | None = None,
    settings: Settings | None = None,
    until: str | None = None,
    exports: Sequence[str] = DEFAULT_EXPORTS,
) -> Fit:
    """Train a model on the takes of a folder, or on a keypoint file, and lift all their clips with it.

    Existing results of the same videos and settings are used again.

    Args:
        folder: videos of one take, or files of their 2D poses (``readers``), folders of such takes, or an .npz of
            samples (``keypoint_file``).
        out: results folder; by default beside ``folder``, as ``<folder>_posepipe``.
        settings: all settings (``load_settings``); the defaults if None.
        until: stop after this stage (one of ``STAGES``).
        exports: result files per clip.

    Raises:
        PosepipeError: invalid input.
    """
    folder, settings = Path(folder), settings or Settings()
    target = Path(out) if out else results_folder(folder)
    settings = settings.model_copy(update={"detect": checked_options(settings.detect)})
    if until is not None:
        check_name("stage", until, STAGES)
    for name in exports:
        find_format(name)
    if settings.device != "auto":
        from ..runtime.device import check_device  # imports torch, which a fit with nothing to do can do without

        check_device(settings.device)
    if is_keypoint_file(folder):
        from .fit_arrays import fit_arrays

        check_whole(folder, (settings.from_s, settings.to_s))
        return fit_arrays(folder, target, settings, until, tuple(exports))
    check_part(settings.from_s, settings.to_s)
    recording = Recording.open(folder).without(settings.leave_out)
    asked = FitRequest.of(recording, settings, until, exports)
    model, report = model_of(target, STAGES, until), None if until else target / "report.html"
    with open_workplace(target) as place:
        request = digest_of(asked, place.digests)
        if place.journal.request == request and asked.is_complete(target) and (model is None or model.exists()):
            folders = () if until else tuple(target / "takes" / name for name, _ in asked.cameras)
            return Fit(target, model, folders, report, (), True)
        place.journal.begin()
        run = FitRun(asked, place)
        try:
            done = _all_stages(run, recording.folder.resolve().name)
        except Stopped:
            done = Fit(target, model if place.rank == 0 else None, (), None, tuple(run.warnings))
        place.journal.end(request)
        return done


def _all_stages(run: FitRun, title: str) -> Fit:
    """The pipeline: from cameras to pages, stage by stage."""
    method = prepare(run)
    check_place(run)
    chain = ClipChain(run.place.cache, run.settings, method.morph)

    # every camera by itself, then the cameras of every take together
    clips, seen, timelines = find_people(run, chain)
    athletes, tracks = choose_athletes(run, seen, match_takes(run, seen, timelines), timelines)
    run.reached("match")
    pictures = crop_pictures(run, method, clips, athletes, tracks)
    run.reached("crop")
    tracks, swaps = mend_takes(run, athletes, tracks, timelines)
    run.reached("sides")

    # all takes together
    moving = moving_takes(run, seen.everybody, athletes, tracks, timelines)
    cameras = unknown_cameras(run, athletes, clips)
    samples = sample_takes(run, method, athletes, tracks, timelines, moving)
    run.reached("samples")
    rig = calibrate_takes(run, method, samples, cameras)
    run.reached("calibrate")
    known = label_takes(run, method, samples, rig, cameras)
    run.reached("label")
    trained = train(run, method, known, pictures, athletes)
    run.lead()
    model = publish_model(run, method, trained, samples.training, [each.detector for each in seen.found.values()])
    run.reached("train")
    model = refine(run, method, model)
    run.reached("refine")

    # every view by itself, and all views of a take
    origin = Origin(run.place.source(run.place.folder / "model.pt"), model, seen.found)
    views = list_views(run, method, athletes, clips, samples.training, rig)
    lifted = lift_views(run, views, tracks, pictures.crops, model)
    run.reached("lift")
    fused = fuse_takes(run, samples.pinhole, athletes, lifted, cameras)
    run.reached("fuse")
    shown = next(iter(tracks.values())).skeleton
    together = fused and fused.on(shown)
    people = {} if together is None else place_takes(run, together, samples.pinhole.on(shown), athletes, timelines)
    poses = finish_views(chain, model, views, lifted, swaps, statures(people))
    run.reached("motion")

    results = write_views(run, chain, clips, views, poses, origin)
    of_takes = () if together is None else write_takes(run, together, people, athletes, clips, origin)
    remove_other_results(run.place.folder / "takes", results + of_takes)
    findings = Findings(clips, athletes, tracks, timelines, swaps, poses, fused, origin)
    report, content = run.place.folder / "report.html", report_of(run, chain, findings, title)
    write_report(report, content)
    say_trust(content)
    return Fit(run.place.folder, run.place.folder / "model.pt", results, report, tuple(run.warnings))
