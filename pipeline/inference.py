"""Infer: 3D poses of new clips of a single camera, with a model that fit made."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .array_fitting import infer_arrays
from .calibrate import assumed_intrinsics
from .crop import crop_people
from .detect import detect_poses
from .detectors.choose import choose_detector
from .device import check_device
from .errors import PosepipeError
from .exporters import DEFAULT_EXPORTS, EXPORTERS, FROM_VIDEO
from .exporters.clip import Clip, Person
from .frames import extract_frames
from .keypoints import is_keypoint_file
from .lift import check_intrinsics, lift_poses
from .model import Model
from .morph import morph_skeleton
from .motion import make_motion
from .read import frames_of, read_people
from .readers import format_of
from .recording import DESCRIPTION, read_description, results_folder
from .results import Inferred, about, infer_request, provenance, write_results
from .settings import REPEATED, KeypointSettings, LiftSettings, Settings, check_name, parse, settings_from
from .sides import find_swaps, mend_sides
from .track import choose, shares, track_athlete, track_people
from .video import VIDEO_SUFFIXES
from .workplace import open_workplace

log = logging.getLogger("posepipe")


def infer(
    clip: Path | str,
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    height_m: float | None = None,
    focal_px: float | None = None,
    exports: Sequence[str] = DEFAULT_EXPORTS,
    overrides: dict[str, Any] | None = None,
    device: str = "auto",
) -> Inferred:
    """3D poses of a clip, from that clip alone.

    The clip goes through the same stages, with the same settings, as those that the model was trained
    on; what the fit that made the model has already detected is used again.

    Args:
        clip: a video, a file or folder of its 2D poses (``readers``), or an .npz of samples (``keypoints``).
        model: the ``model.pt`` of a fit; by default it is looked for beside the clip and in the current folder.
        out: where results go; by default beside the clip, as ``<clip>_posepipe``.
        height_m: the athlete's stature; results are in metres then, else in body heights.
        focal_px: focal length of the camera, for models whose method needs it; the principal point is the middle.
        exports: result files.
        overrides: settings of the stages before training that differ from the model's, nested.
        device: where networks run.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    clip = Path(clip)
    for name in exports:
        check_name("export", name, EXPORTERS)
    poses_given = clip.exists() and clip.suffix.lower() not in VIDEO_SUFFIXES and format_of(clip) is not None
    if clip.is_dir() and not poses_given:
        raise PosepipeError(f"{clip} is a folder; give a clip, or train on the folder with `posepipe fit`")
    if not clip.exists():
        raise PosepipeError(f"there is no file {clip}")
    path = Path(model) if model else find_model(clip)
    trained = Model.read(path)
    settings = recipe_settings(trained, overrides or {}, path)
    lifting = parse(LiftSettings, {"height_m": height_m, "device": device}, "infer")
    check_device(device)
    if is_keypoint_file(clip) and not poses_given:
        return infer_arrays(clip, path, Path(out) if out else results_folder(clip), settings, lifting, focal_px)
    check_intrinsics(trained, focal_px is not None)
    with (
        open_workplace(Path(out) if out else results_folder(clip), borrowed=(path.parent / "cache",)) as place,
        about(clip),
    ):
        place.journal.begin()
        run, source, name = place.cache.run, place.source(path), clip.stem
        video = place.source(clip)
        if poses_given:
            if "crop" in trained.recipe:
                raise PosepipeError(f"models of method {trained.method!r} look at pictures, and {clip} has none")
            own = read_description(clip.parent / DESCRIPTION, {}).get("keypoints", {})
            reading = parse(KeypointSettings, settings.keypoints.model_dump() | own, str(clip.parent / DESCRIPTION))
            found = run(read_people, video, settings=reading, subject=name)
            frames = run(frames_of, found, settings=reading, subject=name)
            exports = [export for export in exports if export not in FROM_VIDEO]
        else:
            frames = run(extract_frames, video, subject=name)
            if frames.missing_s:
                log.warning("%s breaks off: its last %.1f s are missing; the rest is used", clip, frames.missing_s)
            detector = choose_detector(settings.detect, device)
            found = run(detect_poses, video, frames, detector, settings=settings.detect, subject=name)
        if found.detector not in trained.recipe["detector"]:
            log.warning("the model was trained with another detector: %s", trained.recipe["detector"])
        if focal_px is not None:
            width, height = frames.image_size.tolist()
            K = assumed_intrinsics(width, height, focal_px)
            lifting = lifting.model_copy(update={"intrinsics": K.tolist()})
        people = run(track_people, frames, found, settings=settings.track, subject=name)
        wanted = [choose(shares(people, settings.people.person), settings.people.person)]
        if settings.people.everybody:
            wanted = list(range(len(people.score)))
        poses = {}
        for number in wanted:
            track = run(track_athlete, found, people, number, settings=settings.track, subject=name)
            crops = None
            if "crop" in trained.recipe:
                crops = run(crop_people, video, track, settings=settings.crop, subject=name)
            track = run(morph_skeleton, track, settings=settings.morph, subject=name)
            swaps = run(find_swaps, [track], None, settings=settings.sides, subject=name)
            track = run(mend_sides, track, swaps, 0, settings=settings.sides, subject=name)
            pose = run(lift_poses, track, crops, source, settings=lifting, subject=name)
            poses[f"person{number}"] = run(make_motion, pose, settings=settings.motion, subject=name)
        used = settings.detect, settings.track, settings.people, settings.morph, settings.sides, settings.motion
        origin = provenance(video, source, trained, *used, lifting)
        shown = tuple(Person(who, pose) for who, pose in poses.items())
        files = write_results(Clip.of_people(shown, frames, clip, origin), place.folder, exports)
        asked = {"height_m": height_m, "focal_px": focal_px, "overrides": overrides}
        place.journal.end(infer_request(video.key, source.key, asked))
        return Inferred(clip, place.folder, shown[0].pose, tuple(files), poses)


def find_model(clip: Path) -> Path:
    """The model for a clip, if none is named.

    Looked for in the results folders beside the clip and of the folder that it lies in, then in the
    current folder.

    Raises:
        PosepipeError: none, or several; the sentence lists where it was looked for.
    """
    beside = clip.absolute().parent
    places = [
        [beside / "model.pt"],
        sorted(beside.glob("*_posepipe/model.pt")),
        [results_folder(beside) / "model.pt"],
        [Path.cwd() / "model.pt"],
        sorted(Path.cwd().glob("*_posepipe/model.pt")),
    ]
    for place in places:
        found = [path for path in place if path.is_file()]
        if len(found) > 1:
            raise PosepipeError(
                f"there are several models for {clip} ({', '.join(map(str, found))}); choose one with --model"
            )
        if found:
            return found[0]
    looked = [beside / "model.pt", beside / "*_posepipe" / "model.pt", results_folder(beside) / "model.pt",
              Path.cwd() / "model.pt", Path.cwd() / "*_posepipe" / "model.pt"]  # fmt: skip
    unique = dict.fromkeys(map(str, looked))
    raise PosepipeError(
        f"found no model for {clip}; looked for {', '.join(unique)}; "
        "name one with --model, or run `posepipe fit` first"
    )


def recipe_settings(model: Model, overrides: dict[str, Any], path: Path) -> Settings:
    """The settings of the stages before training that a model was made with, but for ``overrides``.

    Raises:
        PosepipeError: an override that is not a setting of these stages, or a model that does not say its settings.
    """
    if missing := {*REPEATED, "detector"} - set(model.recipe):
        raise PosepipeError(f"{path} is damaged: its recipe lacks {min(missing)!r}; run fit again")
    repeated = (*REPEATED, "crop") if "crop" in model.recipe else REPEATED
    tree = {name: dict(model.recipe[name]) for name in repeated} | {"motion": dict(model.recipe.get("motion", {}))}
    for section, values in overrides.items():
        if section not in tree:
            raise PosepipeError(f"infer has no settings {section!r}; it repeats {', '.join(tree)} as in {path}")
        if not isinstance(values, dict):
            raise PosepipeError(
                f"{section} = {values!r}: {section} is a group of settings, e.g. {section}.NAME=VALUE"
            )
        tree[section] |= values
    return settings_from(tree, f"settings for {path}")
