"""All settings of a fit, and where they come from.

What is said wins in this order: ``--set`` and options, the file given with ``--config``, the defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field

from ...models import METHODS
from .base import StageSettings
from .clip import (
    CropSettings,
    DetectSettings,
    KeypointSettings,
    MorphSettings,
    PeopleSettings,
    PictureSettings,
    TrackSettings,
)
from .extensions import names_of
from .learning import RefineSettings, TrainSettings
from .motion import AdjustSettings, MotionSettings, RootSettings, WorldSettings
from .parsing import check_name, nested, parse, put, read_toml
from .takes import (
    CalibrateSettings,
    FuseSettings,
    LabelSettings,
    SampleSettings,
    SideSettings,
    SynchronizeSettings,
)

REPEATED = ("detect", "keypoints", "track", "people", "morph", "sides")
"""Settings that go into the model file, because ``infer`` repeats these stages."""

AFTER_LIFTING = ("motion", "root", "adjust")
"""Settings that go into it as well, of stages that a model of a keypoint file was made without."""

OF_CLIP = ("pictures",)
"""Settings of single clips, which no model holds."""


class Settings(StageSettings):
    """All settings of a fit."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    leave_out: list[str] = Field([], description="takes, cameras, or take/camera, that are not used")
    from_s: float | None = Field(None, description="start of what is used of every take, in the take's time")
    to_s: float | None = Field(None, description="end of what is used of every take, in the take's time")
    pictures: PictureSettings = PictureSettings()
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
    adjust: AdjustSettings = AdjustSettings()
    motion: MotionSettings = MotionSettings()
    world: WorldSettings = WorldSettings()
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
        check_name("method", shared.get("method", TrainSettings().method), names_of("method", METHODS))
    return parse(Settings, tree, where)


def to_toml(settings: Settings, options: dict[str, Any]) -> str:
    """All settings as a TOML file that ``--config`` reads back.

    Args:
        options: the method's own settings, defaults filled in.
    """
    tree = settings.model_dump(mode="json", exclude={"method"}, exclude_none=True)
    tree["train"] |= {name: value for name, value in options.items() if value is not None}
    return tomli_w.dumps(tree)
