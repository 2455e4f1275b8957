"""Settings: the same words in the Python API, in TOML files and behind ``--set``.

One class per stage; ``[train]`` holds the settings of the chosen method (its ``Settings`` class)
beside those that all methods share. What is said wins in this order: ``--set`` and options, the
file given with ``--config``, the defaults.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..models import METHODS
from ..models.skeleton import SKELETONS
from .detectors import DETECTORS
from .errors import PosepipeError

if TYPE_CHECKING:
    from ..models.method import Method, MethodSettings

UNKEYED: dict[str, Any] = {"keyed": False}
"""Marks a setting that says how to compute, not what: it does not count in cache keys."""


class StageSettings(BaseModel):
    """Base of all settings: unknown words are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class DetectSettings(StageSettings):
    """2D detection. What identifies the detector counts in keys by the detector's own digest."""

    detector: str = Field(
        "auto",
        description="auto: mmpose if a checkpoint is configured or on disk, else mediapipe",
        json_schema_extra=UNKEYED,
    )
    mmpose_config: str = Field(
        "",
        description="MMPose top-down config: a file, a name that MMPose knows, or one of posepipe models list",
        json_schema_extra=UNKEYED,
    )
    mmpose_checkpoint: str = Field("", description="local MMPose checkpoint file", json_schema_extra=UNKEYED)
    box_every: int = Field(
        5, ge=1, description="mmpose: look for people's boxes in every n-th frame", json_schema_extra=UNKEYED
    )
    boxes_config: str = Field(
        "",
        description="mmpose: config of a model that finds the boxes of several people: a file of MMDetection's, or a "
        "one-stage model of MMPose's such as RTMO; without one boxes come from mediapipe",
        json_schema_extra=UNKEYED,
    )
    boxes_checkpoint: str = Field(
        "",
        description="mmpose: its local checkpoint file; or an ONNX file of such a model, which needs no config",
        json_schema_extra=UNKEYED,
    )
    h36m17: dict[str, list[str]] = Field(
        {},
        description="mmpose, for a model of joints of your own: of which a joint of h36m17 is the middle",
        json_schema_extra=UNKEYED,
    )
    follow_poses: bool = Field(
        False,
        description="mmpose: look for people where they were in the frame before, and for boxes when they are lost",
        json_schema_extra=UNKEYED,
    )
    batch_size: int = Field(16, ge=1, description="mmpose: crops in one network pass", json_schema_extra=UNKEYED)
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="mmpose: sums of the backbone; bf16 is faster on processors that have it, and rounds more",
        json_schema_extra=UNKEYED,
    )
    first_look_s: float = Field(
        300.0,
        ge=0,
        description="in clips longer than this people are looked for in key frames first, and then only around those",
        json_schema_extra=UNKEYED,
    )
    chunk_frames: int = Field(
        120, ge=1, description="frames in a stored chunk, which a kill can lose; the detector starts afresh at each"
    )


class KeypointSettings(StageSettings):
    """2D poses that were detected elsewhere: what their files do not say."""

    rate_hz: float | None = Field(None, gt=0, description="frames per second")
    skeleton: str = Field("", description=f"skeleton whose joints are meant, in its order: {', '.join(SKELETONS)}")
    joints: list[str] = Field([], description="names of the joints in the file's order")
    h36m17: dict[str, list[str]] = Field(
        {}, description="of which joints a joint of h36m17 is the middle; those of its own name need not be said"
    )
    image_size_px: tuple[int, int] | None = Field(None, description="width and height of the pictures")


class TrackSettings(StageSettings):
    """Which of the people is the athlete."""

    gap_s: float = Field(0.5, gt=0, description="a person who vanishes for longer starts a new piece of track")
    min_confidence: float = Field(0.1, ge=0, le=1, description="joints below this count as missing")
    slow_motion: float = Field(1.0, gt=0, description="how many times slower than life the clip plays")


class PeopleSettings(StageSettings):
    """Whose poses are wanted."""

    person: str = Field(
        "main",
        pattern="^(main|largest|longest|[0-9]+)$",
        coerce_numbers_to_str=True,
        description="the athlete: main, largest, longest, or a number, 0 being main",
    )
    everybody: bool = Field(False, description="poses of all people who are tracked, not of the athlete only")


class CropSettings(StageSettings):
    """Pictures of the athlete, for methods that learn from pictures."""

    size_px: int = Field(256, ge=32, multiple_of=32, description="width and height")
    person: float = Field(0.75, gt=0.1, le=1, description="share of the picture's side that the person takes up")
    chunk_frames: int = Field(
        300, ge=1, description="pictures in a stored chunk, which a kill can lose", json_schema_extra=UNKEYED
    )


class MorphSettings(StageSettings):
    """Skeleton of the results."""

    skeleton: Literal["h36m17", "native"] = Field(
        "h36m17", description="h36m17, or native: the detector's own joints, feet included"
    )
    network: str = Field(
        "",
        description="file of posepipe morph fit, which moves joints to where a reference has them; without one they "
        "stay where the detector puts them",
        json_schema_extra=UNKEYED,
    )


class SynchronizeSettings(StageSettings):
    """Alignment of the cameras in time."""

    offsets: Literal["auto", "stated"] = Field(
        "auto",
        description="auto: find the offsets that posepipe.toml does not state; "
        "stated: cameras without offset_s start together",
    )
    cues: tuple[Literal["sound", "motion", "geometry", "timecode"], ...] = Field(
        ("sound", "motion", "geometry", "timecode"), min_length=1, description="what offsets are found from"
    )
    max_offset_s: float = Field(60.0, gt=0, description="how far apart cameras may have started")
    sound_path_m: float = Field(
        0.5, gt=0, description="how much longer the sound's way to one camera than to another usually is"
    )
    max_gap_s: float = Field(0.1, gt=0, description="2D poses are interpolated between frames at most this far apart")
    max_lag_s: float = Field(1.0, gt=0, description="how far the check looks for a wrong offset")


class SideSettings(StageSettings):
    """Left and right of the athlete where a detector took one for the other."""

    repair: bool = Field(True, description="exchange the sides where they are swapped; false leaves them")


class SampleSettings(StageSettings):
    """Choice of training instants."""

    static_cameras: bool | None = Field(
        None,
        description="whether relative camera rotations are constant; measured if neither this nor posepipe.toml says",
    )
    min_views: int = Field(2, ge=2, description="cameras that must see the athlete at an instant")
    min_joints: float = Field(0.5, ge=0, le=1, description="share of joints that a view must show")


class CalibrateSettings(StageSettings):
    """Where the cameras stand, for methods that need to know."""

    extrinsics: Literal["auto", "joints"] = Field(
        "auto", description="joints: find them from the athlete's joints even if they are given"
    )
    focal_px: float | None = Field(None, gt=0, description="focal length to assume where no intrinsics are given")
    field_of_view_deg: float | None = Field(
        None, gt=0, lt=180, description="horizontal field of view to assume where no intrinsics are given"
    )
    refine_focal: bool = Field(True, description="correct an assumed focal length by what the joints say")
    min_confidence: float = Field(0.3, ge=0, le=1, description="joints below this do not calibrate")
    tolerance: float = Field(0.01, gt=0, description="noise of a detection, in sizes of the person in the picture")
    max_instants: int = Field(100, ge=5, description="instants of a rig that calibrate it, spread over its takes")

    @property
    def assumes_focal(self) -> bool:
        """Whether intrinsics may be assumed where none are given."""
        return self.focal_px is not None or self.field_of_view_deg is not None

    def focal(self, width_px: float) -> float | None:
        """The focal length (px) to assume of a camera whose pictures are so wide, if one may be assumed."""
        if self.focal_px is not None or self.field_of_view_deg is None:
            return self.focal_px
        return width_px / 2 / math.tan(math.radians(self.field_of_view_deg) / 2)


class LabelSettings(StageSettings):
    """3D labels by triangulation, for methods that train on them."""

    triangulation: Literal["pairs", "all"] = Field(
        "all",
        description="all: robustly, of all views at once; pairs: vector median over pairs of neighbours, as "
        "published (EpipolarPose)",
    )
    min_confidence: float = Field(0.3, ge=0, le=1, description="joints below this are not triangulated")
    tolerance: float = Field(
        0.03, gt=0, description="all: error at which a view counts half, in sizes of the person in the picture"
    )


Segment = Literal[
    "thigh", "shank", "upper_arm", "forearm", "left_thigh", "left_shank", "left_upper_arm", "left_forearm",
    "right_thigh", "right_shank", "right_upper_arm", "right_forearm", "trunk", "shoulder_width", "hip_width",
]  # fmt: skip
"""Segments of a body whose lengths can be given; without a side, the mean of both is meant."""


class LiftSettings(StageSettings):
    """Size of the results."""

    height_m: float | None = Field(None, gt=0.3, lt=3, description="the athlete's stature; without it it counts as 1")
    segments_m: dict[Segment, Annotated[float, Field(gt=0.01, lt=3)]] = Field(
        {}, description="lengths of segments of the athlete's body, in the place of the stature"
    )
    intrinsics: list[list[float]] | None = Field(
        None, description="matrix K of the camera in px, for models whose method needs it"
    )
    distortion: list[float] | None = Field(
        None, min_length=5, max_length=5, description="k1, k2, p1, p2, k3 of the lens, beside its intrinsics"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps", json_schema_extra=UNKEYED)

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.height_m is not None and self.segments_m:
            raise ValueError("give the height or lengths of segments, not both")
        return self

    @property
    def unit(self) -> str:
        """Unit of lengths."""
        return "m" if self.height_m is not None or self.segments_m else "body heights"


class MotionSettings(StageSettings):
    """From single poses to motion."""

    filter: Literal["butterworth", "savitzky-golay", "one-euro", "gcv-spline", "none"] = Field(
        "gcv-spline", description="how trajectories are smoothed; none: poses stay as they were lifted"
    )
    cutoff_hz: float = Field(6.0, gt=0, description="movements faster than this count as noise (not for gcv-spline)")
    max_gap_s: float = Field(0.2, ge=0, description="poses missing for longer stay missing")
    outlier_deviations: float = Field(
        6.0,
        gt=0,
        description="joints off their neighbours in time by more robust standard deviations are replaced",
    )


class RootSettings(StageSettings):
    """Where the root is in camera coordinates, which is estimated beside the root-relative poses."""

    field_of_view_deg: float = Field(
        60.0,
        gt=0,
        lt=180,
        description="field of view along the longer side of pictures to assume where nothing tells the focal length",
    )


class FuseSettings(StageSettings):
    """One 3D skeleton per instant from all views of a take together."""

    enabled: bool = Field(
        True, description="write poses_multiview.npz for every take, and its like; false leaves it out"
    )


class RefineSettings(StageSettings):
    """Refinement unit of EpipolarPose, for any method that lifts 2D poses: it learns from true 3D poses."""

    reference: str = Field(
        "",
        description="keypoint file with true poses (joint_3d_cam) to train it on; results are then not "
        "self-supervised any more. Without one there is no unit",
    )
    epochs: int = Field(200, ge=1, description="passes over the pairs of lifted and true poses")


class RefiningSettings(StageSettings):
    """What the stage that trains the refinement unit is given."""

    epochs: int
    seed: int
    device: str = Field("auto", json_schema_extra=UNKEYED)


class TrainSettings(StageSettings):
    """What all training methods share."""

    method: str = Field("canonpose", description="training method")
    seed: int = Field(0, ge=0, description="seed of all random draws")


class TrainingSettings(TrainSettings):
    """What the training stage is given: the shared settings, and the method's own as plain values."""

    options: dict[str, Any]
    device: str = Field("auto", json_schema_extra=UNKEYED)


FROM_JOINTS = frozenset({"extrinsics", "labels"})
"""Needs of methods that the athlete's joints meet, once the intrinsics are known."""
FROM_VIEWS = frozenset({"reconstruction"})
"""Needs that the views meet with nothing else known."""
CAMERA_NEEDS = FROM_JOINTS | {"intrinsics"}
"""Needs that take intrinsics; methods that have one see keypoints freed from lens distortion, where it is known."""


REPEATED = ("detect", "keypoints", "track", "people", "morph", "sides")
"""Settings that go into the model file, because ``infer`` repeats these stages."""
AFTER_LIFTING = ("motion", "root")
"""Settings that go into it as well, of stages that a model of a keypoint file was made without."""


class Settings(StageSettings):
    """All settings of a fit."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    leave_out: list[str] = Field([], description="takes, cameras, or take/camera, that are not used")
    detect: DetectSettings = DetectSettings()
    keypoints: KeypointSettings = KeypointSettings()
    track: TrackSettings = TrackSettings()
    people: PeopleSettings = PeopleSettings()
    crop: CropSettings = CropSettings()
    morph: MorphSettings = MorphSettings()
    synchronize: SynchronizeSettings = SynchronizeSettings()
    sides: SideSettings = SideSettings()
    samples: SampleSettings = SampleSettings()
    calibrate: CalibrateSettings = CalibrateSettings()
    label: LabelSettings = LabelSettings()
    train: TrainSettings = TrainSettings()
    refine: RefineSettings = RefineSettings()
    fuse: FuseSettings = FuseSettings()
    root: RootSettings = RootSettings()
    motion: MotionSettings = MotionSettings()
    method: dict[str, Any] = Field({}, description="settings of the chosen method, validated by its own class")


def load_settings(
    config: Path | None = None, overrides: Iterable[str] = (), options: Mapping[str, Any] = {}
) -> Settings:
    """Settings from a TOML file, then ``section.name=value`` overrides, then options by dotted name.

    Raises:
        PosepipeError: unreadable file, unknown name (with the nearest valid one), or a value that does not fit.
    """
    tree = nested(overrides, read_toml(config) if config else {})
    for name, value in options.items():
        if value is not None:
            put(tree, name, value)
    return settings_from(tree, str(config or "settings"))


def nested(overrides: Iterable[str], tree: dict[str, Any] | None = None) -> dict[str, Any]:
    """``section.name=value`` overrides put into a tree of nested plain values.

    Raises:
        PosepipeError: no "=".
    """
    tree = {} if tree is None else tree
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise PosepipeError(f"--set {override!r} has no '='; write it as --set train.epochs=50")
        put(tree, name.strip(), _parse_value(value.strip()))
    return tree


def settings_from(tree: dict[str, Any], where: str) -> Settings:
    """Settings from nested plain values.

    Raises:
        PosepipeError: unknown name (with the nearest valid one), or a value that does not fit.
    """
    tree = {section: dict(values) if isinstance(values, dict) else values for section, values in tree.items()}
    train = tree.get("train", {})
    if isinstance(train, dict):  # in the file one section, here two: what is shared, and what is the method's own
        shared = {name: train.pop(name) for name in list(train) if name in TrainSettings.model_fields}
        tree["train"], tree["method"] = shared, train
        check_name("method", shared.get("method", TrainSettings().method), METHODS)
    if isinstance(detect := tree.get("detect", {}), dict):
        check_name("detector", detect.get("detector", "auto"), ["auto", *DETECTORS])
    return parse(Settings, tree, where)


def method_class(name: str) -> type[Method]:
    """The class of a training method (imports torch).

    Raises:
        PosepipeError: unknown method.
    """
    check_name("method", name, METHODS)
    module, _, attribute = METHODS[name].partition(":")
    return getattr(import_module(module), attribute)


def method_settings(settings: Settings) -> MethodSettings:
    """The chosen method's own settings, defaults filled in (imports torch).

    Raises:
        PosepipeError: unknown name (with the nearest valid one), or a value that does not fit.
    """
    return parse(method_class(settings.train.method).Settings, settings.method, "settings", section="train")


def method_needs(settings: Settings) -> frozenset[str]:
    """What the chosen method needs under its settings (imports torch)."""
    return method_class(settings.train.method).needs_with(method_settings(settings))


def training_settings(settings: Settings, offered: Collection[str], advice: str) -> TrainingSettings:
    """Settings of the training stage, checked, as are the data that the method needs.

    Args:
        offered: which of the needs of methods (``Method.needs``) the data meet.
        advice: what to do if they do not.

    Raises:
        PosepipeError: unknown settings, or data that the method cannot do without.
    """
    options, needs = method_settings(settings).model_dump(mode="json"), method_needs(settings)
    name = settings.train.method
    if needs & FROM_JOINTS:
        needs = needs - FROM_JOINTS | {"intrinsics"}
    if missing := sorted(needs - FROM_VIEWS - set(offered)):
        raise PosepipeError(f"method {name!r} needs {' and '.join(missing)}: {advice}, or use --method canonpose")
    return TrainingSettings(**settings.train.model_dump(), options=options, device=settings.device)


def to_toml(settings: Settings, options: dict[str, Any]) -> str:
    """All settings as a TOML file that ``--config`` reads back.

    Args:
        options: the method's own settings, defaults filled in.
    """
    tree = settings.model_dump(mode="json", exclude={"method"}, exclude_none=True)
    tree["train"] |= {name: value for name, value in options.items() if value is not None}
    return tomli_w.dumps(tree)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as nested plain values.

    Raises:
        PosepipeError: missing or not TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PosepipeError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise PosepipeError(f"cannot read {path}: {error.strerror}") from error


def check_name(kind: str, name: Any, valid: Iterable[str]) -> None:
    """Check that a name is a known one.

    Raises:
        PosepipeError: it is not; the sentence names the nearest valid one and lists all.
    """
    names = list(valid)
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 1, 0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise PosepipeError(f"unknown {kind} {name!r}; {hint}valid: {', '.join(names)}")


def parse(kind: type[Any], tree: Any, where: str, section: str = "") -> Any:
    """Validate nested plain values by a pydantic model.

    Raises:
        PosepipeError: one sentence about the first thing that is wrong.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        name = ".".join([section, *place] if section else place)
        if first["type"] == "extra_forbidden":
            valid = [".".join(filter(None, [section, path])) for path in setting_names(kind)]
            near = difflib.get_close_matches(name, valid, 1, 0.4)
            raise PosepipeError(
                f"{where}: unknown setting {name!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(valid)}")
            ) from error
        raise PosepipeError(f"{where}: {name} = {first['input']!r}: {first['msg'].lower()}") from error


def setting_names(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all settings of a class."""
    names = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += setting_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    """Give a setting of a dotted name a value in a tree of nested plain values.

    Raises:
        PosepipeError: a part of the name is a value.
    """
    *sections, name = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise PosepipeError(f"--set {dotted}: {section!r} already has the value {tree!r}; it holds no settings")
    tree[name] = value


def _parse_value(text: str) -> Any:
    """A TOML value; bare words are strings, so that --set train.method=canonpose needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
