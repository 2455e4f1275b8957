"""Fit: from a folder of takes to a model and the 3D poses of every clip in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..detectors.choose import checked_options, choose_detector
from ..exporters import DEFAULT_EXPORTS, find_format
from ..footage.keypoint_file import is_keypoint_file
from ..footage.recording import Recording, results_folder
from ..pages.report import write_report
from ..runtime.workplace import Workplace, open_workplace, request_digest
from ..settings import Settings, check_name
from .checks import prepare
from .clip_chain import Cameras
from .fit_clips import Clips
from .fit_model import Learning
from .fit_report import report_of
from .fit_takes import Takes
from .fusion import Fusion
from .morphing import morph_digest
from .refinement import reference_digest
from .results import Fit
from .up_to_date import content_of, is_complete, result_folders
from .walk import Walk

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

    What was computed before with the same videos and settings is used again.

    Args:
        folder: videos of one take, or files of their 2D poses (``readers``), folders of such takes, or an .npz of
            samples (``keypoints``).
        out: where results go; by default beside ``folder``, as ``<folder>_posepipe``.
        settings: all settings (``load_settings``); the defaults if None.
        until: stop after this stage (one of ``STAGES``).
        exports: result files per clip.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    settings = settings or Settings()
    settings = settings.model_copy(update={"detect": checked_options(settings.detect)})
    if until is not None:
        check_name("stage", until, STAGES)
    for name in exports:
        find_format(name)
    if settings.device != "auto":
        from ..runtime.device import check_device  # imports torch, which a fit with nothing to do can do without

        check_device(settings.device)
    if is_keypoint_file(Path(folder)):
        from .fit_arrays import fit_arrays

        return fit_arrays(Path(folder), Path(out) if out else results_folder(Path(folder)), settings, until)
    recording = Recording.open(Path(folder)).without(settings.leave_out)
    target = Path(out) if out else results_folder(Path(folder))
    with open_workplace(target) as place:
        inputs = [*content_of(recording, place), reference_digest(settings, place), morph_digest(settings, place)]
        request = request_digest(settings.model_dump(mode="json"), until, exports, inputs)
        if place.journal.request == request and is_complete(recording, target, until, exports, settings):
            return Fit(
                target, target / "model.pt", result_folders(recording, target), target / "report.html", (), True
            )
        place.journal.begin()
        done = _Run(recording, place, settings, tuple(exports)).go(until)
        place.journal.end(request)
        return done


class _Run:
    """One walk through the stages: a method for each, in the order of ``STAGES``."""

    def __init__(self, recording: Recording, place: Workplace, settings: Settings, exports: tuple[str, ...]) -> None:
        self.walk = Walk(recording, place, settings)
        self.exports = exports
        self.method = prepare(self.walk)
        self.cameras = Cameras(self.walk, self.method.morph)
        self.takes = Takes(self.walk, self.cameras)
        self.learning = Learning(self.walk, self.method, self.takes)
        self.clips = Clips(self.walk, self.learning)
        self.fusion = Fusion(self.clips)

    def go(self, until: str | None) -> Fit:
        """All stages in order, up to and with ``until``."""
        place = self.walk.place
        for stage in STAGES:
            getattr(self, stage)()
            if stage == until or (stage == "train" and place.rank > 0):
                return Fit(place.folder, None, (), None, tuple(self.walk.warnings))
        return self.publish()

    def frames(self) -> None:
        """Timestamps of all videos."""
        self.cameras.extract()

    def detect(self) -> None:
        """People in all videos."""
        settings = self.walk.settings
        if any(camera.keypoints is None for _, camera in self.walk.cameras):
            self.cameras.detect(choose_detector(settings.detect, settings.device))

    def track(self) -> None:
        """All people in all videos."""
        self.cameras.track()

    def morph(self) -> None:
        """All people on the skeleton of the results."""
        self.cameras.morph()

    def synchronize(self) -> None:
        """Each take's cameras on one timeline, by the motion of a person whom all of them show."""
        self.takes.synchronize()

    def match(self) -> None:
        """Who is who across each take's cameras, and whose poses are wanted."""
        self.takes.match()

    def crop(self) -> None:
        """Pictures of labelled people, and of the athletes in all videos, if the method learns from pictures."""
        self.learning.crop_labelled()
        if "crops" in self.method.needs:
            self.takes.crop()

    def sides(self) -> None:
        """Left and right put right where time and the other cameras say so."""
        self.takes.sides()

    def samples(self) -> None:
        """Training samples of all takes."""
        self.learning.samples()

    def calibrate(self) -> None:
        """Where the cameras stand, as given or from joints, if the method needs to know."""
        self.learning.calibrate()

    def label(self) -> None:
        """3D poses from all views, if the method trains on them."""
        self.learning.label()

    def train(self) -> None:
        """The trained model, as ``model.pt``."""
        self.learning.train()

    def refine(self) -> None:
        """The model with a refinement unit in its place, if there are true poses to train one on."""
        self.learning.refine()

    def lift(self) -> None:
        """3D poses of every clip, each from its own camera alone."""
        self.clips.lift()

    def fuse(self) -> None:
        """One 3D skeleton per instant from all views of a take together."""
        if self.walk.settings.fuse.enabled:
            self.fusion.fuse()

    def motion(self) -> None:
        """Every view's poses as a motion."""
        self.clips.motion()

    def publish(self) -> Fit:
        """Result files of every clip, and the report."""
        folder = self.walk.place.folder
        results = self.clips.write(self.exports)
        fusion = self.fusion if self.walk.settings.fuse.enabled else None
        if fusion:
            fusion.write(self.exports)
        report = folder / "report.html"
        write_report(report, report_of(self.clips, fusion))
        return Fit(folder, self.clips.model_file.path, results, report, tuple(self.walk.warnings))
