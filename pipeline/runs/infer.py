"""Infer: 3D poses of new clips of a single camera, with a model that fit made."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..arrays import Crops, Detections, Frames, Identities, Pose3D, Track
from ..detectors.choose import checked_options, choose_detector
from ..errors import PosepipeError
from ..exporters import DEFAULT_EXPORTS, FROM_VIDEO, find_format
from ..exporters.clip import Clip, Person
from ..footage.camera import Optics, find_optics
from ..footage.description import DESCRIPTION, read_description, stated_focal
from ..footage.keypoint_file import is_keypoint_file
from ..footage.lenses import assumed_intrinsics
from ..footage.readers import format_of
from ..footage.recording import results_folder
from ..footage.video import VIDEO_SUFFIXES
from ..runtime.cache import Cache, SourceFile
from ..runtime.device import check_device
from ..runtime.workplace import open_workplace
from ..settings import (
    AFTER_LIFTING,
    REPEATED,
    KeypointSettings,
    LiftSettings,
    Settings,
    changed_detection,
    parse,
    settings_from,
)
from ..stages.crop import crop_people
from ..stages.frames import extract_frames
from ..stages.import_poses import frames_of, read_people
from ..stages.lift import check_intrinsics, lift_poses
from ..stages.morph import morph_skeleton
from ..stages.move import move_joints
from ..stages.place_root import place_root
from ..stages.sides import describe_swaps, find_swaps, mend_sides
from ..stages.smooth import make_motion
from ..stages.track import choose, shares, track_athlete, track_people
from ..training.model_file import Model
from .fit_arrays import infer_arrays
from .results import Inferred, about, infer_request, provenance, write_results
from .seeing import people_in

log = logging.getLogger("posepipe")


def infer(
    clip: Path | str,
    *,
    model: Path | str | None = None,
    out: Path | str | None = None,
    height_m: float | None = None,
    segments_m: Mapping[str, float] | None = None,
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
        segments_m: instead of it lengths of the athlete's segments: "thigh", "shank", "upper_arm" and "forearm" for
            the mean of both sides, "left_thigh" and so on, "trunk", "shoulder_width", "hip_width".
        focal_px: focal length of the camera, for the root trajectory and for models whose method needs it; the
            principal point is the middle. Without it, what ``posepipe.toml`` or the video says, else an assumed one.
        exports: result files.
        overrides: settings of the stages before training that differ from the model's, nested.
        device: where networks run.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    clip = Path(clip)
    for name in exports:
        find_format(name)
    poses_given = _holds_poses(clip)
    path = Path(model) if model else find_model(clip)
    trained = Model.read(path)
    settings = recipe_settings(trained, overrides or {}, path)
    lifting = parse(LiftSettings, lifting_options(height_m, segments_m) | {"device": device}, "infer")
    check_device(device)
    target = Path(out) if out else results_folder(clip)
    if is_keypoint_file(clip) and not poses_given:
        return infer_arrays(clip, path, target, settings, lifting, focal_px)
    check_intrinsics(trained, focal_px is not None)
    with open_workplace(target, borrowed=(path.parent / "cache",)) as place, about(clip):
        place.journal.begin()
        source, video = place.source(path), place.source(clip)
        chain = _Chain(place.cache, video, trained, settings)
        if poses_given:
            frames, found = chain.read()
            exports = [export for export in exports if export not in FROM_VIDEO]
        else:
            frames, found = chain.detect(device)
        if found.detector not in trained.recipe["detector"]:
            log.warning("the model was trained with another detector: %s", trained.recipe["detector"])
        if focal_px is not None:
            width, height = frames.image_size.tolist()
            K = assumed_intrinsics(width, height, focal_px)
            lifting = lifting.model_copy(update={"intrinsics": K.tolist()})
        poses = chain.lift(frames, found, source, lifting, focal_px)
        shown = tuple(Person(who, pose) for who, pose in poses.items())
        origin = provenance(video, source, trained, found.detector, *chain.used, lifting)
        files = write_results(Clip.of_people(shown, frames, clip, origin), place.folder, exports)
        asked = lifting_options(height_m, segments_m) | {"focal_px": focal_px, "overrides": overrides}
        place.journal.end(infer_request(video.key, source.key, asked))
        return Inferred(clip, place.folder, shown[0].pose, tuple(files), poses)


def _holds_poses(clip: Path) -> bool:
    """Whether a clip is not a video but its 2D poses."""
    poses_given = clip.exists() and clip.suffix.lower() not in VIDEO_SUFFIXES and format_of(clip) is not None
    if clip.is_dir() and not poses_given:
        raise PosepipeError(f"{clip} is a folder; give a clip, or train on the folder with `posepipe fit`")
    if not clip.exists():
        raise PosepipeError(f"there is no file {clip}")
    return poses_given


@dataclass(frozen=True)
class _Chain:
    """The stages that a clip goes through, as those did that the model was trained on."""

    cache: Cache
    clip: SourceFile
    model: Model
    settings: Settings

    @property
    def name(self) -> str:
        """The clip, for people."""
        return self.clip.path.stem

    @property
    def used(self) -> tuple[BaseModel, ...]:
        """Settings that the poses depend on."""
        of = self.settings
        return of.detect, of.track, of.people, of.morph, of.sides, of.root, of.motion

    @property
    def keypoints(self) -> KeypointSettings:
        """What is said of a file of 2D poses."""
        description = self.clip.path.parent / DESCRIPTION
        own = read_description(description, {}).get("keypoints", {})
        return parse(KeypointSettings, self.settings.keypoints.model_dump() | own, str(description))

    def read(self) -> tuple[Frames, Detections]:
        """The people of a clip whose 2D poses were detected elsewhere."""
        path, settings = self.clip.path, self.keypoints
        if "crop" in self.model.recipe:
            raise PosepipeError(f"models of method {self.model.method!r} look at pictures, and {path} has none")
        found = self.cache.run(read_people, self.clip, settings=settings, subject=self.name)
        return self.cache.run(frames_of, found, settings=settings, subject=self.name), found

    def detect(self, device: str) -> tuple[Frames, Detections]:
        """The people in a video."""
        settings = self.settings.detect
        frames = self.cache.run(extract_frames, self.clip, subject=self.name)
        if frames.missing_s:
            log.warning(
                "%s breaks off: its last %.1f s are missing; the rest is used", self.clip.path, frames.missing_s
            )
        detector = choose_detector(settings, device)
        return frames, people_in(self.cache, self.clip, frames, detector, settings, self.name)

    def lift(
        self,
        frames: Frames,
        found: Detections,
        model_file: SourceFile,
        lifting: LiftSettings,
        focal_px: float | None,
    ) -> dict[str, Pose3D]:
        """3D poses of the people that are wanted, by their names in result files."""
        poses, optics = {}, self.optics(frames, focal_px)
        people = self.cache.run(track_people, frames, found, settings=self.settings.track, subject=self.name)
        for number in self.wanted(people):
            track, crops, sides = self.follow(found, people, number)
            pose = self.cache.run(lift_poses, track, crops, model_file, settings=lifting, subject=self.name)
            if optics is not None:
                camera = optics.K, optics.distortion, optics.source
                pose = self.cache.run(place_root, pose, *camera, subject=self.name)
            pose = self.cache.run(make_motion, pose, settings=self.settings.motion, subject=self.name)
            poses[f"person{number}"] = replace(pose, steps=[sides, *pose.steps])
        return poses

    def optics(self, frames: Frames, focal_px: float | None) -> Optics | None:
        """What is known or assumed of the camera; nothing where nobody says how large its pictures are."""
        if not frames.filmed and self.keypoints.image_size_px is None:
            return None
        stated = stated_focal(self.clip.path) if focal_px is None else focal_px
        return find_optics(frames, self.clip.path, stated, self.settings.root)

    def wanted(self, people: Identities) -> list[int]:
        """Numbers of the people whose poses are wanted."""
        settings = self.settings.people
        one = choose(shares(people, settings.person), settings.person)
        return list(range(len(people.score))) if settings.everybody else [one]

    def follow(self, found: Detections, people: Identities, number: int) -> tuple[Track, Crops | None, str]:
        """One person's track as the model takes it, pictures if it looks at them, and what became of the sides."""
        run, settings, name = self.cache.run, self.settings, self.name
        track = run(track_athlete, found, people, number, settings=settings.track, subject=name)
        crops = None
        if "crop" in self.model.recipe:
            crops = run(crop_people, self.clip, track, settings=settings.crop, subject=name)
        track = run(morph_skeleton, track, settings=settings.morph, subject=name)
        if self.model.morph:
            track = run(move_joints, track, self.model.morph, subject=name)
        swaps = run(find_swaps, [track], None, settings=settings.sides, subject=name)
        track = run(mend_sides, track, swaps, 0, settings=settings.sides, subject=name)
        return track, crops, describe_swaps(swaps, 0, settings.sides)


def lifting_options(height_m: float | None, segments_m: Mapping[str, float] | None) -> dict[str, Any]:
    """What ``LiftSettings`` are to say of the athlete's size."""
    return {"height_m": height_m, "segments_m": dict(segments_m or {})}


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
    tree = {name: dict(model.recipe[name]) for name in repeated}
    tree |= {name: dict(model.recipe.get(name, {})) for name in AFTER_LIFTING}
    for section, values in overrides.items():
        if section not in tree:
            raise PosepipeError(f"infer has no settings {section!r}; it repeats {', '.join(tree)} as in {path}")
        if not isinstance(values, dict):
            raise PosepipeError(
                f"{section} = {values!r}: {section} is a group of settings, e.g. {section}.NAME=VALUE"
            )
        tree[section] = changed_detection(tree[section], values) if section == "detect" else tree[section] | values
    settings = settings_from(tree, f"settings for {path}")
    settings = settings.model_copy(update={"detect": checked_options(settings.detect, f"settings for {path}")})
    if settings.morph.network:
        raise PosepipeError(
            f"a skeleton morph belongs to the model that was trained with it: {path} has its own or none"
        )
    return settings
