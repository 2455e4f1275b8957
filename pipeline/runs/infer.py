"""Infer: 3D poses of new clips of a single camera, with a model that fit made."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..arrays import Crops, Detections, Identities, Pose3D
from ..detectors.choose import checked_options, choose_detector
from ..errors import PosepipeError
from ..exporters import DEFAULT_EXPORTS, find_format, without_video
from ..exporters.clip import Clip, Person
from ..footage.camera import Camera, check_focal, find_camera
from ..footage.keypoint_file import is_keypoint_file
from ..footage.sources import check_clip, results_folder
from ..runtime.cache import SourceFile
from ..runtime.device import check_device
from ..runtime.workplace import open_workplace
from ..settings import (
    AFTER_LIFTING,
    OF_CLIP,
    REPEATED,
    LiftSettings,
    Settings,
    changed_detection,
    settings_from,
)
from ..stages.adjust import describe_fit
from ..stages.crop import crop_people
from ..stages.lift import check_intrinsics, lift_poses
from ..stages.sides import find_swaps, mend_sides
from ..stages.track.choose import choose, find_at, shares
from ..training.generic_lifter import IN_WORDS, generic_file, is_generic, named_model, read_model
from ..training.model_file import Model
from .clip_chain import ClipChain, Opened, check_part, check_whole, without_unseen_feet
from .infer_arrays import infer_arrays
from .results import Inferred, about, provenance, say_verdict, write_results
from .up_to_date import InferRequest, digest_of, infer_request

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
    from_s: float | None = None,
    to_s: float | None = None,
) -> Inferred:
    """3D poses of a clip, from that clip alone.

    The clip goes through the same stages, with the same settings, as those that the model was trained
    on; what the fit that made the model has already detected is used again.

    Args:
        clip: a video, a folder of numbered pictures, a file or folder of 2D poses (``readers``), or an .npz of
            samples (``keypoints``); where a recording goes on in further files, these are read as well.
        model: the ``model.pt`` of a fit, or "generic" for the model that comes with posepipe; by default it is looked
            for beside the clip and in the current folder, and where there is none the generic one is taken.
        out: where results go; by default beside the clip, as ``<clip>_posepipe``.
        height_m: the athlete's stature; results are in metres then, else in body heights.
        segments_m: instead of it lengths of the athlete's segments: "thigh", "shank", "upper_arm" and "forearm" for
            the mean of both sides, "left_thigh" and so on, "trunk", "shoulder_width", "hip_width".
        focal_px: focal length of the camera, for the root trajectory and for models whose method needs it; the
            principal point is the middle. Without it, what ``posepipe.toml`` or the video says, else an assumed one.
        exports: result files.
        overrides: settings of the stages before training that differ from the model's, nested.
        device: where networks run.
        from_s: where the part of the clip begins that is used, in s of its own time, which stays as it is.
        to_s: where it ends; the frame of that time does not belong to it.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    clip = Path(clip)
    for name in exports:
        find_format(name)
    poses_given = check_clip(clip)
    path = find_model(clip) if model is None else named_model(model)
    trained = read_model(path)
    if is_generic(path):
        log.info(IN_WORDS)
    settings = recipe_settings(trained, overrides or {}, path)
    asked = infer_request(clip, path, height_m, segments_m, focal_px, overrides, (from_s, to_s))
    check_part(asked.clip.from_s, asked.clip.to_s)
    check_device(device)
    target = Path(out) if out else results_folder(clip)
    if is_keypoint_file(clip) and not poses_given:
        check_whole(clip, asked.clip.part)
        return infer_arrays(asked, target, settings, tuple(exports), device)
    check_intrinsics(trained, bool(focal_px or asked.clip.focal_px or asked.clip.calibration))
    with open_workplace(target, borrowed=(path.parent / "cache",)) as place, about(clip):
        request = digest_of(asked, place.digests)
        place.journal.begin()
        one = _OneClip(ClipChain(place.cache, settings, trained.morph), trained, place.source(path), asked, device)
        opened, found = one.detect(one.chain.source(asked.clip, place))
        if opened.frames.is_part:
            log.info("%s: used from %s", clip, opened.frames.part)
        if not opened.frames.filmed:
            exports = without_video(exports)
        if not is_generic(path) and found.detector not in trained.recipe["detector"]:
            log.warning("the model was trained with another detector: %s", trained.recipe["detector"])
        poses = one.lift(opened, found)
        shown = tuple(Person(who, pose) for who, pose in poses.items())
        used = *one.used, one.lifting
        origin = provenance(opened.source, one.model_file, trained, found.detector, *used)
        for who, pose in poses.items():
            for sentence in describe_fit(pose):
                log.info("%s, %s: %s", clip.name, who, sentence)
            say_verdict(f"{clip.name}, {who}", pose)
        made = Clip.of_people(shown, opened.frames, clip, origin, opened.source)
        files = write_results(made, place.folder, exports)
        place.journal.end(request)
        return Inferred(clip, place.folder, shown[0].pose, tuple(files), poses)


@dataclass(frozen=True)
class _OneClip:
    """A clip on its way through the stages, as those went that the model was trained on."""

    chain: ClipChain
    model: Model
    model_file: SourceFile
    asked: InferRequest
    device: str

    @property
    def name(self) -> str:
        """The clip, for people."""
        return self.asked.clip.video.stem

    @property
    def used(self) -> tuple[BaseModel, ...]:
        """Settings that the poses depend on."""
        of, tracking = self.chain.settings, self.chain.tracking(self.asked.clip)
        return of.detect, tracking, of.people, of.morph, of.sides, of.root, of.adjust, of.motion

    def detect(self, source: SourceFile) -> tuple[Opened, Detections]:
        """The clip as it was decoded, and the people in it, as given or as found in its pictures."""
        opened = self.chain.open(self.asked.clip, source, self.name, self.asked.clip.part)
        if self.asked.focal_px is not None:
            check_focal(self.asked.focal_px, opened.frames.image_size.tolist())
        if opened.given is not None:
            if "crop" in self.model.recipe:
                raise PosepipeError(
                    f"models of method {self.model.method!r} look at pictures, and {source.path} has none"
                )
            return opened, opened.given
        detector = choose_detector(self.chain.settings.detect, self.device)
        decoded, found = self.chain.detect(opened, detector, self.name)
        for sentence in decoded.lost:
            log.warning(sentence)
        return decoded, found

    def lift(self, opened: Opened, found: Detections) -> dict[str, Pose3D]:
        """3D poses of the people that are wanted, by their names in result files."""
        run, settings, name = self.chain.cache.run, self.chain.settings, self.name
        camera = self.camera(opened)
        trained_with, lifting = self.trained_with(camera), self.lifting
        learnt_from = self.model.known_poses
        poses, people = {}, self.chain.identify(opened, found, name)
        numbers = self.wanted(found, people)
        tracks = [
            self.chain.map_joints(self.chain.follow(opened, found, people, number, name), name) for number in numbers
        ]
        if opened.given is not None:
            tracks = without_unseen_feet(tracks)
        for number, track in zip(numbers, tracks, strict=True):
            crops: Crops | None = None
            if "crop" in self.model.recipe:
                crops = run(crop_people, opened.source, opened.frames, track, settings=settings.crop, subject=name)
            swaps = run(find_swaps, [track], None, settings=settings.sides, subject=name)
            mended = run(mend_sides, track, swaps, 0, settings=settings.sides, subject=name)
            pose = run(lift_poses, mended, crops, trained_with, self.model, settings=lifting, subject=name)
            poses[f"person{number}"] = self.chain.finish(pose, camera, swaps, 0, learnt_from, name)
        return poses

    def camera(self, opened: Opened) -> Camera | None:
        """What is known or assumed of the camera; nothing where nobody says how large its pictures are."""
        camera, focal_px = opened.camera, self.asked.focal_px
        if focal_px is None and camera.calibration is not None:
            return camera.calibration
        if not opened.sized:
            return None
        stated = camera.focal_px if focal_px is None else focal_px
        return find_camera(opened.frames, camera.video, stated, self.chain.settings.root)

    @property
    def lifting(self) -> LiftSettings:
        """Settings of the stage lift."""
        return self.asked.lifting.model_copy(update={"device": self.device})

    def trained_with(self, found: Camera | None) -> Camera | None:
        """The camera for the model, if it takes one and its intrinsics are known, and not only assumed."""
        stated = self.asked.focal_px or self.asked.clip.focal_px
        known = found if stated is not None or self.asked.clip.calibration is not None else None
        return known.anywhere if known is not None and self.model.lifts_with_intrinsics else None

    def wanted(self, found: Detections, people: Identities) -> list[int]:
        """Numbers of the people whose poses are wanted.

        Raises:
            PosepipeError: a person who does not exist, or a place where nobody is.
        """
        settings, count = self.chain.settings.people, len(people.score)
        if settings.everybody:
            return list(range(count))
        if (place := settings.place) is None:
            return [choose(shares(people, settings.person), settings.person)]
        if place.camera not in ("", self.name, self.asked.clip.name):
            raise PosepipeError(
                f"person {settings.person}: there is no camera {place.camera!r}; the clip is {self.name}, whose name "
                "need not be said"
            )
        return [find_at(place, found, people, [f"person {number}" for number in range(count)])]


def find_model(clip: Path) -> Path:
    """The model for a clip, if none is named.

    Looked for in the results folders beside the clip and of the folder that it lies in, then in the
    current folder; where there is none, it is the generic one.

    Raises:
        PosepipeError: there are several.
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
    return generic_file()


def recipe_settings(model: Model, overrides: dict[str, Any], path: Path) -> Settings:
    """The settings of the stages before training that a model was made with, but for ``overrides``.

    Raises:
        PosepipeError: an override that is not a setting of these stages, or a model that does not say its settings.
    """
    if missing := {*REPEATED, "detector"} - set(model.recipe):
        raise PosepipeError(f"{path} is damaged: its recipe lacks {min(missing)!r}; run fit again")
    repeated = (*REPEATED, "crop") if "crop" in model.recipe else REPEATED
    tree = {name: dict(model.recipe[name]) for name in repeated}
    tree |= {name: dict(model.recipe.get(name, {})) for name in (*AFTER_LIFTING, *OF_CLIP)}
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
