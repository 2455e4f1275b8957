"""Fit and infer on keypoint files: arrays of 2D poses in, arrays of 3D poses out, no video anywhere."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..models.skeleton import SKELETONS
from .arrays import FusedPoses, Rig, Samples, ViewPoses, array_fields
from .cache import SourceFile, writing_to
from .calibrate import calibrate, describe_rig
from .errors import PosepipeError
from .exporters.clip import marked, root
from .exporters.npz import AXES
from .keypoints import open_keypoints, read_keypoints
from .label import label_poses
from .lenses import assumed_intrinsics
from .lift import check_intrinsics, lift_samples
from .model import Model
from .morphing import chosen_morph, morph_digest
from .move import move_joints_of_samples
from .reconstruction import of_footage, reconstruct
from .refinement import check_reference, reference_digest, refined_model, supervision_warning
from .results import MULTIVIEW, Fit, Inferred, write_model
from .samples import select_samples, two_view_warning
from .settings import (
    CAMERA_NEEDS,
    FROM_JOINTS,
    REPEATED,
    LiftSettings,
    Settings,
    TrainingSettings,
    check_name,
    method_class,
    method_needs,
    to_toml,
    training_settings,
)
from .workplace import Workplace, open_workplace, request_digest

log = logging.getLogger("posepipe")

STAGES = ("samples", "calibrate", "label", "train", "refine", "lift", "fuse")
POSES = "poses.npz"
FUSED = marked(POSES, MULTIVIEW)


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
        fused = (FUSED,) if settings.fuse.enabled and _shows_sizes(path) else ()
        files = [out / name for name in ("model.pt", "losses.jsonl", "settings.toml", POSES, *fused)]
        if place.journal.request == request and (until or all(file.exists() for file in files)):
            return Fit(out, None if until else files[0], () if until else (out / POSES,), None, (), True)
        place.journal.begin()
        done = _walk(path, place, settings, training, until)
        place.journal.end(request)
        return done


def infer_arrays(
    path: Path, model_path: Path, out: Path, settings: Settings, lifting: LiftSettings, focal_px: float | None
) -> Inferred:
    """3D poses of every view of a keypoint file, each from that view alone, with a model that a fit made.

    Args:
        focal_px: focal length of the cameras, where the method needs it and the file does not hold K.

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
        needs = method_class(model.method).needs
        with open_keypoints(path) as file:
            check_intrinsics(model, "K" in file or focal_px is not None)
            cameras = "K" if needs & CAMERA_NEEDS and "K" in file else ""
        samples = place.cache.run(read_keypoints, source, settings.morph.skeleton, False, cameras, subject=path.stem)
        if model.morph:
            samples = place.cache.run(move_joints_of_samples, samples, model.morph, subject=path.stem)
        if "intrinsics" in needs and samples.K is None and focal_px is not None:
            sizes = _image_sizes(path, samples)
            K = [assumed_intrinsics(width, height, focal_px) for width, height in sizes]
            samples = replace(samples, K=np.tile(np.array(K, np.float32), (len(samples.instant), 1, 1, 1)))
        pose = place.cache.run(lift_samples, samples, model_file, settings=lifting, subject=path.stem)
        write_poses(out / POSES, pose, _provenance(source, model_file, model))
        place.journal.end("")
        return Inferred(path, out, pose, (out / POSES,))


def write_poses(path: Path, pose: ViewPoses | FusedPoses, provenance: dict[str, Any]) -> None:
    """Write the arrays of a hand-over under their own names, and texts that say what they are; no pickle.

    ``joint`` is (sample, view, joint, 3) in the axes of each camera, the samples being those of the keypoint file, in
    its order. Of fused poses the one in the rig's axes is ``rig_joint`` (sample, joint, 3), and where its root is in
    camera axes ``root_in_camera``.
    """
    skeleton = SKELETONS[pose.skeleton]
    arrays = {field: getattr(pose, field) for field in array_fields(type(pose))}
    if isinstance(pose, FusedPoses):
        arrays |= {"rig_joint": pose.joint, "joint": pose.joint_in_camera, "root_in_camera": arrays.pop("root")}
    texts = {
        "skeleton": skeleton.name,
        "unit": pose.unit,
        "axes": AXES,
        "root": root(skeleton),
        "provenance": json.dumps({"posepipe": version("posepipe"), **provenance}, sort_keys=True),
    }
    making = path.with_name(f".making-{path.name}")
    with writing_to(path):
        try:
            with making.open("wb") as file:
                np.savez(
                    file,
                    joint_names=np.array(skeleton.joints),
                    bones=skeleton.bone_indices,
                    take_names=np.array(pose.takes),
                    **{name: array for name, array in arrays.items() if array is not None},
                    **{name: np.array(text) for name, text in texts.items()},
                )
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)


def _provenance(source: SourceFile, model_file: SourceFile, model: Model) -> dict[str, Any]:
    return {
        "keypoints_sha256": source.key,
        "model_sha256": model_file.key,
        "method": model.method,
        "supervision": model.supervision,
    }


def _checked_training(path: Path, settings: Settings) -> TrainingSettings:
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


def _image_sizes(path: Path, samples: Samples) -> list[list[int]]:
    """Width and height (px) of every view, for intrinsics that are assumed.

    Raises:
        PosepipeError: the file does not say them.
    """
    with open_keypoints(path) as file:
        return file.array("image_size", samples.confidence.shape[1], 2).tolist()


def _intrinsics_as_trained(samples: Samples, chosen: Samples, rig: Rig) -> Samples:
    """Samples with K as the takes' cameras were trained with, where the file does not hold it."""
    if samples.K is not None:
        return samples
    first = {take: place for place, take in reversed(list(enumerate(chosen.take.tolist())))}
    places = [first.get(take, 0) for take in samples.take.tolist()]
    return replace(samples, K=np.asarray(rig.K)[places])


def _walk(path: Path, place: Workplace, settings: Settings, training: TrainingSettings, until: str | None) -> Fit:
    """The stages in order, up to and with ``until``."""
    from .train import train_model

    run, name, source = place.cache.run, path.stem, place.source(path)
    needs = method_needs(settings)
    with open_keypoints(path) as file:
        wanted = "KRt" if needs & FROM_JOINTS else "K" if "intrinsics" in needs else ""
        cameras = "".join(array for array in wanted if array in file)
    samples: Samples = run(
        read_keypoints, source, settings.morph.skeleton, settings.samples.static_cameras, cameras, subject=name
    )
    network = chosen_morph(settings, {path: source.key})
    if network:
        samples = run(move_joints_of_samples, samples, network, subject=name)
    chosen = run(select_samples, samples, settings=settings.samples, subject=name)
    log.info("%s: %d of %d samples have enough views", path, len(chosen.instant), len(samples.instant))
    if until == "samples":
        return Fit(place.folder, None, (), None, ())
    rig, warnings = None, list(filter(None, [two_view_warning(chosen, needs)]))
    for warning in warnings:
        log.warning("%s: %s", path, warning)
    if needs & FROM_JOINTS:
        sizes = [] if samples.K is not None else [_image_sizes(path, samples)] * len(samples.takes)
        rig = run(calibrate, chosen, sizes, settings=settings.calibrate, subject=name)
        assumed = rig.intrinsics == "assumed"
        log.log(logging.WARNING if assumed else logging.INFO, "%s: %s", path, describe_rig(rig))
        warnings += [describe_rig(rig)] if assumed else []
        samples = _intrinsics_as_trained(samples, chosen, rig)
    if until == "calibrate":
        return Fit(place.folder, None, (), None, ())
    labels = run(label_poses, chosen, rig, settings=settings.label, subject=name) if "labels" in needs else None
    lesson = chosen
    if "reconstruction" in needs:
        sizes = [_image_sizes(path, samples)] * len(samples.takes)
        lesson, labels = reconstruct(place, chosen, sizes, settings, subject=name)
    if until == "label":
        return Fit(place.folder, None, (), None, ())
    trained = run(train_model, lesson, rig, labels, None, None, None, settings=training, subject=name)
    if place.rank > 0:
        return Fit(place.folder, None, (), None, ())
    trained = of_footage(trained, chosen)
    verdict, sentence = (trained.handedness[word] for word in ("verdict", "sentence"))
    log.log(logging.INFO if verdict == "clear" else logging.WARNING, "handedness: %s. %s", verdict, sentence)
    warnings += [] if verdict == "clear" else [f"handedness is {verdict}: {sentence}"]
    recipe = {name: getattr(settings, name).model_dump(mode="json") for name in REPEATED}
    recipe |= {"detector": f"2D poses of {path.name}", "samples": chosen.key}
    model_path = place.folder / "model.pt"
    model = replace(trained, recipe=recipe).with_morph(network)
    write_model(model, place.folder, to_toml(settings, training.options))
    if settings.refine.reference and until != "train":
        model = refined_model(model_path, place, settings, needs)
        write_model(model, place.folder, to_toml(settings, training.options))
        warnings.append(supervision_warning(model))
        log.warning(warnings[-1])
    if until in ("train", "refine"):
        return Fit(place.folder, model_path, (), None, tuple(warnings))
    model_file = place.source(model_path)
    pose = run(lift_samples, samples, model_file, settings=LiftSettings(device=settings.device), subject=name)
    write_poses(place.folder / POSES, pose, _provenance(source, model_file, model))
    if until != "lift" and settings.fuse.enabled:
        if _shows_sizes(path):
            from .fuse import fuse_views  # imports torch

            sizes = [_image_sizes(path, samples)] * len(samples.takes)
            fused = run(fuse_views, samples, pose, sizes, subject=name)
            log.info("%s: all views together leave a residual of %.1f px", path, np.nanmedian(fused.residual))
            write_poses(place.folder / FUSED, fused, _provenance(source, model_file, model))
        else:
            warnings.append(f"the views are not fused, as {path} has no array image_size (views, 2) of the pictures")
            log.warning(warnings[-1])
    return Fit(place.folder, model_path, (place.folder / POSES,), None, tuple(warnings))


def _shows_sizes(path: Path) -> bool:
    """Whether the file says where the pictures have their middle."""
    with open_keypoints(path) as file:
        return "image_size" in file
