"""Every setting, word and input, changed one at a time, makes the right stages run again and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import FakeDetector, detected_take, film, film_take, picture, picture_size, seen
from posepipe.models import METHODS
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.description import CameraDescription, TakeDescription
from posepipe.pipeline.runs import fit_takes
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.settings import Settings, load_settings
from posepipe.pipeline.training.model_file import Model
from pydantic import BaseModel
from quick_fit import QUICK

Key = tuple[str, str]
"""Subject and stage."""

SURE = tuple(word for word in QUICK if not word.startswith("fuse."))
JOINTS = json.dumps(H36M17.joints)
BASES = {
    "whole": (SURE, None),
    "views": (SURE, "samples"),
    "labels": (("train.method=epipolarpose", "calibrate.field_of_view_deg=60"), "label"),
    "crops": (("train.method=iqbal", "calibrate.field_of_view_deg=60", "detect.chunk_frames=15"), "crop"),
    "poses": ((*SURE, "keypoints.rate_hz=25", f"keypoints.joints={JOINTS}"), "samples"),
    "whole poses": ((*SURE, "keypoints.rate_hz=25", f"keypoints.joints={JOINTS}"), None),
    "arrays": ((*SURE, "keypoints.rate_hz=25"), None),
    "pictures": ((*SURE, "pictures.rate_hz=25"), "samples"),
    "stated": ((*SURE, "synchronize.offsets=stated"), "samples"),
}
"""Settings and last stage of the fits that are compared with: of videos, folders of pictures, files of 2D poses or an
.npz."""


@dataclass(frozen=True)
class Base:
    """A fit that is done, and the keys that it reached."""

    footage: Path
    out: Path
    keys: dict[Key, list[str]]
    overrides: tuple[str, ...]
    until: str | None
    network: str
    """Key of the network that it learnt; empty if it did not come so far."""

    def again(self, *overrides: str) -> bool:
        """Fit again; whether there was nothing to do."""
        settings = load_settings(overrides=[*self.overrides, *overrides])
        return fit(self.footage, out=self.out, settings=settings, until=self.until, exports=["npz"]).nothing_to_do

    def changed(self) -> set[str]:
        """Stages that made results which the base does not have."""
        known = {key for keys in self.keys.values() for key in keys}
        return {stage for (_, stage), keys in keys_of(self.out).items() if not known.issuperset(keys)}

    def behind(self, first: set[str]) -> set[str]:
        """These stages, and all that take results of theirs; poses are lifted again if another network was learnt."""
        stages = {key: stage for (_, stage), keys in self.keys.items() for key in keys}
        learnt = {"train_model"} if network_of(self.out) != self.network else set()
        uses = {stage: set(learnt) if stage.startswith("lift_") else set() for stage in stages.values()}
        for key, stage in stages.items():
            manifest = json.loads((self.out / "cache" / stage / key / "manifest.json").read_text())
            uses[stage] |= {stages[used] for used in manifest["inputs"] if used in stages}
        found = set(first)
        while more := {stage for stage, used in uses.items() if used & found} - found:
            found |= more
        return found


def keys_of(out: Path) -> dict[Key, list[str]]:
    """Keys that the last run has reached."""
    found: dict[Key, list[str]] = {}
    for subject, stage, key in json.loads((out / "run.json").read_text())["reached"]:
        found.setdefault((subject, stage), []).append(key)
    return found


def network_of(out: Path) -> str:
    """Key of the network that a fit learnt; empty if it did not come so far."""
    return Model.read(out / "model.pt").key if (out / "model.pt").exists() else ""


SAID = "moving = false\n"


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Base]]:
    """The fits of ``BASES``, as far as they were asked for; each test leaves their footage as it was."""
    folder = tmp_path_factory.mktemp("bases")
    film_take(folder / "videos" / "run", instants=range(30))
    detected_take(folder / "poses" / "run", instants=range(30))
    for camera in range(3):
        (folder / "pictures" / "run" / f"cam{camera}").mkdir(parents=True)
        for instant in range(30):
            image = folder / "pictures" / "run" / f"cam{camera}" / f"{instant:03d}.png"
            cv2.imwrite(str(image), picture(camera, instant))
    for kind in ("videos", "poses", "pictures"):
        (folder / kind / "run" / "posepipe.toml").write_text(SAID)
    (folder / "arrays").mkdir()
    keypoint = np.stack([seen(camera, range(30)) for camera in range(3)], 1)
    sizes = np.array([picture_size(camera) for camera in range(3)])
    np.savez(folder / "arrays" / "run.npz", keypoint=keypoint, joint_names=np.array(H36M17.joints), image_size=sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_takes, "choose_detector", lambda settings, device: FakeDetector())
        patch.setitem(METHODS, "sure too", "footage:SurePose")
        yield _Made(folder)


class _Made(dict):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> Base:
        overrides, until = BASES[name]
        places = {"poses": "poses/run", "arrays": "arrays/run.npz", "pictures": "pictures/run"}
        footage = self.folder / places.get(name.split()[-1], "videos/run")
        base = Base(footage, self.folder / name, {}, overrides, until, "")
        assert not base.again()
        self[name] = replace(base, keys=keys_of(base.out), network=network_of(base.out))
        return self[name]


TRACKING = {"track_people", "track_athlete"}

SETTINGS: dict[str, tuple[str, str, set[str]]] = {
    "device": ("cpu", "views", set()),
    "leave_out": ('["cam2"]', "views", {"synchronize", "match_people"}),
    "from_s": ("0.2", "stated", {"cut_frames", "detect_poses", "cut_timeline"}),
    "to_s": ("1.0", "stated", {"cut_frames", "detect_poses", "cut_timeline"}),
    "pictures.rate_hz": ("30", "pictures", {"extract_frames"}),
    "detect.detector": ("blazepose", "views", set()),
    "detect.first_look_s": ("200", "views", set()),
    "detect.chunk_frames": ("14", "views", {"detect_poses"}),
    "keypoints.rate_hz": ("30", "whole poses", {"read_people", "frames_of"}),
    "keypoints.skeleton": ("h36m17", "poses", {"read_people", "frames_of"}),
    "keypoints.joints": (json.dumps(H36M17.joints[::-1]), "poses", {"read_people", "frames_of"}),
    "keypoints.h36m17": (f'{{"{H36M17.joints[0]}" = ["{H36M17.joints[1]}"]}}', "poses", {"read_people", "frames_of"}),
    "keypoints.image_size_px": ("[640, 480]", "poses", {"read_people", "frames_of"}),
    "track.gap_s": ("0.4", "views", TRACKING),
    "track.min_confidence": ("0.2", "views", TRACKING),
    "track.slow_motion": ("2", "views", TRACKING),
    "people.person": ("longest", "views", set()),
    "people.everybody": ("true", "whole", {"build_samples"}),
    "crop.size_px": ("128", "crops", {"crop_people"}),
    "crop.person": ("0.5", "crops", {"crop_people"}),
    "crop.chunk_frames": ("7", "crops", set()),
    "morph.skeleton": ("native", "views", {"morph_skeleton"}),
    "morph.network": ("", "views", set()),
    "synchronize.offsets": ("stated", "views", {"synchronize"}),
    "synchronize.cues": ('["motion"]', "views", {"synchronize"}),
    "synchronize.max_offset_s": ("30", "views", {"synchronize"}),
    "synchronize.sound_path_m": ("0.6", "views", {"synchronize"}),
    "synchronize.max_gap_s": ("0.2", "views", {"synchronize"}),
    "synchronize.max_lag_s": ("0.5", "views", {"synchronize"}),
    "sides.repair": ("false", "views", {"find_swaps", "mend_sides"}),
    "samples.static_cameras": ("true", "views", {"build_samples"}),
    "samples.min_views": ("3", "views", {"build_samples"}),
    "samples.min_joints": ("0.4", "views", {"build_samples"}),
    "calibrate.extrinsics": ("joints", "labels", {"calibrate"}),
    "calibrate.focal_px": ("160", "labels", {"calibrate"}),
    "calibrate.field_of_view_deg": ("50", "labels", {"calibrate"}),
    "calibrate.refine_focal": ("false", "labels", {"calibrate"}),
    "calibrate.min_confidence": ("0.2", "labels", {"calibrate"}),
    "calibrate.tolerance": ("0.02", "labels", {"calibrate"}),
    "calibrate.max_instants": ("15", "labels", {"calibrate"}),
    "label.triangulation": ("pairs", "labels", {"label_poses"}),
    "label.min_confidence": ("0.2", "labels", {"label_poses"}),
    "label.tolerance": ("0.02", "labels", {"label_poses"}),
    "train.method": ("sure too", "whole", {"train_model"}),
    "train.seed": ("1", "whole", {"train_model"}),
    "train.prior": ("none", "whole", set()),
    "train.epochs": ("3", "whole", {"train_model"}),
    "refine.reference": ("", "whole", set()),
    "refine.epochs": ("100", "whole", set()),
    "fuse.enabled": ("false", "whole", set()),
    "root.field_of_view_deg": ("50", "whole", {"place_root"}),
    "world.height_m": ("1.8", "whole", {"place_root", "make_motion"}),
    "world.segments_m": ('{"thigh" = 0.45}', "whole", {"place_root", "make_motion"}),
    "world.frame": ("camera", "whole", set()),
    "adjust.enabled": ("false", "whole", {"make_motion"}),
    "motion.filter": ("butterworth", "whole", {"make_motion"}),
    "motion.cutoff_hz": ("5", "whole", {"make_motion"}),
    "motion.max_gap_s": ("0.3", "whole", {"make_motion"}),
    "motion.outlier_deviations": ("5", "whole", {"make_motion"}),
}
"""Of each setting: another value, the base that heeds it, and the first stages that must run again."""

ELSEWHERE = {"device", "morph.network", "refine.reference"}
"""Where networks run counts nowhere, and the files that settings name have tests of their own."""


def names_in(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all settings; the method's own stand in ``train`` and are represented by one of them."""
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += names_in(kind, f"{prefix}{name}.")
        else:
            found.append("train.epochs" if name == "method" and not prefix else f"{prefix}{name}")
    return found


def test_the_table_has_every_setting() -> None:
    assert sorted(names_in(Settings)) == sorted(SETTINGS)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in ELSEWHERE])
def test_a_changed_setting_runs_the_right_stages_again(name: str, bases: dict[str, Base]) -> None:
    value, which, first = SETTINGS[name]
    base = bases[which]
    assert not base.again(f"{name}={value}"), "a changed setting is another request"
    assert base.changed() == base.behind(first)
    assert base.again(f"{name}={value}")


@pytest.mark.parametrize(
    ("name", "value", "first"),
    [
        ("keypoints.rate_hz", "30", {"read_keypoints"}),
        ("samples.static_cameras", "true", {"read_keypoints"}),
        ("sides.repair", "false", {"find_swaps_in_samples", "mend_samples"}),
        ("samples.min_joints", "0.4", {"select_samples"}),
        ("train.seed", "1", {"train_model"}),
        ("root.field_of_view_deg", "50", {"place_views"}),
        ("adjust.enabled", "false", {"make_motion_of_views"}),
        ("motion.filter", "butterworth", {"make_motion_of_views"}),
    ],
)
def test_a_changed_setting_runs_the_right_stages_of_a_keypoint_file_again(
    name: str, value: str, first: set[str], bases: dict[str, Base]
) -> None:
    base = bases["arrays"]
    assert not base.again(f"{name}={value}")
    assert base.changed() == base.behind(first)
    assert base.again(f"{name}={value}")


def test_where_networks_run_is_no_other_request(bases: dict[str, Base]) -> None:
    base = bases["views"]
    base.again()
    assert base.again("device=cpu")


CALIBRATED = "".join(
    f"[cam{view}]\nsize = [{picture_size(view)[0]}, {picture_size(view)[1]}]\n"
    f"matrix = [[FOCAL, 0, {picture_size(view)[0] / 2}], [0, FOCAL, {picture_size(view)[1] / 2}], [0, 0, 1]]\n"
    "distortions = [0, 0, 0, 0]\n"
    for view in range(3)
)
SLOW = "[cameras.cam{}]\nslow_motion = 2\n"
WORDS: dict[str, tuple[str, str, set[str]]] = {
    "moving": ("moving = true", "views", {"build_samples"}),
    "rig": ('moving = false\nrig = "hall"', "views", {"build_samples"}),
    "slow_motion": ("moving = false\nslow_motion = 2", "views", TRACKING),
    "focal_px": ("moving = false\nfocal_px = 200", "whole", {"place_root"}),
    "lens": ('moving = false\nlens = "wide"', "whole", {"fuse_views"}),
    "calibration": ('moving = false\ncalibration = "measured.toml"', "labels", {"build_samples", "calibrate"}),
    "leave_out": ('moving = false\nleave_out = ["cam2"]', "views", {"synchronize", "match_people"}),
    "keypoints": ("moving = false\n[keypoints]\nrate_hz = 30", "whole poses", {"read_people", "frames_of"}),
    "pictures": ("moving = false\n[pictures]\nrate_hz = 30", "pictures", {"extract_frames"}),
    "people": ("moving = false\n[people.anna]\nheight_m = 1.8", "whole", {"place_root", "make_motion"}),
    "cameras.from_s": (
        "moving = false\n[cameras.cam0]\nfrom_s = 0.2", "stated", {"cut_frames", "detect_poses"}),
    "cameras.to_s": (
        "moving = false\n[cameras.cam0]\nto_s = 1", "stated", {"cut_frames", "detect_poses"}),
    "cameras.video": (
        'moving = false\n[cameras.cam0]\nvideo = "cam1.mp4"\n[cameras.cam1]\nvideo = "cam0.mp4"',
        "views", {"synchronize", "match_people"}),
    "cameras.offset_s": ("moving = false\n[cameras.cam0]\noffset_s = 0.2", "views", {"synchronize"}),
    "cameras.moving": ("moving = false\n[cameras.cam0]\nmoving = true", "views", {"build_samples"}),
    "cameras.slow_motion": ("moving = false\n" + "".join(SLOW.format(view) for view in range(3)), "views", TRACKING),
    "cameras.focal_px": ("moving = false\n[cameras.cam0]\nfocal_px = 200", "whole", {"place_root"}),
    "cameras.mirrored": ("moving = false\n[cameras.cam0]\nmirrored = true", "views", {"extract_frames"}),
    "cameras.lens": ('moving = false\n[cameras.cam0]\nlens = "wide"', "whole", {"fuse_views"}),
}  # fmt: skip
"""Of each word of ``posepipe.toml``: a file with it, the base that heeds it, and the first stages that run again."""


def test_the_table_has_every_word() -> None:
    words = [name for name in TakeDescription.model_fields if name != "cameras"]
    assert sorted([*words, *(f"cameras.{name}" for name in CameraDescription.model_fields)]) == sorted(WORDS)


@pytest.mark.parametrize("name", WORDS)
def test_a_changed_word_runs_the_right_stages_again(name: str, bases: dict[str, Base]) -> None:
    said, which, first = WORDS[name]
    base = bases[which]
    base.again()
    (base.footage / "measured.toml").write_text(CALIBRATED.replace("FOCAL", "180"))
    described = base.footage / "posepipe.toml"
    try:
        described.write_text(said)
        assert not base.again(), "another word is another request"
        assert base.changed() == base.behind(first)
        assert base.again()
    finally:
        described.write_text(SAID)


def test_another_video_runs_its_own_stages_and_those_behind_them(bases: dict[str, Base]) -> None:
    base = bases["views"]
    base.again()
    video = base.footage / "cam1.mp4"
    before = video.read_bytes()
    try:
        film(video, 1, range(1, 31))
        assert not base.again()
        assert base.changed() == base.behind({"extract_frames"})
        found = keys_of(base.out)
        assert found["run/cam0", "detect_poses"] == base.keys["run/cam0", "detect_poses"]
        assert base.again()
    finally:
        video.write_bytes(before)


def test_another_content_of_the_calibration_file_calibrates_again(bases: dict[str, Base]) -> None:
    base = bases["labels"]
    base.again()
    made = set()
    try:
        (base.footage / "posepipe.toml").write_text('moving = false\ncalibration = "measured.toml"\n')
        for focal in ("180", "190"):
            (base.footage / "measured.toml").write_text(CALIBRATED.replace("FOCAL", focal))
            assert not base.again()
            assert base.changed() == base.behind({"build_samples", "calibrate"})
            made |= {tuple(keys) for (_, stage), keys in keys_of(base.out).items() if stage == "calibrate"}
    finally:
        (base.footage / "posepipe.toml").write_text(SAID)
    assert len(made) == 2
