"""Fit and infer on keypoint files: arrays of 2D poses in, arrays of 3D poses out, no video anywhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..arrays import ViewPoses
from ..errors import PosepipeError
from ..footage.keypoint_file import open_keypoints
from ..runtime.workplace import open_workplace, request_digest
from ..settings import (
    CAMERA_NEEDS,
    LiftSettings,
    Settings,
    TrainModelSettings,
    check_name,
    method_needs,
    training_settings,
)
from ..stages.lift import check_intrinsics, lift_samples
from ..stages.place_root import place_views
from ..training.model_file import Model
from .array_cameras import image_sizes, says_sizes, with_focal, with_intrinsics
from .array_course import STAGES, Course, read_samples
from .array_files import FUSED, POSES, provenance, write_poses
from .morphing import morph_digest
from .refinement import check_reference, reference_digest
from .results import Fit, Inferred


def fit_arrays(path: Path, out: Path, settings: Settings, until: str | None = None) -> Fit:
    """Train a model on the samples of a keypoint file and lift all its views with it.

    Writes ``model.pt``, ``losses.jsonl`` and ``settings.toml`` as a fit of videos does, and ``poses.npz`` with the 3D
    poses of every sample and view of the file, in its order (``write_poses``); ``poses_multiview.npz`` likewise holds
    those from all views of a take together.

    Args:
        path: ``.npz`` of 2D poses (``keypoints``).
        out: results folder.
        until: stop after this stage (one of ``STAGES``).

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    if until is not None:
        check_name("stage of a keypoint file", until, STAGES)
    training = _checked_training(path, settings)
    with open_workplace(out) as place:
        source = place.source(path)
        contents = source.key, reference_digest(settings, place), morph_digest(settings, place)
        request = request_digest(settings.model_dump(mode="json"), until, *contents)
        fused = (FUSED,) if settings.fuse.enabled and says_sizes(path) else ()
        files = [out / name for name in ("model.pt", "losses.jsonl", "settings.toml", POSES, *fused)]
        if place.journal.request == request and (until or all(file.exists() for file in files)):
            return Fit(out, None if until else files[0], () if until else (out / POSES,), None, (), True)
        place.journal.begin()
        done = Course(path, place, settings, training).walk(until)
        place.journal.end(request)
        return done


def infer_arrays(
    path: Path, model_path: Path, out: Path, settings: Settings, lifting: LiftSettings, focal_px: float | None
) -> Inferred:
    """3D poses of every view of a keypoint file, each from that view alone, with a model that a fit made.

    Args:
        focal_px: focal length of the cameras, where the file does not hold K: for the root trajectory, and for models
            whose method needs it.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    with open_workplace(out, borrowed=(model_path.parent / "cache",)) as place:
        place.journal.begin()
        model, model_file, source = Model.read(model_path), place.source(model_path), place.source(path)
        if "crop" in model.recipe:
            raise PosepipeError(
                f"models of method {model.method!r} look at pictures, and {path} has none; give a video"
            )
        with open_keypoints(path) as file:
            check_intrinsics(model, "K" in file or focal_px is not None)
            cameras = "K" if model.needs & CAMERA_NEEDS and "K" in file else ""
        read = partial(read_samples, place.cache, source, settings.morph, False, model.morph)
        samples = read(cameras)
        if model.lifts_with_intrinsics and samples.K is None and focal_px is not None:
            sizes = image_sizes(path, samples)
            samples = with_focal(samples, sizes, [focal_px] * len(sizes))
        pose: ViewPoses = place.cache.run(lift_samples, samples, model_file, settings=lifting, subject=path.stem)
        if seen := with_intrinsics(path, samples, partial(read, "K"), settings, focal_px):
            pose = place.cache.run(place_views, pose, *seen, subject=path.stem)
        write_poses(out / POSES, pose, provenance(source, model_file, model))
        place.journal.end("")
        return Inferred(path, out, pose, (out / POSES,))


def _checked_training(path: Path, settings: Settings) -> TrainModelSettings:
    """Settings of the method, checked before anything long begins, as are the arrays that it needs."""
    with open_keypoints(path) as file:
        sized = "image_size" in file
        known = "K" in file or (settings.calibrate.assumes_focal and sized)
    if "crops" in method_needs(settings):
        raise PosepipeError(
            f"method {settings.train.method!r} learns from pictures, and {path} has none; give videos"
        )
    if "reconstruction" in method_needs(settings) and not sized:
        raise PosepipeError(
            f"method {settings.train.method!r} needs the size of the pictures: add the array image_size (views, 2) "
            f"to {path}, or use --method canonpose"
        )
    check_reference(settings, method_needs(settings))
    return training_settings(
        settings,
        {"intrinsics"} if known else set(),
        f"add the array K, and if possible R and t, to {path}, or the array image_size (views, 2) and let a focal "
        "length be assumed with --set calibrate.field_of_view_deg=60 (or calibrate.focal_px)",
    )
