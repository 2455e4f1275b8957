"""Settings: the same words in the Python API, in TOML files and behind ``--set``.

One class per stage; ``[train]`` holds the settings of the chosen method (its ``Settings`` class)
beside those that all methods share.
"""

from .base import UNKEYED, StageSettings
from .clip import (
    CropSettings,
    DetectSettings,
    KeypointSettings,
    MorphSettings,
    PeopleSettings,
    PictureSettings,
    Place,
    TrackSettings,
    changed_detection,
)
from .extensions import check_extension, find_extension, forget_extensions, load_place, names_of, packages
from .learning import Prior, RefineModelSettings, RefineSettings, TrainModelSettings, TrainSettings
from .method import (
    CAMERA_NEEDS,
    FROM_JOINTS,
    FROM_VIEWS,
    method_class,
    method_needs,
    method_settings,
    training_settings,
)
from .motion import AdjustSettings, LiftSettings, MotionSettings, RootSettings, Segment, WorldSettings
from .parsing import check_name, nested, parse, put, read_toml, setting_names, unknown_setting
from .takes import (
    CalibrateSettings,
    FuseSettings,
    LabelSettings,
    SampleSettings,
    SideSettings,
    SynchronizeSettings,
)
from .whole import AFTER_LIFTING, OF_CLIP, REPEATED, Settings, load_settings, settings_from, to_toml

__all__ = [
    "AFTER_LIFTING", "CAMERA_NEEDS", "FROM_JOINTS", "FROM_VIEWS", "OF_CLIP", "REPEATED", "UNKEYED",
    "AdjustSettings", "CalibrateSettings", "CropSettings", "DetectSettings", "FuseSettings", "KeypointSettings",
    "LabelSettings", "LiftSettings", "MorphSettings", "MotionSettings", "PeopleSettings", "PictureSettings",
    "Place", "Prior", "RefineModelSettings", "RefineSettings", "RootSettings", "SampleSettings", "Segment",
    "Settings", "SideSettings", "StageSettings", "SynchronizeSettings", "TrackSettings", "TrainModelSettings",
    "TrainSettings", "WorldSettings", "changed_detection", "check_extension", "check_name", "find_extension",
    "forget_extensions", "load_place", "load_settings", "method_class", "method_needs", "method_settings",
    "names_of", "nested", "packages", "parse", "put", "read_toml", "setting_names", "settings_from", "to_toml",
    "training_settings", "unknown_setting",
]  # fmt: skip
